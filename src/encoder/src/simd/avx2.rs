//! The kernels for x86-64 with AVX2 and FMA.

use super::{Int8, QuantizeShape, Shape, ops};
use crate::format::PANEL;
use std::arch::x86_64::*;

#[target_feature(enable = "avx2,fma")]
pub fn quantize(x: &[f32], shape: QuantizeShape, out: &mut [i16], scales: &mut [f32]) {
    ops::quantize(x, shape, out, scales);
}

#[target_feature(enable = "avx2,fma")]
pub fn add_norm(x: &mut [f32], residual: &[f32], gain: &[f32], bias: &[f32], epsilon: f32) {
    ops::add_norm(x, residual, gain, bias, epsilon);
}

#[target_feature(enable = "avx2,fma")]
pub fn softmax(x: &mut [f32], stride: usize, len: usize) {
    ops::softmax(x, stride, len);
}

#[target_feature(enable = "avx2,fma")]
pub fn gelu(x: &mut [f32]) {
    ops::gelu(x);
}

#[target_feature(enable = "avx2,fma")]
pub fn multiply_f32(shape: Shape, x: &[f32], weights: &[f32], bias: &[f32], out: &mut [f32]) {
    multiply_float::<f32, true, false>(shape, x, weights, Some(bias), out);
}

#[target_feature(enable = "avx2,fma")]
pub fn multiply_bf16(shape: Shape, x: &[f32], weights: &[u16], bias: &[f32], out: &mut [f32]) {
    multiply_float::<u16, true, true>(shape, x, weights, Some(bias), out);
}

#[target_feature(enable = "avx2,fma")]
pub fn multiply_exact(shape: Shape, x: &[f32], weights: &[f32], out: &mut [f32]) {
    multiply_float::<f32, false, false>(shape, x, weights, None, out);
}

/// Each panel meets the rows six at a time: twelve sums, two widened weight vectors and one activation fill the sixteen
/// registers, and pmaddwd multiplies pairs of i16 without any saturation.
#[target_feature(enable = "avx2,fma")]
pub fn multiply_int8(shape: Shape, x: &[i16], steps: &[f32], w: Int8<'_>, out: &mut [f32]) {
    for panel in 0..shape.panels {
        let columns = panel * PANEL..(panel + 1) * PANEL;
        let panel = Panel {
            weights: &w.weights[panel * shape.inputs * PANEL..][..shape.inputs * PANEL],
            scales: &w.scales[columns.clone()],
            bias: &w.bias[columns.clone()],
        };
        let mut row = 0;
        while row < shape.rows {
            let (x, steps) = (&x[row * shape.x_stride..], &steps[row..]);
            let out = &mut out[row * shape.out_stride + columns.start..];
            let step = ops::next_rows(shape.rows - row, 6);
            match step {
                6 => tile::<6>(&shape, x, steps, &panel, out),
                5 => tile::<5>(&shape, x, steps, &panel, out),
                4 => tile::<4>(&shape, x, steps, &panel, out),
                3 => tile::<3>(&shape, x, steps, &panel, out),
                2 => tile::<2>(&shape, x, steps, &panel, out),
                _ => tile::<1>(&shape, x, steps, &panel, out),
            }
            row += step;
        }
    }
}

struct Panel<'a> {
    weights: &'a [i8],
    scales: &'a [f32],
    bias: &'a [f32],
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn tile<const ROWS: usize>(shape: &Shape, x: &[i16], steps: &[f32], panel: &Panel<'_>, out: &mut [f32]) {
    let mut rows: [&[[i16; 2]]; ROWS] = [&[]; ROWS];
    for (row, pairs) in rows.iter_mut().enumerate() {
        *pairs = x[row * shape.x_stride..][..shape.inputs].as_chunks::<2>().0;
    }
    let mut sums = [[_mm256_setzero_si256(); 2]; ROWS];
    for (pair, weights) in panel.weights.as_chunks::<{ 2 * PANEL }>().0.iter().enumerate() {
        // SAFETY: a chunk holds 2 · PANEL = 32 bytes, read as two unaligned vectors of sixteen.
        let weights = unsafe {
            let weights = weights.as_ptr().cast::<__m128i>();
            [_mm256_cvtepi8_epi16(_mm_loadu_si128(weights)), _mm256_cvtepi8_epi16(_mm_loadu_si128(weights.add(1)))]
        };
        for row in 0..ROWS {
            // SAFETY: every row has `inputs / 2` pairs, as many as the panel has chunks.
            let [even, odd] = unsafe { *rows[row].get_unchecked(pair) };
            let x = _mm256_set1_epi32(i32::from(even as u16) | i32::from(odd) << 16);
            for half in 0..2 {
                sums[row][half] = _mm256_add_epi32(sums[row][half], _mm256_madd_epi16(weights[half], x));
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        let step = _mm256_set1_ps(steps[row]);
        for (half, &sum) in sums.iter().enumerate() {
            let columns = half * 8..half * 8 + 8;
            let (scales, bias) = (&panel.scales[columns.clone()], &panel.bias[columns.clone()]);
            let out = &mut out[row * shape.out_stride..][columns];
            // SAFETY: each of the three slices holds exactly eight values.
            unsafe {
                let scales = _mm256_mul_ps(step, _mm256_loadu_ps(scales.as_ptr()));
                let product = _mm256_mul_ps(_mm256_cvtepi32_ps(sum), scales);
                _mm256_storeu_ps(out.as_mut_ptr(), _mm256_add_ps(product, _mm256_loadu_ps(bias.as_ptr())));
            }
        }
    }
}

/// A product with weights that are f32 or, if `BF16`, the upper halves of f32; with FMA if `FUSED`.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn multiply_float<W, const FUSED: bool, const BF16: bool>(
    shape: Shape,
    x: &[f32],
    weights: &[W],
    bias: Option<&[f32]>,
    out: &mut [f32],
) {
    const { assert!(size_of::<W>() == if BF16 { 2 } else { 4 }) };
    for panel in 0..shape.panels {
        let first = panel * PANEL;
        let weights = weights[first * shape.inputs..][..shape.inputs * PANEL].as_chunks::<PANEL>().0;
        let start = bias.map_or([_mm256_setzero_ps(); 2], |bias| {
            let bias = &bias[first..first + PANEL];
            // SAFETY: the slice holds PANEL = 16 values, read as two vectors of eight.
            unsafe { [_mm256_loadu_ps(bias.as_ptr()), _mm256_loadu_ps(bias.as_ptr().add(8))] }
        });
        let mut row = 0;
        while row < shape.rows {
            let (x, out) = (&x[row * shape.x_stride..], &mut out[row * shape.out_stride + first..]);
            let step = ops::next_rows(shape.rows - row, 6);
            match step {
                6 => tile_float::<6, W, FUSED, BF16>(&shape, x, weights, start, out),
                5 => tile_float::<5, W, FUSED, BF16>(&shape, x, weights, start, out),
                4 => tile_float::<4, W, FUSED, BF16>(&shape, x, weights, start, out),
                3 => tile_float::<3, W, FUSED, BF16>(&shape, x, weights, start, out),
                2 => tile_float::<2, W, FUSED, BF16>(&shape, x, weights, start, out),
                _ => tile_float::<1, W, FUSED, BF16>(&shape, x, weights, start, out),
            }
            row += step;
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn tile_float<const ROWS: usize, W, const FUSED: bool, const BF16: bool>(
    shape: &Shape,
    x: &[f32],
    weights: &[[W; PANEL]],
    start: [__m256; 2],
    out: &mut [f32],
) {
    let mut rows: [&[f32]; ROWS] = [&[]; ROWS];
    for (row, values) in rows.iter_mut().enumerate() {
        *values = &x[row * shape.x_stride..][..shape.inputs];
    }
    let mut sums = [start; ROWS];
    for (input, weights) in weights.iter().enumerate() {
        let weights = weights.as_ptr();
        let weights = if BF16 {
            // SAFETY: sixteen weights of two bytes (asserted by `multiply_float`) are read as one unaligned vector.
            let halves = unsafe { _mm256_loadu_si256(weights.cast()) };
            let [low, high] = [_mm256_castsi256_si128(halves), _mm256_extracti128_si256::<1>(halves)];
            [low, high].map(|half| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(half))))
        } else {
            // SAFETY: sixteen weights of four bytes (asserted by `multiply_float`) are read as two unaligned vectors.
            unsafe { [_mm256_loadu_ps(weights.cast()), _mm256_loadu_ps(weights.add(8).cast())] }
        };
        for row in 0..ROWS {
            // SAFETY: every row has `inputs` values, as many as the panel has chunks.
            let x = _mm256_set1_ps(unsafe { *rows[row].get_unchecked(input) });
            for half in 0..2 {
                sums[row][half] = if FUSED {
                    _mm256_fmadd_ps(x, weights[half], sums[row][half])
                } else {
                    _mm256_add_ps(_mm256_mul_ps(x, weights[half]), sums[row][half])
                };
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        let out = &mut out[row * shape.out_stride..][..PANEL];
        // SAFETY: the slice holds PANEL = 16 values, written as two vectors of eight.
        unsafe {
            _mm256_storeu_ps(out.as_mut_ptr(), sums[0]);
            _mm256_storeu_ps(out.as_mut_ptr().add(8), sums[1]);
        }
    }
}
