//! Learning with a language model: what it is asked, and what of its answer is believed.
//!
//! A long text is asked about in pieces, each a request of its own. The answer must follow a JSON schema that is made from
//! the project's profile schema; what comes back is checked all the same, since not every server enforces it, and leaves
//! here in the form of the built-in extraction, so that the rules which apply it are the same. Nothing here calls anybody.

mod answer;
mod pieces;
mod request;
pub mod summary;

#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::Value;

pub use answer::read;
pub use pieces::{Piece, pieces};
pub use request::request;

use crate::extract::{Extraction, FieldSpec, Input, Message, extract};

/// Bytes of text that one request holds: some 3,000 tokens, so that the memories of it fit into one answer, which many
/// servers end after 4,096 tokens.
pub const PIECE_BYTES: usize = 12_000;

/// The most memories that are taken from one answer.
pub const MAX_MEMORIES: usize = 200;

/// The longest memory that is taken, in characters: a sentence, not a paragraph.
pub const MAX_CONTENT: usize = 1_000;

/// What is to be learned, and from what.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The name of the model.
    pub model: &'a str,
    /// The text and the profile's fields.
    pub input: Input<'a>,
    /// Descriptions of the fields, by their place in the schema.
    pub descriptions: &'a [Option<String>],
    /// What the project wants to be seen to, and what is said of this subject's texts.
    pub instructions: &'a [&'a str],
}

impl Question<'_> {
    fn fields(&self) -> impl Iterator<Item = (&FieldSpec, Option<&str>)> {
        let descriptions = self.descriptions.iter().map(Option::as_deref).chain(std::iter::repeat(None));
        self.input.schema.iter().zip(descriptions)
    }

    /// What sentences call the subject.
    fn name(&self) -> &str {
        self.input.subject_name.map(str::trim).filter(|name| !name.is_empty()).unwrap_or("User")
    }
}

/// Why an answer cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadAnswer {
    /// It is not what a chat-completions endpoint answers.
    NotACompletion,
    /// The model declined.
    Refused,
    /// The model's text ended before its end.
    CutOff,
    /// The model's text is not JSON.
    NotJson,
    /// The JSON is not what the schema asked for; with what is wrong.
    WrongShape(&'static str),
    /// It says what it was not told; with what gives it away.
    Unbelievable(&'static str),
}

impl fmt::Display for BadAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadAnswer::NotACompletion => f.write_str("the answer is no chat completion"),
            BadAnswer::Refused => f.write_str("the model declined to answer"),
            BadAnswer::CutOff => f.write_str("the answer was cut off"),
            BadAnswer::NotJson => f.write_str("the answer is not JSON"),
            BadAnswer::WrongShape(what) => write!(f, "the answer does not follow the schema: {what}"),
            BadAnswer::Unbelievable(what) => write!(f, "the answer is not believed: {what}"),
        }
    }
}

impl std::error::Error for BadAnswer {}

/// What the built-in extractor finds in a piece: what is learned from it when the model's answer cannot be used.
pub fn without_model(question: &Question<'_>, piece: &Piece, messages: &[Message]) -> Extraction {
    if messages.is_empty() {
        return extract(&Input { text: &piece.text, ..question.input });
    }
    let mut found = extract(&question.input);
    let said = messages.get(piece.turns.clone()).unwrap_or_default();
    found.memories.retain(|memory| memory.message.is_some_and(|turn| piece.turns.contains(&turn)));
    found.fields.retain(|field| {
        said.iter().any(|turn| turn.span.start <= field.evidence.start && field.evidence.end <= turn.span.end)
    });
    found
}

/// What is believed of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Objects with key, value and confidence; the value is one of the field's type.
    pub fields: Vec<Value>,
    /// Objects with the attributes of a memory.
    pub memories: Vec<Value>,
    /// What was left out, and why.
    pub notes: Vec<String>,
    /// Tokens of the request and of the answer, where the endpoint counts them.
    pub tokens: (u64, u64),
}
