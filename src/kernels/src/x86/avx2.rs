//! AVX2 with FMA, F16C and POPCNT (`x86-64-v3`): 8 lanes of f32, 32 bytes.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use half::f16;

use super::read_le;
use crate::bytes::Bytes;
use crate::lanes::{Lanes, Load};
use crate::table::Kernels;

/// The table of these kernels.
pub(crate) static KERNELS: Kernels = kernels!("avx2", "avx2,fma,f16c,popcnt", Avx2, Avx2);

/// The instruction set.
pub(crate) struct Avx2;

/// The first `n < 32` bytes at `p`, the rest zero, without reading past them.
///
/// # Safety
/// AVX2; `p` is readable for `n` bytes.
#[inline(always)]
unsafe fn load_bytes(p: *const u8, n: usize) -> __m256i {
    // SAFETY: the masked load touches whole words below `n / 4` only, `read_le` the bytes after them.
    unsafe {
        let index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        let words = _mm256_set1_epi32((n / 4) as i32);
        let whole = _mm256_maskload_epi32(p.cast(), _mm256_cmpgt_epi32(words, index));
        if n.is_multiple_of(4) {
            return whole;
        }
        let last = _mm256_set1_epi32(read_le(p.add(n & !3), n % 4) as i32);
        _mm256_or_si256(whole, _mm256_and_si256(last, _mm256_cmpeq_epi32(words, index)))
    }
}

impl Lanes for Avx2 {
    const N: usize = 8;
    type F = __m256;
    type D = [__m256d; 2];

    #[inline(always)]
    unsafe fn zero() -> __m256 {
        // SAFETY: AVX.
        unsafe { _mm256_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn add(a: __m256, b: __m256) -> __m256 {
        // SAFETY: AVX.
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn sub(a: __m256, b: __m256) -> __m256 {
        // SAFETY: AVX.
        unsafe { _mm256_sub_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn abs(a: __m256) -> __m256 {
        // SAFETY: AVX.
        unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), a) }
    }

    #[inline(always)]
    unsafe fn fma(acc: __m256, a: __m256, b: __m256) -> __m256 {
        // SAFETY: FMA.
        unsafe { _mm256_fmadd_ps(a, b, acc) }
    }

    #[inline(always)]
    unsafe fn xor(a: __m256, b: __m256) -> __m256 {
        // SAFETY: AVX.
        unsafe { _mm256_xor_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn sum(a: __m256) -> f32 {
        // SAFETY: AVX.
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }

    #[inline(always)]
    unsafe fn zero_f64() -> [__m256d; 2] {
        // SAFETY: AVX.
        unsafe { [_mm256_setzero_pd(); 2] }
    }

    #[inline(always)]
    unsafe fn square_f64(acc: [__m256d; 2], a: __m256) -> [__m256d; 2] {
        // SAFETY: AVX and FMA.
        unsafe {
            let low = _mm256_cvtps_pd(_mm256_castps256_ps128(a));
            let high = _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(a));
            [_mm256_fmadd_pd(low, low, acc[0]), _mm256_fmadd_pd(high, high, acc[1])]
        }
    }

    #[inline(always)]
    unsafe fn sum_f64(a: [__m256d; 2]) -> f64 {
        // SAFETY: AVX.
        unsafe {
            let four = _mm256_add_pd(a[0], a[1]);
            let two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd::<1>(four));
            _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
        }
    }

    #[inline(always)]
    unsafe fn flips(code: *const u8, _first: usize, _n: usize) -> __m256 {
        // SAFETY: AVX2. One byte holds the bits of all lanes; it is copied into every byte of every lane, so bit `24 + i` of lane
        // `i` is the lane's own and the shift brings it to the sign.
        unsafe {
            let bits = _mm256_set1_epi8(!*code as i8);
            let own = _mm256_sllv_epi32(bits, _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0));
            _mm256_and_ps(_mm256_castsi256_ps(own), _mm256_set1_ps(-0.0))
        }
    }
}

impl Load<f32> for Avx2 {
    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m256 {
        // SAFETY: the caller's `p` is readable for 8 elements.
        unsafe { _mm256_loadu_ps(p) }
    }

    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize) -> __m256 {
        // SAFETY: the mask selects the first `n` elements; the others are not touched.
        unsafe {
            let mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
            _mm256_maskload_ps(p, mask)
        }
    }
}

impl Load<f16> for Avx2 {
    #[inline(always)]
    unsafe fn load(p: *const f16) -> __m256 {
        // SAFETY: the caller's `p` is readable for 8 elements; F16C.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(p.cast())) }
    }

    #[inline(always)]
    unsafe fn load_part(p: *const f16, n: usize) -> __m256 {
        // SAFETY: `2 * n < 16` bytes are readable; F16C.
        unsafe { _mm256_cvtph_ps(_mm256_castsi256_si128(load_bytes(p.cast(), 2 * n))) }
    }
}

/// The number of set bits of each nibble, by table look-up.
///
/// # Safety
/// AVX2.
#[inline(always)]
unsafe fn nibble_counts(nibbles: __m256i) -> __m256i {
    // SAFETY: AVX2.
    unsafe {
        let table = _mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
        _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), nibbles)
    }
}

impl Bytes for Avx2 {
    const WIDTH: usize = 32;
    // A step adds two elements to a 16-bit lane, at most 256 in magnitude: 64 steps stay below 2^14.
    const RUN: usize = 64 * 32;
    type V = __m256i;
    type Mask = __m256i;

    #[inline(always)]
    unsafe fn zero() -> __m256i {
        // SAFETY: AVX.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    unsafe fn load(p: *const u8) -> __m256i {
        // SAFETY: the caller's `p` is readable for 32 bytes.
        unsafe { _mm256_loadu_si256(p.cast()) }
    }

    #[inline(always)]
    unsafe fn load_part(p: *const u8, n: usize) -> __m256i {
        // SAFETY: the caller's `p` is readable for `n < 32` bytes. Sixteen are what codes of 384 dimensions leave.
        unsafe { if n == 16 { _mm256_zextsi128_si256(_mm_loadu_si128(p.cast())) } else { load_bytes(p, n) } }
    }

    #[inline(always)]
    unsafe fn add_i32(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: AVX2.
        unsafe { _mm256_add_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn sum_i32(a: __m256i) -> i32 {
        // SAFETY: AVX2.
        unsafe {
            let four = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256::<1>(a));
            let two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
            _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<1>(two)))
        }
    }

    #[inline(always)]
    unsafe fn dot_query(seen: __m256i, query: __m256i) -> __m256i {
        // SAFETY: AVX2.
        unsafe { _mm256_min_epi8(seen, query) }
    }

    /// `|row| · (query with the sign of row)`: the product instruction wants one unsigned operand. The sums of pairs stay within
    /// 2 · 128 · 127, below saturation; only -128 in the query has no negation, which `dot_excess` reports.
    #[inline(always)]
    unsafe fn dot(acc: __m256i, query: __m256i, row: __m256i) -> __m256i {
        // SAFETY: AVX2.
        unsafe {
            let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(row), _mm256_sign_epi8(query, row));
            _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
    }

    #[inline(always)]
    unsafe fn dot_excess(seen: __m256i) -> Option<i32> {
        // SAFETY: AVX2.
        unsafe {
            let lowest = _mm256_cmpeq_epi8(seen, _mm256_set1_epi8(i8::MIN));
            (_mm256_movemask_epi8(lowest) == 0).then_some(0)
        }
    }

    #[inline(always)]
    unsafe fn dot_wide(acc: __m256i, query: __m256i, row: *const i8) -> __m256i {
        // SAFETY: the caller's `row` is readable for 16 bytes; AVX2.
        unsafe {
            let row = _mm256_cvtepi8_epi16(_mm_loadu_si128(row.cast()));
            _mm256_add_epi32(acc, _mm256_madd_epi16(query, row))
        }
    }

    #[inline(always)]
    unsafe fn hamming(acc: __m256i, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: AVX2. The sums of absolute differences with zero leave 64-bit lanes whose upper halves are zero.
        unsafe {
            let low = _mm256_set1_epi8(15);
            let bits = _mm256_xor_si256(a, b);
            let counts = _mm256_add_epi8(
                nibble_counts(_mm256_and_si256(bits, low)),
                nibble_counts(_mm256_and_si256(_mm256_srli_epi16::<4>(bits), low)),
            );
            _mm256_add_epi32(acc, _mm256_sad_epu8(counts, _mm256_setzero_si256()))
        }
    }

    /// Each plane's counts come weighted out of the look-up table. A byte's total lies within -64..=56.
    #[inline(always)]
    unsafe fn planes(acc: __m256i, code: __m256i, planes: [__m256i; 4]) -> __m256i {
        // SAFETY: AVX2.
        unsafe {
            let low = _mm256_set1_epi8(15);
            let code_low = _mm256_and_si256(code, low);
            let code_high = _mm256_and_si256(_mm256_srli_epi16::<4>(code), low);
            let ones = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
            let twos = _mm256_add_epi8(ones, ones);
            let fours = _mm256_add_epi8(twos, twos);
            let eights = _mm256_sub_epi8(_mm256_setzero_si256(), _mm256_add_epi8(fours, fours));
            let tables = [ones, twos, fours, eights];
            let mut bytes = _mm256_setzero_si256();
            for p in 0..4 {
                let plane_high = _mm256_srli_epi16::<4>(planes[p]);
                let counts_low = _mm256_shuffle_epi8(tables[p], _mm256_and_si256(code_low, planes[p]));
                let counts_high = _mm256_shuffle_epi8(tables[p], _mm256_and_si256(code_high, plane_high));
                bytes = _mm256_add_epi8(bytes, _mm256_add_epi8(counts_low, counts_high));
            }
            let pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes);
            _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
    }

    #[inline(always)]
    unsafe fn mask(code: *const u8, n: usize) -> __m256i {
        // SAFETY: reads `n.div_ceil(8)` bytes; AVX2. Each code byte is copied to the eight bytes it governs.
        unsafe {
            let word = if n == 32 { code.cast::<i32>().read_unaligned() } else { read_le(code, n.div_ceil(8)) as i32 };
            let spread = _mm256_setr_epi64x(0, 0x0101_0101_0101_0101, 0x0202_0202_0202_0202, 0x0303_0303_0303_0303);
            let bits = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
            _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(word), spread), bits), bits)
        }
    }

    #[inline(always)]
    unsafe fn masked_sum(acc: __m256i, mask: __m256i, query: __m256i) -> __m256i {
        // SAFETY: AVX2.
        unsafe { _mm256_add_epi16(acc, _mm256_maddubs_epi16(_mm256_set1_epi8(1), _mm256_and_si256(mask, query))) }
    }

    #[inline(always)]
    unsafe fn all() -> __m256i {
        // SAFETY: AVX.
        unsafe { _mm256_set1_epi8(-1) }
    }

    #[inline(always)]
    unsafe fn widen(narrow: __m256i) -> __m256i {
        // SAFETY: AVX2.
        unsafe { _mm256_madd_epi16(narrow, _mm256_set1_epi16(1)) }
    }
}
