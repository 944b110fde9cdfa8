//! The whole encoder against a published checkpoint, all-MiniLM-L6-v2. The directory of the checkpoint is taken from
//! the environment variable MEMORY_PROFILE_CHECKPOINT; without it these tests print a notice and check nothing.
//!
//! `data/reference_vectors.json` holds texts and their sentence vectors in millionths, made once with
//! sentence-transformers 6.2.0 and torch 2.15.0 on a CPU (`SentenceTransformer(directory).encode(text)`, one text at a
//! time, f32). `data/tokenizer_cases.json` holds texts and the token ids that the Python package tokenizers 0.23.3
//! makes of them (`Tokenizer.from_file("tokenizer.json")` without padding, truncated to 256 tokens).

use encoder::pack::{PackOptions, pack};
use encoder::{Model, Output, Precision, Scratch};
use serde_json::Value;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

const SOURCE_SHA256: &str = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db";

/// A freshly packed model, removed again after the test; nothing without a checkpoint.
struct Fresh {
    path: PathBuf,
    model: Model,
}

impl Fresh {
    fn pack(test: &str, precision: Precision) -> Option<Fresh> {
        let Some(directory) = env::var_os("MEMORY_PROFILE_CHECKPOINT") else {
            eprintln!("notice: {test} is skipped, MEMORY_PROFILE_CHECKPOINT is not set");
            return None;
        };
        let path = env::temp_dir().join(format!("encoder-{test}-{}-{}.mpm", precision.name(), std::process::id()));
        let options = PackOptions { precision, ..PackOptions::default() };
        pack(Path::new(&directory), &path, &options).expect("packs");
        let model = Model::open(&path).expect("opens");
        model.verify().expect("is intact");
        Some(Fresh { path, model })
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn fixture(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let value: Value = serde_json::from_slice(&fs::read(path).expect("reads")).expect("is JSON");
    value.as_array().expect("is an array").clone()
}

fn text(case: &Value) -> &str {
    case["text"].as_str().expect("a text")
}

fn reference(case: &Value) -> Vec<f64> {
    let numbers = case["millionths"].as_array().expect("a vector");
    numbers.iter().map(|number| number.as_f64().expect("a number") / 1e6).collect()
}

fn cosine(a: &[f32], b: &[f64]) -> f64 {
    let dot: f64 = a.iter().zip(b).map(|(&a, b)| f64::from(a) * b).sum();
    dot / (a.iter().map(|&a| f64::from(a).powi(2)).sum::<f64>() * b.iter().map(|b| b * b).sum::<f64>()).sqrt()
}

/// Checks the least and the mean cosine to the reference vectors.
fn agreement(precision: Precision, least: f64, mean: f64) {
    let Some(fresh) = Fresh::pack("agreement", precision) else { return };
    let (cases, mut scratch) = (fixture("reference_vectors.json"), Scratch::new());
    let cosines: Vec<(f64, &str)> = cases
        .iter()
        .map(|case| {
            let encoding = fresh.model.encode(text(case), Output::Sentence, &mut scratch);
            assert_eq!(encoding.vector.len(), 384);
            (cosine(&encoding.vector, &reference(case)), text(case))
        })
        .collect();
    let (worst, worst_text) = cosines.iter().copied().min_by(|a, b| a.0.total_cmp(&b.0)).expect("cases");
    let average = cosines.iter().map(|(cosine, _)| cosine).sum::<f64>() / cosines.len() as f64;
    eprintln!("{}: {} texts, least {worst:.6}, mean {average:.6}", precision.name(), cosines.len());
    assert!(worst >= least, "{worst} for {worst_text:?}");
    assert!(average >= mean, "{average}");
}

#[test]
fn f32_agrees_with_the_reference() {
    agreement(Precision::F32, 0.999_999, 0.999_999);
}

#[test]
fn bf16_agrees_with_the_reference() {
    agreement(Precision::Bf16, 0.9999, 0.9999);
}

#[test]
fn int8_agrees_with_the_reference() {
    agreement(Precision::Int8, 0.99, 0.996);
}

#[test]
fn tokens_equal_those_of_the_published_tokenizer() {
    let Some(fresh) = Fresh::pack("tokens", Precision::Int8) else { return };
    let (cases, mut scratch) = (fixture("tokenizer_cases.json"), Scratch::new());
    assert!(cases.len() > 100);
    for case in &cases {
        let ids = case["ids"].as_array().expect("ids").iter().map(|id| id.as_u64().expect("an id") as u32);
        assert!(fresh.model.token_ids(text(case), &mut scratch).into_iter().eq(ids), "{:?}", text(case));
    }
}

#[test]
fn the_model_describes_itself() {
    let Some(fresh) = Fresh::pack("description", Precision::Int8) else { return };
    let model = &fresh.model;
    let sha256: String = model.sha256().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sha256, SOURCE_SHA256, "another checkpoint than the one the fixtures were made with");
    assert_eq!((model.dimension(), model.max_tokens(), model.normalizes()), (384, 256, true));
    assert_eq!((model.query_prefix(), model.passage_prefix()), ("", ""));
    assert_eq!(model.count_tokens("She prefers green tea."), 5);
}

#[test]
fn similar_texts_are_near_and_codes_follow_them() {
    let Some(fresh) = Fresh::pack("similarity", Precision::Int8) else { return };
    let mut scratch = Scratch::new();
    let mut encode = |text: &str| fresh.model.encode(text, Output::Codes, &mut scratch);
    let [question, answer, other] =
        ["What does Maria drink?", "Maria likes green tea.", "The invoice is due in May."].map(&mut encode);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    assert!(dot(&question.vector, &answer.vector) > 0.4 + dot(&question.vector, &other.vector));
    assert_eq!((answer.tokens.len(), answer.tokens.code_len()), (5, 48));
    assert_eq!(answer.tokens.word_bytes().len(), 4 * 48);
    let near = |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(a, b)| (a ^ b).count_zeros()).sum::<u32>();
    let best = |code: &[u8]| (0..4).map(|token| near(code, answer.tokens.code(token))).max().unwrap_or(0);
    // "maria" is the third token of the question and the first of the answer.
    let maria = question.tokens.code(2);
    assert_eq!(best(maria), near(maria, answer.tokens.code(0)));
}
