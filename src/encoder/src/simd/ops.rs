/*!
The bodies of the kernels in plain Rust, written so that the compiler vectorises them for whatever registers the
caller's target features allow. Every sum runs in `LANES` fixed lanes that are joined in a fixed order, and every value
is computed by the same operations in the same order, so all variants agree to the last bit.
*/

use super::{QuantizeShape, Shape, activation_limit};
use crate::format::PANEL;

const LANES: usize = 16;

/// 1.5 · 2^23: adding it leaves the nearest integer (ties to even) in the low bits of the mantissa.
const ROUND: f32 = 12_582_912.0;

#[inline(always)]
fn sum_lanes(lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    let mut lanes = lanes;
    while width > 0 {
        for at in 0..width {
            lanes[at] += lanes[at + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Sums `value(x)` over `x`.
#[inline(always)]
fn sum(x: &[f32], value: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += value(x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane += value(x);
    }
    sum_lanes(lanes)
}

/// The largest of `value(x)` and `floor`; NaN counts as nothing.
#[inline(always)]
fn max(x: &[f32], floor: f32, value: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [floor; LANES];
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, value(x));
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = larger(*lane, value(x));
    }
    lanes.into_iter().fold(floor, larger)
}

/// e^x for x in about ±87, clamped beyond: x = n·ln 2 + r, a Taylor polynomial of degree 7 for e^r (relative error
/// below 1e-8 before rounding), and n placed straight into the exponent.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // ln 2 in two parts, the first short enough that n times it is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = if x > -87.0 { x } else { -87.0 };
    let x = if x < 87.0 { x } else { 87.0 };
    let shifted = x * std::f32::consts::LOG2_E + (ROUND + 127.0);
    let n = shifted - (ROUND + 127.0);
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let mut e = 1.0 / 5040.0;
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        e = e * r + coefficient;
    }
    e * f32::from_bits(shifted.to_bits() << 23)
}

/// x·Φ(x), with erf by formula 7.1.26 of Abramowitz and Stegun (absolute error below 1.5e-7).
#[inline(always)]
fn gelu_one(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let mut poly = 1.061_405_4;
    for coefficient in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        poly = poly * t + coefficient;
    }
    let tail = poly * t * exp(-z * z);
    let erf = if x < 0.0 { tail - 1.0 } else { 1.0 - tail };
    0.5 * x * (1.0 + erf)
}

#[inline(always)]
pub fn gelu(x: &mut [f32]) {
    let (chunks, rest) = x.as_chunks_mut::<LANES>();
    for chunk in chunks {
        for x in chunk {
            *x = gelu_one(*x);
        }
    }
    for x in rest {
        *x = gelu_one(*x);
    }
}

#[inline(always)]
pub fn softmax(x: &mut [f32], stride: usize, len: usize) {
    for row in x.chunks_exact_mut(stride) {
        let (row, padding) = row.split_at_mut(len);
        padding.fill(0.0);
        let top = max(row, f32::MIN, |x| x);
        for x in row.iter_mut() {
            *x = exp(*x - top);
        }
        let scale = 1.0 / sum(row, |x| x);
        for x in row {
            *x *= scale;
        }
    }
}

#[inline(always)]
pub fn add_norm(x: &mut [f32], residual: &[f32], gain: &[f32], bias: &[f32], epsilon: f32) {
    let len = gain.len();
    for (row, residual) in x.chunks_exact_mut(len).zip(residual.chunks_exact(len)) {
        for (x, residual) in row.iter_mut().zip(residual) {
            *x += residual;
        }
        let mean = sum(row, |x| x) / len as f32;
        let variance = sum(row, |x| (x - mean) * (x - mean)) / len as f32;
        let scale = 1.0 / (variance + epsilon).sqrt();
        for ((x, gain), bias) in row.iter_mut().zip(gain).zip(bias) {
            *x = (*x - mean) * scale * gain + bias;
        }
    }
}

#[inline(always)]
pub fn quantize(x: &[f32], shape: QuantizeShape, out: &mut [i16], scales: &mut [f32]) {
    let limit = f32::from(activation_limit(shape.out_stride));
    let rows = x.chunks(shape.stride).zip(out.chunks_exact_mut(shape.out_stride)).zip(scales);
    for ((row, out), scale) in rows.take(shape.rows) {
        let row = &row[..shape.len];
        let top = max(row, 0.0, f32::abs);
        // A row of zeros, or one so damaged that it has no finite size, becomes zeros.
        let usable = top > f32::MIN_POSITIVE * 65_536.0 && top < f32::MAX;
        *scale = if usable { top / limit } else { 0.0 };
        let inverse = if usable { limit / top } else { 0.0 };
        let (out, padding) = out.split_at_mut(shape.len);
        padding.fill(0);
        for (out, x) in out.iter_mut().zip(row) {
            *out = (x * inverse + ROUND).to_bits() as i16;
        }
    }
}

/// A product with weights of type `W`, one row and one panel at a time.
#[inline(always)]
pub fn multiply<W: Copy>(
    shape: Shape,
    x: &[f32],
    weights: &[W],
    bias: Option<&[f32]>,
    widen: impl Fn(W) -> f32,
    out: &mut [f32],
) {
    for panel in 0..shape.panels {
        let weights = weights[panel * shape.inputs * PANEL..][..shape.inputs * PANEL].as_chunks::<PANEL>().0;
        let start = bias.map_or([0.0; PANEL], |bias| std::array::from_fn(|at| bias[panel * PANEL + at]));
        for row in 0..shape.rows {
            let mut sums = start;
            for (&x, weights) in x[row * shape.x_stride..][..shape.inputs].iter().zip(weights) {
                for (sum, &weight) in sums.iter_mut().zip(weights) {
                    *sum += x * widen(weight);
                }
            }
            out[row * shape.out_stride + panel * PANEL..][..PANEL].copy_from_slice(&sums);
        }
    }
}

/// How many of the `left` rows the next tile takes: `most`, but no tile of one row is left over where it can be helped.
#[inline(always)]
pub fn next_rows(left: usize, most: usize) -> usize {
    if left == most + 1 { most - 1 } else { left.min(most) }
}
