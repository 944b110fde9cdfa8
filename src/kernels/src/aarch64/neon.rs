//! NEON: 4 lanes of f32, 16 bytes.

#![allow(unsafe_code)]

use std::arch::aarch64::*;

use half::f16;

use crate::bytes::Bytes;
use crate::lanes::{Lanes, Load};
use crate::table::Kernels;

/// The table of these kernels.
pub(crate) static KERNELS: Kernels = kernels!("neon", "neon", Neon, Neon);

/// The instruction set.
pub(crate) struct Neon;

impl Lanes for Neon {
    const N: usize = 4;
    type F = float32x4_t;
    type D = [float64x2_t; 2];

    /// Left to the hardware: there is no stable intrinsic.
    #[inline(always)]
    unsafe fn zero() -> float32x4_t {
        // SAFETY: NEON.
        unsafe { vdupq_n_f32(0.0) }
    }

    #[inline(always)]
    unsafe fn add(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: NEON.
        unsafe { vaddq_f32(a, b) }
    }

    #[inline(always)]
    unsafe fn sub(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: NEON.
        unsafe { vsubq_f32(a, b) }
    }

    #[inline(always)]
    unsafe fn abs(a: float32x4_t) -> float32x4_t {
        // SAFETY: NEON.
        unsafe { vabsq_f32(a) }
    }

    #[inline(always)]
    unsafe fn fma(acc: float32x4_t, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: NEON.
        unsafe { vfmaq_f32(acc, a, b) }
    }

    #[inline(always)]
    unsafe fn xor(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: NEON.
        unsafe { vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b))) }
    }

    #[inline(always)]
    unsafe fn sum(a: float32x4_t) -> f32 {
        // SAFETY: NEON.
        unsafe { vaddvq_f32(a) }
    }

    #[inline(always)]
    unsafe fn zero_f64() -> [float64x2_t; 2] {
        // SAFETY: NEON.
        unsafe { [vdupq_n_f64(0.0); 2] }
    }

    #[inline(always)]
    unsafe fn square_f64(acc: [float64x2_t; 2], a: float32x4_t) -> [float64x2_t; 2] {
        // SAFETY: NEON.
        unsafe {
            let low = vcvt_f64_f32(vget_low_f32(a));
            let high = vcvt_high_f64_f32(a);
            [vfmaq_f64(acc[0], low, low), vfmaq_f64(acc[1], high, high)]
        }
    }

    #[inline(always)]
    unsafe fn sum_f64(a: [float64x2_t; 2]) -> f64 {
        // SAFETY: NEON.
        unsafe { vaddvq_f64(vaddq_f64(a[0], a[1])) }
    }

    #[inline(always)]
    unsafe fn flips(code: *const u8, first: usize, _n: usize) -> float32x4_t {
        // SAFETY: four lanes share one byte, whose lower or upper half is theirs; shifting lane `i` left by `31 - i` brings its bit
        // to the sign.
        unsafe {
            let bits = u32::from(!*code) >> (first % 8);
            const SHIFTS: [i32; 4] = [31, 30, 29, 28];
            let own = vshlq_u32(vdupq_n_u32(bits), vld1q_s32(SHIFTS.as_ptr()));
            vreinterpretq_f32_u32(vandq_u32(own, vdupq_n_u32(1 << 31)))
        }
    }
}

impl Load<f32> for Neon {
    #[inline(always)]
    unsafe fn load(p: *const f32) -> float32x4_t {
        // SAFETY: the caller's `p` is readable for 4 elements.
        unsafe { vld1q_f32(p) }
    }

    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize) -> float32x4_t {
        let mut part = [0.0; 4];
        // SAFETY: the caller's `p` is readable for `n < 4` elements.
        unsafe {
            p.copy_to_nonoverlapping(part.as_mut_ptr(), n);
            vld1q_f32(part.as_ptr())
        }
    }
}

impl Load<f16> for Neon {
    #[inline(always)]
    unsafe fn load(p: *const f16) -> float32x4_t {
        // SAFETY: the caller's `p` is readable for 4 elements.
        unsafe { vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p.cast()))) }
    }

    #[inline(always)]
    unsafe fn load_part(p: *const f16, n: usize) -> float32x4_t {
        let mut part = [f16::ZERO; 4];
        // SAFETY: the caller's `p` is readable for `n < 4` elements.
        unsafe {
            p.copy_to_nonoverlapping(part.as_mut_ptr(), n);
            <Self as Load<f16>>::load(part.as_ptr())
        }
    }
}

impl Bytes for Neon {
    const WIDTH: usize = 16;
    // Sums go to 32-bit lanes at once, so a run may be any multiple of the width.
    const RUN: usize = 1 << 20;
    type V = int32x4_t;
    type Mask = uint8x16_t;

    #[inline(always)]
    unsafe fn zero() -> int32x4_t {
        // SAFETY: NEON.
        unsafe { vdupq_n_s32(0) }
    }

    #[inline(always)]
    unsafe fn load(p: *const u8) -> int32x4_t {
        // SAFETY: the caller's `p` is readable for 16 bytes.
        unsafe { vreinterpretq_s32_u8(vld1q_u8(p)) }
    }

    #[inline(always)]
    unsafe fn load_part(p: *const u8, n: usize) -> int32x4_t {
        let mut part = [0; 16];
        // SAFETY: the caller's `p` is readable for `n < 16` bytes.
        unsafe {
            p.copy_to_nonoverlapping(part.as_mut_ptr(), n);
            <Self as Bytes>::load(part.as_ptr())
        }
    }

    #[inline(always)]
    unsafe fn add_i32(a: int32x4_t, b: int32x4_t) -> int32x4_t {
        // SAFETY: NEON.
        unsafe { vaddq_s32(a, b) }
    }

    #[inline(always)]
    unsafe fn sum_i32(a: int32x4_t) -> i32 {
        // SAFETY: NEON.
        unsafe { vaddvq_s32(a) }
    }

    #[inline(always)]
    unsafe fn dot_query(seen: int32x4_t, _query: int32x4_t) -> int32x4_t {
        seen
    }

    #[inline(always)]
    unsafe fn dot(acc: int32x4_t, query: int32x4_t, row: int32x4_t) -> int32x4_t {
        // SAFETY: NEON. A product is at most 2^14 in magnitude.
        unsafe {
            let (query, row) = (vreinterpretq_s8_s32(query), vreinterpretq_s8_s32(row));
            let low = vmull_s8(vget_low_s8(query), vget_low_s8(row));
            vpadalq_s16(vpadalq_s16(acc, low), vmull_high_s8(query, row))
        }
    }

    #[inline(always)]
    unsafe fn dot_excess(_seen: int32x4_t) -> Option<i32> {
        Some(0)
    }

    #[inline(always)]
    unsafe fn dot_wide(acc: int32x4_t, query: int32x4_t, row: *const i8) -> int32x4_t {
        // SAFETY: the caller's `row` is readable for 8 bytes; NEON.
        unsafe {
            let (query, row) = (vreinterpretq_s16_s32(query), vmovl_s8(vld1_s8(row)));
            vmlal_high_s16(vmlal_s16(acc, vget_low_s16(query), vget_low_s16(row)), query, row)
        }
    }

    #[inline(always)]
    unsafe fn hamming(acc: int32x4_t, a: int32x4_t, b: int32x4_t) -> int32x4_t {
        // SAFETY: NEON.
        unsafe {
            let counts = vcntq_s8(vreinterpretq_s8_s32(veorq_s32(a, b)));
            vpadalq_s16(acc, vpaddlq_s8(counts))
        }
    }

    /// A byte's total lies within -64..=56.
    #[inline(always)]
    unsafe fn planes(acc: int32x4_t, code: int32x4_t, planes: [int32x4_t; 4]) -> int32x4_t {
        // SAFETY: NEON.
        unsafe {
            let ones = vcntq_s8(vreinterpretq_s8_s32(vandq_s32(code, planes[0])));
            let twos = vcntq_s8(vreinterpretq_s8_s32(vandq_s32(code, planes[1])));
            let fours = vcntq_s8(vreinterpretq_s8_s32(vandq_s32(code, planes[2])));
            let eights = vcntq_s8(vreinterpretq_s8_s32(vandq_s32(code, planes[3])));
            let odd = vaddq_s8(ones, vshlq_n_s8::<1>(twos));
            let even = vsubq_s8(vshlq_n_s8::<2>(fours), vshlq_n_s8::<3>(eights));
            vpadalq_s16(acc, vpaddlq_s8(vaddq_s8(odd, even)))
        }
    }

    #[inline(always)]
    unsafe fn mask(code: *const u8, n: usize) -> uint8x16_t {
        // SAFETY: reads the second byte only if it holds a bit of the `n` asked for.
        unsafe {
            const OWN: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
            let second = if n > 8 { *code.add(1) } else { 0 };
            vtstq_u8(vcombine_u8(vdup_n_u8(*code), vdup_n_u8(second)), vld1q_u8(OWN.as_ptr()))
        }
    }

    #[inline(always)]
    unsafe fn masked_sum(acc: int32x4_t, mask: uint8x16_t, query: int32x4_t) -> int32x4_t {
        // SAFETY: NEON.
        unsafe {
            let selected = vandq_s8(vreinterpretq_s8_s32(query), vreinterpretq_s8_u8(mask));
            vpadalq_s16(acc, vpaddlq_s8(selected))
        }
    }

    #[inline(always)]
    unsafe fn all() -> uint8x16_t {
        // SAFETY: NEON.
        unsafe { vdupq_n_u8(255) }
    }

    #[inline(always)]
    unsafe fn widen(narrow: int32x4_t) -> int32x4_t {
        narrow
    }
}
