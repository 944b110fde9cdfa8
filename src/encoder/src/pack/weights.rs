//! Tensors in the order and precision of the packed file.

use super::safetensors::Safetensors;
use super::{Body, le_bytes};
use crate::Error;
use crate::format::{Header, Layout, Linear, Norm, PANEL, Precision, padded_inputs};
use std::ops::Range;

/// Writes all weights of one model.
pub struct Weights<'a> {
    pub tensors: &'a mut Safetensors,
    pub header: &'a Header,
    pub body: &'a mut Body,
}

/// A linear layer as published: `outputs` rows of `inputs` weights, and a bias.
struct Matrix {
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Weights<'_> {
    /// Writes the weight sections in the order of the layout.
    pub fn write(&mut self, layout: &Layout) -> Result<(), Error> {
        self.embeddings(layout)?;
        for (number, layer) in layout.layers.iter().enumerate() {
            let name = |part: &str| format!("encoder.layer.{number}.{part}");
            let qkv = self.query_key_value(&name("attention.self"))?;
            self.linear(&layer.qkv, qkv)?;
            let attention = self.matrix(&name("attention.output.dense"), &layer.attention)?;
            self.linear(&layer.attention, attention)?;
            let up = self.matrix(&name("intermediate.dense"), &layer.up)?;
            self.linear(&layer.up, up)?;
            let down = self.matrix(&name("output.dense"), &layer.down)?;
            self.linear(&layer.down, down)?;
            self.norm(&name("attention.output.LayerNorm"), &layer.attention_norm)?;
            self.norm(&name("output.LayerNorm"), &layer.output_norm)?;
        }
        Ok(())
    }

    fn embeddings(&mut self, layout: &Layout) -> Result<(), Error> {
        let Header { hidden, vocab_size, max_tokens, precision, .. } = *self.header;
        let words = self.tensors.tensor("embeddings.word_embeddings.weight", &[vocab_size, hidden])?;
        let (mut bytes, mut scales) = (Vec::with_capacity(words.len() * precision.bytes()), Vec::new());
        for word in words.chunks_exact(hidden) {
            let scale = quantization_step(word);
            scales.push(scale);
            word.iter().for_each(|&value| store(value, precision, scale, &mut bytes));
        }
        self.body.section(&layout.words, &bytes)?;
        if precision == Precision::Int8 {
            self.floats(&layout.word_scales, &scales)?;
        }
        let positions = self.positions()?;
        let mut positions = self.tensors.tensor("embeddings.position_embeddings.weight", &[positions, hidden])?;
        positions.truncate(max_tokens * hidden);
        let types = self.tensors.rows("embeddings.token_type_embeddings.weight")?;
        let types = self.tensors.tensor("embeddings.token_type_embeddings.weight", &[types, hidden])?;
        for row in positions.chunks_exact_mut(hidden) {
            row.iter_mut().zip(&types[..hidden]).for_each(|(value, kind)| *value += kind);
        }
        self.floats(&layout.positions, &positions)?;
        self.norm("embeddings.LayerNorm", &layout.norm)
    }

    fn positions(&self) -> Result<usize, Error> {
        let positions = self.tensors.rows("embeddings.position_embeddings.weight")?;
        if positions < self.header.max_tokens {
            return Err(Error::Checkpoint(
                "there are fewer position embeddings than tokens in the longest input".into(),
            ));
        }
        Ok(positions)
    }

    fn floats(&mut self, range: &Range<usize>, values: &[f32]) -> Result<(), Error> {
        self.body.section(range, &le_bytes(values, f32::to_le_bytes))
    }

    fn norm(&mut self, name: &str, norm: &Norm) -> Result<(), Error> {
        let hidden = self.header.hidden;
        let gain = self.tensors.tensor(&format!("{name}.weight"), &[hidden])?;
        let bias = self.tensors.tensor(&format!("{name}.bias"), &[hidden])?;
        self.floats(&norm.gain, &gain)?;
        self.floats(&norm.bias, &bias)
    }

    fn matrix(&mut self, name: &str, linear: &Linear) -> Result<Matrix, Error> {
        let weights = self.tensors.tensor(&format!("{name}.weight"), &[linear.outputs, linear.inputs])?;
        let bias = self.tensors.tensor(&format!("{name}.bias"), &[linear.outputs])?;
        Ok(Matrix { weights, bias })
    }

    /// Query, key and value side by side, the query divided by the square root of the head size as attention asks.
    fn query_key_value(&mut self, name: &str) -> Result<Matrix, Error> {
        let Header { hidden, heads, .. } = *self.header;
        let scale = 1.0 / ((hidden / heads) as f32).sqrt();
        let mut all = Matrix { weights: Vec::new(), bias: Vec::new() };
        for (part, scale) in [("query", scale), ("key", 1.0), ("value", 1.0)] {
            let weights = self.tensors.tensor(&format!("{name}.{part}.weight"), &[hidden, hidden])?;
            let bias = self.tensors.tensor(&format!("{name}.{part}.bias"), &[hidden])?;
            all.weights.extend(weights.into_iter().map(|weight| weight * scale));
            all.bias.extend(bias.into_iter().map(|bias| bias * scale));
        }
        Ok(all)
    }

    /// Writes a linear layer in panels (see `format`).
    fn linear(&mut self, linear: &Linear, matrix: Matrix) -> Result<(), Error> {
        let precision = self.header.precision;
        let padded = linear.outputs.next_multiple_of(PANEL);
        let row = |output: usize| matrix.weights.get(output * linear.inputs..(output + 1) * linear.inputs);
        let scales: Vec<f32> = (0..padded).map(|output| row(output).map_or(0.0, quantization_step)).collect();
        let mut bytes = Vec::with_capacity(linear.weights.len());
        let group = if precision == Precision::Int8 { 2 } else { 1 };
        for panel in (0..padded).step_by(PANEL) {
            for first in (0..padded_inputs(precision, linear.inputs)).step_by(group) {
                for (lane, &step) in scales[panel..panel + PANEL].iter().enumerate() {
                    for input in first..first + group {
                        let weight = row(panel + lane).and_then(|row| row.get(input)).copied().unwrap_or(0.0);
                        store(weight, precision, step, &mut bytes);
                    }
                }
            }
        }
        self.body.section(&linear.weights, &bytes)?;
        if precision == Precision::Int8 {
            self.floats(&linear.scales, &scales)?;
        }
        let mut bias = matrix.bias;
        bias.resize(padded, 0.0);
        self.floats(&linear.bias, &bias)
    }
}

/// The step that puts the largest of `values` at 127.
fn quantization_step(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |top: f32, value| top.max(value.abs())) / 127.0
}

/// Appends one weight in the given precision.
fn store(value: f32, precision: Precision, step: f32, bytes: &mut Vec<u8>) {
    match precision {
        Precision::Int8 => {
            let level = if step > 0.0 { (value / step).round_ties_even().clamp(-127.0, 127.0) } else { 0.0 };
            bytes.push(level as i8 as u8);
        }
        Precision::Bf16 => {
            let bits = value.to_bits();
            // To nearest, ties to even.
            let rounded = bits + 0x7fff + (bits >> 16 & 1);
            bytes.extend_from_slice(&((rounded >> 16) as u16).to_le_bytes());
        }
        Precision::F32 => bytes.extend_from_slice(&value.to_le_bytes()),
    }
}
