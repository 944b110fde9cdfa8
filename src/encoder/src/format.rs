/*!
The packed file.

```text
0        HEADER_LEN                                                                             file_len
| Header | slots | entries | pieces | added | words | positions | norm | layer 0 | layer 1 | … |
```

All numbers are little endian; every section starts at a multiple of `ALIGN`, the gaps are zero. The header holds the
dimensions and nothing about places: `Layout` computes every offset from the dimensions, in one function that the packer
and the reader share, so there is no stored offset that could lie. What the reader checks at each open is therefore
complete: magic, version, the header's own sha-256, every dimension within its limit, and a file exactly as long as the
layout says. The sha-256 of the body is checked by `Model::verify`, once, when a model is registered; a body damaged
later yields wrong numbers, never an access outside the map.

Weights of a linear layer (k inputs, n outputs) lie in panels of `PANEL` outputs, zero-padded. Within a panel, f32 and
bf16 weights are ordered `[k][PANEL]`; int8 weights `[k/2][PANEL][2]`, pairs of inputs side by side as pmaddwd wants.
*/

use crate::Error;
use sha2::{Digest, Sha256};
use std::ops::Range;

/// Bytes of the header; the body starts here.
pub const HEADER_LEN: usize = 4096;
/// Outputs per weight panel.
pub const PANEL: usize = 16;
/// Bytes of one entry of the vocabulary: offset, length and flags, token id.
pub const ENTRY_LEN: usize = 12;

const MAGIC: &[u8; 8] = b"MPENCODE";
const VERSION: u32 = 1;
const ALIGN: usize = 64;
const CHECKSUM_LEN: usize = 32;
const MAX_TEXT: usize = 512;

/// How weights are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Eight bits per weight, one scale per output.
    #[default]
    Int8,
    /// The upper half of an f32.
    Bf16,
    /// As published.
    F32,
}

impl Precision {
    /// The name used by the command line and by [`Precision::parse`].
    pub fn name(self) -> &'static str {
        match self {
            Precision::Int8 => "int8",
            Precision::Bf16 => "bf16",
            Precision::F32 => "f32",
        }
    }

    /// The precision of that name.
    pub fn parse(name: &str) -> Option<Precision> {
        [Precision::Int8, Precision::Bf16, Precision::F32].into_iter().find(|precision| precision.name() == name)
    }

    /// Bytes per weight.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Precision::Int8 => 1,
            Precision::Bf16 => 2,
            Precision::F32 => 4,
        }
    }
}

/// How token vectors become the sentence vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooling {
    /// The mean of all tokens, special tokens included.
    #[default]
    Mean,
    /// The vector of the first token.
    Cls,
}

/// What the tokenizer does to a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenizerFlags {
    /// Drop control characters.
    pub clean_text: bool,
    /// Make every Chinese character a word.
    pub split_chinese: bool,
    /// Decompose and drop nonspacing marks.
    pub strip_accents: bool,
    /// Lowercase.
    pub lowercase: bool,
}

/// Everything about a model but its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    pub name: String,
    pub query_prefix: String,
    pub passage_prefix: String,
    pub precision: Precision,
    pub pooling: Pooling,
    pub normalize: bool,
    pub hidden: usize,
    pub layers: usize,
    pub heads: usize,
    pub intermediate: usize,
    pub max_tokens: usize,
    pub norm_epsilon: f32,
    pub flags: TokenizerFlags,
    pub vocab_size: usize,
    pub slots: usize,
    pub max_probes: usize,
    pub pieces_len: usize,
    pub added_len: usize,
    pub max_piece_len: usize,
    pub max_word_chars: usize,
    pub cls: u32,
    pub sep: u32,
    pub unk: u32,
    pub source_sha256: [u8; 32],
    pub body_sha256: [u8; 32],
}

impl Header {
    /// The header as it stands in the file.
    pub fn to_bytes(&self, file_len: usize) -> Result<Vec<u8>, Error> {
        let mut out = Vec::with_capacity(HEADER_LEN);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&(file_len as u64).to_le_bytes());
        out.extend_from_slice(&self.source_sha256);
        out.extend_from_slice(&self.body_sha256);
        for number in self.numbers() {
            let number = u32::try_from(number).map_err(|_| Error::Unsupported("a dimension is too large".into()))?;
            out.extend_from_slice(&number.to_le_bytes());
        }
        for text in [&self.name, &self.query_prefix, &self.passage_prefix] {
            if text.len() > MAX_TEXT {
                return Err(Error::Unsupported(format!("name and prefixes are limited to {MAX_TEXT} bytes")));
            }
            out.extend_from_slice(&(text.len() as u32).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        out.resize(HEADER_LEN - CHECKSUM_LEN, 0);
        let checksum = Sha256::digest(&out);
        out.extend_from_slice(&checksum);
        Ok(out)
    }

    fn numbers(&self) -> [usize; 21] {
        let Header { flags, .. } = self;
        let flags = usize::from(flags.clean_text)
            | usize::from(flags.split_chinese) << 1
            | usize::from(flags.strip_accents) << 2
            | usize::from(flags.lowercase) << 3
            | usize::from(self.normalize) << 4;
        [
            self.precision.bytes(),
            usize::from(self.pooling == Pooling::Cls),
            flags,
            self.hidden,
            self.layers,
            self.heads,
            self.intermediate,
            self.max_tokens,
            self.norm_epsilon.to_bits() as usize,
            self.vocab_size,
            self.slots,
            self.max_probes,
            self.pieces_len,
            self.added_len,
            self.max_piece_len,
            self.max_word_chars,
            self.cls as usize,
            self.sep as usize,
            self.unk as usize,
            HEADER_LEN,
            PANEL,
        ]
    }

    /// Reads and checks the header of a file of which `bytes` is the whole content.
    pub fn parse(bytes: &[u8]) -> Result<Header, Error> {
        if bytes.len() < MAGIC.len() || !bytes.starts_with(MAGIC) {
            return Err(Error::NotAModel);
        }
        let header = bytes.get(..HEADER_LEN).ok_or(Error::Damaged("the header is cut short"))?;
        let (content, checksum) = header.split_at(HEADER_LEN - CHECKSUM_LEN);
        let mut reader = Reader(&content[MAGIC.len()..]);
        let version = reader.number()? as u32;
        if version != VERSION {
            return Err(Error::FormatVersion(version));
        }
        if Sha256::digest(content).as_slice() != checksum {
            return Err(Error::Damaged("the header does not match its checksum"));
        }
        if u64::from_le_bytes(reader.array()?) != bytes.len() as u64 {
            return Err(Error::Damaged("the file is not as long as its header says"));
        }
        let header = Header::read(&mut reader)?;
        header.check()?;
        Ok(header)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Header, Error> {
        let (source_sha256, body_sha256) = (reader.array()?, reader.array()?);
        let precision = match reader.number()? {
            1 => Precision::Int8,
            2 => Precision::Bf16,
            4 => Precision::F32,
            _ => return Err(Error::Damaged("unknown precision")),
        };
        let pooling = if reader.number()? == 0 { Pooling::Mean } else { Pooling::Cls };
        let flags = reader.number()?;
        let header = Header {
            precision,
            pooling,
            normalize: flags & 16 != 0,
            flags: TokenizerFlags {
                clean_text: flags & 1 != 0,
                split_chinese: flags & 2 != 0,
                strip_accents: flags & 4 != 0,
                lowercase: flags & 8 != 0,
            },
            hidden: reader.number()?,
            layers: reader.number()?,
            heads: reader.number()?,
            intermediate: reader.number()?,
            max_tokens: reader.number()?,
            norm_epsilon: f32::from_bits(reader.number()? as u32),
            vocab_size: reader.number()?,
            slots: reader.number()?,
            max_probes: reader.number()?,
            pieces_len: reader.number()?,
            added_len: reader.number()?,
            max_piece_len: reader.number()?,
            max_word_chars: reader.number()?,
            cls: reader.number()? as u32,
            sep: reader.number()? as u32,
            unk: reader.number()? as u32,
            source_sha256,
            body_sha256,
            name: String::new(),
            query_prefix: String::new(),
            passage_prefix: String::new(),
        };
        if (reader.number()?, reader.number()?) != (HEADER_LEN, PANEL) {
            return Err(Error::Damaged("the file was packed for another layout"));
        }
        Ok(Header { name: reader.text()?, query_prefix: reader.text()?, passage_prefix: reader.text()?, ..header })
    }

    /// Checks every dimension against its limit, so that no product of them can overflow.
    pub fn check(&self) -> Result<(), Error> {
        let within = [
            (self.hidden, 1..=8192, "hidden size"),
            (self.layers, 1..=256, "number of layers"),
            (self.heads, 1..=256, "number of heads"),
            (self.intermediate, 1..=65_536, "intermediate size"),
            (self.max_tokens, 3..=8192, "longest input"),
            (self.vocab_size, 1..=1 << 22, "vocabulary size"),
            (self.slots, 2..=1 << 24, "vocabulary table"),
            (self.max_probes, 1..=self.slots, "vocabulary probes"),
            (self.pieces_len, 0..=1 << 28, "vocabulary text"),
            (self.added_len, 0..=1 << 20, "added tokens"),
            (self.max_piece_len, 1..=1 << 12, "longest token"),
            (self.max_word_chars, 1..=1 << 12, "longest word"),
        ];
        for (value, range, what) in within {
            if !range.contains(&value) {
                return Err(Error::Damaged(what));
            }
        }
        if !self.slots.is_power_of_two() {
            return Err(Error::Damaged("vocabulary table"));
        }
        if !self.hidden.is_multiple_of(self.heads) {
            return Err(Error::Damaged("the hidden size is not a multiple of the number of heads"));
        }
        if [self.cls, self.sep, self.unk].into_iter().any(|id| id as usize >= self.vocab_size) {
            return Err(Error::Damaged("a special token is not in the vocabulary"));
        }
        if !(self.norm_epsilon >= 0.0 && self.norm_epsilon < 1.0) {
            return Err(Error::Damaged("layer norm epsilon"));
        }
        Ok(())
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let (head, tail) = self.0.split_at_checked(len).ok_or(Error::Damaged("the header is cut short"))?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.bytes(N).map(|bytes| std::array::from_fn(|at| bytes[at]))
    }

    fn number(&mut self) -> Result<usize, Error> {
        self.array().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }

    fn text(&mut self) -> Result<String, Error> {
        let len = self.number()?;
        if len > MAX_TEXT {
            return Err(Error::Damaged("a text of the header is too long"));
        }
        let text = str::from_utf8(self.bytes(len)?).map_err(|_| Error::Damaged("a text of the header is not UTF-8"))?;
        Ok(text.to_owned())
    }
}

/// Where the parts of one linear layer lie.
#[derive(Clone, Debug)]
pub struct Linear {
    pub inputs: usize,
    pub outputs: usize,
    pub weights: Range<usize>,
    /// One f32 per padded output, int8 only.
    pub scales: Range<usize>,
    /// One f32 per padded output.
    pub bias: Range<usize>,
}

/// Where the two vectors of one layer norm lie.
#[derive(Clone, Debug)]
pub struct Norm {
    pub gain: Range<usize>,
    pub bias: Range<usize>,
}

/// Where the parts of one transformer layer lie.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Query (already divided by the square root of the head size), key and value, side by side.
    pub qkv: Linear,
    pub attention: Linear,
    pub attention_norm: Norm,
    pub up: Linear,
    pub down: Linear,
    pub output_norm: Norm,
}

/// Where everything lies in the file.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Open-addressing table of entry numbers plus one.
    pub slots: Range<usize>,
    pub entries: Range<usize>,
    /// The text of all vocabulary pieces.
    pub pieces: Range<usize>,
    /// Added tokens: id, length, text.
    pub added: Range<usize>,
    pub words: Range<usize>,
    /// One f32 per vocabulary entry, int8 only.
    pub word_scales: Range<usize>,
    /// Position plus segment embeddings, f32.
    pub positions: Range<usize>,
    pub norm: Norm,
    pub layers: Vec<Layer>,
    pub file_len: usize,
}

impl Layout {
    /// Computes the layout of a checked header; `Header::check` bounds every product well below overflow.
    pub fn of(header: &Header) -> Layout {
        let mut end = HEADER_LEN;
        let mut take = |len: usize| {
            let start = end.next_multiple_of(ALIGN);
            end = start + len;
            start..end
        };
        let quantized = |len: usize| if header.precision == Precision::Int8 { len * 4 } else { 0 };
        let hidden = header.hidden;
        let (slots, entries) = (take(header.slots * 4), take(header.vocab_size * ENTRY_LEN));
        let (pieces, added) = (take(header.pieces_len), take(header.added_len));
        let words = take(header.vocab_size * hidden * header.precision.bytes());
        let word_scales = take(quantized(header.vocab_size));
        let positions = take(header.max_tokens * hidden * 4);
        let norm = Norm { gain: take(hidden * 4), bias: take(hidden * 4) };
        let mut layers = Vec::with_capacity(header.layers);
        for _ in 0..header.layers {
            let mut linear = |inputs: usize, outputs: usize| {
                let padded = outputs.next_multiple_of(PANEL);
                let weights = take(padded_inputs(header.precision, inputs) * padded * header.precision.bytes());
                Linear { inputs, outputs, weights, scales: take(quantized(padded)), bias: take(padded * 4) }
            };
            let (qkv, attention) = (linear(hidden, 3 * hidden), linear(hidden, hidden));
            let (up, down) = (linear(hidden, header.intermediate), linear(header.intermediate, hidden));
            let mut norm = || Norm { gain: take(hidden * 4), bias: take(hidden * 4) };
            let (attention_norm, output_norm) = (norm(), norm());
            layers.push(Layer { qkv, attention, attention_norm, up, down, output_norm });
        }
        let file_len = end.next_multiple_of(ALIGN);
        Layout { slots, entries, pieces, added, words, word_scales, positions, norm, layers, file_len }
    }
}

/// Inputs of a linear layer as stored: int8 weights come in pairs.
pub fn padded_inputs(precision: Precision, inputs: usize) -> usize {
    if precision == Precision::Int8 { inputs.next_multiple_of(2) } else { inputs }
}
