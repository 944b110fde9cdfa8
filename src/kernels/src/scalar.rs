//! The reference kernels, in safe Rust: what every other instruction set is tested against, and what runs where none is known.
//!
//! Sums keep eight partial sums, so the compiler may use the target's baseline registers.

use half::f16;

use crate::lanes::cosine_distance;
use crate::table::{CodeOps, FloatOps, Kernels};

/// The table of these kernels.
pub(crate) static KERNELS: Kernels = Kernels {
    name: "scalar",
    f32: float_ops::<f32>(),
    f16: float_ops::<f16>(),
    codes: CodeOps {
        dot_i8,
        dot_i8_many,
        dot_wide_many,
        hamming_many,
        planes_many,
        sign_dots_i8,
        sign_dots_f32,
        quantize,
        dequantize,
        pack_signs,
    },
};

/// An element that widens to f32 without loss.
trait Widen: Copy + 'static {
    fn widen(self) -> f32;
}

impl Widen for f32 {
    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }
}

impl Widen for f16 {
    #[inline(always)]
    fn widen(self) -> f32 {
        self.to_f32_const()
    }
}

const fn float_ops<T: Widen>() -> FloatOps<T> {
    FloatOps {
        dot: |a, b| sum(a, b, dot),
        l2: |a, b| sum(a, b, l2),
        l1: |a, b| sum(a, b, l1),
        cosine: |a, b| cosine_distance(sum(a, b, dot), sum(a, a, dot), sum(b, b, dot)),
        square_sum: |a| a.iter().map(|&x| f64::from(x.widen())).map(|x| x * x).sum(),
        dot_row: |query, row, _| sum(query, row, dot),
        l2_row: |query, row, _| sum(query, row, l2),
        l1_row: |query, row, _| sum(query, row, l1),
        cosine_row: |query, squared, row, _| cosine_distance(sum(query, row, dot), squared, sum(row, row, dot)),
        dot_many: |query, rows, out| many(query, rows, out, |q, row| sum(q, row, dot)),
        l2_many: |query, rows, out| many(query, rows, out, |q, row| sum(q, row, l2)),
        l1_many: |query, rows, out| many(query, rows, out, |q, row| sum(q, row, l1)),
        cosine_many: |query, rows, out| {
            let norm = sum(query, query, dot);
            many(query, rows, out, |q, row| cosine_distance(sum(q, row, dot), norm, sum(row, row, dot)) as f32);
        },
    }
}

#[inline(always)]
fn dot(a: f32, b: f32) -> f32 {
    a * b
}

#[inline(always)]
fn l2(a: f32, b: f32) -> f32 {
    (a - b) * (a - b)
}

#[inline(always)]
fn l1(a: f32, b: f32) -> f32 {
    (a - b).abs()
}

#[inline(always)]
fn sum<A: Widen, B: Widen>(a: &[A], b: &[B], term: impl Fn(f32, f32) -> f32) -> f32 {
    let mut partial = [0.0; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(x, y)| term(x.widen(), y.widen())).sum();
    for (a, b) in a.zip(b) {
        for i in 0..8 {
            partial[i] += term(a[i].widen(), b[i].widen());
        }
    }
    partial.iter().sum::<f32>() + rest
}

#[inline(always)]
fn many<T>(query: &[f32], rows: &[T], out: &mut [f32], value: impl Fn(&[f32], &[T]) -> f32) {
    for (i, out) in out.iter_mut().enumerate() {
        *out = value(query, &rows[i * query.len()..][..query.len()]);
    }
}

/// Σ a·b
pub(crate) fn dot_i8(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum()
}

/// [`dot_i8`] of `query` with every row.
pub(crate) fn dot_i8_many(query: &[i8], rows: &[i8], out: &mut [i32]) {
    for (i, out) in out.iter_mut().enumerate() {
        *out = dot_i8(query, &rows[i * query.len()..][..query.len()]);
    }
}

fn dot_wide_many(query: &[i16], rows: &[i8], _next: *const i8, out: &mut [i32]) {
    for (i, out) in out.iter_mut().enumerate() {
        let row = &rows[i * query.len()..][..query.len()];
        let products = query.iter().zip(row).map(|(&q, &r)| i32::from(q) * i32::from(r));
        *out = products.fold(0, i32::wrapping_add);
    }
}

/// Bits of the bytes that `term` makes of a query byte and a row byte.
#[inline(always)]
fn bits(query: &[u8], row: &[u8], term: impl Fn(u8, u8) -> u8) -> i32 {
    query.iter().zip(row).map(|(&q, &r)| term(q, r).count_ones() as i32).sum()
}

fn hamming_many(query: &[u8], rows: &[u8], out: &mut [i32]) {
    for (i, out) in out.iter_mut().enumerate() {
        *out = bits(query, &rows[i * query.len()..][..query.len()], |q, r| q ^ r);
    }
}

fn planes_many(planes: &[u8], rows: &[u8], out: &mut [i32]) {
    let n = planes.len() / 4;
    for (i, out) in out.iter_mut().enumerate() {
        let row = &rows[i * n..][..n];
        let count = |plane: usize| bits(&planes[plane * n..][..n], row, |q, r| q & r);
        *out = count(0) + 2 * count(1) + 4 * count(2) - 8 * count(3);
    }
}

#[inline(always)]
fn is_set(code: &[u8], i: usize) -> bool {
    code[i / 8] >> (i % 8) & 1 == 1
}

/// `value(query, code)` for all pairs, codes outermost.
#[inline(always)]
fn all_pairs<T, O>(queries: &[T], dim: usize, codes: &[u8], out: &mut [O], value: impl Fn(&[T], &[u8]) -> O) {
    let mut out = out.iter_mut();
    for code in codes.chunks_exact(dim.div_ceil(8)) {
        for (query, out) in queries.chunks_exact(dim).zip(&mut out) {
            *out = value(query, code);
        }
    }
}

fn sign_dots_i8(queries: &[i8], dim: usize, codes: &[u8], out: &mut [i32]) {
    all_pairs(queries, dim, codes, out, |query, code| {
        query.iter().enumerate().map(|(i, &q)| if is_set(code, i) { i32::from(q) } else { -i32::from(q) }).sum()
    });
}

fn sign_dots_f32(queries: &[f32], dim: usize, codes: &[u8], out: &mut [f32]) {
    all_pairs(queries, dim, codes, out, |query, code| {
        query.iter().enumerate().map(|(i, &q)| if is_set(code, i) { q } else { -q }).sum()
    });
}

/// Symmetric int8 codes and their scale. Every instruction set compiles this body for its own registers.
#[inline(always)]
pub(crate) fn quantize(x: &[f32], codes: &mut [i8]) -> f32 {
    // Adding and taking away 1.5 · 2^23 rounds to the nearest integer, ties to even, without a call.
    const ROUND: f32 = 12_582_912.0;
    let mut largest = [0.0_f32; 16];
    let chunks = x.chunks_exact(16);
    let rest = chunks.remainder();
    let magnitude = |v: f32| if v.abs() <= f32::MAX { v.abs() } else { 0.0 };
    for chunk in chunks {
        for i in 0..16 {
            let m = magnitude(chunk[i]);
            largest[i] = if m > largest[i] { m } else { largest[i] };
        }
    }
    let max = rest.iter().map(|&v| magnitude(v)).chain(largest).fold(0.0, f32::max);
    let scale = max / 127.0;
    if !scale.is_normal() {
        codes.fill(0);
        return 0.0;
    }
    let inverse = 1.0 / scale;
    for (code, &v) in codes.iter_mut().zip(x) {
        let scaled = (v * inverse).clamp(-127.0, 127.0);
        *code = ((scaled + ROUND) - ROUND) as i8;
    }
    scale
}

/// `scale · code` for every code.
#[inline(always)]
pub(crate) fn dequantize(codes: &[i8], scale: f32, out: &mut [f32]) {
    for (out, &code) in out.iter_mut().zip(codes) {
        *out = scale * f32::from(code);
    }
}

/// One bit for each element: set where it is above zero.
#[inline(always)]
pub(crate) fn pack_signs(x: &[f32], code: &mut [u8]) {
    for (byte, chunk) in code.iter_mut().zip(x.chunks(8)) {
        *byte = chunk.iter().enumerate().fold(0, |bits, (i, &v)| bits | u8::from(v > 0.0) << i);
    }
}
