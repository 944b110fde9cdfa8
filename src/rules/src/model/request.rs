//! The request: prompt, text, and the JSON schema of the answer.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use super::{Piece, Question};
use crate::extract::{FieldSpec, single_slots};
use crate::time;

/// What the model is told before the text.
const EXTRACTION: &str = include_str!("prompts/extraction.md");

/// The body of a request to a chat-completions endpoint.
pub fn request(question: &Question<'_>, piece: &Piece) -> Value {
    chat(question.model, &prompt(question), &piece.text, "extraction", schema(question))
}

/// The body of a request that hands a prompt and a text to a model and wants an answer of this schema.
pub(super) fn chat(model: &str, prompt: &str, text: &str, name: &str, schema: Value) -> Value {
    json!({
        "model": model,
        "messages": [{"role": "system", "content": prompt}, {"role": "user", "content": text}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": name, "strict": true, "schema": schema},
        },
    })
}

fn prompt(question: &Question<'_>) -> String {
    let known = question.input.subject_name.is_some();
    let name = question.name();
    let (subject, naming) = if known {
        let about =
            format!("The person is called {name}. In a conversation, their own turns carry this name or \"user\".");
        (about, format!("They are called \"{name}\"."))
    } else {
        let about = "Nobody has told us the person's name. In a conversation they are the user; a text without turns is \
                     by them or about them.";
        (about.to_owned(), "As long as you do not know their name, call them \"User\".".to_owned())
    };
    let zone = time::zone(question.input.zone);
    let date = question.input.date().on_the_wall(&zone).date().to_string();
    let values = [
        ("{{subject}}", subject.as_str()),
        ("{{naming}}", &naming),
        ("{{date}}", date.as_str()),
        ("{{fields}}", &fields(question)),
        ("{{instructions}}", &instructions(question)),
    ];
    fill(EXTRACTION, &values)
}

/// Puts values into the places of a prompt, in one pass: what a value says is never a place.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find("{{") {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some((place, value)) = values.iter().find(|(place, _)| rest.starts_with(place)) else { break };
        filled.push_str(value);
        rest = &rest[place.len()..];
    }
    filled + rest
}

fn fields(question: &Question<'_>) -> String {
    let mut list = String::new();
    for (field, description) in question.fields() {
        let _ = write!(list, "- `{}`: {}", field.key, meaning(field));
        for text in [description, field.label.as_deref()].into_iter().flatten().take(1) {
            let _ = write!(list, "; {text}");
        }
        if let Some(pattern) = &field.pattern {
            let _ =
                write!(list, "; only what this regular expression finds, its first group if it has one: `{pattern}`");
        }
        list.push('\n');
    }
    list
}

/// What a value of the field's type is, in words.
fn meaning(field: &FieldSpec) -> String {
    match field.field_type.as_str() {
        "email" => "an e-mail address".into(),
        "timezone" => "a time zone by its IANA name, such as Europe/Paris".into(),
        "number" => "a number".into(),
        "boolean" => "true or false".into(),
        "date" => "a date YYYY-MM-DD".into(),
        "url" => "a URL".into(),
        "phone" => "a telephone number".into(),
        "select" => format!("one of {}", field.enum_values.join(", ")),
        "array" => "a list of short texts".into(),
        _ => "a short text".into(),
    }
}

fn instructions(question: &Question<'_>) -> String {
    let given: Vec<&str> =
        question.instructions.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
    if given.is_empty() {
        String::new()
    } else {
        format!("\n# What this application wants\n\n{}\n", given.join("\n\n"))
    }
}

/// The schema of the answer, within what servers accept as strict: every member required, none besides, a missing value
/// is null. Fields of one kind of value share a branch, since the branches of a schema are limited as well.
fn schema(question: &Question<'_>) -> Value {
    let mut branches: BTreeMap<String, (Value, Vec<&str>)> = BTreeMap::new();
    for (field, _) in question.fields() {
        let value = value_schema(field);
        branches.entry(value.to_string()).or_insert_with(|| (value, Vec::new())).1.push(&field.key);
    }
    let branches: Vec<Value> = branches
        .into_values()
        .map(|(value, keys)| {
            object(&[
                ("key", json!({"type": "string", "enum": keys})),
                ("value", value),
                ("confidence", json!({"type": "number"})),
            ])
        })
        .collect();
    let text = || json!({"type": "string"});
    let number = || json!({"type": "number"});
    let optional = |kind: &str| json!({"type": [kind, "null"]});
    let slots: Vec<Option<&str>> = single_slots().into_iter().map(Some).chain([None]).collect();
    let memory = object(&[
        ("content", text()),
        ("subject", text()),
        ("kind", json!({"type": "string", "enum": ["fact", "preference", "event", "context"]})),
        ("is_static", json!({"type": "boolean"})),
        ("confidence", number()),
        ("importance", number()),
        ("event_date", optional("string")),
        ("forget_after", optional("string")),
        ("turn", optional("integer")),
        ("slot", json!({"type": ["string", "null"], "enum": slots})),
        ("value", optional("string")),
        ("negated", json!({"type": "boolean"})),
        ("plan_change", json!({"type": ["string", "null"], "enum": ["cancelled", "moved", null]})),
        ("plan", optional("string")),
        ("planned_for", optional("string")),
    ]);
    let mut members = vec![("memories", json!({"type": "array", "items": memory}))];
    if !branches.is_empty() {
        members.insert(0, ("fields", json!({"type": "array", "items": {"anyOf": branches}})));
    }
    object(&members)
}

pub(super) fn object(members: &[(&str, Value)]) -> Value {
    let required: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    let properties: serde_json::Map<String, Value> =
        members.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn value_schema(field: &FieldSpec) -> Value {
    match field.field_type.as_str() {
        "number" => json!({"type": "number"}),
        "boolean" => json!({"type": "boolean"}),
        "array" => json!({"type": "array", "items": {"type": "string"}}),
        "select" => json!({"type": "string", "enum": field.enum_values}),
        _ => json!({"type": "string"}),
    }
}
