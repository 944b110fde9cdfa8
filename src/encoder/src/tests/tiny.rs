//! A tiny random BERT, written as a checkpoint directory, and its forward pass in plain f64.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

/// A directory that is removed with its owner.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new() -> Directory {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("encoder-test-{}-{number}", process::id()));
        fs::create_dir_all(&path).expect("a temporary directory");
        Directory(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub const VOCABULARY: [&str; 20] = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "on", "mat", ".", ",", "##s", "##ting", "a",
    "dog", "query", "passage", ":", "!",
];

/// A checkpoint in memory.
pub struct Tiny {
    pub hidden: usize,
    pub heads: usize,
    pub intermediate: usize,
    pub layers: usize,
    pub positions: usize,
    pub tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

/// How to write the tensors.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    F32,
    F16,
    Bf16,
}

impl Tiny {
    pub fn new(hidden: usize, heads: usize, intermediate: usize) -> Tiny {
        let (layers, positions) = (2, 40);
        let mut tiny = Tiny { hidden, heads, intermediate, layers, positions, tensors: BTreeMap::new() };
        let mut seed = 88_172_645_463_325_252u64;
        let mut add = |name: String, shape: &[usize], spread: f32, centre: f32| {
            let values = (0..shape.iter().product()).map(|_| {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                centre + spread * ((seed >> 40) as f32 / (1 << 23) as f32 - 1.0)
            });
            tiny.tensors.insert(name, (shape.to_vec(), values.collect()));
        };
        add("embeddings.word_embeddings.weight".into(), &[VOCABULARY.len(), hidden], 1.0, 0.0);
        add("embeddings.position_embeddings.weight".into(), &[positions, hidden], 0.3, 0.0);
        add("embeddings.token_type_embeddings.weight".into(), &[2, hidden], 0.3, 0.0);
        let mut norms = vec!["embeddings".to_owned()];
        for layer in 0..layers {
            let name = |part: &str| format!("encoder.layer.{layer}.{part}");
            let linears = [
                ("attention.self.query", hidden, hidden),
                ("attention.self.key", hidden, hidden),
                ("attention.self.value", hidden, hidden),
                ("attention.output.dense", hidden, hidden),
                ("intermediate.dense", intermediate, hidden),
                ("output.dense", hidden, intermediate),
            ];
            for (part, outputs, inputs) in linears {
                add(name(&format!("{part}.weight")), &[outputs, inputs], 0.4, 0.0);
                add(name(&format!("{part}.bias")), &[outputs], 0.2, 0.0);
            }
            norms.extend([name("attention.output"), name("output")]);
        }
        for norm in norms {
            add(format!("{norm}.LayerNorm.weight"), &[hidden], 0.3, 1.0);
            add(format!("{norm}.LayerNorm.bias"), &[hidden], 0.2, 0.0);
        }
        tiny
    }

    /// Writes the checkpoint; `modules` names what follows the transformer.
    pub fn write(&self, directory: &Path, kind: Kind, prefix: &str, modules: &[&str]) {
        let config = json!({
            "model_type": "bert", "hidden_act": "gelu", "hidden_size": self.hidden,
            "num_attention_heads": self.heads, "intermediate_size": self.intermediate,
            "num_hidden_layers": self.layers, "max_position_embeddings": self.positions,
            "vocab_size": VOCABULARY.len(), "layer_norm_eps": 1e-12,
        });
        write_json(directory, "config.json", &config);
        fs::write(directory.join("vocab.txt"), VOCABULARY.join("\n")).expect("vocab.txt");
        let modules: Vec<Value> = ["Transformer"]
            .iter()
            .chain(modules)
            .enumerate()
            .map(
                |(idx, name)| json!({"idx": idx, "path": name, "type": format!("sentence_transformers.models.{name}")}),
            )
            .collect();
        write_json(directory, "modules.json", &Value::Array(modules));
        fs::write(directory.join("model.safetensors"), self.safetensors(kind, prefix)).expect("model.safetensors");
    }

    pub fn safetensors(&self, kind: Kind, prefix: &str) -> Vec<u8> {
        let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
        for (name, (shape, values)) in &self.tensors {
            let start = data.len();
            for value in values {
                match kind {
                    Kind::F32 => data.extend_from_slice(&value.to_le_bytes()),
                    Kind::Bf16 => data.extend_from_slice(&value.to_le_bytes()[2..]),
                    Kind::F16 => data.extend_from_slice(&to_half(*value).to_le_bytes()),
                }
            }
            let dtype = match kind {
                Kind::F32 => "F32",
                Kind::F16 => "F16",
                Kind::Bf16 => "BF16",
            };
            let entry = json!({"dtype": dtype, "shape": shape, "data_offsets": [start, data.len()]});
            header.insert(format!("{prefix}{name}"), entry);
        }
        let header = Value::Object(header).to_string();
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
    }

    fn values(&self, name: &str) -> Vec<f64> {
        self.tensors[name].1.iter().map(|&value| f64::from(value)).collect()
    }

    /// The final hidden state of `ids`, straight from the definition.
    pub fn forward(&self, ids: &[u32]) -> Vec<Vec<f64>> {
        let hidden = self.hidden;
        let (words, positions) =
            (self.values("embeddings.word_embeddings.weight"), self.values("embeddings.position_embeddings.weight"));
        let kinds = self.values("embeddings.token_type_embeddings.weight");
        let embed = |(at, &id): (usize, &u32)| {
            (0..hidden).map(|d| words[id as usize * hidden + d] + positions[at * hidden + d] + kinds[d]).collect()
        };
        let mut state: Vec<Vec<f64>> = ids.iter().enumerate().map(embed).collect();
        state.iter_mut().for_each(|row| self.norm("embeddings", row));
        for layer in 0..self.layers {
            let name = |part: &str| format!("encoder.layer.{layer}.{part}");
            let [queries, keys, values] =
                ["query", "key", "value"].map(|part| self.linear(&name(&format!("attention.self.{part}")), &state));
            let mut context = vec![vec![0.0; hidden]; ids.len()];
            let size = hidden / self.heads;
            for (row, context) in context.iter_mut().enumerate() {
                for head in 0..self.heads {
                    let dims = head * size..(head + 1) * size;
                    let score = |key: &Vec<f64>| {
                        let dot: f64 = dims.clone().map(|d| queries[row][d] * key[d]).sum();
                        (dot / (size as f64).sqrt()).exp()
                    };
                    let scores: Vec<f64> = keys.iter().map(score).collect();
                    let total: f64 = scores.iter().sum();
                    for d in dims {
                        context[d] = scores.iter().zip(&values).map(|(score, value)| score / total * value[d]).sum();
                    }
                }
            }
            self.add_and_norm(
                &mut state,
                &self.linear(&name("attention.output.dense"), &context),
                &name("attention.output"),
            );
            let mut wide = self.linear(&name("intermediate.dense"), &state);
            wide.iter_mut().flatten().for_each(|x| *x *= 0.5 * (1.0 + erf(*x / 2f64.sqrt())));
            self.add_and_norm(&mut state, &self.linear(&name("output.dense"), &wide), &name("output"));
        }
        state
    }

    fn linear(&self, name: &str, x: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let (weights, bias) = (self.values(&format!("{name}.weight")), self.values(&format!("{name}.bias")));
        let row = |x: &Vec<f64>| {
            let weights = weights.chunks_exact(x.len()).zip(&bias);
            weights.map(|(weights, bias)| bias + x.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>()).collect()
        };
        x.iter().map(row).collect()
    }

    fn add_and_norm(&self, state: &mut [Vec<f64>], product: &[Vec<f64>], name: &str) {
        for (row, product) in state.iter_mut().zip(product) {
            row.iter_mut().zip(product).for_each(|(x, y)| *x += y);
            self.norm(name, row);
        }
    }

    fn norm(&self, name: &str, row: &mut [f64]) {
        let (gain, bias) =
            (self.values(&format!("{name}.LayerNorm.weight")), self.values(&format!("{name}.LayerNorm.bias")));
        let mean = row.iter().sum::<f64>() / row.len() as f64;
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / row.len() as f64;
        for (at, x) in row.iter_mut().enumerate() {
            *x = (*x - mean) / (variance + 1e-12).sqrt() * gain[at] + bias[at];
        }
    }
}

/// The error function by its Maclaurin series; ample for |x| below 5.
fn erf(x: f64) -> f64 {
    let x = x.clamp(-5.0, 5.0);
    let (mut term, mut sum) = (x, x);
    for n in 1..120 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}

/// The nearest half below in size, for normal values.
fn to_half(value: f32) -> u16 {
    let bits = value.to_bits();
    let exponent = (bits >> 23 & 0xff) as i32 - 112;
    if exponent <= 0 {
        return 0;
    }
    (bits >> 16 & 0x8000) as u16 | (exponent as u16) << 10 | (bits >> 13 & 0x3ff) as u16
}

pub fn write_json(directory: &Path, name: &str, value: &Value) {
    let path = directory.join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    fs::write(path, value.to_string()).expect("a JSON file");
}
