//! What a checkpoint's configuration files say, as far as it matters, and what is refused.

use crate::Error;
use crate::format::Pooling;
use serde_json::Value;
use std::path::Path;
use std::{fs, io};

/// The longest input of models that do not say.
const DEFAULT_MAX_TOKENS: usize = 512;

/// The settled configuration of a checkpoint.
#[derive(Debug)]
pub struct Checkpoint {
    pub hidden: usize,
    pub layers: usize,
    pub heads: usize,
    pub intermediate: usize,
    pub vocab_size: usize,
    pub max_tokens: usize,
    pub norm_epsilon: f32,
    pub pooling: Pooling,
    pub normalize: bool,
    pub query_prompt: String,
    pub passage_prompt: String,
}

impl Checkpoint {
    /// Reads the configuration files of `directory`.
    pub fn read(directory: &Path) -> Result<Checkpoint, Error> {
        let config = read_json(&directory.join("config.json"))?
            .ok_or_else(|| Error::Checkpoint("there is no config.json".into()))?;
        check_architecture(&config)?;
        let size = |key: &str| {
            let value = config.get(key).and_then(Value::as_u64);
            value.map(|value| value as usize).ok_or_else(|| Error::Checkpoint(format!("config.json has no \"{key}\"")))
        };
        let (pooling, normalize) = read_modules(directory)?;
        let (query_prompt, passage_prompt) = read_prompts(directory)?;
        Ok(Checkpoint {
            hidden: size("hidden_size")?,
            layers: size("num_hidden_layers")?,
            heads: size("num_attention_heads")?,
            intermediate: size("intermediate_size")?,
            vocab_size: size("vocab_size")?,
            max_tokens: read_max_tokens(directory, size("max_position_embeddings")?)?,
            norm_epsilon: config.get("layer_norm_eps").and_then(Value::as_f64).unwrap_or(1e-12) as f32,
            pooling,
            normalize,
            query_prompt,
            passage_prompt,
        })
    }
}

/// The content of a JSON file, or nothing if there is no such file.
pub fn read_json(path: &Path) -> Result<Option<Value>, Error> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(path)(error)),
    };
    let value = serde_json::from_slice(&bytes);
    value.map(Some).map_err(|error| Error::Checkpoint(format!("\"{}\" is not JSON: {error}", path.display())))
}

fn check_architecture(config: &Value) -> Result<(), Error> {
    let text = |key: &str, default: &'static str| match config.get(key) {
        None | Some(Value::Null) => default.to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let expected = [
        ("model_type", "bert", text("model_type", "unknown")),
        ("position_embedding_type", "absolute", text("position_embedding_type", "absolute")),
        ("hidden_act", "gelu", text("hidden_act", "gelu")),
        ("is_decoder", "false", text("is_decoder", "false")),
    ];
    for (key, supported, found) in expected {
        if found != supported {
            return Err(Error::Unsupported(format!("{key} is \"{found}\", only \"{supported}\" is computed")));
        }
    }
    Ok(())
}

/// Pooling and normalisation of the sentence-transformers pipeline; mean and none if there is no pipeline.
fn read_modules(directory: &Path) -> Result<(Pooling, bool), Error> {
    let Some(modules) = read_json(&directory.join("modules.json"))? else {
        return Ok((read_pooling(&directory.join("1_Pooling"))?, false));
    };
    let (mut pooling, mut normalize) = (Pooling::Mean, false);
    for module in modules.as_array().into_iter().flatten() {
        let text = |key: &str| module.get(key).and_then(Value::as_str).unwrap_or_default();
        match text("type").rsplit('.').next().unwrap_or_default() {
            "Transformer" => {}
            "Pooling" => pooling = read_pooling(&directory.join(text("path")))?,
            "Normalize" => normalize = true,
            other => return Err(Error::Unsupported(format!("module \"{other}\" is not computed"))),
        }
    }
    Ok((pooling, normalize))
}

fn read_pooling(directory: &Path) -> Result<Pooling, Error> {
    let Some(config) = read_json(&directory.join("config.json"))? else {
        return Ok(Pooling::Mean);
    };
    let mut modes: Vec<&str> = Vec::new();
    for (key, value) in config.as_object().into_iter().flatten() {
        match (key.as_str(), value) {
            ("pooling_mode", Value::String(mode)) => modes.push(mode),
            (key, Value::Bool(true)) => modes.extend(key.strip_prefix("pooling_mode_")),
            _ => {}
        }
    }
    match modes[..] {
        [] | ["mean_tokens" | "mean"] => Ok(Pooling::Mean),
        ["cls_token" | "cls"] => Ok(Pooling::Cls),
        _ => Err(Error::Unsupported(format!("pooling \"{}\" is not computed", modes.join("\" with \"")))),
    }
}

/// The longest input: what sentence-transformers, else the tokenizer says, and never more than there are positions.
fn read_max_tokens(directory: &Path, positions: usize) -> Result<usize, Error> {
    let sentence = read_json(&directory.join("sentence_bert_config.json"))?;
    let tokenizer = read_json(&directory.join("tokenizer_config.json"))?;
    let limit = |config: &Option<Value>, key: &str| config.as_ref()?.get(key)?.as_u64();
    let limit = limit(&sentence, "max_seq_length").or_else(|| limit(&tokenizer, "model_max_length"));
    Ok(limit.map_or(DEFAULT_MAX_TOKENS, |limit| limit.min(1 << 20) as usize).min(positions))
}

/// The prompts for queries and passages that sentence-transformers would use.
fn read_prompts(directory: &Path) -> Result<(String, String), Error> {
    let config = read_json(&directory.join("config_sentence_transformers.json"))?.unwrap_or_default();
    let prompt = |names: &[&str]| {
        let prompts = config.get("prompts");
        let found = names.iter().find_map(|name| prompts?.get(name)?.as_str());
        found.unwrap_or_default().to_owned()
    };
    Ok((prompt(&["query"]), prompt(&["document", "passage"])))
}
