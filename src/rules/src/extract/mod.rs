//! Learning without a model: from raw text to profile fields and memories, deterministically.
//!
//! The text passes five stages, each in a file of its own:
//!
//! ```text
//!   source     what is this: prose, transcript, message array, JSON object, Markdown, activity log; who says what, when
//!   sentence   turns into sentences, sentences into clauses, each with its place in the input
//!   gate       drops what is no statement: questions, requests, hypotheticals, sarcasm, quoted speech, small talk
//!   person     "I love my dog" and "She loves her dog" become one canonical sentence about a marked subject
//!   talk       "She is a doctor" is about the sister of the sentence before
//!   rulebook   patterns over canonical sentences say what was stated: kind, slot, how sure, how lasting
//! ```
//!
//! The words and patterns are data (`data/en.rules`), one file per language. Every table is compiled once; every
//! pattern runs on the linear-time regex engine, and sentences are bounded, so the whole is linear in the input.

mod answer;
mod complete;
mod correction;
mod dates;
mod entries;
mod fields;
mod gate;
mod grammar;
mod json;
mod learn;
mod markup;
mod naming;
mod people;
mod person;
mod plans;
mod remark;
mod rulebook;
pub(crate) mod sentence;
mod source;
mod table;
mod talk;
mod zones;

#[cfg(test)]
mod attribution;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod dialogue;
#[cfg(test)]
mod tests;

use std::ops::Range;

use rulebook::RuleBook;

use crate::time::Moment;

pub use fields::{check_pattern, matches_pattern};
pub use plans::{CalledOff, Shift, moved_to, plan_words};

/// The longest text that is read; what lies behind is left unread and noted.
pub const MAX_INPUT_BYTES: usize = 1 << 20;

/// The most memories that one text may yield.
pub const MAX_MEMORIES: usize = 2_000;

/// No extraction is surer than this: 1.0 is a manual edit.
pub const MAX_CONFIDENCE: f32 = 0.99;

/// A field of the project's profile schema, as far as extraction needs it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldSpec {
    /// The key the value is stored under.
    pub key: String,
    /// `text`, `email`, `timezone`, `number`, `boolean`, `date`, `url`, `phone`, `select` or `array`.
    pub field_type: String,
    /// The values a `select` (or `enum`) field may take.
    pub enum_values: Vec<String>,
    /// A regular expression that finds the value; its first group, or the whole match, is the value.
    pub pattern: Option<String>,
    /// What people call the field, when the key is not that.
    pub label: Option<String>,
}

/// What to learn from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Input<'a> {
    /// The raw text.
    pub text: &'a str,
    /// What the sender calls it: "chat history", "activity log", "character description", "json", ...
    pub input_type: Option<&'a str>,
    /// The date of the text, in microseconds since 1970 (UTC): relative dates are resolved against it. Midnight is a day
    /// without a time.
    pub now: i64,
    /// How many seconds the clock that this date was read from is ahead of UTC, where that is known.
    pub utc_offset: Option<i32>,
    /// The fields of the profile; empty means the four system fields.
    pub schema: &'a [FieldSpec],
    /// The name of the subject, when it is known.
    pub subject_name: Option<&'a str>,
    /// Names that the subject had before: texts may still use them.
    pub former_names: &'a [String],
    /// The language of the text, by its code in [`languages`]; English when there is none.
    pub language: Option<&'a str>,
    /// The time zone of the subject, by its IANA name: whose days "tomorrow" and the end of a plan mean. UTC when there is none.
    pub zone: Option<&'a str>,
}

impl Input<'_> {
    /// The date of the text, with the clock that it was read from.
    pub(crate) fn date(&self) -> Moment {
        Moment::read_at(self.now, self.utc_offset)
    }
}

/// A value for a field of the profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Key of the field in the schema.
    pub key: String,
    /// The value, typed as the schema says.
    pub value: serde_json::Value,
    /// How sure, 0 to [`MAX_CONFIDENCE`].
    pub confidence: f32,
    /// Where it was said: bytes of the input.
    pub evidence: Range<usize>,
}

/// What sort of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something true about the subject.
    Fact,
    /// Something the subject likes, dislikes or wants.
    Preference,
    /// Something that happened or will happen.
    Event,
    /// What the subject is in the middle of, or anything else said about them.
    Context,
}

impl Kind {
    /// The name the tables and the APIs use.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Fact => "fact",
            Kind::Preference => "preference",
            Kind::Event => "event",
            Kind::Context => "context",
        }
    }
}

/// A self-contained statement about a named subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    /// One sentence in the third person: "Sarah works at Acme", or "User works at Acme" when no name is known.
    pub content: String,
    /// Whom it is about, when that is known by name.
    pub subject: Option<String>,
    /// What sort of memory.
    pub kind: Kind,
    /// The single-valued slot that it fills ("home", "employer", ...): two memories of one slot contradict. That of somebody
    /// who is not the subject of the profile bears the name ("home of ann"). A denial has the slot whose value it denies.
    pub slot: Option<String>,
    /// The value in the slot ("Berlin").
    pub value: Option<String>,
    /// Whether the statement denies something ("does not like coffee", "no longer works at Acme").
    pub negated: bool,
    /// Said of other things than its speaker: no part of anybody's profile.
    pub aside: bool,
    /// A lasting trait rather than something of the day.
    pub is_static: bool,
    /// How sure, 0 to [`MAX_CONFIDENCE`].
    pub confidence: f32,
    /// How much it matters, 0 to 1.
    pub importance: f32,
    /// When it happened or will happen, microseconds since 1970 (UTC).
    pub event_date: Option<i64>,
    /// When it stops mattering, microseconds since 1970 (UTC).
    pub forget_after: Option<i64>,
    /// The plan that it ends or moves.
    pub calls_off: Option<CalledOff>,
    /// Where it was said: bytes of the input.
    pub evidence: Range<usize>,
    /// Another turn whose words it holds: the question that it answers, or where a pronoun's person or thing is named.
    pub context: Option<Range<usize>>,
    /// The turn it was said in, counted in [`Extraction::messages`].
    pub message: Option<usize>,
    /// That other turn, counted the same way.
    pub context_message: Option<usize>,
}

/// Who speaks in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A human: the subject or another speaker.
    User,
    /// The product's side of the conversation.
    Assistant,
    /// Instructions.
    System,
}

impl Role {
    /// The name that message arrays use.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::System => "system",
        }
    }
}

/// A parsed turn of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// The speaker's name, when the text gives one.
    pub name: Option<String>,
    /// What was said.
    pub content: String,
    /// When, when the text says so.
    pub date: Option<Moment>,
    /// Where: bytes of the input.
    pub span: Range<usize>,
    /// The conversation that the message names itself, when it does.
    pub conversation: Option<String>,
    /// Its number in the conversation, when the message gives one.
    pub sequence: Option<i32>,
}

/// What a text taught.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extraction {
    /// Profile fields, at most one per key: the surest value, the latest of equals.
    pub fields: Vec<Field>,
    /// Memories in the order of the text, each text once.
    pub memories: Vec<Memory>,
    /// The turns of a conversation; empty for anything else.
    pub messages: Vec<Message>,
    /// What was left out and why, for the job's report.
    pub notes: Vec<String>,
}

/// The languages there are rules for, by their ISO 639-1 codes; the first is the default.
pub fn languages() -> impl Iterator<Item = &'static str> {
    RuleBook::languages()
}

/// The slots of which a person has one value, such as "home", in order; relations and favourites come besides.
pub fn single_slots() -> Vec<&'static str> {
    let mut slots: Vec<&str> = RuleBook::of(None).single.iter().map(String::as_str).collect();
    slots.sort_unstable();
    slots
}

/// The fields of a schema that are this slot, by their keys or else their labels in a language.
pub fn fields_of_slot<'s>(schema: &'s [FieldSpec], slot: &str, language: Option<&str>) -> Vec<&'s str> {
    let book = RuleBook::of(language);
    let slot_of =
        |field: &'s FieldSpec| book.slot_of_key(&field.key).or_else(|| book.slot_of_key(field.label.as_deref()?));
    schema.iter().filter(|field| slot_of(field) == Some(slot)).map(|field| field.key.as_str()).collect()
}

/// Learns fields and memories from a text.
pub fn extract(input: &Input<'_>) -> Extraction {
    learn::learn(input)
}

/// The turns of a conversation, without learning from them; empty for anything else.
pub fn messages(input: &Input<'_>) -> Vec<Message> {
    let text = &input.text[..input.text.floor_char_boundary(MAX_INPUT_BYTES)];
    source::parse(RuleBook::of(input.language), &Input { text, ..*input }).messages
}
