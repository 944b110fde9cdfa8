//! What a checkpoint's tokenizer files say: `tokenizer.json` if present, else `vocab.txt` with `tokenizer_config.json`.

use super::checkpoint::read_json;
use crate::Error;
use crate::format::TokenizerFlags;
use crate::vocab::VocabTable;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Everything the packed file needs to know about the tokenizer.
pub struct TokenizerFiles {
    pub table: VocabTable,
    /// Added tokens as packed: id, length, text.
    pub added: Vec<u8>,
    pub flags: TokenizerFlags,
    pub max_word_chars: usize,
    pub cls: u32,
    pub sep: u32,
    pub unk: u32,
}

struct Description {
    vocab: BTreeMap<u32, String>,
    prefix: String,
    added: Vec<(String, u32)>,
    flags: TokenizerFlags,
    max_word_chars: usize,
    unk: String,
}

impl TokenizerFiles {
    /// Reads the tokenizer of `directory`, whose model has `vocab_size` word embeddings.
    pub fn read(directory: &Path, vocab_size: usize) -> Result<TokenizerFiles, Error> {
        let config = read_json(&directory.join("tokenizer_config.json"))?.unwrap_or_default();
        let mut description = match read_json(&directory.join("tokenizer.json"))? {
            Some(tokenizer) => Description::from_json(&tokenizer)?,
            None => Description::from_vocab(directory, &config)?,
        };
        if description
            .vocab
            .keys()
            .chain(description.added.iter().map(|(_, id)| id))
            .any(|&id| id as usize >= vocab_size)
        {
            return Err(Error::Checkpoint("the tokenizer knows more tokens than there are word embeddings".into()));
        }
        // Ids without a text (padding of the embedding matrix) get one that no word can have.
        for id in 0..vocab_size as u32 {
            description.vocab.entry(id).or_insert_with(|| format!(" {id}"));
        }
        let id_of = |token: &str| {
            let id = description.vocab.iter().find(|(_, text)| *text == token).map(|(&id, _)| id);
            id.ok_or_else(|| Error::Checkpoint(format!("the vocabulary has no \"{token}\"")))
        };
        let named = |key: &str, default: &str| match config.get(key) {
            Some(Value::String(token)) => token.clone(),
            Some(token) => token.get("content").and_then(Value::as_str).unwrap_or(default).to_owned(),
            None => default.to_owned(),
        };
        let (cls, sep) = (id_of(&named("cls_token", "[CLS]"))?, id_of(&named("sep_token", "[SEP]"))?);
        let unk = id_of(&description.unk)?;
        let tokens: Vec<(String, u32)> = description.vocab.into_iter().map(|(id, text)| (text, id)).collect();
        let table = VocabTable::build(&tokens, &description.prefix);
        let mut added = Vec::new();
        for (text, id) in &description.added {
            added.extend_from_slice(&id.to_le_bytes());
            added.extend_from_slice(&(text.len() as u32).to_le_bytes());
            added.extend_from_slice(text.as_bytes());
        }
        let Description { flags, max_word_chars, .. } = description;
        Ok(TokenizerFiles { table, added, flags, max_word_chars, cls, sep, unk })
    }
}

impl Description {
    fn from_json(tokenizer: &Value) -> Result<Description, Error> {
        let kind = |part: &str| tokenizer.pointer(part).and_then(Value::as_str).unwrap_or("none");
        let expected = [
            ("/model/type", &["WordPiece"][..]),
            ("/normalizer/type", &["BertNormalizer"]),
            ("/pre_tokenizer/type", &["BertPreTokenizer"]),
            ("/post_processor/type", &["TemplateProcessing", "BertProcessing"]),
        ];
        for (part, supported) in expected {
            // Files of old libraries do not name the only model there was.
            let unnamed_wordpiece = part == "/model/type"
                && tokenizer.pointer(part).is_none()
                && tokenizer.pointer("/model/continuing_subword_prefix").is_some();
            if !supported.contains(&kind(part)) && !unnamed_wordpiece {
                return Err(Error::Unsupported(format!("the tokenizer's {part} is \"{}\"", kind(part))));
            }
        }
        let words = tokenizer.pointer("/model/vocab").and_then(Value::as_object);
        let words = words.ok_or_else(|| Error::Checkpoint("tokenizer.json has no vocabulary".into()))?;
        let mut vocab = BTreeMap::new();
        for (text, id) in words {
            vocab.insert(token_id(id)?, text.clone());
        }
        let model = |key: &str| tokenizer.pointer(&format!("/model/{key}"));
        let normalizer = |key: &str| tokenizer.pointer(&format!("/normalizer/{key}")).and_then(Value::as_bool);
        let lowercase = normalizer("lowercase").unwrap_or(true);
        Ok(Description {
            vocab,
            prefix: model("continuing_subword_prefix").and_then(Value::as_str).unwrap_or("##").to_owned(),
            added: added_tokens(tokenizer)?,
            flags: TokenizerFlags {
                clean_text: normalizer("clean_text").unwrap_or(true),
                split_chinese: normalizer("handle_chinese_chars").unwrap_or(true),
                strip_accents: normalizer("strip_accents").unwrap_or(lowercase),
                lowercase,
            },
            max_word_chars: model("max_input_chars_per_word").and_then(Value::as_u64).unwrap_or(100) as usize,
            unk: model("unk_token").and_then(Value::as_str).unwrap_or("[UNK]").to_owned(),
        })
    }

    fn from_vocab(directory: &Path, config: &Value) -> Result<Description, Error> {
        let path = directory.join("vocab.txt");
        let text = fs::read_to_string(&path).map_err(Error::io(&path))?;
        let vocab: BTreeMap<u32, String> = (0..).zip(text.lines().map(str::to_owned)).collect();
        let flag = |key: &str| config.get(key).and_then(Value::as_bool);
        let lowercase = flag("do_lower_case").unwrap_or(true);
        let special = |text: &String| ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].contains(&text.as_str());
        let added = vocab.iter().filter(|(_, text)| special(text)).map(|(&id, text)| (text.clone(), id)).collect();
        Ok(Description {
            vocab,
            prefix: "##".into(),
            added,
            flags: TokenizerFlags {
                clean_text: true,
                split_chinese: flag("tokenize_chinese_chars").unwrap_or(true),
                strip_accents: flag("strip_accents").unwrap_or(lowercase),
                lowercase,
            },
            max_word_chars: 100,
            unk: "[UNK]".into(),
        })
    }
}

fn token_id(id: &Value) -> Result<u32, Error> {
    let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
    id.ok_or_else(|| Error::Checkpoint("a token id of tokenizer.json is not a number".into()))
}

/// Tokens recognised in the raw text. Stripping of the space beside them is of no account, since BERT drops all space.
fn added_tokens(tokenizer: &Value) -> Result<Vec<(String, u32)>, Error> {
    let mut tokens = Vec::new();
    for token in tokenizer.get("added_tokens").and_then(Value::as_array).into_iter().flatten() {
        let content = token.get("content").and_then(Value::as_str).unwrap_or_default();
        let flag = |key: &str| token.get(key).and_then(Value::as_bool).unwrap_or(false);
        if flag("single_word") || flag("normalized") {
            return Err(Error::Unsupported(format!("added token \"{content}\" is matched in a special way")));
        }
        if !content.is_empty() {
            tokens.push((content.to_owned(), token.get("id").map_or(Ok(0), token_id)?));
        }
    }
    Ok(tokens)
}
