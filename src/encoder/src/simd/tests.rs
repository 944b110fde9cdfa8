//! Every variant of every kernel against the portable one, and the portable one against plain f64.

use super::*;
use std::sync::Once;

/// A small deterministic generator.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// About uniform in -1..1.
    fn float(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn floats(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.float()).collect()
    }
}

const PORTABLE: Kernels = Kernels(Level::Portable);

/// The variants to compare with the portable one.
fn variants() -> Vec<Kernels> {
    static NOTICE: Once = Once::new();
    let variants = Kernels::available();
    if !variants.iter().any(|kernels| kernels.name() == "avx512-vnni") {
        assert!(std::env::var_os("EXPECT_AVX512").is_none(), "AVX-512 VNNI was expected of this CPU");
        NOTICE.call_once(|| eprintln!("notice: this CPU has no AVX-512 VNNI, its kernels are not tested here"));
    }
    variants.into_iter().filter(|&kernels| kernels != PORTABLE).collect()
}

fn shapes() -> impl Iterator<Item = Shape> {
    let rows: &[usize] = if cfg!(miri) { &[1, 3, 6, 7] } else { &[1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 17, 25] };
    let inputs: &[usize] = if cfg!(miri) { &[1, 2, 17] } else { &[1, 2, 3, 7, 16, 31, 32, 50, 129] };
    rows.iter().flat_map(move |&rows| {
        inputs.iter().flat_map(move |&inputs| {
            [(1, 0), (3, 5)].map(|(panels, gap)| {
                let (x_stride, out_stride) = (inputs + gap, panels * PANEL + gap);
                Shape { rows, inputs, panels, x_stride, out_stride }
            })
        })
    })
}

#[test]
fn int8_products_are_equal_to_the_bit() {
    let mut random = Random(1);
    for shape in shapes() {
        let shape = Shape { inputs: shape.inputs * 2, x_stride: shape.x_stride * 2, ..shape };
        let width = shape.panels * PANEL;
        let limit = i64::from(activation_limit(shape.inputs));
        // One element before the data makes every access unaligned.
        let x: Vec<i16> = (0..=shape.rows * shape.x_stride)
            .map(|_| (random.next() as i64).rem_euclid(2 * limit + 1) as i16 - limit as i16)
            .collect();
        let weights: Vec<i8> = (0..=width * shape.inputs).map(|_| random.next() as i8).collect();
        let (steps, scales, bias) = (random.floats(shape.rows), random.floats(width), random.floats(width));
        let w = Int8 { weights: &weights[1..], scales: &scales, bias: &bias };
        let product = |kernels: Kernels| {
            let mut out = vec![f32::NAN; shape.rows * shape.out_stride];
            kernels.multiply_int8(shape, &x[1..], &steps, w, &mut out);
            out.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        let expected = product(PORTABLE);
        for row in 0..shape.rows {
            for column in 0..width {
                let sum: i64 = (0..shape.inputs)
                    .map(|input| {
                        let at = (column / PANEL * shape.inputs / 2 + input / 2) * 2 * PANEL;
                        let weight = w.weights[at + column % PANEL * 2 + input % 2];
                        i64::from(x[1 + row * shape.x_stride + input]) * i64::from(weight)
                    })
                    .sum();
                let value = sum as f32 * (steps[row] * scales[column]) + bias[column];
                assert_eq!(f32::from_bits(expected[row * shape.out_stride + column]), value, "{shape:?}");
            }
        }
        for kernels in variants() {
            assert_eq!(product(kernels), expected, "{} {shape:?}", kernels.name());
        }
    }
}

#[test]
fn the_largest_sums_do_not_overflow() {
    for inputs in [2usize, 384, 768, 1024, 1536, 4096, 65_536].into_iter().take(if cfg!(miri) { 2 } else { 7 }) {
        let limit = activation_limit(inputs);
        assert!(i64::from(limit) * 128 * inputs as i64 <= i64::from(i32::MAX), "{inputs} inputs");
        let (x, weights) = (vec![limit; inputs], vec![i8::MIN; inputs * PANEL]);
        let shape = Shape { rows: 1, inputs, panels: 1, x_stride: inputs, out_stride: PANEL };
        let w = Int8 { weights: &weights, scales: &[1.0; PANEL], bias: &[0.0; PANEL] };
        for kernels in Kernels::available() {
            let mut out = [0.0; PANEL];
            kernels.multiply_int8(shape, &x, &[1.0], w, &mut out);
            assert_eq!(out, [(-128 * i64::from(limit) * inputs as i64) as f32; PANEL], "{}", kernels.name());
        }
    }
}

#[test]
fn float_products_agree() {
    let mut random = Random(2);
    for shape in shapes() {
        let width = shape.panels * PANEL;
        let x = random.floats(1 + shape.rows * shape.x_stride);
        let weights = random.floats(1 + width * shape.inputs);
        let bias = random.floats(width);
        let halves: Vec<u16> = weights.iter().map(|weight| (weight.to_bits() >> 16) as u16).collect();
        let product = |run: &dyn Fn(&mut [f32])| {
            let mut out = vec![0.0; shape.rows * shape.out_stride];
            run(&mut out);
            out
        };
        let (x, weights, halves) = (&x[1..], &weights[1..], &halves[1..]);
        let full = |kernels: Kernels| product(&|out| kernels.multiply_f32(shape, x, weights, &bias, out));
        let half = |kernels: Kernels| product(&|out| kernels.multiply_bf16(shape, x, halves, &bias, out));
        let exact = |kernels: Kernels| product(&|out| kernels.multiply_exact(shape, x, weights, out));
        let portable = exact(PORTABLE);
        for row in 0..shape.rows {
            for column in 0..width {
                let sum: f64 = (0..shape.inputs)
                    .map(|input| {
                        let weight = weights[(column / PANEL * shape.inputs + input) * PANEL + column % PANEL];
                        f64::from(x[row * shape.x_stride + input]) * f64::from(weight)
                    })
                    .sum();
                let difference = f64::from(portable[row * shape.out_stride + column]) - sum;
                assert!(difference.abs() < 1e-4, "{shape:?} differs by {difference}");
            }
        }
        for kernels in variants() {
            assert_close(&full(kernels), &full(PORTABLE), 1e-5, kernels.name());
            assert_close(&half(kernels), &half(PORTABLE), 1e-5, kernels.name());
            assert_eq!(exact(kernels), portable, "{} {shape:?}", kernels.name());
        }
    }
}

fn assert_close(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance * (1.0 + expected.abs()), "{what}: {found} for {expected}");
    }
}

fn assert_equal_everywhere(what: &str, run: impl Fn(Kernels) -> Vec<f32>) -> Vec<f32> {
    let expected = run(PORTABLE);
    for kernels in variants() {
        assert_eq!(run(kernels), expected, "{what} {}", kernels.name());
    }
    expected
}

#[test]
fn softmax_is_right_and_equal_everywhere() {
    let mut random = Random(3);
    for (stride, len) in [(1, 1), (16, 3), (16, 16), (32, 17), (48, 33), (256, 250)] {
        let x: Vec<f32> = random.floats(stride * 3).into_iter().map(|x| x * 30.0).collect();
        let found = assert_equal_everywhere("softmax", |kernels| {
            let mut x = x.clone();
            kernels.softmax(&mut x, stride, len);
            x
        });
        for (found, x) in found.chunks_exact(stride).zip(x.chunks_exact(stride)) {
            let sum: f64 = x[..len].iter().map(|&x| f64::from(x).exp()).sum();
            for (found, x) in found.iter().zip(&x[..len]) {
                assert!((f64::from(*found) - f64::from(*x).exp() / sum).abs() < 1e-6);
            }
            assert!(found[len..].iter().all(|&padding| padding == 0.0));
        }
    }
}

#[test]
fn gelu_is_right_and_equal_everywhere() {
    let steps = (-1003..=1003).step_by(if cfg!(miri) { 200 } else { 1 });
    let x: Vec<f32> = steps.map(|step| step as f32 / 100.0).chain([0.0, -0.0, 1e-30, 88.0, -200.0]).collect();
    let found = assert_equal_everywhere("gelu", |kernels| {
        let mut x = x.clone();
        kernels.gelu(&mut x);
        x
    });
    for (x, found) in x.into_iter().zip(found) {
        let expected = f64::from(x) * normal_distribution(f64::from(x));
        assert!((f64::from(found) - expected).abs() < 2e-6, "gelu({x}) = {found}, not {expected}");
    }
}

/// Φ(x) by Simpson's rule over the density.
fn normal_distribution(x: f64) -> f64 {
    let x = x.clamp(-12.0, 12.0);
    let density = |t: f64| (-t * t / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let (steps, mut sum) = (if cfg!(miri) { 200 } else { 2000 }, 0.0);
    let width = x / f64::from(steps);
    for step in 0..steps {
        let t = f64::from(step) * width;
        sum += (density(t) + 4.0 * density(t + width / 2.0) + density(t + width)) * width / 6.0;
    }
    0.5 + sum
}

#[test]
fn layer_norm_is_right_and_equal_everywhere() {
    let mut random = Random(4);
    for len in [1, 2, 15, 16, 17, 30, 384] {
        let (x, residual) = (random.floats(len * 3), random.floats(len * 3));
        let (gain, bias) = (random.floats(len), random.floats(len));
        let found = assert_equal_everywhere("layer norm", |kernels| {
            let mut x = x.clone();
            kernels.add_norm(&mut x, &residual, &gain, &bias, 1e-5);
            x
        });
        for row in 0..3 {
            let values: Vec<f64> =
                (row * len..(row + 1) * len).map(|at| f64::from(x[at]) + f64::from(residual[at])).collect();
            let mean = values.iter().sum::<f64>() / len as f64;
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / len as f64;
            for (at, value) in values.iter().enumerate() {
                let expected = (value - mean) / (variance + 1e-5).sqrt() * f64::from(gain[at]) + f64::from(bias[at]);
                assert!((f64::from(found[row * len + at]) - expected).abs() < 2e-5);
            }
        }
    }
}

#[test]
fn quantization_rounds_to_nearest_and_is_equal_everywhere() {
    let mut random = Random(5);
    for len in [1usize, 2, 15, 16, 31, 384] {
        let (rows, stride, out_stride) = (4, len + 3, len.next_multiple_of(2));
        let mut x = random.floats(rows * stride);
        x[..len].fill(0.0);
        x[stride] = f32::INFINITY;
        let shape = QuantizeShape { rows, len, stride, out_stride };
        let run = |kernels: Kernels| {
            let (mut out, mut steps) = (vec![7i16; rows * out_stride], vec![f32::NAN; rows]);
            kernels.quantize(&x, shape, &mut out, &mut steps);
            (out, steps)
        };
        let (out, steps) = run(PORTABLE);
        for kernels in variants() {
            assert_eq!(run(kernels), (out.clone(), steps.clone()), "{}", kernels.name());
        }
        assert_eq!(steps[..2], [0.0; 2], "a row of zeros or of infinities has no step");
        assert!(out[..len].iter().all(|&level| level == 0));
        for row in 2..rows {
            let limit = activation_limit(out_stride);
            assert!(out[row * out_stride..][..len].iter().any(|level| level.abs() == limit));
            assert!(out[row * out_stride..][len..out_stride].iter().all(|&padding| padding == 0));
            for (level, x) in out[row * out_stride..][..len].iter().zip(&x[row * stride..]) {
                assert!((f32::from(*level) * steps[row] - x).abs() <= steps[row] * 0.51);
            }
        }
    }
}
