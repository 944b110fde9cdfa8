//! Reading tensors out of a safetensors file, one at a time.

use crate::Error;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Far above any real header, far below what could exhaust memory.
const MAX_HEADER: u64 = 64 << 20;

/// An open safetensors file.
pub struct Safetensors {
    path: PathBuf,
    file: File,
    header: Map<String, Value>,
    data_start: u64,
    data_len: u64,
    prefix: &'static str,
}

impl Safetensors {
    /// Opens the file and reads its header.
    pub fn open(path: &Path) -> Result<Safetensors, Error> {
        let mut file = File::open(path).map_err(Error::io(path))?;
        let file_len = file.metadata().map_err(Error::io(path))?.len();
        let mut len = [0; 8];
        file.read_exact(&mut len).map_err(Error::io(path))?;
        let len = u64::from_le_bytes(len);
        if len > MAX_HEADER || len + 8 > file_len {
            return Err(Error::Checkpoint("model.safetensors has no valid header".into()));
        }
        let mut header = vec![0; len as usize];
        file.read_exact(&mut header).map_err(Error::io(path))?;
        let header = serde_json::from_slice(&header)
            .map_err(|error| Error::Checkpoint(format!("the header of model.safetensors is not JSON: {error}")))?;
        let Value::Object(header) = header else {
            return Err(Error::Checkpoint("the header of model.safetensors is not an object".into()));
        };
        let prefix = if header.contains_key("bert.embeddings.word_embeddings.weight") { "bert." } else { "" };
        let data_start = len + 8;
        Ok(Safetensors { path: path.to_owned(), file, header, data_start, data_len: file_len - data_start, prefix })
    }

    /// The sha-256 of the whole file.
    pub fn sha256(&mut self) -> Result<[u8; 32], Error> {
        let io = Error::io(&self.path);
        let mut sha256 = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        let hash = self.file.seek(SeekFrom::Start(0)).and_then(|_| {
            loop {
                match self.file.read(&mut buffer)? {
                    0 => return Ok(sha256.finalize().into()),
                    len => sha256.update(&buffer[..len]),
                }
            }
        });
        hash.map_err(io)
    }

    /// Number of rows of the tensor `name`.
    pub fn rows(&self, name: &str) -> Result<usize, Error> {
        let shape = self.header.get(&format!("{}{name}", self.prefix)).and_then(|entry| entry.get("shape"));
        let rows = shape.and_then(|shape| shape.get(0)).and_then(Value::as_u64);
        let rows = rows.filter(|rows| (1..1 << 32).contains(rows)).map(|rows| rows as usize);
        rows.ok_or_else(|| Error::Checkpoint(format!("tensor \"{name}\" is missing")))
    }

    /// The tensor `name` (without the architecture's prefix) as f32, checked to be of `shape`.
    pub fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let wrong = |what: &str| Error::Checkpoint(format!("tensor \"{name}\" {what}"));
        let entry = self.header.get(&format!("{}{name}", self.prefix)).ok_or_else(|| wrong("is missing"))?;
        let numbers =
            |key: &str| -> Option<Vec<u64>> { entry.get(key)?.as_array()?.iter().map(Value::as_u64).collect() };
        if !numbers("shape").is_some_and(|found| found.iter().map(|&n| n as usize).eq(shape.iter().copied())) {
            return Err(wrong(&format!("does not have the shape {shape:?}")));
        }
        let kind = entry.get("dtype").and_then(Value::as_str).unwrap_or_default();
        let (width, widen): (usize, fn(&[u8]) -> f32) = match kind {
            "F32" => (4, |bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])),
            "BF16" => (2, |bytes| f32::from_bits(u32::from(u16::from_le_bytes([bytes[0], bytes[1]])) << 16)),
            "F16" => (2, |bytes| half_to_f32(u16::from_le_bytes([bytes[0], bytes[1]]))),
            _ => return Err(Error::Unsupported(format!("tensor \"{name}\" has the type \"{kind}\""))),
        };
        let len = shape.iter().product::<usize>() * width;
        let (start, end) = match numbers("data_offsets").as_deref() {
            Some(&[start, end]) if start <= end && end <= self.data_len => (start, end),
            _ => return Err(wrong("does not lie within the file")),
        };
        if end - start != len as u64 {
            return Err(wrong("is not as long as its shape says"));
        }
        let mut bytes = vec![0; len];
        let read =
            self.file.seek(SeekFrom::Start(self.data_start + start)).and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(Error::io(&self.path))?;
        let values: Vec<f32> = bytes.chunks_exact(width).map(widen).collect();
        if values.iter().all(|value| value.is_finite()) { Ok(values) } else { Err(wrong("is not finite")) }
    }
}

/// The value of an IEEE half.
fn half_to_f32(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let (exponent, mantissa) = (u32::from(half >> 10 & 0x1f), u32::from(half & 0x3ff));
    let magnitude = match exponent {
        // Zero and subnormals: multiples of 2^-24.
        0 => mantissa as f32 / 16_777_216.0,
        31 if mantissa == 0 => f32::INFINITY,
        31 => f32::NAN,
        _ => f32::from_bits((exponent + 112) << 23 | mantissa << 13),
    };
    f32::from_bits(magnitude.to_bits() | sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_widen_exactly() {
        let cases = [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x7bff, 65_504.0),
            (0x0001, 5.960_464_5e-8),
            (0x83ff, -6.097_555e-5),
            (0x7c00, f32::INFINITY),
        ];
        for (half, value) in cases {
            assert_eq!(half_to_f32(half), value, "{half:#x}");
        }
        assert!(half_to_f32(0x7e00).is_nan());
    }
}
