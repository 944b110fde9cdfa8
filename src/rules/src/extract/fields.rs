//! The fields of the profile: which of them a statement fills, and the value in the type the schema asks for.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};
use serde_json::{Number, Value};

use super::dates::{self, Tense, Wall};
use super::markup::bare_key;
use super::person;
use super::rulebook::{RuleBook, SUBJECT, capitalized, normal_key};
use super::{Field, FieldSpec, MAX_CONFIDENCE, zones};

/// How sure a zone is that was told by the place the subject lives in.
const ZONE_OF_HOME: f32 = 0.6;

/// The longest value kept.
const MAX_VALUE: usize = 500;

/// A field with what was prepared for finding it.
struct Wanted<'a> {
    spec: &'a FieldSpec,
    slot: Option<String>,
    pattern: Option<Regex>,
}

/// Collects values for the fields of a schema.
pub(super) struct Fields<'a> {
    book: &'a RuleBook,
    now: Wall,
    wanted: Vec<Wanted<'a>>,
    found: HashMap<&'a str, Field>,
    pub(super) notes: Vec<String>,
}

/// The four fields of a project that has stated no schema.
pub(super) fn system_fields() -> &'static [FieldSpec] {
    static SYSTEM: LazyLock<Vec<FieldSpec>> = LazyLock::new(|| {
        [("name", "text"), ("email", "email"), ("timezone", "timezone"), ("language", "text")]
            .map(|(key, kind)| FieldSpec { key: key.into(), field_type: kind.into(), ..FieldSpec::default() })
            .into()
    });
    &SYSTEM
}

impl<'a> Fields<'a> {
    /// Prepares the fields of a schema; a pattern that does not compile is noted and left out.
    pub(super) fn new(book: &'a RuleBook, schema: &'a [FieldSpec], now: Wall) -> Self {
        let schema = if schema.is_empty() { system_fields() } else { schema };
        let mut notes = Vec::new();
        let wanted = schema
            .iter()
            .map(|spec| {
                let pattern = spec.pattern.as_deref().filter(|pattern| !pattern.is_empty()).and_then(|pattern| {
                    match compile(pattern) {
                        Ok(compiled) => Some(compiled),
                        Err(_) => {
                            notes.push(format!("the pattern of field \"{}\" does not compile", spec.key));
                            None
                        }
                    }
                });
                let slot = book.slot_of_key(&spec.key).or_else(|| book.slot_of_key(spec.label.as_deref()?));
                Wanted { spec, slot: slot.map(str::to_owned), pattern }
            })
            .collect();
        Fields { book, now, wanted, found: HashMap::new(), notes }
    }

    /// The values found, in the order of the schema.
    pub(super) fn finish(mut self) -> (Vec<Field>, Vec<String>) {
        let fields = self.wanted.iter().filter_map(|wanted| self.found.remove(wanted.spec.key.as_str())).collect();
        (fields, self.notes)
    }

    /// A key and its value, as in JSON or a "key: value" line. Says whether a field took it.
    pub(super) fn pair(&mut self, key: &str, value: &Value, slot: Option<&str>, span: &Range<usize>) -> bool {
        let key = normal_key(bare_key(key));
        let mut taken = false;
        for at in 0..self.wanted.len() {
            let spec = self.wanted[at].spec;
            let named = normal_key(&spec.key) == key || spec.label.as_deref().is_some_and(|l| normal_key(l) == key);
            if named || slot.is_some() && self.wanted[at].slot.as_deref() == slot {
                taken |= named;
                self.put(at, value, if named { 0.95 } else { 0.9 }, span);
            }
        }
        if slot == Some("home")
            && let Value::String(place) = value
        {
            self.zone_of(place, span);
        }
        taken
    }

    /// A value that a rule found for a slot.
    pub(super) fn slot(&mut self, slot: &str, value: &str, confidence: f32, span: &Range<usize>) {
        for at in 0..self.wanted.len() {
            if self.wanted[at].slot.as_deref() == Some(slot) {
                self.put(at, &Value::String(value.to_owned()), confidence, span);
            }
        }
        if matches!(slot, "home" | "city") {
            self.zone_of(value, span);
        }
    }

    fn zone_of(&mut self, place: &str, span: &Range<usize>) {
        if let Some((zone, zones::Named::Place)) = zones::find(place) {
            for at in 0..self.wanted.len() {
                if self.wanted[at].slot.as_deref() == Some("timezone") {
                    self.put(at, &Value::String(zone.clone()), ZONE_OF_HOME, span);
                }
            }
        }
    }

    /// A canonical statement: "{S}'s <label> is …", a pattern of the schema, or a listed value next to the field's name.
    pub(super) fn statement(&mut self, canonical: &str, span: &Range<usize>) {
        let owns = &self.book.owns;
        if let Some(groups) = owns.captures(canonical)
            && let (Some(key), Some(value)) = (groups.name("k"), groups.name("v"))
        {
            let (key, value) =
                (normal_key(key.as_str()), Value::String(person::render_part(self.book, value.as_str(), None)));
            for at in 0..self.wanted.len() {
                let spec = self.wanted[at].spec;
                let label = spec.label.as_deref().is_some_and(|label| normal_key(label) == key);
                // What a rule finds for a slot is cut more finely than the rest of the sentence.
                if (label || normal_key(&spec.key) == key) && self.wanted[at].slot.is_none() {
                    self.put(at, &value, 0.85, span);
                }
            }
        }
        let lower = canonical.to_lowercase();
        // "My team size is 12" does not speak of the plan "team": what is said of a thing is not its name.
        let said = owns
            .captures(canonical)
            .and_then(|groups| groups.name("v"))
            .map_or(lower.clone(), |v| v.as_str().to_lowercase());
        for at in 0..self.wanted.len() {
            let spec = self.wanted[at].spec;
            if let Some(pattern) = &self.wanted[at].pattern
                && let Some(groups) = pattern.captures(&canonical.replace(SUBJECT, "User"))
                && let Some(value) = groups.get(1).or_else(|| groups.get(0))
            {
                let value = Value::String(value.as_str().to_owned());
                self.put(at, &value, 0.8, span);
            }
            if spec.enum_values.is_empty() {
                continue;
            }
            let listed: Vec<&String> = spec.enum_values.iter().filter(|v| has_word(&said, &v.to_lowercase())).collect();
            if let [value] = listed[..]
                && !self.book.denied.found_in(&lower)
            {
                let names = spec.key.split(['_', '-', ' ']).chain(spec.label.iter().flat_map(|label| label.split(' ')));
                let named = names.filter(|word| word.len() > 3).any(|word| lower.contains(&word.to_lowercase()));
                let value = Value::String(value.clone());
                self.put(at, &value, if named { 0.8 } else { 0.55 }, span);
            }
        }
    }

    fn put(&mut self, at: usize, value: &Value, confidence: f32, span: &Range<usize>) {
        let Wanted { spec, slot, .. } = &self.wanted[at];
        let spec = *spec;
        let Some(value) = self.typed(spec, slot.as_deref(), value) else { return };
        let confidence = confidence.min(MAX_CONFIDENCE);
        let field = Field { key: spec.key.clone(), value, confidence, evidence: span.clone() };
        match self.found.get_mut(spec.key.as_str()) {
            // Lists grow: each statement adds to what was found before.
            Some(Field { value: Value::Array(items), confidence: known, .. }) if field.value.is_array() => {
                if let Value::Array(more) = field.value {
                    for item in more {
                        if !items.contains(&item) {
                            items.push(item);
                        }
                    }
                }
                *known = known.max(confidence);
            }
            Some(known) if known.confidence > confidence => {}
            _ => {
                self.found.insert(spec.key.as_str(), field);
            }
        }
    }

    /// The value in the type of the field; `None` when it is not one.
    fn typed(&self, spec: &FieldSpec, slot: Option<&str>, value: &Value) -> Option<Value> {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            _ => return None,
        };
        if text.is_empty() || text.len() > MAX_VALUE {
            return None;
        }
        let kind = if spec.enum_values.is_empty() { spec.field_type.as_str() } else { "select" };
        match kind {
            "email" => email(&text).map(Value::String),
            "timezone" => zones::find(&text).map(|(zone, _)| Value::String(zone)),
            "number" | "integer" => {
                let digits: String = text.replace(',', "");
                let number =
                    digits.split_whitespace().find_map(|word| word.trim_end_matches('%').parse::<f64>().ok())?;
                if number.fract() == 0.0 && number.abs() < 9e15 {
                    Some(Value::Number((number as i64).into()))
                } else {
                    Number::from_f64(number).map(Value::Number)
                }
            }
            "boolean" => match text.to_lowercase().as_str() {
                "true" | "yes" | "y" | "on" | "ja" => Some(Value::Bool(true)),
                "false" | "no" | "n" | "off" | "nein" => Some(Value::Bool(false)),
                _ => None,
            },
            "date" => {
                let when = dates::find(self.book, &text, self.now, Tense::Past).into_iter().next()?;
                (when.start == when.end).then(|| Value::String(when.start.to_string()))
            }
            "url" => {
                let url = text.starts_with("http://") || text.starts_with("https://");
                (url && !text.contains(char::is_whitespace)).then_some(Value::String(text))
            }
            "phone" => phone(&text).map(Value::String),
            "select" | "enum" => {
                let found = spec.enum_values.iter().find(|known| known.to_lowercase() == text.to_lowercase());
                let worded = || {
                    let lower = text.to_lowercase();
                    spec.enum_values.iter().find(|known| has_word(&lower, &known.to_lowercase()))
                };
                found.or_else(worded).map(|known| Value::String(known.clone()))
            }
            "array" => {
                let items = match value {
                    Value::Array(items) => items.clone(),
                    _ => text
                        .replace(&self.book.wording.and, ", ")
                        .split([',', ';'])
                        .map(str::trim)
                        .filter(|s| !s.is_empty())
                        .map(Value::from)
                        .collect(),
                };
                (!items.is_empty()).then_some(Value::Array(items))
            }
            _ => match slot {
                Some("name") => name(self.book, &text).map(Value::String),
                Some("email") => email(&text).map(Value::String),
                Some("timezone") => zones::find(&text).map(|(zone, _)| Value::String(zone)),
                Some("language") => {
                    let first = text.split([',', ' ', '-', '_']).next().unwrap_or_default();
                    let known = self.book.languages.contains(&first.to_lowercase());
                    Some(Value::String(if known { capitalized(&first.to_lowercase()) } else { text }))
                }
                _ => Some(Value::String(text.trim_end_matches('.').to_owned())),
            },
        }
    }
}

/// A name as it is written; one in small letters gets its capitals. `None` when the words are no name.
pub(super) fn name(book: &RuleBook, text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches(['.', ',', '!']);
    let words: Vec<&str> = text.split_whitespace().collect();
    let first = words.first()?.to_lowercase();
    let lettered = |word: &&str| word.chars().all(|c| !c.is_numeric() && !"@/:\"()[]{}<>".contains(c));
    if words.len() > 5 || text.len() > 100 || !words.iter().all(lettered) || book.not_names.contains(&first) {
        return None;
    }
    if !text.contains(char::is_uppercase) {
        return Some(words.iter().map(|word| capitalized(word)).collect::<Vec<_>>().join(" "));
    }
    Some(words.join(" "))
}

fn email(text: &str) -> Option<String> {
    static EMAIL: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"[\w.+%-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+").expect("a valid pattern"));
    let found = EMAIL.find(text)?.as_str().trim_matches(['.', '-']);
    (found.len() <= 254).then(|| found.to_owned())
}

fn phone(text: &str) -> Option<String> {
    static PHONE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\+?\(?\d[\d ().-]{5,20}\d").expect("a valid pattern"));
    let found = PHONE.find(text)?.as_str();
    let digits = found.chars().filter(char::is_ascii_digit).count();
    (7..=15).contains(&digits).then(|| found.to_owned())
}

/// Whether a text holds some words as words.
fn has_word(text: &str, words: &str) -> bool {
    if words.is_empty() {
        return false;
    }
    text.match_indices(words).any(|(at, found)| {
        let before = text[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric());
        let after = text[at + found.len()..].chars().next().is_none_or(|c| !c.is_alphanumeric());
        before && after
    })
}

/// A pattern of a schema, compiled. It is a stranger's: its size is limited, and its time is linear by construction.
fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(1 << 20).build()
}

/// Whether a pattern can be used in a schema, and if not, why.
pub fn check_pattern(pattern: &str) -> Result<(), String> {
    compile(pattern).map(drop).map_err(|error| error.to_string().replace('\n', " "))
}

/// Whether a value is what a field's pattern finds in a text, or in the value itself.
pub fn matches_pattern(pattern: &str, value: &str, text: &str) -> bool {
    let Ok(pattern) = compile(pattern) else { return false };
    let finds = |text: &str| {
        pattern
            .captures_iter(text)
            .any(|groups| groups.get(1).or_else(|| groups.get(0)).is_some_and(|found| found.as_str() == value))
    };
    finds(value) || finds(text)
}
