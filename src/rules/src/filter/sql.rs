//! A filter as SQL: fixed text and numbered parameters, never a character of the caller's input.
//!
//! Every condition comes out as true or false, never null, provided that the metadata expression is not null; so NOT, AND
//! and OR mean in SQL what they mean in [`Filter::matches`]. Exact equality and membership are containments (`@>`), which a
//! GIN index over the metadata answers: a text is tried as string and, where it reads as one, as number or boolean, and
//! `jsonb` compares numbers by value, which is the equality of their trimmed text.
//!
//! The functions and operators are those of `pg_catalog`: run the text under a pinned search path.

use std::fmt::Write;

use serde_json::json;

use super::{Condition, Decimal, Filter, Operator, Test};

/// Longest text that is tried as a number in an equality: longer than any number that JSON parsers produce.
const MAX_NUMBER_TEXT: usize = 1_000;

/// The SQL that a filter is compiled against. Both parts are constants of the program, as their type says.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// An expression of type `jsonb` that is never null, such as `m.metadata`.
    pub metadata: &'static str,
    /// The name of the SQL function that binds [`super::fold_case`], immutable and of one text.
    pub fold_case: &'static str,
}

/// A condition for a WHERE clause and its parameters, in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// The condition. It casts each parameter, so that all of them may be bound as text.
    pub sql: String,
    /// The parameters.
    pub params: Vec<Param>,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Param {
    /// A text.
    Text(String),
    /// The text of a JSON value, cast to `jsonb`.
    Json(String),
    /// The text of a number, cast to `numeric`.
    Numeric(String),
}

impl Param {
    /// The text to bind.
    pub fn as_str(&self) -> &str {
        match self {
            Param::Text(text) | Param::Json(text) | Param::Numeric(text) => text,
        }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Param::Text(_) => "text",
            Param::Json(_) => "jsonb",
            Param::Numeric(_) => "numeric",
        }
    }
}

impl Filter {
    /// The filter as SQL, with parameters numbered from `first_param`.
    pub fn compile(&self, target: Target, first_param: usize) -> Compiled {
        let mut writer = Writer { target, first_param, sql: String::new(), params: Vec::new() };
        writer.filter(self);
        Compiled { sql: writer.sql, params: writer.params }
    }
}

struct Writer {
    target: Target,
    first_param: usize,
    sql: String,
    params: Vec<Param>,
}

impl Writer {
    fn filter(&mut self, filter: &Filter) {
        match filter {
            Filter::All(parts) => self.group(parts, " AND ", "true"),
            Filter::Any(parts) => self.group(parts, " OR ", "false"),
            Filter::Is(condition) => self.condition(condition),
        }
    }

    fn group(&mut self, parts: &[Filter], between: &str, empty: &str) {
        if parts.is_empty() {
            self.sql.push_str(empty);
            return;
        }
        self.sql.push('(');
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.sql.push_str(between);
            }
            self.filter(part);
        }
        self.sql.push(')');
    }

    fn condition(&mut self, condition: &Condition) {
        let test = match &condition.test {
            Test::Equals(text) if text.ignore_case => {
                let scalar = self.scalar_text(&condition.key);
                let wanted = self.bind(Param::Text(text.folded()));
                format!("coalesce({}({scalar}) = {wanted}, false)", self.target.fold_case)
            }
            Test::Equals(text) => {
                let same: Vec<String> = json_forms(&text.text)
                    .into_iter()
                    .map(|form| self.contains(format!("{{{}:{form}}}", json!(condition.key))))
                    .collect();
                same.join(" OR ")
            }
            Test::StringContains(text) => {
                let scalar = self.scalar_text(&condition.key);
                let wanted = self.bind(Param::Text(text.folded()));
                let scalar = if text.ignore_case { format!("{}({scalar})", self.target.fold_case) } else { scalar };
                format!("coalesce(strpos({scalar} COLLATE \"C\", {wanted}) > 0, false)")
            }
            Test::ArrayContains(text) if text.ignore_case => {
                let (kind, value, _) = self.value(&condition.key);
                let wanted = self.bind(Param::Text(text.folded()));
                format!(
                    "EXISTS (SELECT FROM jsonb_array_elements(CASE {kind} WHEN 'array' THEN {value} ELSE '[]'::jsonb END) \
                     AS element (item) WHERE jsonb_typeof(item) = 'string' AND {}(item #>> '{{}}') = {wanted})",
                    self.target.fold_case
                )
            }
            Test::ArrayContains(text) => self.contains(json!({ &condition.key: [text.text] }).to_string()),
            Test::Numeric(operator, number) => {
                let value = self.number(&condition.key);
                let wanted = self.bind(Param::Numeric(number.to_string()));
                match operator {
                    Operator::NotEqual => format!("{value} IS DISTINCT FROM {wanted}"),
                    _ => format!("coalesce({value} {} {wanted}, false)", sign(*operator)),
                }
            }
        };
        let not = if condition.negate { "NOT " } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(self.sql, "{not}({test})");
    }

    /// A parameter's placeholder with its cast.
    fn bind(&mut self, param: Param) -> String {
        let placeholder = format!("${}::{}", self.first_param + self.params.len(), param.type_name());
        self.params.push(param);
        placeholder
    }

    fn contains(&mut self, json: String) -> String {
        let wanted = self.bind(Param::Json(json));
        format!("({}) @> {wanted}", self.target.metadata)
    }

    /// The type of the value under a key, the value, and its text.
    fn value(&mut self, key: &str) -> (String, String, String) {
        let key = self.bind(Param::Text(key.to_owned()));
        let metadata = self.target.metadata;
        (
            format!("jsonb_typeof(({metadata}) -> {key})"),
            format!("(({metadata}) -> {key})"),
            format!("(({metadata}) ->> {key})"),
        )
    }

    /// The text of a string, boolean or number; null for the rest.
    fn scalar_text(&mut self, key: &str) -> String {
        let (kind, _, text) = self.value(key);
        format!(
            "(CASE {kind} WHEN 'string' THEN {text} WHEN 'boolean' THEN {text} \
             WHEN 'number' THEN trim_scale({text}::numeric)::text END)"
        )
    }

    /// The value of a number, or of a string that is written as one; null for the rest. The pattern bounds what is cast.
    fn number(&mut self, key: &str) -> String {
        let (kind, _, text) = self.value(key);
        format!(
            "(CASE {kind} WHEN 'number' THEN {text}::numeric WHEN 'string' THEN \
             CASE WHEN {text} COLLATE \"C\" ~ '{}' THEN {text}::numeric END END)",
            Decimal::PATTERN
        )
    }
}

/// The JSON values whose text is this text.
fn json_forms(text: &str) -> Vec<String> {
    let mut forms = vec![json!(text).to_string()];
    let number = if text.len() <= MAX_NUMBER_TEXT { Decimal::read_plain(text) } else { None };
    if text == "true" || text == "false" || number.is_some() {
        forms.push(text.to_owned());
    }
    forms
}

fn sign(operator: Operator) -> &'static str {
    match operator {
        Operator::Less => "<",
        Operator::LessOrEqual => "<=",
        Operator::Greater => ">",
        Operator::GreaterOrEqual => ">=",
        Operator::Equal => "=",
        Operator::NotEqual => "<>",
    }
}
