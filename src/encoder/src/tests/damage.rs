//! Damaged packed files: always an error or wrong numbers, never a panic or a fault.

use super::tiny::{Directory, Kind, Tiny};
use crate::format::{HEADER_LEN, Header};
use crate::pack::{PackOptions, pack};
use crate::{Error, Model, Output, Precision, Scratch};
use std::fs;
use std::path::PathBuf;

struct Packed {
    _directory: Directory,
    path: PathBuf,
    bytes: Vec<u8>,
}

fn packed(precision: Precision) -> Packed {
    let directory = Directory::new();
    Tiny::new(9, 1, 5).write(directory.path(), Kind::F32, "", &["Pooling", "Normalize"]);
    let path = directory.join("tiny.mpm");
    pack(directory.path(), &path, &PackOptions { precision, ..PackOptions::default() }).expect("packs");
    let bytes = fs::read(&path).expect("reads");
    Packed { _directory: directory, path, bytes }
}

impl Packed {
    fn open(&self, bytes: &[u8]) -> Result<Model, Error> {
        // A new file each time: a mapped one must not change.
        fs::remove_file(&self.path).expect("removes");
        fs::write(&self.path, bytes).expect("writes");
        Model::open(&self.path)
    }
}

fn use_it(model: &Model) {
    let mut scratch = Scratch::new();
    for text in ["", "the cats, sitting on a mat! [SEP] unknown"] {
        let encoding = model.encode(text, Output::Codes, &mut scratch);
        assert_eq!(encoding.vector.len(), model.dimension());
    }
}

#[test]
fn a_file_of_any_other_length_is_refused() {
    let packed = packed(Precision::Int8);
    let len = packed.bytes.len();
    for cut in (0..len).step_by(97).chain([1, 7, 8, 11, HEADER_LEN - 1, HEADER_LEN, HEADER_LEN + 1, len - 1]) {
        assert!(packed.open(&packed.bytes[..cut]).is_err(), "cut at {cut}");
    }
    assert!(packed.open(&[&packed.bytes[..], &[0]].concat()).is_err());
    assert!(packed.open(&packed.bytes).is_ok());
}

#[test]
fn what_is_not_a_packed_model_is_refused_by_name() {
    let packed = packed(Precision::Int8);
    assert!(matches!(packed.open(b""), Err(Error::NotAModel)));
    assert!(matches!(packed.open(&[b'x'; 10_000]), Err(Error::NotAModel)));
    assert!(matches!(Model::open(packed.path.parent().expect("a parent")), Err(Error::NotAModel)));
    assert!(matches!(Model::open(packed.path.with_extension("none")), Err(Error::Io { .. })));
    let mut later = packed.bytes.clone();
    later[8] = 2;
    let error = packed.open(&later).expect_err("refused");
    assert_eq!(error.to_string(), "packed model format 2 is not supported");
}

#[test]
fn any_changed_byte_of_the_header_is_noticed() {
    let packed = packed(Precision::Int8);
    for at in (0..HEADER_LEN).filter(|at| *at < 400 || at % 37 == 0 || *at > HEADER_LEN - 40) {
        let mut bytes = packed.bytes.clone();
        bytes[at] ^= 0x41;
        assert!(packed.open(&bytes).is_err(), "byte {at}");
    }
}

#[test]
fn a_changed_byte_of_the_body_does_no_harm_and_verify_finds_it() {
    for precision in [Precision::Int8, Precision::Bf16, Precision::F32] {
        let packed = packed(precision);
        packed.open(&packed.bytes).expect("opens").verify().expect("is intact");
        for at in (HEADER_LEN..packed.bytes.len()).step_by(41) {
            let mut bytes = packed.bytes.clone();
            bytes[at] ^= 0xff;
            let model = packed.open(&bytes).expect("only the body changed");
            assert!(matches!(model.verify(), Err(Error::Damaged(_))), "byte {at}");
            use_it(&model);
        }
    }
}

#[test]
fn a_body_of_nonsense_does_no_harm() {
    for precision in [Precision::Int8, Precision::Bf16, Precision::F32] {
        let packed = packed(precision);
        for byte in [0x00, 0x7f, 0x80, 0xff] {
            let mut bytes = packed.bytes.clone();
            bytes[HEADER_LEN..].fill(byte);
            use_it(&packed.open(&bytes).expect("only the body changed"));
        }
    }
}

#[test]
fn a_header_that_lies_with_a_good_checksum_does_no_harm() {
    let packed = packed(Precision::Int8);
    let header = Header::parse(&packed.bytes).expect("parses");
    let len = packed.bytes.len();
    let mut refused = 0;
    for value in [0, 1, 2, 3, 7, 64, 1 << 12, 1 << 20, u32::MAX as usize] {
        let lies: [fn(&mut Header, usize); 16] = [
            |header, value| header.hidden = value,
            |header, value| header.layers = value,
            |header, value| header.heads = value,
            |header, value| header.intermediate = value,
            |header, value| header.max_tokens = value,
            |header, value| header.vocab_size = value,
            |header, value| header.slots = value,
            |header, value| header.max_probes = value,
            |header, value| header.pieces_len = value,
            |header, value| header.added_len = value,
            |header, value| header.max_piece_len = value,
            |header, value| header.max_word_chars = value,
            |header, value| header.cls = value as u32,
            |header, value| header.sep = value as u32,
            |header, value| header.unk = value as u32,
            |header, value| header.norm_epsilon = f32::from_bits(value as u32),
        ];
        for lie in lies {
            let mut changed = header.clone();
            lie(&mut changed, value);
            let bytes = [&changed.to_bytes(len).expect("fits"), &packed.bytes[HEADER_LEN..]].concat();
            match packed.open(&bytes) {
                Ok(model) => use_it(&model),
                Err(error) => {
                    assert!(matches!(error, Error::Damaged(_)), "{error}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 80, "only {refused} lies were noticed");
}
