//! A packed model, open for encoding.

use crate::format::{Header, Layout, Pooling, Precision};
use crate::forward::{Scratch, Transformer};
use crate::map::Map;
use crate::output::{Encoding, Output, TokenCodes, TokenVectors};
use crate::simd::Kernels;
use crate::vocab::Vocab;
use crate::wordpiece::{Token, Tokenizer, Word};
use crate::{Error, format};
use sha2::{Digest, Sha256};
use std::ops::ControlFlow;
use std::path::Path;

/// Bytes of a text that are looked at per token the model reads; what lies beyond cannot matter for any text of words.
const BYTES_PER_TOKEN: usize = 256;

/// A mapped model. Opening is cheap, all processes share the weights, and encoding needs no more than `&self`.
#[derive(Debug)]
pub struct Model {
    map: Map,
    header: Header,
    layout: Layout,
    kernels: Kernels,
}

impl Model {
    /// Maps the packed file at `path` after checking its header, its length and thereby every offset within it.
    pub fn open(path: impl AsRef<Path>) -> Result<Model, Error> {
        Model::open_with(path.as_ref(), Kernels::detected())
    }

    pub(crate) fn open_with(path: &Path, kernels: Kernels) -> Result<Model, Error> {
        if cfg!(target_endian = "big") {
            return Err(Error::Unsupported("packed models are little endian and this machine is not".into()));
        }
        let map = Map::open(path)?;
        let header = Header::parse(map.bytes())?;
        let layout = Layout::of(&header);
        if layout.file_len != map.bytes().len() {
            return Err(Error::Damaged("the file is not as long as its dimensions say"));
        }
        Ok(Model { map, header, layout, kernels })
    }

    /// Reads the whole file and compares it with its checksum: once, when a model is registered.
    pub fn verify(&self) -> Result<(), Error> {
        let body = &self.map.bytes()[format::HEADER_LEN..];
        if Sha256::digest(body).as_slice() == self.header.body_sha256 {
            Ok(())
        } else {
            Err(Error::Damaged("the content does not match its checksum"))
        }
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.header.name
    }

    /// Values per sentence vector.
    pub fn dimension(&self) -> usize {
        self.header.hidden
    }

    /// The longest input in tokens, the two special tokens included; the rest of a longer text is not read.
    pub fn max_tokens(&self) -> usize {
        self.header.max_tokens
    }

    /// The sha-256 of the checkpoint's weights, as published.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.header.source_sha256
    }

    /// How the weights are stored.
    pub fn precision(&self) -> Precision {
        self.header.precision
    }

    /// How token vectors become the sentence vector.
    pub fn pooling(&self) -> Pooling {
        self.header.pooling
    }

    /// Whether sentence vectors have length one.
    pub fn normalizes(&self) -> bool {
        self.header.normalize
    }

    /// What [`Model::encode_query`] puts before a text; often empty.
    pub fn query_prefix(&self) -> &str {
        &self.header.query_prefix
    }

    /// What [`Model::encode_passage`] puts before a text; often empty.
    pub fn passage_prefix(&self) -> &str {
        &self.header.passage_prefix
    }

    /// The name of the kernels in use: "portable", "avx2" or "avx512-vnni".
    pub fn kernels(&self) -> &'static str {
        self.kernels.name()
    }

    /// Encodes `text` as it is.
    pub fn encode(&self, text: &str, output: Output, scratch: &mut Scratch) -> Encoding {
        self.encode_after("", text, output, scratch)
    }

    /// Encodes a question.
    pub fn encode_query(&self, text: &str, output: Output, scratch: &mut Scratch) -> Encoding {
        self.encode_after(&self.header.query_prefix, text, output, scratch)
    }

    /// Encodes a text to be found.
    pub fn encode_passage(&self, text: &str, output: Output, scratch: &mut Scratch) -> Encoding {
        self.encode_after(&self.header.passage_prefix, text, output, scratch)
    }

    /// Number of tokens of the whole `text`, special tokens and prefixes not included and nothing cut off.
    pub fn count_tokens(&self, text: &str) -> usize {
        let mut count = 0;
        let _ = self.tokenizer().tokenize(text, &mut Word::default(), |_| {
            count += 1;
            ControlFlow::Continue(())
        });
        count
    }

    /// The token ids the model reads for `text`, special tokens included.
    pub fn token_ids(&self, text: &str, scratch: &mut Scratch) -> Vec<u32> {
        self.tokenize("", text, scratch);
        scratch.tokens.iter().map(|token| token.id).collect()
    }

    fn tokenizer(&self) -> Tokenizer<'_> {
        let Model { map, header, layout, .. } = self;
        let slots = map.section(&layout.slots);
        let (entries, pieces) = (map.section(&layout.entries), map.section(&layout.pieces));
        Tokenizer {
            vocab: Vocab { slots, entries, pieces, max_probes: header.max_probes },
            added: map.section(&layout.added),
            flags: header.flags,
            max_piece_len: header.max_piece_len,
            max_word_chars: header.max_word_chars,
            unk: header.unk,
        }
    }

    /// Fills `scratch.tokens` with the tokens to read; returns how many of them belong to the prefix.
    fn tokenize(&self, prefix: &str, text: &str, scratch: &mut Scratch) -> usize {
        let Scratch { word, tokens, .. } = scratch;
        let special = |id| Token { id, punctuation: false };
        let last = self.header.max_tokens - 1;
        tokens.clear();
        tokens.push(special(self.header.cls));
        let mut read = |part: &str, tokens: &mut Vec<Token>| {
            let part = &part[..part.floor_char_boundary(self.header.max_tokens * BYTES_PER_TOKEN)];
            self.tokenizer().tokenize(part, word, |token| {
                if tokens.len() == last {
                    return ControlFlow::Break(());
                }
                tokens.push(token);
                ControlFlow::Continue(())
            })
        };
        let flow = read(prefix, tokens);
        let prefixed = tokens.len() - 1;
        if flow.is_continue() {
            let _ = read(text, tokens);
        }
        tokens.push(special(self.header.sep));
        prefixed
    }

    fn encode_after(&self, prefix: &str, text: &str, output: Output, scratch: &mut Scratch) -> Encoding {
        let prefixed = self.tokenize(prefix, text, scratch);
        let Model { map, header, layout, kernels } = self;
        Transformer { map, header, layout, kernels: *kernels }.run(scratch);
        let hidden = self.header.hidden;
        let (tokens, state) = (&scratch.tokens, &scratch.state[..scratch.tokens.len() * hidden]);
        let mut vector = match self.header.pooling {
            Pooling::Cls => state[..hidden].to_vec(),
            Pooling::Mean => mean_of_rows(state, hidden),
        };
        if self.header.normalize {
            scale_to_length_one(&mut vector);
        }
        let mut encoding = Encoding { vector, tokens_read: tokens.len(), ..Encoding::default() };
        let inner = 1 + prefixed..tokens.len() - 1;
        let words = tokens[inner.clone()].iter().zip(state.chunks_exact(hidden).skip(inner.start));
        match output {
            Output::Sentence => {}
            Output::Codes => {
                encoding.tokens = TokenCodes::with_dimension(hidden);
                words.for_each(|(token, row)| encoding.tokens.push(row, token.punctuation));
            }
            Output::Vectors => {
                encoding.token_vectors = TokenVectors::with_dimension(hidden);
                for (token, row) in words {
                    let mut row = row.to_vec();
                    scale_to_length_one(&mut row);
                    encoding.token_vectors.push(&row, token.punctuation);
                }
            }
        }
        encoding
    }
}

fn mean_of_rows(rows: &[f32], len: usize) -> Vec<f32> {
    let mut mean = vec![0.0; len];
    for row in rows.chunks_exact(len) {
        mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    let count = (rows.len() / len) as f32;
    mean.iter_mut().for_each(|sum| *sum /= count);
    mean
}

fn scale_to_length_one(vector: &mut [f32]) {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    }
}
