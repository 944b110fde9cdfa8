//! The int8 product for x86-64 with AVX-512 and its VNNI instructions; everything else runs as for AVX2.

use super::{Int8, Shape};
use crate::format::PANEL;
use std::arch::x86_64::*;

/// Each panel meets the rows twelve at a time: one widened weight vector serves twelve independent sums, enough to hide
/// the latency of vpdpwssd, which multiplies pairs of i16 and adds them without saturation.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub fn multiply_int8(shape: Shape, x: &[i16], steps: &[f32], w: Int8<'_>, out: &mut [f32]) {
    for panel in 0..shape.panels {
        let columns = panel * PANEL..(panel + 1) * PANEL;
        let weights = &w.weights[panel * shape.inputs * PANEL..][..shape.inputs * PANEL];
        let (scales, bias) = (&w.scales[columns.clone()], &w.bias[columns.clone()]);
        // SAFETY: both slices hold PANEL = 16 values.
        let (scales, bias) = unsafe { (_mm512_loadu_ps(scales.as_ptr()), _mm512_loadu_ps(bias.as_ptr())) };
        let mut row = 0;
        while row < shape.rows {
            let (x, steps) = (&x[row * shape.x_stride..], &steps[row..]);
            let out = &mut out[row * shape.out_stride + columns.start..];
            let step = match shape.rows - row {
                12.. => tile::<12>(&shape, x, steps, weights, (scales, bias), out),
                8.. => tile::<8>(&shape, x, steps, weights, (scales, bias), out),
                4.. => tile::<4>(&shape, x, steps, weights, (scales, bias), out),
                2.. => tile::<2>(&shape, x, steps, weights, (scales, bias), out),
                _ => tile::<1>(&shape, x, steps, weights, (scales, bias), out),
            };
            row += step;
        }
    }
}

/// Multiplies `ROWS` rows by one panel; returns `ROWS`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn tile<const ROWS: usize>(
    shape: &Shape,
    x: &[i16],
    steps: &[f32],
    weights: &[i8],
    (scales, bias): (__m512, __m512),
    out: &mut [f32],
) -> usize {
    let mut rows: [&[[i16; 2]]; ROWS] = [&[]; ROWS];
    for (row, pairs) in rows.iter_mut().enumerate() {
        *pairs = x[row * shape.x_stride..][..shape.inputs].as_chunks::<2>().0;
    }
    let mut sums = [_mm512_setzero_si512(); ROWS];
    for (pair, weights) in weights.as_chunks::<{ 2 * PANEL }>().0.iter().enumerate() {
        // SAFETY: a chunk holds 2 · PANEL = 32 bytes, read as one unaligned vector.
        let weights = unsafe { _mm512_cvtepi8_epi16(_mm256_loadu_si256(weights.as_ptr().cast())) };
        for row in 0..ROWS {
            // SAFETY: every row has `inputs / 2` pairs, as many as the panel has chunks.
            let [even, odd] = unsafe { *rows[row].get_unchecked(pair) };
            let x = _mm512_set1_epi32(i32::from(even as u16) | i32::from(odd) << 16);
            sums[row] = _mm512_dpwssd_epi32(sums[row], weights, x);
        }
    }
    for row in 0..ROWS {
        let product = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[row]), _mm512_mul_ps(_mm512_set1_ps(steps[row]), scales));
        let out = &mut out[row * shape.out_stride..][..PANEL];
        // SAFETY: the slice holds PANEL = 16 values.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), _mm512_add_ps(product, bias)) };
    }
    ROWS
}
