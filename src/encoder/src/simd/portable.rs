//! The kernels for any CPU: the reference that the others must equal.

use super::{Int8, QuantizeShape, Shape, ops};
use crate::format::PANEL;

pub fn quantize(x: &[f32], shape: QuantizeShape, out: &mut [i16], scales: &mut [f32]) {
    ops::quantize(x, shape, out, scales);
}

pub fn add_norm(x: &mut [f32], residual: &[f32], gain: &[f32], bias: &[f32], epsilon: f32) {
    ops::add_norm(x, residual, gain, bias, epsilon);
}

pub fn softmax(x: &mut [f32], stride: usize, len: usize) {
    ops::softmax(x, stride, len);
}

pub fn gelu(x: &mut [f32]) {
    ops::gelu(x);
}

pub fn multiply_f32(shape: Shape, x: &[f32], weights: &[f32], bias: &[f32], out: &mut [f32]) {
    ops::multiply(shape, x, weights, Some(bias), |weight| weight, out);
}

pub fn multiply_bf16(shape: Shape, x: &[f32], weights: &[u16], bias: &[f32], out: &mut [f32]) {
    ops::multiply(shape, x, weights, Some(bias), |weight| f32::from_bits(u32::from(weight) << 16), out);
}

pub fn multiply_exact(shape: Shape, x: &[f32], weights: &[f32], out: &mut [f32]) {
    ops::multiply(shape, x, weights, None, |weight| weight, out);
}

pub fn multiply_int8(shape: Shape, x: &[i16], steps: &[f32], w: Int8<'_>, out: &mut [f32]) {
    for panel in 0..shape.panels {
        let columns = panel * PANEL..(panel + 1) * PANEL;
        let weights = &w.weights[panel * shape.inputs * PANEL..][..shape.inputs * PANEL];
        for row in 0..shape.rows {
            let x = &x[row * shape.x_stride..][..shape.inputs];
            let mut sums = [0i32; PANEL];
            for (pair, weights) in x.as_chunks::<2>().0.iter().zip(weights.as_chunks::<{ 2 * PANEL }>().0) {
                let [even, odd] = pair.map(i32::from);
                for (sum, weight) in sums.iter_mut().zip(weights.as_chunks::<2>().0) {
                    // Wrapping, like the vector units, in case damaged activations exceed the limit.
                    let product = even * i32::from(weight[0]) + odd * i32::from(weight[1]);
                    *sum = sum.wrapping_add(product);
                }
            }
            let out = &mut out[row * shape.out_stride..][columns.clone()];
            let columns = w.scales[columns.clone()].iter().zip(&w.bias[columns.clone()]);
            for ((out, sum), (scale, bias)) in out.iter_mut().zip(sums).zip(columns) {
                *out = sum as f32 * (steps[row] * scale) + bias;
            }
        }
    }
}
