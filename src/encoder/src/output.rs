//! What an encoding returns: the sentence vector and, on request, something about every token.

/// What to compute besides the sentence vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// The sentence vector only.
    #[default]
    Sentence,
    /// The sentence vector and one bit per dimension of every token: what a stored text keeps for late interaction.
    Codes,
    /// The sentence vector and the full token vectors: what a query brings to late interaction.
    Vectors,
}

/// The result of encoding one text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encoding {
    /// The pooled sentence vector; of length one if the model asks for it.
    pub vector: Vec<f32>,
    /// Number of tokens the model read, its two special tokens included.
    pub tokens_read: usize,
    /// Filled for [`Output::Codes`], else empty.
    pub tokens: TokenCodes,
    /// Filled for [`Output::Vectors`], else empty.
    pub token_vectors: TokenVectors,
}

/// Sign codes of the tokens of one text, special tokens and the prefix left out.
///
/// A code is `code_len()` bytes; bit `d % 8` of byte `d / 8` (least significant first) is set if dimension `d` of the
/// token's final vector is positive. Unused bits of the last byte are zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenCodes {
    code_len: usize,
    bits: Vec<u8>,
    punctuation: Vec<bool>,
}

impl TokenCodes {
    pub(crate) fn with_dimension(dimension: usize) -> TokenCodes {
        TokenCodes { code_len: dimension.div_ceil(8), ..TokenCodes::default() }
    }

    pub(crate) fn push(&mut self, vector: &[f32], punctuation: bool) {
        let bytes = vector.chunks(8).map(|chunk| {
            let bit = |(at, value): (usize, &f32)| u8::from(*value > 0.0) << at;
            chunk.iter().enumerate().map(bit).sum::<u8>()
        });
        self.bits.extend(bytes);
        self.punctuation.push(punctuation);
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.punctuation.len()
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.punctuation.is_empty()
    }

    /// Bytes per code.
    pub fn code_len(&self) -> usize {
        self.code_len
    }

    /// The code of token `at`; panics if there is no such token.
    pub fn code(&self, at: usize) -> &[u8] {
        &self.bits[at * self.code_len..(at + 1) * self.code_len]
    }

    /// Whether token `at` is punctuation only; panics if there is no such token.
    pub fn is_punctuation(&self, at: usize) -> bool {
        self.punctuation[at]
    }

    /// All codes, one after the other.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bits
    }

    /// The codes of the tokens that carry words, one after the other: what is worth storing.
    pub fn word_bytes(&self) -> Vec<u8> {
        let words = (0..self.len()).filter(|&at| !self.punctuation[at]);
        words.flat_map(|at| self.code(at)).copied().collect()
    }
}

/// Full vectors of the tokens of one text, special tokens and the prefix left out; each of length one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenVectors {
    dimension: usize,
    values: Vec<f32>,
    punctuation: Vec<bool>,
}

impl TokenVectors {
    pub(crate) fn with_dimension(dimension: usize) -> TokenVectors {
        TokenVectors { dimension, ..TokenVectors::default() }
    }

    pub(crate) fn push(&mut self, vector: &[f32], punctuation: bool) {
        self.values.extend_from_slice(vector);
        self.punctuation.push(punctuation);
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.punctuation.len()
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.punctuation.is_empty()
    }

    /// Values per vector.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The vector of token `at`; panics if there is no such token.
    pub fn vector(&self, at: usize) -> &[f32] {
        &self.values[at * self.dimension..(at + 1) * self.dimension]
    }

    /// Whether token `at` is punctuation only; panics if there is no such token.
    pub fn is_punctuation(&self, at: usize) -> bool {
        self.punctuation[at]
    }

    /// All vectors, one after the other.
    pub fn as_slice(&self) -> &[f32] {
        &self.values
    }
}
