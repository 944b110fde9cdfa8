//! Checks of what callers hand in.

use pgrx::prelude::*;
use rules::blank::is_blank;
use rules::filter::Filter;
use rules::ids;

use crate::api::jsonb::JsonB;
use crate::error::{Result, invalid_parameter, invalid_parameter_because, report, too_large};

/// Characters of one memory.
const MAX_CONTENT: usize = 10_000;

/// Bytes of one document, message or text to learn from.
const MAX_TEXT: usize = 1 << 20;

/// The external id of a subject, trimmed.
#[pg_extern(immutable, parallel_safe)]
fn _check_subject(subject: Option<&str>) -> Result<&str> {
    let subject = subject.ok_or_else(|| invalid_parameter("subject must not be null"))?;
    ids::check_subject(subject)
        .map_err(|cause| invalid_parameter_because("invalid subject", format!("Subject: {cause}.")))
}

/// The custom id of a document; NULL passes.
#[pg_extern(immutable, parallel_safe)]
fn _check_custom_id(custom_id: Option<&str>) -> Result<Option<String>> {
    if let Some(id) = custom_id {
        ids::check_custom_id(id)
            .map_err(|cause| invalid_parameter_because("invalid custom id", format!("Custom id: {cause}.")))?;
    }
    Ok(custom_id.map(str::to_owned))
}

/// Whether there is nothing to be seen in a text.
#[pg_extern(immutable, strict, parallel_safe)]
fn _is_blank(text: &str) -> bool {
    is_blank(text)
}

/// The text of a memory.
#[pg_extern(immutable, parallel_safe)]
fn _check_content(content: Option<&str>) -> Result<&str> {
    let content = content.map(str::trim).unwrap_or_default();
    if is_blank(content) {
        return Err(invalid_parameter("the content of a memory must not be empty"));
    }
    let length = content.chars().count();
    if length > MAX_CONTENT {
        return Err(too_large(format!("a memory may have at most {MAX_CONTENT} characters"))
            .set_detail(format!("This one has {length}."))
            .set_hint("Add long texts as documents: memory_profile.document_add(subject, content)."));
    }
    Ok(content)
}

/// The text of a document or message, or text to learn from.
#[pg_extern(immutable, parallel_safe)]
fn _check_text(text: Option<&str>) -> Result<&str> {
    let text = text.unwrap_or_default();
    if is_blank(text) {
        return Err(invalid_parameter("the text must not be empty"));
    }
    if text.len() > MAX_TEXT {
        return Err(too_large(format!("a text may have at most {MAX_TEXT} bytes"))
            .set_detail(format!("This one has {}.", text.len()))
            .set_hint("Split it into several documents."));
    }
    Ok(text)
}

/// The metadata of a memory or document, with numbers as a filter reads them.
#[pg_extern(immutable, parallel_safe)]
fn _check_metadata(metadata: JsonB) -> Result<JsonB> {
    ids::check_metadata(&metadata.0).map_err(|cause| {
        invalid_parameter_because("invalid metadata", cause)
            .set_hint("Metadata is a flat object of strings, numbers, booleans and arrays of strings.")
    })?;
    Ok(metadata)
}

/// The constraint of the table of memories: an error that names the column where a value is impossible. It is one function,
/// since PostgreSQL prepares the expression of every constraint anew for each statement that writes, which takes longer than
/// to check a row.
#[pg_extern(immutable, parallel_safe)]
#[allow(clippy::too_many_arguments, reason = "these are the columns")]
fn _is_memory(
    id: &str,
    content: &str,
    kind: &str,
    review_status: Option<&str>,
    importance: f32,
    confidence: f32,
    metadata_type: &str,
    version: i32,
    source_type: &str,
    field_key: Option<&str>,
    slot: Option<&str>,
) -> Result<bool> {
    let characters = |text: &str| if text.len() <= MAX_CONTENT { text.len() } else { text.chars().count() };
    let rules = [
        ("id", (1..=100).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())),
        ("content", (1..=MAX_CONTENT).contains(&characters(content))),
        ("kind", matches!(kind, "fact" | "preference" | "context" | "note" | "event" | "trait" | "profile_field")),
        ("review_status", matches!(review_status, None | Some("approved" | "declined"))),
        ("importance", (0.0..=1.0).contains(&importance)),
        ("confidence", (0.0..=1.0).contains(&confidence)),
        ("metadata", metadata_type == "object"),
        ("version", version >= 1),
        ("source_type", matches!(source_type, "chat" | "manual" | "api" | "inferred" | "document")),
        ("field_key", (kind == "profile_field") == field_key.is_some()),
        ("slot", slot.is_none() || field_key.is_none()),
    ];
    match rules.iter().find(|(_, holds)| !holds) {
        None => Ok(true),
        Some((column, _)) => Err(report(
            PgSqlErrorCode::ERRCODE_CHECK_VIOLATION,
            format!("new row for relation \"memory\" has an impossible value in column \"{column}\""),
        )
        .set_detail(format!("The row has the id \"{id}\"."))),
    }
}

/// Raises an error when the filters are malformed; NULL passes.
#[pg_extern(immutable, parallel_safe)]
fn _check_filters(filters: Option<JsonB>) -> Result<()> {
    filters.map_or(Ok(()), |filters| parse_filters(&filters).map(drop))
}

/// Whether metadata passes the filters.
#[pg_extern(immutable, strict, parallel_safe, cost = 20)]
fn _filter_matches(filters: JsonB, metadata: JsonB) -> Result<bool> {
    Ok(parse_filters(&filters)?.matches(&metadata.0))
}

/// Text without regard to case, the same on every server whatever its locale.
#[pg_extern(immutable, strict, parallel_safe)]
fn _fold_case(text: &str) -> String {
    rules::filter::fold_case(text)
}

/// The filters of a request, or the error that says where they are malformed.
pub fn parse_filters(filters: &JsonB) -> Result<Filter> {
    Filter::parse(&filters.0).map_err(|cause| {
        invalid_parameter_because("invalid filters", cause)
            .set_hint("Filters are {\"AND\": [...]} or {\"OR\": [...]} of conditions such as {\"key\": \"team\", \"value\": \"payments\"}.")
    })
}

/// A whole number, or NULL.
#[pg_extern(immutable, parallel_safe)]
fn _integer_or_null(text: &str) -> Option<i32> {
    text.parse().ok()
}

/// An ISO 8601 point in time, or NULL.
#[pg_extern(immutable, parallel_safe)]
fn _timestamp_or_null(text: &str) -> Option<TimestampWithTimeZone> {
    rules::time::parse_micros(text).ok().and_then(crate::api::learning::timestamp)
}

/// How many seconds the clock that an ISO 8601 point in time was read from is ahead of UTC, or NULL when that is not said; UTC
/// itself is what programs write anywhere.
#[pg_extern(immutable, parallel_safe)]
fn _utc_offset_or_null(text: &str) -> Option<i32> {
    rules::time::Moment::parse(text).ok()?.offset()
}

/// A UUID, or NULL.
#[pg_extern(immutable, parallel_safe)]
fn _uuid_or_null(text: &str) -> Option<pgrx::Uuid> {
    uuid::Uuid::try_parse(text).ok().map(|id| pgrx::Uuid::from_bytes(*id.as_bytes()))
}
