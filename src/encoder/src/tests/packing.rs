//! What the packer accepts, what it records and what it refuses.

use super::tiny::{Directory, Kind, Tiny, VOCABULARY, write_json};
use crate::pack::{PackOptions, Packed, pack};
use crate::{Error, Model, Output, Pooling, Precision, Scratch};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn checkpoint() -> Directory {
    let directory = Directory::new();
    Tiny::new(32, 4, 64).write(directory.path(), Kind::F32, "", &["Pooling", "Normalize"]);
    directory
}

fn pack_f32(directory: &Directory) -> Result<Packed, Error> {
    let options = PackOptions { precision: Precision::F32, name: Some("tiny".into()), ..PackOptions::default() };
    pack(directory.path(), &directory.join("out.mpm"), &options)
}

fn open(directory: &Directory) -> Model {
    pack_f32(directory).expect("packs");
    Model::open(directory.join("out.mpm")).expect("opens")
}

fn change_json(directory: &Directory, name: &str, change: impl FnOnce(&mut Value)) {
    let bytes = fs::read(directory.join(name)).expect("reads");
    let mut value = serde_json::from_slice(&bytes).expect("is JSON");
    change(&mut value);
    write_json(directory.path(), name, &value);
}

fn refusal(directory: &Directory) -> String {
    let error = pack_f32(directory).expect_err("refused").to_string();
    let files = |path: &Path| fs::read_dir(path).expect("lists").map(|entry| entry.expect("reads").file_name());
    let left = files(directory.path()).find(|name| name.to_string_lossy().contains("out.mpm"));
    assert_eq!(left, None, "nothing is left behind");
    error
}

fn tokenizer_json() -> Value {
    let vocab: serde_json::Map<String, Value> =
        VOCABULARY.iter().zip(0..).map(|(token, id)| (token.to_string(), json!(id))).collect();
    json!({
        "added_tokens": [{"id": 3, "content": "[SEP]", "special": true, "normalized": false, "single_word": false}],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                       "strip_accents": null, "lowercase": false},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing"},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocab},
    })
}

#[test]
fn records_what_the_checkpoint_says() {
    let directory = checkpoint();
    write_json(directory.path(), "sentence_bert_config.json", &json!({"max_seq_length": 24}));
    let prompts = json!({"prompts": {"query": "query: ", "document": "passage: "}});
    write_json(directory.path(), "config_sentence_transformers.json", &prompts);
    let model = open(&directory);
    assert_eq!((model.name(), model.dimension(), model.max_tokens()), ("tiny", 32, 24));
    assert_eq!((model.precision(), model.pooling(), model.normalizes()), (Precision::F32, Pooling::Mean, true));
    assert_eq!((model.query_prefix(), model.passage_prefix()), ("query: ", "passage: "));
    let sha256 = {
        use sha2::Digest;
        sha2::Sha256::digest(fs::read(directory.join("model.safetensors")).expect("reads"))
    };
    assert_eq!(model.sha256()[..], sha256[..]);
    model.verify().expect("is intact");
}

#[test]
fn packing_twice_gives_the_same_bytes_and_replaces_the_file() {
    let directory = checkpoint();
    let old = open(&directory);
    let first = fs::read(directory.join("out.mpm")).expect("reads");
    pack_f32(&directory).expect("packs again");
    assert_eq!(fs::read(directory.join("out.mpm")).expect("reads"), first);
    old.verify().expect("an open model keeps its file");
}

#[test]
fn reads_halves_and_the_architecture_prefix() {
    let reference = open(&checkpoint()).encode("the cat sat", Output::Sentence, &mut Scratch::new()).vector;
    for (kind, prefix) in [(Kind::F32, "bert."), (Kind::F16, ""), (Kind::Bf16, "bert.")] {
        let directory = checkpoint();
        let tensors = Tiny::new(32, 4, 64).safetensors(kind, prefix);
        fs::write(directory.join("model.safetensors"), tensors).expect("writes");
        let found = open(&directory).encode("the cat sat", Output::Sentence, &mut Scratch::new()).vector;
        let cosine: f32 = found.iter().zip(&reference).map(|(a, b)| a * b).sum();
        assert!(cosine > if kind == Kind::Bf16 { 0.995 } else { 0.9999 }, "{cosine}");
        assert_eq!(found == reference, kind == Kind::F32);
    }
}

#[test]
fn pools_the_first_token_if_told_to() {
    let tiny = Tiny::new(32, 4, 64);
    for config in
        [json!({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}), json!({"pooling_mode": "cls"})]
    {
        let directory = checkpoint();
        write_json(directory.path(), "Pooling/config.json", &config);
        let (model, mut scratch) = (open(&directory), Scratch::new());
        assert_eq!(model.pooling(), Pooling::Cls);
        let first = &tiny.forward(&model.token_ids("a dog", &mut scratch))[0];
        let length = first.iter().map(|x| x * x).sum::<f64>().sqrt();
        let found = model.encode("a dog", Output::Sentence, &mut scratch).vector;
        assert!(found.iter().zip(first).all(|(&found, x)| (f64::from(found) - x / length).abs() < 1e-5));
    }
}

#[test]
fn tokenizer_json_comes_before_the_vocabulary_file() {
    let directory = checkpoint();
    let mut scratch = Scratch::new();
    assert_eq!(open(&directory).token_ids("The [SEP] cats[MASK]", &mut scratch), [2, 5, 3, 6, 12, 4, 3]);
    write_json(directory.path(), "tokenizer.json", &tokenizer_json());
    assert_eq!(open(&directory).token_ids("The [SEP] cats", &mut scratch), [2, 1, 3, 6, 12, 3], "cased");
    fs::remove_file(directory.join("vocab.txt")).expect("removes");
    assert_eq!(open(&directory).token_ids("the", &mut scratch), [2, 5, 3]);
}

#[test]
fn tokenizer_config_governs_a_bare_vocabulary() {
    let directory = checkpoint();
    write_json(directory.path(), "tokenizer_config.json", &json!({"do_lower_case": false, "model_max_length": 16}));
    let (model, mut scratch) = (open(&directory), Scratch::new());
    assert_eq!(model.token_ids("The the", &mut scratch), [2, 1, 5, 3]);
    assert_eq!(model.max_tokens(), 16);
}

#[test]
fn refuses_what_it_would_compute_wrongly() {
    let config = [
        ("model_type", json!("roberta"), "model_type is \"roberta\", only \"bert\" is computed"),
        ("hidden_act", json!("relu"), "hidden_act is \"relu\", only \"gelu\" is computed"),
        ("position_embedding_type", json!("relative_key"), "only \"absolute\" is computed"),
        ("num_attention_heads", json!(5), "not a multiple of the number of heads"),
        ("hidden_size", json!(64), "does not have the shape"),
        ("hidden_size", json!(1u64 << 40), "out of range"),
        ("num_hidden_layers", json!(3), "tensor \"encoder.layer.2.attention.self.query.weight\" is missing"),
        ("vocab_size", json!(3), "more tokens than there are word embeddings"),
        ("intermediate_size", json!("x"), "config.json has no \"intermediate_size\""),
    ];
    for (key, value, expected) in config {
        let directory = checkpoint();
        change_json(&directory, "config.json", |config| config[key] = value);
        let error = refusal(&directory);
        assert!(error.contains(expected), "{error}");
    }
    let directory = checkpoint();
    write_json(directory.path(), "Pooling/config.json", &json!({"pooling_mode_max_tokens": true}));
    assert!(refusal(&directory).contains("pooling \"max_tokens\" is not computed"));
    let directory = Directory::new();
    Tiny::new(32, 4, 64).write(directory.path(), Kind::F32, "", &["Pooling", "Dense"]);
    assert!(refusal(&directory).contains("module \"Dense\" is not computed"));
}

#[test]
fn refuses_other_tokenizers() {
    let changes = [
        ("/model/type", json!("Unigram"), "/model/type is \"Unigram\""),
        ("/pre_tokenizer/type", json!("Metaspace"), "/pre_tokenizer/type is \"Metaspace\""),
        ("/added_tokens/0/single_word", json!(true), "matched in a special way"),
        ("/added_tokens/0/id", json!(20), "more tokens than there are word embeddings"),
        ("/model/vocab", json!([]), "has no vocabulary"),
        ("/model/vocab", json!({"a": 0}), "the vocabulary has no \"[CLS]\""),
    ];
    for (place, value, expected) in changes {
        let directory = checkpoint();
        let mut tokenizer = tokenizer_json();
        *tokenizer.pointer_mut(place).expect("a place") = value;
        write_json(directory.path(), "tokenizer.json", &tokenizer);
        let error = refusal(&directory);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn refuses_incomplete_directories() {
    for (name, expected) in [
        ("config.json", "there is no config.json"),
        ("vocab.txt", "vocab.txt"),
        ("model.safetensors", "model.safetensors"),
    ] {
        let directory = checkpoint();
        fs::remove_file(directory.join(name)).expect("removes");
        let error = refusal(&directory);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn refuses_damaged_weights() {
    let tensors = Tiny::new(32, 4, 64).safetensors(Kind::F32, "");
    let mut cuts: Vec<Vec<u8>> = [0, 5, 8, 9, 100, 4000, tensors.len() / 2, tensors.len() - 1]
        .iter()
        .map(|&cut| tensors[..cut].to_vec())
        .collect();
    cuts.push([&u64::MAX.to_le_bytes()[..], &tensors[8..]].concat());
    cuts.push([&[0xff; 4], &tensors[4..]].concat());
    let mut not_finite = tensors.clone();
    let end = not_finite.len();
    not_finite[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    cuts.push(not_finite);
    for (number, bytes) in cuts.into_iter().enumerate() {
        let directory = checkpoint();
        fs::write(directory.join("model.safetensors"), bytes).expect("writes");
        assert!(!refusal(&directory).is_empty(), "case {number}");
    }
}
