//! From text to fields, memories, passages and summaries.

use pgrx::prelude::*;
use rules::chunk::{self, ChunkKind};
use rules::extract::{self, Extraction, Field, FieldSpec, Input, Kind, Memory, Message};
use rules::summary::{self, SummaryField, SummaryMemory};
use serde_json::{Value, json};

use crate::api::jsonb::JsonB;
use crate::error::{Result, internal, invalid_parameter};
use crate::worker::aside::{LONG, Text};

/// PostgreSQL counts microseconds from 2000-01-01, the rules from 1970-01-01.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// Tokens of one chunk: half of what the usual sentence models read, so that no passage is cut off.
const CHUNK_TOKENS: usize = 128;

/// Tokens that a chunk repeats of the one before it.
const CHUNK_OVERLAP: usize = 16;

/// A point in time of the rules as PostgreSQL's.
pub fn timestamp(unix_micros: i64) -> Option<TimestampWithTimeZone> {
    unix_micros.checked_sub(POSTGRES_EPOCH)?.try_into().ok()
}

/// What the built-in extractor finds in a text: `{"fields": [...], "memories": [...], "messages": [...], "notes": [...]}`. With
/// `aside`, a long text is read beside what the session does: NULL, until whoever asks again for the same gets it.
#[pg_extern(stable, parallel_restricted)]
#[allow(clippy::too_many_arguments, reason = "the arguments of a function in SQL")]
fn _extract(
    data: &str,
    input_type: Option<&str>,
    moment: TimestampWithTimeZone,
    fields: JsonB,
    subject_names: Vec<String>,
    language: Option<&str>,
    zone: Option<&str>,
    aside: default!(bool, false),
    utc_offset: default!(Option<i32>, "NULL"),
) -> Result<Option<JsonB>> {
    let schema = schema(&fields.0);
    let text = Text {
        text: data.to_owned(),
        input_type: input_type.map(str::to_owned),
        now: unix_micros(moment),
        utc_offset,
        schema: schema.clone(),
        subject_names,
        language: language.map(str::to_owned),
        zone: zone.map(str::to_owned),
    };
    let found = if aside { text.read_aside().map_err(internal)? } else { Some(text.read()) };
    Ok(found.map(|found| JsonB(extraction_json(&found, &schema, language))))
}

/// Bytes of a text that takes long to read.
#[pg_extern(immutable, parallel_safe)]
fn _long_text() -> i32 {
    LONG as i32
}

/// The languages that the built-in extractor has rules for.
#[pg_extern(immutable, parallel_safe)]
fn _languages() -> Vec<&'static str> {
    extract::languages().collect()
}

/// What was said in each turn of a conversation; nothing for any other text.
#[pg_extern(immutable, parallel_safe)]
fn _turns(data: &str, input_type: Option<&str>, language: Option<&str>) -> Vec<String> {
    let input = Input { text: data, input_type, language, ..Input::default() };
    extract::messages(&input).into_iter().map(|message| message.content).collect()
}

/// What is remembered of a plan that was moved by so much, with the day that it has now.
#[pg_extern(immutable, strict, parallel_safe)]
fn _plan_moved_to(content: &str, day: TimestampWithTimeZone, language: &str) -> Option<String> {
    extract::moved_to(content, unix_micros(day), Some(language))
}

/// A point in time of PostgreSQL as the rules'.
pub fn unix_micros(moment: TimestampWithTimeZone) -> i64 {
    pg_sys::TimestampTz::from(moment).saturating_add(POSTGRES_EPOCH)
}

/// The name that a subject has, and those that it had before.
pub fn names(all: &[String]) -> (Option<&str>, &[String]) {
    all.split_first().map_or((None, &[]), |(name, former)| (Some(name), former))
}

/// The fields of a profile schema, as far as extraction needs them.
pub fn schema(fields: &Value) -> Vec<FieldSpec> {
    fields.as_array().into_iter().flatten().map(field_spec).collect()
}

/// What was learned, in the form that is applied.
pub fn extraction_json(found: &Extraction, schema: &[FieldSpec], language: Option<&str>) -> Value {
    json!({
        "fields": found.fields.iter().map(|field| json!({
            "key": field.key, "value": field.value, "confidence": rounded(field.confidence),
        })).collect::<Vec<_>>(),
        "memories": found.memories.iter().filter(|memory| !is_stated_by(memory, &found.fields))
            .map(|memory| memory_json(memory, &found.messages, schema, language)).collect::<Vec<_>>(),
        "messages": found.messages.iter().map(|message| json!({
            "role": message.role.as_str(), "name": message.name, "content": message.content, "date": iso(message.date.map(|date| date.micros)),
        })).collect::<Vec<_>>(),
        "notes": found.notes,
    })
}

/// A memory with the attributes of its row; one of a message says by whom, in which turn and when, and the denial of a
/// slot's value, which fields of the profile are that slot.
fn memory_json(memory: &Memory, messages: &[Message], schema: &[FieldSpec], language: Option<&str>) -> Value {
    let message = memory.message.and_then(|at| messages.get(at));
    let sequence = memory.message.and_then(|at| sequence_of(messages, at));
    // Turns are told apart by their numbers within one conversation only.
    let context = memory
        .context_message
        .filter(|at| messages.get(*at).map(|m| &m.conversation) == message.map(|m| &m.conversation));
    let denied = memory.slot.as_deref().filter(|_| memory.negated);
    let denied_fields = denied.map_or_else(Vec::new, |slot| extract::fields_of_slot(schema, slot, language));
    json!({
        "slot": memory.slot, "slot_value": memory.slot.as_ref().and(memory.value.as_ref()), "negated": memory.negated,
        "denied_fields": denied_fields, "aside": memory.aside,
        "content": memory.content, "kind": memory.kind.as_str(), "is_static": memory.is_static,
        "confidence": rounded(memory.confidence), "importance": rounded(memory.importance),
        "event_date": iso(memory.event_date.or_else(|| Some(message?.date?.micros))), "forget_after": iso(memory.forget_after),
        "calls_off": memory.calls_off.as_ref().map(|plan| json!({
            "words": plan.words, "sorts": plan.sorts, "day": iso(plan.day), "moved": plan.moved, "only_known": plan.only_known,
            "shift": plan.shift.map(|shift| shift.to_string()),
        })),
        "speaker": message.and_then(|message| message.name.as_deref()), "sequence": sequence, "turn": memory.message,
        "context_sequence": context.and_then(|at| sequence_of(messages, at)),
        "conversation_id": message.and_then(|message| message.conversation.as_deref()),
    })
}

/// The number of a turn: its own, or else its place among the turns.
fn sequence_of(messages: &[Message], at: usize) -> Option<i32> {
    messages.get(at)?.sequence.or_else(|| i32::try_from(at).ok())
}

/// Whether a memory only repeats what a profile field says.
fn is_stated_by(memory: &Memory, fields: &[Field]) -> bool {
    !memory.negated && memory.slot.as_ref().is_some_and(|slot| fields.iter().any(|field| field.key == *slot))
}

fn field_spec(field: &Value) -> FieldSpec {
    let text = |name: &str| field[name].as_str().map(str::to_owned);
    FieldSpec {
        key: text("key").unwrap_or_default(),
        field_type: text("type").unwrap_or_default(),
        enum_values: field["enum_values"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect(),
        pattern: text("pattern"),
        label: text("label"),
    }
}

/// Without the digits that widening a single-precision number makes up.
fn rounded(number: f32) -> f64 {
    (f64::from(number) * 1e4).round() / 1e4
}

fn iso(micros: Option<i64>) -> Option<String> {
    micros.and_then(rules::time::format_micros)
}

/// The passages of a document, on its own structure.
#[pg_extern(immutable, parallel_safe)]
fn _chunks(
    content: &str,
    document_type: &str,
) -> Result<TableIterator<'static, (name!(position, i32), name!(heading, Option<String>), name!(content, String))>> {
    let chunks = chunk::chunk(content, chunk_kind(content, document_type), CHUNK_TOKENS, CHUNK_OVERLAP);
    let rows: Vec<_> = chunks
        .into_iter()
        .map(|chunk| Ok((i32::try_from(chunk.position)?, chunk.heading, chunk.content)))
        .collect::<Result<_, std::num::TryFromIntError>>()
        .map_err(|_| invalid_parameter("the document has too many passages"))?;
    Ok(TableIterator::new(rows))
}

/// Where a document may be cut: what its type says, or else what it looks like.
fn chunk_kind(content: &str, document_type: &str) -> ChunkKind {
    let is_heading = |line: &str| line.trim_start_matches('#').starts_with(' ') && line.starts_with('#');
    match document_type.to_lowercase().as_str() {
        _ if chunk::is_json(content) => ChunkKind::Json,
        "chat" | "chat history" | "conversation" | "transcript" | "log" | "activity log" => ChunkKind::Chat,
        "markdown" | "github_markdown" | "notion_doc" => ChunkKind::Markdown,
        _ if content.lines().any(is_heading) => ChunkKind::Markdown,
        _ => ChunkKind::Text,
    }
}

/// A title for a document that came without one.
#[pg_extern(immutable, parallel_safe)]
fn _document_title(content: &str) -> Option<String> {
    chunk::title(content)
}

/// The opening of a document, as its summary.
#[pg_extern(immutable, parallel_safe)]
fn _document_summary(content: &str) -> Option<String> {
    chunk::summary(content)
}

/// Two or three plain sentences about a subject, from its profile fields and most important memories.
#[pg_extern(immutable, parallel_safe)]
fn _profile_summary(fields: JsonB, memories: JsonB) -> Option<String> {
    let fields: Vec<(&str, String, f32)> = members(&fields).filter_map(summary_field).collect();
    let fields: Vec<SummaryField<'_>> =
        fields.iter().map(|(key, value, confidence)| SummaryField { key, value, confidence: *confidence }).collect();
    let memories: Vec<SummaryMemory<'_>> = members(&memories).filter_map(summary_memory).collect();
    summary::profile_summary(&fields, &memories)
}

fn members(array: &JsonB) -> impl Iterator<Item = &Value> {
    array.0.as_array().into_iter().flatten()
}

fn summary_field(field: &Value) -> Option<(&str, String, f32)> {
    Some((field["key"].as_str()?, rules::wording::text_of(&field["value"]), number(&field["confidence"])?))
}

fn summary_memory(memory: &Value) -> Option<SummaryMemory<'_>> {
    Some(SummaryMemory {
        content: memory["content"].as_str()?,
        kind: match memory["kind"].as_str()? {
            "preference" => Kind::Preference,
            "event" => Kind::Event,
            "context" | "note" => Kind::Context,
            _ => Kind::Fact,
        },
        is_static: memory["is_static"].as_bool()?,
        importance: number(&memory["importance"])?,
        updated: memory["updated"].as_i64()?,
    })
}

fn number(value: &Value) -> Option<f32> {
    value.as_f64().map(|number| number as f32)
}
