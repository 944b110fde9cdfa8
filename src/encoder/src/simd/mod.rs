/*!
Kernels, chosen once per process by what the CPU can do.

Two kinds of arithmetic meet here.

*Integer products.* int8 weights meet activations quantised to i16, row by row, and sums are kept in i32. Sixteen bits
instead of eight for the activations cost nothing on AVX2, where pmaddubsw would saturate unless bits were given up, and
they leave the rounding of the weights as the only error. [`activation_limit`] keeps every sum below 2^31, so the result
is exact and therefore equal on all paths.

*Elementwise f32 and attention.* `ops` holds each body once, in safe Rust with fixed lanes and a fixed order of
operations; the fast paths are the same bodies compiled for wider registers. No fused multiply-add occurs in them, so
they too give equal bits everywhere. Only products with f32 or bf16 weights use FMA where the CPU has it.
*/
#![allow(unsafe_code, reason = "calls of functions compiled for CPU features that were detected")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod ops;
mod portable;
#[cfg(test)]
mod tests;

use crate::format::PANEL;
use std::sync::OnceLock;

/// Which variant of the kernels runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// A set of kernels this CPU can run; only [`Kernels::detected`] and [`Kernels::available`] make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernels(Level);

/// A matrix product `out = x · weights + bias`: `rows` rows of `x`, `x_stride` apart, with `inputs` values each; rows of
/// `out` are `out_stride` apart and get a whole number of panels.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub rows: usize,
    pub inputs: usize,
    pub panels: usize,
    pub x_stride: usize,
    pub out_stride: usize,
}

impl Shape {
    /// Checks that operands of these lengths hold the shape; what the kernels' unchecked accesses rely on.
    fn check(&self, x: usize, weights: usize, columns: [usize; 2], out: usize) {
        let Shape { rows, inputs, panels, x_stride, out_stride } = *self;
        let width = panels * PANEL;
        assert!(rows > 0 && inputs > 0 && inputs <= x_stride && width <= out_stride, "a matrix shape is wrong");
        assert!((rows - 1) * x_stride + inputs <= x, "too few activations");
        assert!(width * inputs <= weights, "too few weights");
        assert!(columns.into_iter().all(|column| column >= width), "too few column values");
        assert!((rows - 1) * out_stride + width <= out, "too little room for the product");
    }
}

/// The largest quantised activation for which no sum over `inputs` products with any i8 weight leaves i32.
pub fn activation_limit(inputs: usize) -> i16 {
    (i32::MAX as usize / (128 * inputs.max(1))).clamp(1, 16_383) as i16
}

macro_rules! dispatch {
    ($self:ident, $wide:ident, $name:ident($($argument:expr),*)) => {
        match $self.0 {
            Level::Portable => portable::$name($($argument),*),
            // SAFETY: this level is only ever constructed after its CPU features were detected.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { avx2::$name($($argument),*) },
            // SAFETY: as above; this level includes the one before.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { $wide::$name($($argument),*) },
        }
    };
}

impl Kernels {
    /// The best kernels of this CPU.
    pub fn detected() -> Kernels {
        static DETECTED: OnceLock<Kernels> = OnceLock::new();
        *DETECTED.get_or_init(|| Kernels::available().last().copied().unwrap_or(Kernels(Level::Portable)))
    }

    /// All kernels this CPU can run, the slowest first.
    pub fn available() -> Vec<Kernels> {
        let mut levels = vec![Kernels(Level::Portable)];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            levels.push(Kernels(Level::Avx2));
            let features = [
                is_x86_feature_detected!("avx512f"),
                is_x86_feature_detected!("avx512bw"),
                is_x86_feature_detected!("avx512vnni"),
            ];
            if features.into_iter().all(|detected| detected) {
                levels.push(Kernels(Level::Avx512));
            }
        }
        levels
    }

    /// The name of this variant.
    pub fn name(self) -> &'static str {
        match self.0 {
            Level::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512-vnni",
        }
    }

    /// Quantises each row of `x` to integers within `activation_limit(inputs)`; `scales` gets the step of each row.
    /// Rows of `out` are `out_stride` apart and zero-padded.
    pub fn quantize(self, x: &[f32], shape: QuantizeShape, out: &mut [i16], scales: &mut [f32]) {
        dispatch!(self, avx2, quantize(x, shape, out, scales))
    }

    /// The product with int8 weights; `shape.inputs` is even, `scales` are the steps of the rows of `x`.
    pub fn multiply_int8(self, shape: Shape, x: &[i16], steps: &[f32], w: Int8<'_>, out: &mut [f32]) {
        shape.check(x.len(), w.weights.len(), [w.scales.len(), w.bias.len()], out.len());
        assert!(shape.inputs.is_multiple_of(2) && steps.len() >= shape.rows, "a matrix shape is wrong");
        dispatch!(self, avx512, multiply_int8(shape, x, steps, w, out))
    }

    /// The product with f32 weights.
    pub fn multiply_f32(self, shape: Shape, x: &[f32], weights: &[f32], bias: &[f32], out: &mut [f32]) {
        shape.check(x.len(), weights.len(), [bias.len(), bias.len()], out.len());
        dispatch!(self, avx2, multiply_f32(shape, x, weights, bias, out))
    }

    /// The product with bf16 weights.
    pub fn multiply_bf16(self, shape: Shape, x: &[f32], weights: &[u16], bias: &[f32], out: &mut [f32]) {
        shape.check(x.len(), weights.len(), [bias.len(), bias.len()], out.len());
        dispatch!(self, avx2, multiply_bf16(shape, x, weights, bias, out))
    }

    /// The product of two activations, `weights` in panels, without FMA and hence equal everywhere.
    pub fn multiply_exact(self, shape: Shape, x: &[f32], weights: &[f32], out: &mut [f32]) {
        shape.check(x.len(), weights.len(), [usize::MAX; 2], out.len());
        dispatch!(self, avx2, multiply_exact(shape, x, weights, out))
    }

    /// `x = layer_norm(x + residual)` row by row.
    pub fn add_norm(self, x: &mut [f32], residual: &[f32], gain: &[f32], bias: &[f32], epsilon: f32) {
        dispatch!(self, avx2, add_norm(x, residual, gain, bias, epsilon))
    }

    /// Softmax of the first `len` values of each row of `stride` values; the rest of the row becomes zero.
    pub fn softmax(self, x: &mut [f32], stride: usize, len: usize) {
        dispatch!(self, avx2, softmax(x, stride, len))
    }

    /// The Gaussian error linear unit, in its exact form.
    pub fn gelu(self, x: &mut [f32]) {
        dispatch!(self, avx2, gelu(x))
    }
}

/// The shape of a quantisation: rows of `len` values, `stride` apart, to rows `out_stride` apart.
#[derive(Clone, Copy, Debug)]
pub struct QuantizeShape {
    pub rows: usize,
    pub len: usize,
    pub stride: usize,
    pub out_stride: usize,
}

/// int8 weights with what turns a sum of products into a number.
#[derive(Clone, Copy, Debug)]
pub struct Int8<'a> {
    pub weights: &'a [i8],
    pub scales: &'a [f32],
    pub bias: &'a [f32],
}
