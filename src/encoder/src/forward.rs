/*!
The transformer: embeddings, then per layer self-attention and a two-layer network, each added to its input and
normalised. One text at a time, so there is no padding and no mask.

Rows of activations are as wide as the next multiple of a weight panel, so products need no treatment of ragged ends.
Attention and the network run over blocks of rows, which bounds the buffers: about 3 MB for 256 tokens of a 384-wide
model.
*/

use crate::format::{Header, Layer, Layout, Linear, Norm, PANEL, Precision};
use crate::map::Map;
use crate::simd::{Int8, Kernels, QuantizeShape, Shape};
use crate::wordpiece::{Token, Word};

/// Rows per block of attention and of the feed-forward network.
const BLOCK: usize = 96;

/// Working memory of an encoder, kept from text to text; owned by one caller at a time.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) word: Word,
    pub(crate) tokens: Vec<Token>,
    /// The hidden state, `hidden` values per token.
    pub(crate) state: Vec<f32>,
    qkv: Vec<f32>,
    context: Vec<f32>,
    product: Vec<f32>,
    wide: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    scores: Vec<f32>,
    quantized: Vec<i16>,
    steps: Vec<f32>,
}

impl Scratch {
    /// Empty working memory; it grows to what the longest text needs.
    pub fn new() -> Scratch {
        Scratch::default()
    }
}

/// The parts of a model that a forward pass reads.
#[derive(Clone, Copy, Debug)]
pub struct Transformer<'a> {
    pub map: &'a Map,
    pub header: &'a Header,
    pub layout: &'a Layout,
    pub kernels: Kernels,
}

/// A slice of `len` values of `buffer`, which grows as needed and is not cleared.
fn room<T: Copy + Default>(buffer: &mut Vec<T>, len: usize) -> &mut [T] {
    if buffer.len() < len {
        buffer.resize(len, T::default());
    }
    &mut buffer[..len]
}

impl Transformer<'_> {
    /// Computes the final hidden state of `scratch.tokens` into `scratch.state`.
    pub fn run(&self, scratch: &mut Scratch) {
        self.embed(scratch);
        for layer in &self.layout.layers {
            self.attend(layer, scratch);
            self.feed_forward(layer, scratch);
        }
    }

    /// Sums word and position embeddings and normalises.
    fn embed(&self, scratch: &mut Scratch) {
        let hidden = self.header.hidden;
        let rows = scratch.tokens.len();
        let state = room(&mut scratch.state, rows * hidden);
        let positions: &[f32] = self.map.section(&self.layout.positions);
        for ((row, token), position) in
            state.chunks_exact_mut(hidden).zip(&scratch.tokens).zip(positions.chunks_exact(hidden))
        {
            // Ids come out of a file whose body may be damaged: an impossible one reads as the last.
            let id = (token.id as usize).min(self.header.vocab_size - 1);
            self.read_word(id, row);
            for (value, position) in row.iter_mut().zip(position) {
                *value += position;
            }
        }
        let nothing = room(&mut scratch.product, rows * hidden);
        nothing.fill(0.0);
        self.norm(&self.layout.norm, state, nothing);
    }

    fn read_word(&self, id: usize, row: &mut [f32]) {
        let range = id * row.len()..(id + 1) * row.len();
        let words = &self.layout.words;
        match self.header.precision {
            Precision::Int8 => {
                let scale = self.map.section::<f32>(&self.layout.word_scales)[id];
                let words = &self.map.section::<i8>(words)[range];
                row.iter_mut().zip(words).for_each(|(value, &word)| *value = f32::from(word) * scale);
            }
            Precision::Bf16 => {
                let words = &self.map.section::<u16>(words)[range];
                row.iter_mut().zip(words).for_each(|(value, &word)| *value = f32::from_bits(u32::from(word) << 16));
            }
            Precision::F32 => row.copy_from_slice(&self.map.section::<f32>(words)[range]),
        }
    }

    fn norm(&self, norm: &Norm, x: &mut [f32], residual: &[f32]) {
        let (gain, bias) = (self.map.section(&norm.gain), self.map.section(&norm.bias));
        self.kernels.add_norm(x, residual, gain, bias, self.header.norm_epsilon);
    }

    /// Self-attention over all tokens, added to the state and normalised.
    fn attend(&self, layer: &Layer, scratch: &mut Scratch) {
        let Scratch { state, qkv, context, product, keys, values, scores, quantized, steps, tokens, .. } = scratch;
        let (rows, hidden, heads) = (tokens.len(), self.header.hidden, self.header.heads);
        let size = hidden / heads;
        let (padded_rows, padded_size) = (rows.next_multiple_of(PANEL), size.next_multiple_of(PANEL));
        let state = &mut state[..rows * hidden];
        let stride = (3 * hidden).next_multiple_of(PANEL);
        let qkv = room(qkv, rows * stride);
        self.multiply(&layer.qkv, state, hidden, qkv, (quantized, steps));
        let context = room(context, rows * hidden);
        let product = room(product, rows * hidden.next_multiple_of(PANEL).max(padded_size));
        let block = rows.min(BLOCK);
        let scores = room(scores, block * padded_rows);
        let (keys, values) = (room(keys, size * padded_rows), room(values, rows * padded_size));
        for head in 0..heads {
            let part = |which: usize| which * hidden + head * size;
            panels_of_columns(qkv, stride, part(1), size, keys);
            panels_of_rows(qkv, stride, part(2), size, values);
            for start in (0..rows).step_by(BLOCK) {
                let block = BLOCK.min(rows - start);
                let (panels, x_stride, out_stride) = (padded_rows / PANEL, stride, padded_rows);
                let shape = Shape { rows: block, inputs: size, panels, x_stride, out_stride };
                let scores = &mut scores[..block * padded_rows];
                let queries = &qkv[start * stride + part(0)..];
                self.kernels.multiply_exact(shape, queries, keys, scores);
                self.kernels.softmax(scores, padded_rows, rows);
                let (panels, x_stride, out_stride) = (padded_size / PANEL, padded_rows, padded_size);
                let shape = Shape { rows: block, inputs: rows, panels, x_stride, out_stride };
                self.kernels.multiply_exact(shape, scores, values, product);
                let to = context[start * hidden..].chunks_exact_mut(hidden);
                for (to, from) in to.zip(product.chunks_exact(padded_size).take(block)) {
                    to[head * size..][..size].copy_from_slice(&from[..size]);
                }
            }
        }
        let stride = hidden.next_multiple_of(PANEL);
        self.multiply(&layer.attention, context, hidden, &mut product[..rows * stride], (quantized, steps));
        close_rows(product, stride, hidden, rows);
        self.norm(&layer.attention_norm, state, &product[..rows * hidden]);
    }

    /// The two-layer network, added to the state and normalised, block by block.
    fn feed_forward(&self, layer: &Layer, scratch: &mut Scratch) {
        let Scratch { state, product, wide, quantized, steps, tokens, .. } = scratch;
        let hidden = self.header.hidden;
        let (stride, wide_stride) = (hidden.next_multiple_of(PANEL), self.header.intermediate.next_multiple_of(PANEL));
        for state in state[..tokens.len() * hidden].chunks_mut(BLOCK * hidden) {
            let rows = state.len() / hidden;
            let wide = room(wide, rows * wide_stride);
            self.multiply(&layer.up, state, hidden, wide, (quantized, steps));
            self.kernels.gelu(wide);
            let product = room(product, rows * stride);
            self.multiply(&layer.down, wide, wide_stride, product, (quantized, steps));
            close_rows(product, stride, hidden, rows);
            self.norm(&layer.output_norm, state, &product[..rows * hidden]);
        }
    }

    /// One linear layer over the rows of `x`, `x_stride` apart, into rows of whole panels.
    fn multiply(
        &self,
        linear: &Linear,
        x: &[f32],
        x_stride: usize,
        out: &mut [f32],
        (quantized, steps): (&mut Vec<i16>, &mut Vec<f32>),
    ) {
        let rows = x.len() / x_stride;
        let out_stride = linear.outputs.next_multiple_of(PANEL);
        let shape = Shape { rows, inputs: linear.inputs, panels: out_stride / PANEL, x_stride, out_stride };
        let bias = self.map.section(&linear.bias);
        match self.header.precision {
            Precision::Int8 => {
                let inputs = linear.inputs.next_multiple_of(2);
                let (quantized, steps) = (room(quantized, rows * inputs), room(steps, rows));
                let quantize = QuantizeShape { rows, len: linear.inputs, stride: x_stride, out_stride: inputs };
                self.kernels.quantize(x, quantize, quantized, steps);
                let (weights, scales) = (self.map.section(&linear.weights), self.map.section(&linear.scales));
                let shape = Shape { inputs, x_stride: inputs, ..shape };
                self.kernels.multiply_int8(shape, quantized, steps, Int8 { weights, scales, bias }, out);
            }
            Precision::Bf16 => self.kernels.multiply_bf16(shape, x, self.map.section(&linear.weights), bias, out),
            Precision::F32 => self.kernels.multiply_f32(shape, x, self.map.section(&linear.weights), bias, out),
        }
    }
}

/// Lays the transpose of `size` columns of `x` out in panels: what a product with every row's part needs.
fn panels_of_columns(x: &[f32], stride: usize, first: usize, size: usize, out: &mut [f32]) {
    for (panel, rows) in out.chunks_exact_mut(size * PANEL).zip(x.chunks(stride * PANEL)) {
        panel.fill(0.0);
        for (column, row) in rows.chunks_exact(stride).enumerate() {
            for (at, &value) in row[first..first + size].iter().enumerate() {
                panel[at * PANEL + column] = value;
            }
        }
    }
}

/// Lays `size` columns of `x` out in panels.
fn panels_of_rows(x: &[f32], stride: usize, first: usize, size: usize, out: &mut [f32]) {
    let rows = x.len() / stride;
    for (panel, from) in out.chunks_exact_mut(rows * PANEL).zip((first..first + size).step_by(PANEL)) {
        let len = PANEL.min(first + size - from);
        for (to, row) in panel.chunks_exact_mut(PANEL).zip(x.chunks_exact(stride)) {
            to[..len].copy_from_slice(&row[from..from + len]);
            to[len..].fill(0.0);
        }
    }
}

/// Moves rows of `len` values that are `stride` apart together.
fn close_rows(x: &mut [f32], stride: usize, len: usize, rows: usize) {
    if stride != len {
        for row in 1..rows {
            x.copy_within(row * stride..row * stride + len, row * len);
        }
    }
}
