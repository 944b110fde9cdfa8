/*!
Packing: from a published checkpoint directory to one file that [`crate::Model`] maps.

A directory holds `config.json`, `model.safetensors` and `tokenizer.json` and/or `vocab.txt`; sentence-transformers'
`modules.json`, `1_Pooling/config.json`, `sentence_bert_config.json` and `config_sentence_transformers.json` are
honoured where present. Whatever the encoder would compute differently from the original (another architecture,
activation, tokenizer, pooling or an extra module) is refused by name.
*/

mod checkpoint;
mod safetensors;
mod tokenizer;
mod weights;

use crate::format::{HEADER_LEN, Header, Layout};
use crate::{Error, Precision};
use checkpoint::Checkpoint;
use safetensors::Safetensors;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use tokenizer::TokenizerFiles;
use weights::Weights;

/// What to decide when packing; everything else is read from the checkpoint.
#[derive(Clone, Debug, Default)]
pub struct PackOptions {
    /// The model's name; by default the name of the directory.
    pub name: Option<String>,
    /// How to store the weights.
    pub precision: Precision,
    /// What to put before queries; by default the checkpoint's own prompt for queries, if it has one.
    pub query_prefix: Option<String>,
    /// What to put before passages; by default the checkpoint's own prompt for documents, if it has one.
    pub passage_prefix: Option<String>,
}

/// What was packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The model's name.
    pub name: String,
    /// Values per sentence vector.
    pub dimension: usize,
    /// The longest input in tokens.
    pub max_tokens: usize,
    /// The sha-256 of the checkpoint's weights.
    pub sha256: [u8; 32],
    /// Length of the packed file.
    pub file_len: usize,
}

/// Packs the checkpoint in `directory` into the file `out`, which is replaced as a whole or not at all.
pub fn pack(directory: &Path, out: &Path, options: &PackOptions) -> Result<Packed, Error> {
    let checkpoint = Checkpoint::read(directory)?;
    let tokenizer = TokenizerFiles::read(directory, checkpoint.vocab_size)?;
    let table = &tokenizer.table;
    let mut tensors = Safetensors::open(&directory.join("model.safetensors"))?;
    let name = options.name.clone().or_else(|| directory.file_name().map(|name| name.to_string_lossy().into_owned()));
    let mut header = Header {
        name: name.unwrap_or_default(),
        query_prefix: options.query_prefix.clone().unwrap_or(checkpoint.query_prompt),
        passage_prefix: options.passage_prefix.clone().unwrap_or(checkpoint.passage_prompt),
        precision: options.precision,
        pooling: checkpoint.pooling,
        normalize: checkpoint.normalize,
        hidden: checkpoint.hidden,
        layers: checkpoint.layers,
        heads: checkpoint.heads,
        intermediate: checkpoint.intermediate,
        max_tokens: checkpoint.max_tokens,
        norm_epsilon: checkpoint.norm_epsilon,
        flags: tokenizer.flags,
        vocab_size: checkpoint.vocab_size,
        slots: table.slots.len(),
        max_probes: table.max_probes,
        pieces_len: table.pieces.len(),
        added_len: tokenizer.added.len(),
        max_piece_len: table.max_piece_len,
        max_word_chars: tokenizer.max_word_chars,
        cls: tokenizer.cls,
        sep: tokenizer.sep,
        unk: tokenizer.unk,
        source_sha256: tensors.sha256()?,
        body_sha256: [0; 32],
    };
    header.check().map_err(|error| Error::Unsupported(format!("its dimensions are out of range: {error}")))?;
    let layout = Layout::of(&header);
    let mut body = Body::create(out)?;
    body.section(&layout.slots, &le_bytes(&table.slots, |slot| slot.to_le_bytes()))?;
    body.section(&layout.entries, &table.entries)?;
    body.section(&layout.pieces, &table.pieces)?;
    body.section(&layout.added, &tokenizer.added)?;
    Weights { tensors: &mut tensors, header: &header, body: &mut body }.write(&layout)?;
    header.body_sha256 = body.finish(layout.file_len)?;
    body.publish(&header.to_bytes(layout.file_len)?)?;
    let Header { name, hidden: dimension, max_tokens, source_sha256: sha256, .. } = header;
    Ok(Packed { name, dimension, max_tokens, sha256, file_len: layout.file_len })
}

fn le_bytes<T: Copy, const N: usize>(values: &[T], bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|&value| bytes(value)).collect()
}

/// The file being written: under a temporary name, removed again unless it gets published.
struct Body {
    path: PathBuf,
    temporary: PathBuf,
    file: BufWriter<File>,
    sha256: Sha256,
    len: usize,
    published: bool,
}

impl Body {
    fn create(path: &Path) -> Result<Body, Error> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{}.tmp", std::process::id()));
        let temporary = PathBuf::from(temporary);
        let file = File::create(&temporary).map_err(Error::io(&temporary))?;
        let path = path.to_owned();
        let mut body = Body {
            path,
            temporary,
            file: BufWriter::new(file),
            sha256: Sha256::new(),
            len: HEADER_LEN,
            published: false,
        };
        body.file.write_all(&[0; HEADER_LEN]).map_err(Error::io(&body.temporary))?;
        Ok(body)
    }

    /// Writes the bytes of the section that comes next in the layout.
    fn section(&mut self, range: &Range<usize>, bytes: &[u8]) -> Result<(), Error> {
        if range.start < self.len || range.len() != bytes.len() {
            return Err(Error::Checkpoint("a tensor does not have the size its configuration says".into()));
        }
        self.pad(range.start)?;
        self.write(bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.sha256.update(bytes);
        self.len += bytes.len();
        self.file.write_all(bytes).map_err(Error::io(&self.temporary))
    }

    fn pad(&mut self, to: usize) -> Result<(), Error> {
        let gap = vec![0; to - self.len];
        self.write(&gap)
    }

    /// Pads the file to its length and returns the checksum of the body.
    fn finish(&mut self, file_len: usize) -> Result<[u8; 32], Error> {
        self.pad(file_len)?;
        Ok(self.sha256.clone().finalize().into())
    }

    /// Completes the file with its header, makes it durable and gives it its name.
    fn publish(mut self, header: &[u8]) -> Result<(), Error> {
        let io = Error::io(&self.temporary);
        let written = self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.write_all(header));
        written.and_then(|()| self.file.flush()).and_then(|()| self.file.get_ref().sync_all()).map_err(io)?;
        fs::rename(&self.temporary, &self.path).map_err(Error::io(&self.path))?;
        self.published = true;
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(Error::io(directory))
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if !self.published {
            // Nothing can be done about a failure here, and the error that led here is the one to report.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}
