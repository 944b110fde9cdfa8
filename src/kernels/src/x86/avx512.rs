//! AVX-512 with F, BW, DQ and VL (`x86-64-v4`): 16 lanes of f32, 64 bytes, tails by masked loads; VNNI and VPOPCNTDQ where present.
//!
//! A masked load touches no byte whose mask bit is clear, so tails need no copy and may end at the end of a page.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use half::f16;

use super::read_le;
use crate::bytes::Bytes;
use crate::lanes::{Lanes, Load};
use crate::table::Kernels;

/// Kernels for Skylake-X.
pub(crate) static BASE: Kernels =
    kernels!("avx512", "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,popcnt", Avx512, Bytes512<false, false>);

/// Kernels for Cascade Lake.
pub(crate) static VNNI: Kernels = kernels!(
    "avx512+vnni",
    "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c,popcnt",
    Avx512,
    Bytes512<true, false>
);

/// Kernels for Ice Lake, Zen 4 and later.
pub(crate) static VPOPCNTDQ: Kernels = kernels!(
    "avx512+vnni+vpopcntdq",
    "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vpopcntdq,avx2,fma,f16c,popcnt",
    Avx512,
    Bytes512<true, true>
);

/// Float lanes.
pub(crate) struct Avx512;

/// A mask of the first `n < 16` lanes.
#[inline(always)]
fn first16(n: usize) -> __mmask16 {
    (1 << n) - 1
}

/// A mask of the first `n < 64` bytes.
#[inline(always)]
fn first64(n: usize) -> __mmask64 {
    (1 << n) - 1
}

impl Lanes for Avx512 {
    const N: usize = 16;
    type F = __m512;
    type D = [__m512d; 2];

    #[inline(always)]
    unsafe fn zero() -> __m512 {
        // SAFETY: AVX-512F.
        unsafe { _mm512_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        // SAFETY: AVX-512F.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        // SAFETY: AVX-512F.
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn abs(a: __m512) -> __m512 {
        // SAFETY: AVX-512F.
        unsafe { _mm512_abs_ps(a) }
    }

    #[inline(always)]
    unsafe fn fma(acc: __m512, a: __m512, b: __m512) -> __m512 {
        // SAFETY: AVX-512F.
        unsafe { _mm512_fmadd_ps(a, b, acc) }
    }

    #[inline(always)]
    unsafe fn xor(a: __m512, b: __m512) -> __m512 {
        // SAFETY: AVX-512DQ.
        unsafe { _mm512_xor_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn sum(a: __m512) -> f32 {
        // SAFETY: AVX-512F.
        unsafe { _mm512_reduce_add_ps(a) }
    }

    #[inline(always)]
    unsafe fn zero_f64() -> [__m512d; 2] {
        // SAFETY: AVX-512F.
        unsafe { [_mm512_setzero_pd(); 2] }
    }

    #[inline(always)]
    unsafe fn square_f64(acc: [__m512d; 2], a: __m512) -> [__m512d; 2] {
        // SAFETY: AVX-512F and DQ.
        unsafe {
            let low = _mm512_cvtps_pd(_mm512_castps512_ps256(a));
            let high = _mm512_cvtps_pd(_mm512_extractf32x8_ps::<1>(a));
            [_mm512_fmadd_pd(low, low, acc[0]), _mm512_fmadd_pd(high, high, acc[1])]
        }
    }

    #[inline(always)]
    unsafe fn sum_f64(a: [__m512d; 2]) -> f64 {
        // SAFETY: AVX-512F.
        unsafe { _mm512_reduce_add_pd(_mm512_add_pd(a[0], a[1])) }
    }

    #[inline(always)]
    unsafe fn flips(code: *const u8, _first: usize, n: usize) -> __m512 {
        // SAFETY: sixteen lanes start at a byte; the second byte is read only if a lane has its bit there. AVX-512F.
        unsafe {
            let bits = if n > 8 { code.cast::<u16>().read_unaligned() } else { u16::from(*code) };
            _mm512_castsi512_ps(_mm512_maskz_set1_epi32(!bits, i32::MIN))
        }
    }
}

impl Load<f32> for Avx512 {
    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m512 {
        // SAFETY: the caller's `p` is readable for 16 elements.
        unsafe { _mm512_loadu_ps(p) }
    }

    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize) -> __m512 {
        // SAFETY: the caller's `p` is readable for `n < 16` elements, those that the mask selects.
        unsafe { _mm512_maskz_loadu_ps(first16(n), p) }
    }
}

impl Load<f16> for Avx512 {
    #[inline(always)]
    unsafe fn load(p: *const f16) -> __m512 {
        // SAFETY: the caller's `p` is readable for 16 elements.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(p.cast())) }
    }

    #[inline(always)]
    unsafe fn load_part(p: *const f16, n: usize) -> __m512 {
        // SAFETY: the caller's `p` is readable for `n < 16` elements, those that the mask selects. AVX-512BW and VL.
        unsafe { _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first16(n), p.cast())) }
    }
}

/// Byte registers; `VNNI` and `COUNT` (VPOPCNTDQ) say which instructions may be used beyond BW.
pub(crate) struct Bytes512<const VNNI: bool, const COUNT: bool>;

/// The number of set bits of each 32-bit lane.
///
/// # Safety
/// AVX-512BW; VPOPCNTDQ with `COUNT`.
#[inline(always)]
unsafe fn count_bits<const COUNT: bool>(bits: __m512i) -> __m512i {
    // SAFETY: the caller vouches for the CPU features.
    unsafe {
        if COUNT {
            return _mm512_popcnt_epi32(bits);
        }
        let low = _mm512_set1_epi8(15);
        let table = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
        let counts = _mm512_add_epi8(
            _mm512_shuffle_epi8(table, _mm512_and_si512(bits, low)),
            _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16::<4>(bits), low)),
        );
        let pairs = _mm512_maddubs_epi16(counts, _mm512_set1_epi8(1));
        _mm512_madd_epi16(pairs, _mm512_set1_epi16(1))
    }
}

impl<const VNNI: bool, const COUNT: bool> Bytes for Bytes512<VNNI, COUNT> {
    const WIDTH: usize = 64;
    // Without VNNI a step adds at most 256 in magnitude to a 16-bit lane: 64 steps stay below 2^14.
    const RUN: usize = 64 * 64;
    type V = __m512i;
    type Mask = __mmask64;

    #[inline(always)]
    unsafe fn zero() -> __m512i {
        // SAFETY: AVX-512F.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    unsafe fn load(p: *const u8) -> __m512i {
        // SAFETY: the caller's `p` is readable for 64 bytes.
        unsafe { _mm512_loadu_si512(p.cast()) }
    }

    #[inline(always)]
    unsafe fn load_part(p: *const u8, n: usize) -> __m512i {
        // SAFETY: the caller's `p` is readable for `n < 64` bytes, those that the mask selects. AVX-512BW.
        unsafe { _mm512_maskz_loadu_epi8(first64(n), p.cast()) }
    }

    #[inline(always)]
    unsafe fn add_i32(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: AVX-512F.
        unsafe { _mm512_add_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn sum_i32(a: __m512i) -> i32 {
        // SAFETY: AVX-512F.
        unsafe { _mm512_reduce_add_epi32(a) }
    }

    /// With VNNI, Σ query: what `dot` adds too much, 128 times over.
    #[inline(always)]
    unsafe fn dot_query(seen: __m512i, query: __m512i) -> __m512i {
        // SAFETY: VNNI where used.
        unsafe { if VNNI { _mm512_dpbusd_epi32(seen, _mm512_set1_epi8(1), query) } else { seen } }
    }

    /// VNNI multiplies unsigned by signed: (row + 128)·query, set right by `dot_excess`. Padding adds (0 + 128)·0.
    /// Without it, bytes are widened to 16 bits.
    #[inline(always)]
    unsafe fn dot(acc: __m512i, query: __m512i, row: __m512i) -> __m512i {
        // SAFETY: AVX-512BW, VNNI where used.
        unsafe {
            if VNNI {
                return _mm512_dpbusd_epi32(acc, _mm512_xor_si512(row, _mm512_set1_epi8(i8::MIN)), query);
            }
            let low = _mm512_madd_epi16(
                _mm512_cvtepi8_epi16(_mm512_castsi512_si256(query)),
                _mm512_cvtepi8_epi16(_mm512_castsi512_si256(row)),
            );
            let high = _mm512_madd_epi16(
                _mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64::<1>(query)),
                _mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64::<1>(row)),
            );
            _mm512_add_epi32(acc, _mm512_add_epi32(low, high))
        }
    }

    #[inline(always)]
    unsafe fn dot_excess(seen: __m512i) -> Option<i32> {
        // SAFETY: AVX-512F.
        unsafe { Some(if VNNI { Self::sum_i32(seen) << 7 } else { 0 }) }
    }

    #[inline(always)]
    unsafe fn dot_wide(acc: __m512i, query: __m512i, row: *const i8) -> __m512i {
        // SAFETY: the caller's `row` is readable for 32 bytes; AVX-512BW, VNNI where used.
        unsafe {
            let row = _mm512_cvtepi8_epi16(_mm256_loadu_si256(row.cast()));
            if VNNI {
                return _mm512_dpwssd_epi32(acc, query, row);
            }
            _mm512_add_epi32(acc, _mm512_madd_epi16(query, row))
        }
    }

    #[inline(always)]
    unsafe fn hamming(acc: __m512i, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the features of this table.
        unsafe { _mm512_add_epi32(acc, count_bits::<COUNT>(_mm512_xor_si512(a, b))) }
    }

    #[inline(always)]
    unsafe fn planes(acc: __m512i, code: __m512i, planes: [__m512i; 4]) -> __m512i {
        // SAFETY: the features of this table.
        unsafe {
            let ones = count_bits::<COUNT>(_mm512_and_si512(code, planes[0]));
            let twos = count_bits::<COUNT>(_mm512_and_si512(code, planes[1]));
            let fours = count_bits::<COUNT>(_mm512_and_si512(code, planes[2]));
            let eights = count_bits::<COUNT>(_mm512_and_si512(code, planes[3]));
            let odd = _mm512_add_epi32(ones, _mm512_slli_epi32::<1>(twos));
            let even = _mm512_sub_epi32(_mm512_slli_epi32::<2>(fours), _mm512_slli_epi32::<3>(eights));
            _mm512_add_epi32(acc, _mm512_add_epi32(odd, even))
        }
    }

    #[inline(always)]
    unsafe fn mask(code: *const u8, n: usize) -> __mmask64 {
        // SAFETY: reads `n.div_ceil(8)` bytes.
        unsafe { if n == 64 { code.cast::<u64>().read_unaligned() } else { read_le(code, n.div_ceil(8)) } }
    }

    #[inline(always)]
    unsafe fn masked_sum(acc: __m512i, mask: __mmask64, query: __m512i) -> __m512i {
        // SAFETY: AVX-512BW, VNNI where used.
        unsafe {
            let ones = _mm512_set1_epi8(1);
            let selected = _mm512_maskz_mov_epi8(mask, query);
            if VNNI {
                _mm512_dpbusd_epi32(acc, ones, selected)
            } else {
                _mm512_add_epi16(acc, _mm512_maddubs_epi16(ones, selected))
            }
        }
    }

    #[inline(always)]
    unsafe fn all() -> __mmask64 {
        !0
    }

    #[inline(always)]
    unsafe fn widen(narrow: __m512i) -> __m512i {
        // SAFETY: AVX-512BW. VNNI sums into 32-bit lanes at once.
        unsafe { if VNNI { narrow } else { _mm512_madd_epi16(narrow, _mm512_set1_epi16(1)) } }
    }
}
