//! What of a model's answer is believed: no more than what a text can teach, in the form that the rules apply.

use std::collections::HashSet;

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::{Answer, BadAnswer, MAX_CONTENT, MAX_MEMORIES, Piece, Question};
use crate::extract::{FieldSpec, MAX_CONFIDENCE, Message, fields_of_slot, matches_pattern, plan_words, single_slots};
use crate::field::{FieldType, validate};
use crate::time::{self, Moment, format_micros, parse_micros};

/// The kinds of memory that a text can teach.
const KINDS: [&str; 4] = ["fact", "preference", "event", "context"];

/// Reads the body that an endpoint answered with to a request about a piece.
///
/// What is wrong with one memory or field leaves that one out; what is wrong with the whole is an error.
pub fn read(body: &[u8], question: &Question<'_>, piece: &Piece, messages: &[Message]) -> Result<Answer, BadAnswer> {
    let Completion { said: found, tokens } = completion(body)?;
    let found = found.as_object().ok_or(BadAnswer::WrongShape("it is no object"))?;
    let memories =
        found.get("memories").and_then(Value::as_array).ok_or(BadAnswer::WrongShape("it has no memories"))?;
    let no_fields = Vec::new();
    let fields = match found.get("fields") {
        None if question.input.schema.is_empty() => &no_fields,
        fields => fields.and_then(Value::as_array).ok_or(BadAnswer::WrongShape("it has no fields"))?,
    };
    let mut answer = Answer { tokens, ..Answer::default() };
    answer.read_memories(memories, question, piece, messages)?;
    answer.read_fields(fields, question)?;
    Ok(answer)
}

/// What a model said, and the tokens of the request and of the answer.
pub(super) struct Completion {
    pub said: Value,
    pub tokens: (u64, u64),
}

/// The JSON that a model said in the answer of a chat-completions endpoint.
pub(super) fn completion(body: &[u8]) -> Result<Completion, BadAnswer> {
    let body: Value = serde_json::from_slice(body).map_err(|_| BadAnswer::NotACompletion)?;
    let choice = &body["choices"][0];
    let message = choice["message"].as_object().ok_or(BadAnswer::NotACompletion)?;
    if message.get("refusal").is_some_and(|refusal| !refusal.is_null()) || choice["finish_reason"] == "content_filter" {
        return Err(BadAnswer::Refused);
    }
    if choice["finish_reason"] == "length" {
        return Err(BadAnswer::CutOff);
    }
    let text = message.get("content").and_then(Value::as_str).ok_or(BadAnswer::NotACompletion)?;
    let said = serde_json::from_str(unfenced(text))
        .map_err(|cause| if cause.is_eof() { BadAnswer::CutOff } else { BadAnswer::NotJson })?;
    Ok(Completion {
        said,
        tokens: (count(&body["usage"]["prompt_tokens"]), count(&body["usage"]["completion_tokens"])),
    })
}

/// The text inside a fence of Markdown, which models like to put around JSON when nothing keeps them from it.
fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let inner = text.strip_prefix("```json").or_else(|| text.strip_prefix("```"));
    inner.map_or(text, |inner| inner.strip_suffix("```").unwrap_or(inner))
}

fn count(tokens: &Value) -> u64 {
    tokens.as_u64().unwrap_or_default()
}

impl Answer {
    fn read_memories(
        &mut self,
        given: &[Value],
        question: &Question<'_>,
        piece: &Piece,
        messages: &[Message],
    ) -> Result<(), BadAnswer> {
        let mut seen = HashSet::new();
        let mut refused = 0;
        for item in given {
            match memory(item, question, piece, messages) {
                Some(memory) if !seen.insert(memory["content"].as_str().unwrap_or_default().to_lowercase()) => {}
                Some(_) if self.memories.len() == MAX_MEMORIES => refused += 1,
                Some(memory) => self.memories.push(memory),
                None => refused += 1,
            }
        }
        if !given.is_empty() && self.memories.is_empty() {
            return Err(BadAnswer::WrongShape("none of its memories has what a memory needs"));
        }
        if refused > 0 {
            self.notes.push(format!("left out {refused} of the model's memories: malformed, too long or too many"));
        }
        Ok(())
    }

    fn read_fields(&mut self, given: &[Value], question: &Question<'_>) -> Result<(), BadAnswer> {
        let mut refused = Vec::new();
        for item in given {
            let key = item["key"].as_str().ok_or(BadAnswer::WrongShape("a field has no key"))?;
            let known = question.input.schema.iter().find(|field| field.key == key);
            match known.and_then(|field| value(field, &item["value"], question.input.text)) {
                Some(value) => self.fields.push(json!({
                    "key": key, "value": value, "confidence": share(&item["confidence"], 0.7, MAX_CONFIDENCE.into()),
                })),
                // The key is the model's own where the schema has no such field: it is not repeated.
                None => refused.push(known.map_or("one that the schema does not have", |field| field.key.as_str())),
            }
        }
        if !refused.is_empty() {
            self.notes.push(format!("left out the model's values of these fields: {}", refused.join(", ")));
        }
        Ok(())
    }
}

/// A memory with the attributes of its row; `None` when it lacks what a memory needs.
fn memory(item: &Value, question: &Question<'_>, piece: &Piece, messages: &[Message]) -> Option<Value> {
    let content = item["content"].as_str().map(str::trim)?;
    let kind = item["kind"].as_str().filter(|kind| KINDS.contains(kind))?;
    let subject = item["subject"].as_str().unwrap_or_default().to_lowercase();
    let named = subject.split_whitespace().next().is_some_and(|name| content.to_lowercase().contains(name));
    if content.chars().count() > MAX_CONTENT || content.contains('\0') || !named {
        return None;
    }
    let turn =
        item["turn"].as_u64().and_then(|turn| usize::try_from(turn).ok()).filter(|turn| piece.turns.contains(turn));
    let message = turn.and_then(|turn| messages.get(turn));
    let sequence = message.and_then(|message| message.sequence).or_else(|| i32::try_from(turn?).ok());
    let said = message.and_then(|message| format_micros(message.date?.micros));
    let mut memory = Map::new();
    memory.insert("content".into(), content.into());
    memory.insert("kind".into(), kind.into());
    memory.insert("is_static".into(), item["is_static"].as_bool().unwrap_or_default().into());
    memory.insert("confidence".into(), share(&item["confidence"], 0.7, MAX_CONFIDENCE.into()).into());
    memory.insert("importance".into(), share(&item["importance"], 0.5, 1.0).into());
    memory.insert("event_date".into(), moment(&item["event_date"]).or(said).into());
    memory.insert("forget_after".into(), moment_in(&item["forget_after"], &time::zone(question.input.zone)).into());
    memory.insert("speaker".into(), message.and_then(|message| message.name.as_deref()).into());
    memory.insert("sequence".into(), sequence.into());
    memory.insert("conversation_id".into(), message.and_then(|message| message.conversation.as_deref()).into());
    memory.extend(turn.map(|turn| ("turn".to_owned(), turn.into())));
    memory.extend(slot(item, &subject, question));
    plan(item, question, &mut memory);
    Some(Value::Object(memory))
}

/// The slot that a memory fills or denies, with its value, as the built-in extraction gives it: that of somebody else
/// bears the name.
fn slot(item: &Value, subject: &str, question: &Question<'_>) -> Map<String, Value> {
    let slot = item["slot"].as_str().filter(|slot| single_slots().contains(slot));
    let value = item["value"].as_str().map(str::trim).filter(|value| !value.is_empty() && !value.contains('\0'));
    let (Some(slot), Some(value)) = (slot, value) else { return Map::new() };
    let negated = item["negated"].as_bool().unwrap_or_default();
    let own = subject == "user" || subject == question.name().to_lowercase();
    let denied =
        if negated && own { fields_of_slot(question.input.schema, slot, question.input.language) } else { Vec::new() };
    let slot = if own { slot.to_owned() } else { format!("{slot} of {subject}") };
    [("slot", json!(slot)), ("slot_value", json!(value)), ("negated", json!(negated)), ("denied_fields", json!(denied))]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The plan that a memory ends or moves, as the built-in extraction gives it. One that is moved to a day stops mattering
/// when that is over.
fn plan(item: &Value, question: &Question<'_>, memory: &mut Map<String, Value>) {
    let Some(change @ ("cancelled" | "moved")) = item["plan_change"].as_str() else { return };
    let (words, sorts) = plan_words(item["plan"].as_str().unwrap_or_default(), question.input.language);
    if words.is_empty() {
        return;
    }
    let new_day = moment(&item["event_date"]).filter(|_| change == "moved");
    if new_day.is_some() && memory["forget_after"].is_null() {
        let zone = time::zone(question.input.zone);
        let end = item["event_date"]
            .as_str()
            .and_then(|day| Moment::parse(day).ok())
            .and_then(|day| day.end_of(day.on_the_wall(&zone).date(), &zone));
        memory.insert("forget_after".into(), end.and_then(format_micros).into());
    }
    memory.insert("kind".into(), "event".into());
    let (moved, day) = (new_day.is_some(), moment(&item["planned_for"]));
    memory.insert(
        "calls_off".into(),
        json!({"words": words, "sorts": sorts, "day": day, "moved": moved, "only_known": false}),
    );
}

/// A number from 0 to a limit, to two places; a default where there is none.
fn share(given: &Value, default: f64, limit: f64) -> f64 {
    let share = given.as_f64().unwrap_or(default).clamp(0.0, 1.0);
    ((share * 100.0).round() / 100.0).min((limit * 100.0).round() / 100.0)
}

fn moment(given: &Value) -> Option<String> {
    format_micros(parse_micros(given.as_str()?).ok()?)
}

/// A date is its midnight where the subject is.
fn moment_in(given: &Value, zone: &TimeZone) -> Option<String> {
    format_micros(Moment::parse(given.as_str()?).ok()?.in_zone(zone)?)
}

/// The value in its field's normal form; `None` when it is not one, or not what the field's pattern finds.
fn value(field: &FieldSpec, given: &Value, text: &str) -> Option<Value> {
    let field_type: FieldType = field.field_type.parse().ok()?;
    let value = validate(field_type, &field.enum_values, given).ok()?;
    let fits = match (&field.pattern, &value) {
        (Some(pattern), Value::String(value)) => matches_pattern(pattern, value, text),
        // A database has no place for it.
        _ if value.to_string().contains("\\u0000") => false,
        _ => true,
    };
    fits.then_some(value)
}
