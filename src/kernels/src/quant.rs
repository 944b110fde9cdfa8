//! The safe interface to int8 and bit codes, and what the codes mean.
//!
//! # int8 (sq8)
//! A vector x is stored as codes cᵢ in -127..=127 and one scale s = max|xᵢ|/127, so that xᵢ ≈ s·cᵢ with an error of at most s/2.
//! The dot product of two coded vectors is s·s′·Σ cᵢ·c′ᵢ; the sum is an exact integer, any i8 is taken.
//!
//! # Sign codes
//! A vector is stored as one bit for each element, set where it is above zero: sᵢ = ±1. Bit i is bit `i % 8`, counted from the
//! lowest, of byte `i / 8`; unused bits of the last byte are zero. Three things are computed from them:
//!
//! * **Hamming distance** of two codes; Σ sᵢ·s′ᵢ = dim − 2·hamming.
//! * **Sign dot** Σ sᵢ·qᵢ with an int8 or f32 query, and from it MaxSim (late interaction): for each token of the query the best
//!   sign dot among the tokens of a document, summed.
//! * **Nibble estimate** of the sign dot, for scans: the query becomes 4-bit integers vᵢ in -8..=7 with qᵢ ≈ Δ·vᵢ, Δ = max|qᵢ|/7.5,
//!   in error by at most Δ/2 each. Cut into bit planes v = p₀ + 2p₁ + 4p₂ − 8p₃, the sum over set bits is four ANDs and population
//!   counts, and
//!
//!   Σ sᵢ·qᵢ ≈ Δ·(2·(c₀ + 2c₁ + 4c₂ − 8c₃) − Σ vᵢ),  cⱼ = popcount(code & plane j).
//!
//! # From a sign dot to an inner product
//! Let o be the stored vector, and o and q rotated by the same random rotation (RaBitQ, Gao and Long 2024). Then
//!
//! ⟨o, q⟩ ≈ f·Σ sᵢ·qᵢ,  f = |o|₂² / |o|₁
//!
//! is unbiased: the part of s that is not along o is orthogonal to q in expectation. f is stored beside the code and given as the
//! row's factor. With c = |o|₁ / (√dim·|o|₂), the cosine between o and its code (about 0.8), the error is below
//! ε·|o|₂·|q|₂·√((1 − c²) / (c²·(dim − 1))) but for a probability that falls as exp(−ε²·const); ε = 1.9 is customary.
//! The nibbles of the query add an error that is small beside it.

#![allow(unsafe_code)]

use crate::MAX_CODE_DIM;
use crate::ops::check_rows;
use crate::table::Kernels;

/// Sums of one call into the kernels by [`Kernels::maxsim_i8`] and its sister.
const TILE: usize = 1024;
/// Query tokens of such a call.
const TILE_QUERIES: usize = 64;

/// Bytes of a sign code of `dim` bits.
pub const fn sign_code_len(dim: usize) -> usize {
    dim.div_ceil(8)
}

#[inline(always)]
#[track_caller]
fn check_dim(dim: usize) {
    assert!(dim <= MAX_CODE_DIM, "codes must not exceed {MAX_CODE_DIM} dimensions");
}

#[inline(always)]
#[track_caller]
fn check_code(dim: usize, code: usize) {
    assert_eq!(sign_code_len(dim), code, "the code must have one bit for each dimension");
}

/// A query cut into bit planes for the nibble estimate.
#[derive(Clone, Debug, PartialEq)]
pub struct NibbleQuery {
    planes: Vec<u8>,
    step: f32,
    sum: i32,
}

impl NibbleQuery {
    /// Rounds `query`, whose elements must be finite, to 4-bit integers.
    pub fn new(query: &[f32]) -> Self {
        check_dim(query.len());
        let bytes = sign_code_len(query.len());
        let mut planes = vec![0; 4 * bytes];
        let largest = query.iter().fold(0.0, |max: f32, q| max.max(q.abs()));
        let step = largest / 7.5;
        if !step.is_normal() {
            return Self { planes, step: 0.0, sum: 0 };
        }
        let mut sum = 0;
        for (i, q) in query.iter().enumerate() {
            let nibble = (q / step).round_ties_even().clamp(-8.0, 7.0) as i32;
            sum += nibble;
            for plane in 0..4 {
                planes[plane * bytes + i / 8] |= ((nibble >> plane & 1) as u8) << (i % 8);
            }
        }
        Self { planes, step, sum }
    }

    /// Bytes of the codes this query is compared with.
    pub fn code_len(&self) -> usize {
        self.planes.len() / 4
    }

    /// The estimate of Σ sᵢ·qᵢ from Σ bᵢ·vᵢ, the integer that [`Kernels::nibble_sums`] computes.
    #[inline]
    pub fn estimate(&self, nibble_sum: i32) -> f32 {
        self.step * (2 * nibble_sum - self.sum) as f32
    }
}

impl Kernels {
    /// Codes `x` as int8 and returns the scale: `x[i] ≈ scale · codes[i]`, in error by at most half the scale. Values that are not
    /// finite do not count for the scale: infinities become ±127, NaN 0. A vector whose scale would be subnormal (all values below
    /// 1.5e-36) becomes zeros with scale 0.
    pub fn quantize(&self, x: &[f32], codes: &mut [i8]) -> f32 {
        assert_eq!(x.len(), codes.len(), "vectors must have the same dimension");
        // SAFETY: the CPU has this table's features and the lengths are equal.
        unsafe { (self.codes.quantize)(x, codes) }
    }

    /// `out[i] = scale · codes[i]`
    pub fn dequantize(&self, codes: &[i8], scale: f32, out: &mut [f32]) {
        assert_eq!(codes.len(), out.len(), "vectors must have the same dimension");
        // SAFETY: the CPU has this table's features and the lengths are equal.
        unsafe { (self.codes.dequantize)(codes, scale, out) }
    }

    /// Σ aᵢ·bᵢ of int8, exact.
    #[inline]
    pub fn dot_i8(&self, a: &[i8], b: &[i8]) -> i32 {
        assert_eq!(a.len(), b.len(), "vectors must have the same dimension");
        check_dim(a.len());
        // SAFETY: the CPU has this table's features and the lengths are equal.
        unsafe { (self.codes.dot_i8)(a, b) }
    }

    /// [`Kernels::dot_i8`] of `query` with every row.
    pub fn dot_i8_many(&self, query: &[i8], rows: &[i8], out: &mut [i32]) {
        check_rows(query.len(), rows.len(), out.len());
        check_dim(query.len());
        // SAFETY: the CPU has this table's features and there are `out.len()` rows.
        unsafe { (self.codes.dot_i8_many)(query, rows, out) }
    }

    /// Σ qᵢ·rᵢ of a query of int16 with every row of int8, exact as long as the sum is an i32; what leaves it wraps. Meanwhile memory is
    /// asked for as many bytes at `next`, which need not point to anything, and is `rows` itself where the caller expects nothing.
    #[allow(clippy::not_unsafe_ptr_arg_deref, reason = "`next` is asked for and never read")]
    pub fn dot_wide_many(&self, query: &[i16], rows: &[i8], next: *const i8, out: &mut [i32]) {
        check_rows(query.len(), rows.len(), out.len());
        check_dim(query.len());
        // SAFETY: the CPU has this table's features and there are `out.len()` rows.
        unsafe { (self.codes.dot_wide_many)(query, rows, next, out) }
    }

    /// Dot products of coded vectors: `out[r] = scale · scales[r] · Σ queryᵢ·rowᵢ`.
    pub fn dot_sq8_many(&self, query: &[i8], scale: f32, rows: &[i8], scales: &[f32], out: &mut [f32]) {
        assert_eq!(scales.len(), out.len(), "every row must have a scale");
        check_rows(query.len(), rows.len(), out.len());
        let mut sums = [0; 64];
        let rows = rows.chunks(64 * query.len().max(1)).chain(std::iter::repeat(&[][..]));
        for ((out, scales), rows) in out.chunks_mut(64).zip(scales.chunks(64)).zip(rows) {
            let sums = &mut sums[..out.len()];
            self.dot_i8_many(query, rows, sums);
            for ((out, sum), row) in out.iter_mut().zip(sums).zip(scales) {
                *out = scale * row * *sum as f32;
            }
        }
    }

    /// Writes the sign code of `x`, [`sign_code_len`] bytes.
    pub fn pack_signs(&self, x: &[f32], code: &mut [u8]) {
        check_code(x.len(), code.len());
        // SAFETY: the CPU has this table's features; the code has a byte for every eight elements.
        unsafe { (self.codes.pack_signs)(x, code) }
    }

    /// Bits that differ.
    #[inline]
    pub fn hamming(&self, a: &[u8], b: &[u8]) -> i32 {
        let mut out = [0];
        self.hamming_many(a, b, &mut out);
        out[0]
    }

    /// [`Kernels::hamming`] of `query` with every row.
    #[inline]
    pub fn hamming_many(&self, query: &[u8], rows: &[u8], out: &mut [i32]) {
        check_rows(query.len(), rows.len(), out.len());
        check_dim(8 * query.len());
        // SAFETY: the CPU has this table's features and there are `out.len()` rows.
        unsafe { (self.codes.hamming_many)(query, rows, out) }
    }

    /// Σ bᵢ·vᵢ of every row: b the bits of its code, v the nibbles of the query. Bits past the dimension count for nothing.
    #[inline]
    pub fn nibble_sums(&self, query: &NibbleQuery, rows: &[u8], out: &mut [i32]) {
        check_rows(query.code_len(), rows.len(), out.len());
        // SAFETY: the CPU has this table's features and there are `out.len()` rows as long as a plane.
        unsafe { (self.codes.planes_many)(&query.planes, rows, out) }
    }

    /// The nibble estimate of every row times the row's factor: with the factors of the module's essay, of inner products.
    pub fn nibble_estimates(&self, query: &NibbleQuery, rows: &[u8], factors: &[f32], out: &mut [f32]) {
        assert_eq!(factors.len(), out.len(), "every row must have a factor");
        check_rows(query.code_len(), rows.len(), out.len());
        let mut sums = [0; 64];
        let rows = rows.chunks(64 * query.code_len().max(1)).chain(std::iter::repeat(&[][..]));
        for ((out, factors), rows) in out.chunks_mut(64).zip(factors.chunks(64)).zip(rows) {
            let sums = &mut sums[..out.len()];
            self.nibble_sums(query, rows, sums);
            for ((out, sum), factor) in out.iter_mut().zip(sums).zip(factors) {
                *out = factor * query.estimate(*sum);
            }
        }
    }

    /// Σ ±qᵢ of an int8 query with every sign code, exact.
    pub fn sign_dot_i8_many(&self, query: &[i8], codes: &[u8], out: &mut [i32]) {
        check_rows(sign_code_len(query.len()), codes.len(), out.len());
        check_dim(query.len());
        if query.is_empty() {
            return out.fill(0);
        }
        // SAFETY: the CPU has this table's features; one query, `out.len()` codes of its dimension.
        unsafe { (self.codes.sign_dots_i8)(query, query.len(), codes, out) }
    }

    /// Σ ±qᵢ of an f32 query with every sign code.
    pub fn sign_dot_f32_many(&self, query: &[f32], codes: &[u8], out: &mut [f32]) {
        check_rows(sign_code_len(query.len()), codes.len(), out.len());
        if query.is_empty() {
            return out.fill(0.0);
        }
        // SAFETY: the CPU has this table's features; one query, `out.len()` codes of its dimension.
        unsafe { (self.codes.sign_dots_f32)(query, query.len(), codes, out) }
    }

    /// MaxSim of int8 query tokens with a document's sign codes: Σ over tokens of `scale · max over codes of Σ ±q`. There is one
    /// scale for each token; maxima are exact. A document without tokens scores -∞ (0 if the query is empty, too).
    pub fn maxsim_i8(&self, queries: &[i8], scales: &[f32], dim: usize, codes: &[u8]) -> f32 {
        let mut score = 0.0;
        self.each_maximum_i8(queries, scales, dim, codes, |_, maximum| score += maximum);
        score
    }

    /// The terms of the sum that [`Kernels::maxsim_i8`] is, token by token.
    pub fn maxima_i8(&self, queries: &[i8], scales: &[f32], dim: usize, codes: &[u8], out: &mut [f32]) {
        assert_eq!(scales.len(), out.len(), "every token must have a place");
        self.each_maximum_i8(queries, scales, dim, codes, |token, maximum| out[token] = maximum);
    }

    fn each_maximum_i8(
        &self,
        queries: &[i8],
        scales: &[f32],
        dim: usize,
        codes: &[u8],
        mut each: impl FnMut(usize, f32),
    ) {
        check_rows(dim, queries.len(), scales.len());
        check_dim(dim);
        self.maxsim(queries, dim, codes, self.codes.sign_dots_i8, i32::MIN, |token, best| {
            each(token, if best == i32::MIN { f32::NEG_INFINITY } else { scales[token] * best as f32 });
        });
    }

    /// MaxSim of f32 query tokens with a document's sign codes, otherwise as [`Kernels::maxsim_i8`]. Sums that are NaN are not
    /// maxima.
    pub fn maxsim_f32(&self, queries: &[f32], dim: usize, codes: &[u8]) -> f32 {
        let mut score = 0.0;
        self.maxsim(queries, dim, codes, self.codes.sign_dots_f32, f32::NEG_INFINITY, |_, best| score += best);
        score
    }

    /// Gives `each` the maximum of every query, computed in tiles that stay in the first-level cache.
    fn maxsim<T, O: Copy + PartialOrd>(
        &self,
        queries: &[T],
        dim: usize,
        codes: &[u8],
        sign_dots: unsafe fn(&[T], usize, &[u8], &mut [O]),
        lowest: O,
        mut each: impl FnMut(usize, O),
    ) {
        assert!(dim > 0, "tokens must have a dimension");
        assert!(queries.len().is_multiple_of(dim), "queries must be whole vectors");
        let bytes = sign_code_len(dim);
        assert!(codes.len().is_multiple_of(bytes), "codes must be whole");
        let mut tile = [lowest; TILE];
        for (group, queries) in queries.chunks(TILE_QUERIES * dim).enumerate() {
            let count = queries.len() / dim;
            let mut best = [lowest; TILE_QUERIES];
            for codes in codes.chunks(TILE / count * bytes) {
                let sums = &mut tile[..codes.len() / bytes * count];
                // SAFETY: the CPU has this table's features; whole queries, whole codes, and a place for every pair.
                unsafe { sign_dots(queries, dim, codes, sums) };
                for sums in sums.chunks_exact(count) {
                    for (best, &sum) in best.iter_mut().zip(sums) {
                        if sum > *best {
                            *best = sum;
                        }
                    }
                }
            }
            for (token, &best) in best[..count].iter().enumerate() {
                each(group * TILE_QUERIES + token, best);
            }
        }
    }
}
