//! Profile fields: their definitions, their values, and which value stands.

use pgrx::prelude::*;
use rules::field::{self, FieldType};
use rules::supersede::{self, Current, Decision, New, Source};
use rules::wording;
use serde_json::{Map, Value};

use crate::api::jsonb::JsonB;
use crate::error::{Result, invalid_parameter, invalid_parameter_because};

/// Custom fields of a project; more would make every extraction slow.
const MAX_FIELDS: usize = 200;

/// The names that a field's definition may have besides `key` and `type`.
const FIELD_MEMBERS: [&str; 8] =
    ["key", "type", "required", "label", "description", "category", "enum_values", "pattern"];

/// Checks the definitions of custom fields and returns them in their normal form.
#[pg_extern(immutable, parallel_safe)]
fn _check_profile_fields(fields: JsonB, system: JsonB) -> Result<JsonB> {
    let Value::Array(items) = &fields.0 else {
        return Err(invalid_parameter("fields must be a JSON array"));
    };
    if items.len() > MAX_FIELDS {
        return Err(invalid_parameter(format!("a schema may have at most {MAX_FIELDS} custom fields")));
    }
    let mut taken: Vec<String> = keys_of(&system.0);
    let mut checked = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let definition = check_definition(item)
            .map_err(|cause| invalid_parameter_because(format!("invalid fields[{index}]"), cause))?;
        let key = definition["key"].as_str().unwrap_or_default().to_owned();
        if taken.contains(&key) {
            return Err(invalid_parameter_because(
                format!("invalid fields[{index}]"),
                format!("A field with the key \"{key}\" exists already."),
            ));
        }
        taken.push(key);
        checked.push(definition);
    }
    Ok(JsonB(Value::Array(checked)))
}

fn keys_of(fields: &Value) -> Vec<String> {
    fields.as_array().into_iter().flatten().filter_map(|field| field["key"].as_str().map(str::to_owned)).collect()
}

fn check_definition(item: &Value) -> Result<Value, String> {
    let Value::Object(members) = item else { return Err("A field must be an object with key and type.".into()) };
    if let Some(unknown) = members.keys().find(|name| !FIELD_MEMBERS.contains(&name.as_str())) {
        return Err(format!("Unknown member \"{unknown}\"; a field has {}.", FIELD_MEMBERS.join(", ")));
    }
    let key = members.get("key").and_then(Value::as_str).unwrap_or_default();
    rules::ids::check_metadata_key(key).map_err(|cause| format!("key: {cause}."))?;
    let type_name = members.get("type").and_then(Value::as_str).unwrap_or("text");
    let field_type: FieldType = type_name.parse().map_err(|cause| format!("{cause}"))?;
    let mut checked = Map::new();
    checked.insert("key".into(), key.into());
    checked.insert("type".into(), field_type.as_str().into());
    checked
        .insert("required".into(), optional(members, "required", Value::is_boolean)?.cloned().unwrap_or(false.into()));
    for name in ["label", "description", "category", "pattern"] {
        if let Some(value) = optional(members, name, Value::is_string)? {
            checked.insert(name.into(), value.clone());
        }
    }
    if let Some(pattern) = members.get("pattern").and_then(Value::as_str) {
        rules::extract::check_pattern(pattern).map_err(|cause| format!("Invalid pattern: {cause}."))?;
    }
    let choices = optional(members, "enum_values", |v| {
        v.as_array().is_some_and(|a| !a.is_empty() && a.iter().all(Value::is_string))
    })?;
    match (field_type == FieldType::Select, choices) {
        (true, Some(values)) => drop(checked.insert("enum_values".into(), values.clone())),
        (true, None) => return Err("A field of type select needs enum_values, an array of strings.".into()),
        (false, Some(_)) => return Err("Only a field of type select has enum_values.".into()),
        (false, None) => {}
    }
    Ok(Value::Object(checked))
}

fn optional<'a>(
    members: &'a Map<String, Value>,
    name: &str,
    is_valid: impl Fn(&Value) -> bool,
) -> Result<Option<&'a Value>, String> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) if is_valid(value) => Ok(Some(value)),
        Some(_) => Err(format!("The member \"{name}\" has the wrong type.")),
    }
}

/// The value in the normal form of its field's type, or NULL when it is not one.
#[pg_extern(immutable, parallel_safe)]
fn _check_field_value(spec: JsonB, value: Option<JsonB>) -> Option<JsonB> {
    let value = value?.0;
    let choices: Vec<String> = spec.0["enum_values"]
        .as_array()
        .map(|values| values.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect())
        .unwrap_or_default();
    let field_type = match spec.0["type"].as_str() {
        Some("any") => FieldType::infer(&value)?,
        Some(name) => name.parse().ok()?,
        None => return None,
    };
    field::validate(field_type, &choices, &value).ok().map(JsonB)
}

/// Why a new value does not replace the current one; NULL when it does.
#[pg_extern(immutable, parallel_safe)]
fn _supersede_reason(
    current_source: Option<&str>,
    current_confidence: Option<f32>,
    new_source: &str,
    new_confidence: f64,
) -> Result<Option<String>> {
    // A confidence is stored as real: the new value is compared at the precision at which the current one was kept, or a
    // value would not replace its equal.
    let new = New { source: parse_source(new_source)?, confidence: f64::from(new_confidence as f32) };
    let current = match (current_source, current_confidence) {
        (Some(source), Some(confidence)) => {
            Some(Current { source: parse_source(source)?, confidence: f64::from(confidence) })
        }
        _ => None,
    };
    Ok(match supersede::decide(current, new) {
        Decision::Accept => None,
        Decision::Reject(reason) => Some(reason.as_str().to_owned()),
    })
}

/// What a document states is extracted text, like a chat's.
fn parse_source(name: &str) -> Result<Source> {
    if name == "document" {
        return Ok(Source::Chat);
    }
    name.parse().map_err(|cause| invalid_parameter_because("invalid source_type", cause))
}

/// The source and confidence of an update through the API; no row when the confidence is not a number from 0 to 1.
#[pg_extern(immutable, parallel_safe)]
fn _patch_source(
    confidence: Option<JsonB>,
) -> TableIterator<'static, (name!(source_type, &'static str), name!(confidence, f64))> {
    let source = supersede::source_of_patch(confidence.as_ref().map(|value| &value.0)).ok();
    TableIterator::new(source.into_iter().map(|(source, confidence)| (source.as_str(), confidence)))
}

/// The confidence of an extracted value: never so high that it could pose as a manual edit.
#[pg_extern(immutable, parallel_safe)]
fn _clamp_chat(confidence: f64) -> f64 {
    supersede::clamp_chat(confidence)
}

/// A field and its value as a plain sentence.
#[pg_extern(immutable, parallel_safe)]
fn _field_sentence(label: &str, value: JsonB) -> String {
    wording::sentence(label, &value.0)
}

/// The type of a field as an export names it: the schema's, or else the value's own.
#[pg_extern(immutable, parallel_safe)]
fn _trait_type(value: JsonB, schema_type: Option<&str>) -> &'static str {
    let declared = schema_type.and_then(|name| name.parse().ok());
    declared.or_else(|| FieldType::infer(&value.0)).unwrap_or(FieldType::Text).trait_type()
}

/// Raises an error when the updates are not an array of objects with `field_key` and `value`.
#[pg_extern(immutable, parallel_safe)]
fn _check_profile_updates(updates: Option<JsonB>) -> Result<()> {
    let Some(JsonB(Value::Array(items))) = updates else {
        return Err(invalid_parameter("updates must be a JSON array"));
    };
    for (index, item) in items.iter().enumerate() {
        let key = item.get("field_key").and_then(Value::as_str).map(str::trim).unwrap_or_default();
        if key.is_empty() {
            return Err(invalid_parameter_because(
                format!("invalid updates[{index}]"),
                "Each update must be an object with field_key and value.",
            ));
        }
        if item.get("value").is_none() {
            return Err(invalid_parameter_because(
                format!("invalid updates[{index}]"),
                format!("The update of \"{key}\" has no value."),
            ));
        }
    }
    Ok(())
}
