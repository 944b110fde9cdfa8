//! Metadata filters: the documented grammar read into a tree, and what the tree means.
//!
//! ```text
//! filters   := {"AND": [node, …]} | {"OR": [node, …]}      the object, or a JSON string that holds it
//! node      := condition | {"AND": […]} | {"OR": […]}
//! condition := {"key", "value", "filterType"?, "negate"?, "ignoreCase"?, "numericOperator"?}
//! ```
//!
//! The same tree is evaluated in two places that must agree to the last row: [`Filter::matches`] says what a filter
//! means, [`Filter::compile`] says it in SQL. What the documents leave open is settled here, once:
//!
//! * **The text of a value** is the string itself, `true` or `false`, or the plain decimal form of a number without
//!   needless zeros (`5` for 5, 5.0 and 5e0), as JavaScript clients see it. Equality and `string_contains` compare this
//!   text, so `"5"` finds 5 and 5 finds `"5"`. Arrays and nulls have no text.
//! * **`numeric`** compares values, exactly. A metadata string counts if it is written as a number of at most 64 digits
//!   on each side of the point; any other value is no number and no error.
//! * **`negate`** is NOT, so it also finds the rows that lack the key. On `numeric` it flips the operator, as documented:
//!   `<` becomes `>=`, which again needs a number to be true, while `=` becomes `!=`, which is true of rows without one.
//! * **`ignoreCase`** folds case one character at a time, without a locale, for every type that compares text.
//! * **Null members are absent members**, since one of the SDKs writes them out. `{}`, null and `{"AND": []}` are no filter
//!   at all; `{"OR": []}` finds nothing.
//! * A member that the grammar does not know is an error, never ignored.

use std::fmt;

use serde_json::{Map, Value};

use crate::ids::{InvalidName, check_metadata_key};

mod decimal;
mod sql;
#[cfg(test)]
mod tests;

pub use decimal::Decimal;
pub use sql::{Compiled, Param, Target};

/// Most conditions in one filter; the groups around them are bounded by the same number.
pub const MAX_CONDITIONS: usize = 200;
/// Most groups inside each other.
pub const MAX_DEPTH: usize = 8;

/// A filter over the metadata of a memory or document.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Every part holds; true when there are none.
    All(Vec<Filter>),
    /// Some part holds; false when there are none.
    Any(Vec<Filter>),
    /// One condition holds.
    Is(Condition),
}

/// A test of the value under one key.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The metadata key, taken literally: a dot is part of it.
    pub key: String,
    /// The test.
    pub test: Test,
    /// Whether the rows that fail the test are wanted. Never set on [`Test::Numeric`], whose operator is flipped instead.
    pub negate: bool,
}

/// What is asked of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Its text is this text.
    Equals(Text),
    /// Its text contains this text; `%` and `_` are ordinary characters.
    StringContains(Text),
    /// It is an array with this string among its elements.
    ArrayContains(Text),
    /// It is a number that compares so with this one.
    Numeric(Operator, Decimal),
}

/// Text to compare with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The text as given.
    pub text: String,
    /// Whether case is ignored.
    pub ignore_case: bool,
}

/// How two numbers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `=`
    Equal,
    /// `!=`, which only `negate` makes; it holds for a value that is no number, too.
    NotEqual,
}

impl Operator {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "<" => Operator::Less,
            "<=" => Operator::LessOrEqual,
            ">" => Operator::Greater,
            ">=" => Operator::GreaterOrEqual,
            "=" => Operator::Equal,
            _ => return None,
        })
    }

    fn flipped(self) -> Self {
        match self {
            Operator::Less => Operator::GreaterOrEqual,
            Operator::LessOrEqual => Operator::Greater,
            Operator::Greater => Operator::LessOrEqual,
            Operator::GreaterOrEqual => Operator::Less,
            Operator::Equal => Operator::NotEqual,
            Operator::NotEqual => Operator::Equal,
        }
    }
}

/// Why a filter was refused, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    /// The place, such as `filters.AND[1].key`.
    pub path: String,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong at one place of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The key is not one that metadata can have.
    Key(InvalidName),
    /// The grammar is not kept; the reason in words.
    Structure(&'static str),
    /// Too many conditions or too deep.
    TooComplex(&'static str),
}

impl FilterError {
    /// The message that the API documents for this fault.
    pub fn message(&self) -> &'static str {
        match self.fault {
            Fault::Key(InvalidName::Character { .. }) => "Invalid metadata key: contains unsafe characters",
            Fault::Key(_) | Fault::Structure(_) => "Invalid filter structure",
            Fault::TooComplex(_) => "Query exceeds maximum complexity",
        }
    }

    /// The place and the reason, for the caller who has to mend it.
    pub fn detail(&self) -> String {
        match &self.fault {
            Fault::Key(name) => format!("{}: {name}", self.path),
            Fault::Structure(reason) | Fault::TooComplex(reason) => format!("{}: {reason}", self.path),
        }
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message(), self.detail())
    }
}

impl std::error::Error for FilterError {}

impl Filter {
    /// Reads the `filters` member of a request.
    pub fn parse(filters: &Value) -> Result<Self, FilterError> {
        match filters {
            Value::String(text) => {
                let parsed = serde_json::from_str(text).map_err(|_| structure("filters", "is not valid JSON"))?;
                Parser::default().top(&parsed)
            }
            other => Parser::default().top(other),
        }
    }

    /// Whether there is nothing to test.
    pub fn is_empty(&self) -> bool {
        matches!(self, Filter::All(parts) if parts.iter().all(Filter::is_empty))
    }

    /// Whether a row with this metadata is wanted. Metadata that is not an object has no keys.
    pub fn matches(&self, metadata: &Value) -> bool {
        match self {
            Filter::All(parts) => parts.iter().all(|part| part.matches(metadata)),
            Filter::Any(parts) => parts.iter().any(|part| part.matches(metadata)),
            Filter::Is(condition) => condition.matches(metadata),
        }
    }
}

impl Condition {
    fn matches(&self, metadata: &Value) -> bool {
        let value = metadata.as_object().and_then(|map| map.get(&self.key));
        let holds = match &self.test {
            Test::Equals(wanted) => text_of(value).is_some_and(|text| wanted.equals(&text)),
            Test::StringContains(wanted) => text_of(value).is_some_and(|text| wanted.is_within(&text)),
            Test::ArrayContains(wanted) => {
                let items = value.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                items.iter().filter_map(Value::as_str).any(|item| wanted.equals(item))
            }
            Test::Numeric(operator, wanted) => match number_of(value) {
                None => *operator == Operator::NotEqual,
                Some(number) => {
                    let order = number.cmp(wanted);
                    match operator {
                        Operator::Less => order.is_lt(),
                        Operator::LessOrEqual => order.is_le(),
                        Operator::Greater => order.is_gt(),
                        Operator::GreaterOrEqual => order.is_ge(),
                        Operator::Equal => order.is_eq(),
                        Operator::NotEqual => order.is_ne(),
                    }
                }
            },
        };
        holds != self.negate
    }
}

impl Text {
    /// The text as it is compared: folded where case is ignored.
    fn folded(&self) -> String {
        if self.ignore_case { fold_case(&self.text) } else { self.text.clone() }
    }

    fn equals(&self, text: &str) -> bool {
        if self.ignore_case { fold_case(text) == fold_case(&self.text) } else { text == self.text }
    }

    fn is_within(&self, text: &str) -> bool {
        if self.ignore_case { fold_case(text).contains(&fold_case(&self.text)) } else { text.contains(&self.text) }
    }
}

/// Text without its case: every character in lower case by itself, and the final sigma as any other.
///
/// Free of locale and of context, so that the folded part of a text is a part of the folded text.
pub fn fold_case(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }).collect()
}

fn text_of(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Decimal::of_number(number).map(|decimal| decimal.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn number_of(value: Option<&Value>) -> Option<Decimal> {
    match value? {
        Value::Number(number) => Decimal::of_number(number),
        Value::String(text) => Decimal::parse(text),
        _ => None,
    }
}

fn structure(path: &str, reason: &'static str) -> FilterError {
    FilterError { path: path.to_owned(), fault: Fault::Structure(reason) }
}

/// Reads a filter and counts what it reads.
#[derive(Default)]
struct Parser {
    conditions: usize,
    groups: usize,
}

impl Parser {
    fn top(&mut self, filters: &Value) -> Result<Filter, FilterError> {
        let path = "filters";
        match filters {
            Value::Null => Ok(Filter::All(Vec::new())),
            Value::Object(map) if map.values().all(Value::is_null) => Ok(Filter::All(Vec::new())),
            Value::Object(map) if present(map, "AND").is_none() && present(map, "OR").is_none() => {
                Err(structure(path, "must be an object with AND or OR, a condition stands inside one of them"))
            }
            Value::Object(map) => self.group(map, path, 1),
            _ => Err(structure(path, "must be an object with AND or OR")),
        }
    }

    fn group(&mut self, map: &Map<String, Value>, path: &str, depth: usize) -> Result<Filter, FilterError> {
        if depth > MAX_DEPTH {
            return Err(too_complex(path, "is nested deeper than 8 levels"));
        }
        self.groups += 1;
        if self.groups > MAX_CONDITIONS {
            return Err(too_complex(path, "is more than the 200th group"));
        }
        check_members(map, path, &["AND", "OR"])?;
        let (name, parts) = match (present(map, "AND"), present(map, "OR")) {
            (Some(parts), None) => ("AND", parts),
            (None, Some(parts)) => ("OR", parts),
            _ => return Err(structure(path, "must have either AND or OR")),
        };
        let path = format!("{path}.{name}");
        let parts = parts.as_array().ok_or_else(|| structure(&path, "must be an array"))?;
        let parts = parts
            .iter()
            .enumerate()
            .map(|(index, part)| self.node(part, &format!("{path}[{index}]"), depth))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(if name == "AND" { Filter::All(parts) } else { Filter::Any(parts) })
    }

    fn node(&mut self, node: &Value, path: &str, depth: usize) -> Result<Filter, FilterError> {
        let map = node.as_object().ok_or_else(|| structure(path, "must be a condition or a group"))?;
        if present(map, "AND").is_some() || present(map, "OR").is_some() {
            return self.group(map, path, depth + 1);
        }
        self.conditions += 1;
        if self.conditions > MAX_CONDITIONS {
            return Err(too_complex(path, "is more than the 200th condition"));
        }
        condition(map, path).map(Filter::Is)
    }
}

fn too_complex(path: &str, reason: &'static str) -> FilterError {
    FilterError { path: path.to_owned(), fault: Fault::TooComplex(reason) }
}

fn condition(map: &Map<String, Value>, path: &str) -> Result<Condition, FilterError> {
    const MEMBERS: &[&str] = &["key", "value", "filterType", "negate", "ignoreCase", "numericOperator"];
    check_members(map, path, &[MEMBERS, &["AND", "OR"]].concat())?;
    let key = key(map, path)?;
    let negate = flag(map, path, "negate")?;
    let ignore_case = flag(map, path, "ignoreCase")?;
    let filter_type = word(map, path, "filterType")?.unwrap_or("metadata");
    if filter_type != "numeric" && present(map, "numericOperator").is_some() {
        return Err(structure(&format!("{path}.numericOperator"), "needs filterType numeric"));
    }
    let value = value(map, path)?;
    let text = Text { text: value, ignore_case };
    let test = match filter_type {
        "metadata" => Test::Equals(text),
        "string_contains" => Test::StringContains(text),
        "array_contains" => Test::ArrayContains(text),
        "numeric" => {
            let operator = operator(map, path)?;
            let number = Decimal::parse(&text.text)
                .ok_or_else(|| structure(&format!("{path}.value"), "must be a number for filterType numeric"))?;
            let operator = if negate { operator.flipped() } else { operator };
            return Ok(Condition { key, test: Test::Numeric(operator, number), negate: false });
        }
        _ => {
            let reason = "must be metadata, numeric, array_contains or string_contains";
            return Err(structure(&format!("{path}.filterType"), reason));
        }
    };
    Ok(Condition { key, test, negate })
}

fn present<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    map.get(name).filter(|value| !value.is_null())
}

fn check_members(map: &Map<String, Value>, path: &str, known: &[&str]) -> Result<(), FilterError> {
    match map.iter().find(|(name, value)| !known.contains(&name.as_str()) && !value.is_null()) {
        None => Ok(()),
        Some((name, _)) => {
            Err(structure(&format!("{path}.{}", name.escape_debug()), "is not part of the filter grammar"))
        }
    }
}

fn word<'a>(map: &'a Map<String, Value>, path: &str, name: &str) -> Result<Option<&'a str>, FilterError> {
    match present(map, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(structure(&format!("{path}.{name}"), "must be a string")),
    }
}

fn flag(map: &Map<String, Value>, path: &str, name: &str) -> Result<bool, FilterError> {
    match present(map, name) {
        None => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(Value::String(text)) if text == "true" => Ok(true),
        Some(Value::String(text)) if text == "false" => Ok(false),
        Some(_) => Err(structure(&format!("{path}.{name}"), "must be true or false")),
    }
}

fn key(map: &Map<String, Value>, path: &str) -> Result<String, FilterError> {
    let path = format!("{path}.key");
    match present(map, "key") {
        None => Err(structure(&path, "is required")),
        Some(Value::String(key)) => match check_metadata_key(key) {
            Ok(()) => Ok(key.clone()),
            Err(name) => Err(FilterError { path, fault: Fault::Key(name) }),
        },
        Some(_) => Err(structure(&path, "must be a string")),
    }
}

fn value(map: &Map<String, Value>, path: &str) -> Result<String, FilterError> {
    let path = format!("{path}.value");
    let value = present(map, "value").ok_or_else(|| structure(&path, "is required"))?;
    let text = text_of(Some(value)).ok_or_else(|| structure(&path, "must be a string, a number or a boolean"))?;
    if text.contains('\0') {
        return Err(structure(&path, "must not contain the character NUL"));
    }
    Ok(text)
}

fn operator(map: &Map<String, Value>, path: &str) -> Result<Operator, FilterError> {
    match word(map, path, "numericOperator")? {
        None => Ok(Operator::Equal),
        Some(name) => Operator::parse(name)
            .ok_or_else(|| structure(&format!("{path}.numericOperator"), "must be one of < <= > >= =")),
    }
}
