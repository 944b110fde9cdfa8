//! The forward pass over tiny models: against plain f64, across kernels, across precisions.

use super::tiny::{Directory, Kind, Tiny};
use crate::pack::{PackOptions, pack};
use crate::simd::Kernels;
use crate::{Encoding, Model, Output, Precision, Scratch};
use proptest::prelude::*;

const TEXTS: [&str; 6] = [
    "",
    "the cat",
    "The cats, sitting on a mat.",
    "dog! dog, dog. unknown words here",
    "a cat sat on the mat. a dog sat on the cat. the mat sat on a dog.",
    "the cat sat on the mat the cat sat on the mat the cat sat on the mat the cat sat on the mat the cat sat on the mat \
     the cat sat on the mat the cat sat on the mat the cat sat on the mat the cat sat on the mat",
];

fn shapes() -> [Tiny; 3] {
    [Tiny::new(32, 4, 64), Tiny::new(30, 3, 37), Tiny::new(9, 1, 5)]
}

/// Packs `tiny` and opens it once per kernel variant.
fn open(tiny: &Tiny, precision: Precision, modules: &[&str]) -> (Directory, Vec<Model>) {
    let directory = Directory::new();
    tiny.write(directory.path(), Kind::F32, "", modules);
    let out = directory.join("tiny.mpm");
    pack(directory.path(), &out, &PackOptions { precision, ..PackOptions::default() }).expect("packs");
    let open = |kernels| Model::open_with(&out, kernels).expect("opens");
    let models = Kernels::available().into_iter().map(open).collect();
    (directory, models)
}

fn cosine(a: &[f32], b: &[f64]) -> f64 {
    let dot: f64 = a.iter().zip(b).map(|(&a, b)| f64::from(a) * b).sum();
    let length = |sum: f64| sum.sqrt().max(1e-300);
    dot / length(a.iter().map(|&a| f64::from(a).powi(2)).sum()) / length(b.iter().map(|b| b * b).sum())
}

fn mean(rows: &[Vec<f64>]) -> Vec<f64> {
    (0..rows[0].len()).map(|d| rows.iter().map(|row| row[d]).sum::<f64>() / rows.len() as f64).collect()
}

#[test]
fn agrees_with_the_definition_in_every_precision() {
    for tiny in shapes() {
        for (precision, least) in [(Precision::F32, 0.999_999), (Precision::Bf16, 0.999), (Precision::Int8, 0.999)] {
            let (_directory, models) = open(&tiny, precision, &["Pooling", "Normalize"]);
            for (model, text) in models.iter().flat_map(|model| TEXTS.map(|text| (model, text))) {
                let mut scratch = Scratch::new();
                let expected = tiny.forward(&model.token_ids(text, &mut scratch));
                let encoding = model.encode(text, Output::Vectors, &mut scratch);
                let what = format!("{precision:?} {} hidden {} {text:?}", model.kernels(), tiny.hidden);
                let found = cosine(&encoding.vector, &mean(&expected));
                assert!(found >= least, "{what}: {found}");
                let length: f32 = encoding.vector.iter().map(|value| value * value).sum();
                assert!((length - 1.0).abs() < 1e-5, "{what}: length {length}");
                assert_eq!(encoding.token_vectors.len() + 2, expected.len(), "{what}");
                for (at, expected) in expected[1..expected.len() - 1].iter().enumerate() {
                    let found = cosine(encoding.token_vectors.vector(at), expected);
                    assert!(found >= least - 0.001, "{what} token {at}: {found}");
                }
            }
        }
    }
}

#[test]
fn int8_is_equal_to_the_bit_on_every_kernel() {
    for tiny in shapes() {
        let (_directory, models) = open(&tiny, Precision::Int8, &["Pooling"]);
        for text in TEXTS {
            let encode = |model: &Model| model.encode(text, Output::Vectors, &mut Scratch::new());
            let encodings: Vec<Encoding> = models.iter().map(encode).collect();
            assert!(encodings.windows(2).all(|pair| pair[0] == pair[1]), "{text:?}");
        }
    }
}

#[test]
fn an_unnormalised_mean_keeps_its_length() {
    let tiny = Tiny::new(32, 4, 64);
    let (_directory, models) = open(&tiny, Precision::F32, &["Pooling"]);
    let mut scratch = Scratch::new();
    let expected = mean(&tiny.forward(&models[0].token_ids(TEXTS[2], &mut scratch)));
    let found = models[0].encode(TEXTS[2], Output::Sentence, &mut scratch).vector;
    assert!(found.iter().zip(expected).all(|(&found, expected)| (f64::from(found) - expected).abs() < 1e-5));
}

#[test]
fn codes_are_the_signs_of_the_token_vectors() {
    let (_directory, models) = open(&Tiny::new(30, 3, 37), Precision::Int8, &["Pooling", "Normalize"]);
    let model = &models[0];
    let mut scratch = Scratch::new();
    let codes = model.encode(TEXTS[2], Output::Codes, &mut scratch);
    let vectors = model.encode(TEXTS[2], Output::Vectors, &mut scratch);
    assert_eq!(codes.vector, vectors.vector);
    assert!(codes.token_vectors.is_empty() && vectors.tokens.is_empty());
    let (codes, vectors) = (codes.tokens, vectors.token_vectors);
    assert_eq!((codes.len(), codes.code_len()), (9, 4), "the cat ##s , [UNK] on a mat .");
    assert_eq!(codes.len(), vectors.len());
    for token in 0..codes.len() {
        for (d, value) in vectors.vector(token).iter().enumerate() {
            assert_eq!(codes.code(token)[d / 8] >> (d % 8) & 1 == 1, *value > 0.0);
        }
        assert_eq!(codes.code(token)[3] >> 6, 0, "unused bits are zero");
        assert_eq!(codes.is_punctuation(token), vectors.is_punctuation(token));
    }
    let punctuation: Vec<usize> = (0..codes.len()).filter(|&token| codes.is_punctuation(token)).collect();
    assert_eq!(punctuation, [3, 8]);
    assert_eq!(codes.word_bytes().len(), 7 * 4);
    assert_eq!(codes.as_bytes().len(), 9 * 4);
}

#[test]
fn a_used_scratch_changes_nothing() {
    let (_directory, models) = open(&Tiny::new(30, 3, 37), Precision::Int8, &["Pooling"]);
    for model in &models {
        let mut used = Scratch::new();
        for text in [TEXTS[5], TEXTS[0], TEXTS[3], TEXTS[1]] {
            let fresh = model.encode(text, Output::Codes, &mut Scratch::new());
            assert_eq!(model.encode(text, Output::Codes, &mut used), fresh, "{text:?}");
        }
    }
}

#[test]
fn a_long_text_is_cut_between_its_special_tokens() {
    let (_directory, models) = open(&Tiny::new(32, 4, 64), Precision::Int8, &["Pooling"]);
    let (model, mut scratch) = (&models[0], Scratch::new());
    let ids = model.token_ids(TEXTS[5], &mut scratch);
    assert_eq!((ids.len(), ids[0], ids[39]), (40, 2, 3));
    assert_eq!(model.count_tokens(TEXTS[5]), 54);
    let encoding = model.encode(TEXTS[5], Output::Codes, &mut scratch);
    assert_eq!((encoding.tokens_read, encoding.tokens.len()), (40, 38));
    let same = model.encode(&TEXTS[5][..TEXTS[5].len() - 40], Output::Codes, &mut scratch);
    assert_eq!(encoding, same);
}

#[test]
fn prefixes_are_read_but_get_no_codes() {
    let directory = Directory::new();
    Tiny::new(32, 4, 64).write(directory.path(), Kind::F32, "", &["Pooling"]);
    let out = directory.join("tiny.mpm");
    let options = PackOptions {
        query_prefix: Some("query: ".into()),
        passage_prefix: Some("passage: ".into()),
        ..PackOptions::default()
    };
    pack(directory.path(), &out, &options).expect("packs");
    let (model, mut scratch) = (Model::open(&out).expect("opens"), Scratch::new());
    assert_eq!((model.query_prefix(), model.passage_prefix()), ("query: ", "passage: "));
    let plain = model.encode("query: the cat", Output::Codes, &mut scratch);
    let query = model.encode_query("the cat", Output::Codes, &mut scratch);
    assert_eq!(query.vector, plain.vector);
    assert_eq!((query.tokens.len(), plain.tokens.len()), (2, 4));
    assert_eq!(query.tokens.code(1), plain.tokens.code(3));
    let passage = model.encode_passage("the cat", Output::Sentence, &mut scratch);
    assert_eq!(passage, model.encode("passage: the cat", Output::Sentence, &mut scratch));
    assert_ne!(passage.vector, query.vector);
}

#[test]
fn any_text_encodes_to_finite_numbers() {
    let (_directory, models) = open(&Tiny::new(9, 1, 5), Precision::Int8, &["Pooling", "Normalize"]);
    proptest!(|(text in any::<String>())| {
        let encoding = models[0].encode(&text, Output::Codes, &mut Scratch::new());
        prop_assert!(encoding.vector.iter().all(|value| value.is_finite()));
        prop_assert_eq!(encoding.tokens.len() + 2, encoding.tokens_read);
    });
}
