//! JSON documents: message arrays, activity records, objects whose keys say something. Values keep their place in the
//! input: the raw text of a value is a slice of it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::rulebook::{RuleBook, normal_key};
use super::source::{Place, Setting, Source, Speaker, Turn, Unit, assign, lines, role_of};
use super::{Input, Role};
use crate::time::Moment;

/// Deeper values are skipped: each level is parsed anew, and nobody's profile lies deeper.
const MAX_DEPTH: usize = 12;

/// Objects that merely wrap what is said of the subject.
const WRAPPERS: [&str; 30] = [
    "user",
    "profile",
    "person",
    "data",
    "attributes",
    "customer",
    "account",
    "info",
    "coreinfo",
    "personal",
    "personalinfo",
    "details",
    "traits",
    "fields",
    "identity",
    "address",
    "location",
    "home",
    "contact",
    "contactinfo",
    "contacts",
    "work",
    "job",
    "employment",
    "demographics",
    "basics",
    "about",
    "bio",
    "me",
    "locale",
];

/// Arrays whose objects are each the record of a person.
const ROSTERS: [&str; 5] = ["users", "people", "persons", "profiles", "customers"];

/// Members of a record that identify it and say nothing.
const IDENTIFIERS: [&str; 10] =
    ["id", "uuid", "guid", "createdat", "updatedat", "avatar", "avatarurl", "image", "imageurl", "url"];

/// The key under which a member of an object, or a line below a label, is read: what belongs to somebody or something
/// else bears their name.
pub(super) fn path_of(book: &RuleBook, parent: &str, name: &str) -> String {
    let plain = normal_key(parent);
    match plain.as_str() {
        "" => spaced(name),
        _ if WRAPPERS.contains(&plain.as_str()) => spaced(name),
        // A company's or manager's name stands for them.
        _ if book.key(parent).is_some() && matches!(normal_key(name).as_str(), "name" | "fullname" | "title") => {
            spaced(parent)
        }
        "preferences" | "settings" | "options" if book.key(name).is_none() => format!("{} preference", spaced(name)),
        "preferences" | "settings" | "options" => spaced(name),
        _ => format!("{} {}", spaced(parent), spaced(name)),
    }
}

/// A value and the input it was read from.
pub(super) struct Document<'a> {
    roots: Vec<&'a RawValue>,
    text: &'a str,
}

/// One level of a value.
enum Node<'a> {
    Object(Vec<(Cow<'a, str>, &'a RawValue)>),
    Array(Vec<&'a RawValue>),
    Scalar(Value),
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Level;
        impl<'de> Visitor<'de> for Level {
            type Value = Node<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    entries.push((Cow::Owned(key), value));
                }
                Ok(Node::Object(entries))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node<'de>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element::<&'de RawValue>()? {
                    items.push(item);
                }
                Ok(Node::Array(items))
            }
        }
        deserializer.deserialize_any(Level)
    }
}

/// Reads one level of a value.
fn node(raw: &RawValue) -> Option<Node<'_>> {
    match raw.get().as_bytes().first()? {
        b'{' | b'[' => serde_json::from_str(raw.get()).ok(),
        _ => serde_json::from_str(raw.get()).ok().map(Node::Scalar),
    }
}

/// The document, or several of them on lines of their own.
pub(super) fn parse(text: &str) -> Option<Document<'_>> {
    if let Ok(root) = serde_json::from_str::<&RawValue>(text) {
        return Some(Document { roots: vec![root], text });
    }
    let written = lines(text).filter(|(_, line)| !line.trim().is_empty());
    let roots: Option<Vec<&RawValue>> = written
        .map(|(_, line)| serde_json::from_str(line).ok().filter(|_| line.trim_start().starts_with('{')))
        .collect();
    roots.filter(|roots| roots.len() > 1).map(|roots| Document { roots, text })
}

struct Reader<'a, 's> {
    book: &'s RuleBook,
    text: &'a str,
    units: Vec<Unit<'a>>,
    turns: Vec<Turn<'a>>,
}

/// Reads a document into units and messages.
pub(super) fn read<'a>(book: &RuleBook, document: Document<'a>, source: &mut Source<'a>, input: &Input<'_>) {
    let mut reader = Reader { book, text: document.text, units: Vec::new(), turns: Vec::new() };
    if document.roots.len() > 1 {
        reader.array(&document.roots, "", 0);
    } else {
        for root in document.roots {
            reader.value(root, "", 0);
        }
    }
    assign(reader.turns, input, source);
    source.units.append(&mut reader.units);
}

impl<'a> Reader<'a, '_> {
    /// The place of a raw value in the input, of which it is a slice.
    fn span(&self, raw: &RawValue) -> Range<usize> {
        let start = (raw.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize).min(self.text.len());
        start..(start + raw.get().len()).min(self.text.len())
    }

    fn value(&mut self, raw: &'a RawValue, key: &str, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        match node(raw) {
            Some(Node::Object(entries)) => self.object(&entries, key, depth),
            Some(Node::Array(items)) => self.array(&items, key, depth),
            Some(Node::Scalar(value)) => self.scalar(key, value, self.span(raw)),
            None => {}
        }
    }

    fn object(&mut self, entries: &[(Cow<'a, str>, &'a RawValue)], key: &str, depth: usize) {
        // {"value": "Sarah", "confidence": 0.9} is the value of its key, {"key": "name", "value": "Sarah"} names it.
        let get = |name: &str| entries.iter().find(|(k, _)| normal_key(k) == name).map(|(_, raw)| *raw);
        if let Some(value) = get("value") {
            let named = ["key", "fieldkey", "name", "field"].iter().find_map(|name| get(name)).and_then(string);
            let name = named.unwrap_or_else(|| key.to_owned());
            return self.value(value, &name, depth + 1);
        }
        if let (Some(first), Some(last)) = (get("firstname"), get("lastname").or_else(|| get("surname")))
            && let (Some(first), Some(family), false) = (string(first), string(last), get("name").is_some())
        {
            let span = self.span(last);
            self.units.push(Unit::Pair {
                key: "name".to_owned(),
                value: Value::String(format!("{first} {family}")),
                span,
            });
        }
        for (name, raw) in entries {
            let plain = normal_key(name);
            if matches!(plain.as_str(), "firstname" | "lastname" | "surname") {
                continue;
            }
            self.value(raw, &path_of(self.book, key, name), depth + 1);
        }
    }

    fn array(&mut self, items: &[&'a RawValue], key: &str, depth: usize) {
        let mut scalars = Vec::new();
        let mut span: Option<Range<usize>> = None;
        for raw in items {
            match node(raw) {
                Some(Node::Scalar(value)) if !value.is_null() => {
                    let here = self.span(raw);
                    span = Some(span.map_or(here.clone(), |s| s.start..here.end));
                    scalars.push(value);
                }
                Some(Node::Object(entries)) => self.element(&entries, key, depth),
                Some(Node::Array(inner)) if depth < MAX_DEPTH => self.array(&inner, key, depth + 1),
                _ => {}
            }
        }
        if let Some(span) = span {
            self.scalar(key, Value::Array(scalars), span);
        }
    }

    /// An object in an array: a message, an entry of a log, or just an object.
    fn element(&mut self, entries: &[(Cow<'a, str>, &'a RawValue)], key: &str, depth: usize) {
        if self.message(entries) || self.record(entries) {
            return;
        }
        let named = entries.iter().find(|(name, _)| matches!(normal_key(name).as_str(), "name" | "fullname"));
        let named = named.and_then(|(_, raw)| Some((string(raw)?, self.span(raw))));
        let plain = normal_key(key);
        match named {
            Some((name, span)) if plain.is_empty() || ROSTERS.contains(&plain.as_str()) => {
                self.units.push(Unit::Person { name: Some(name), span: span.clone() });
                self.object(entries, "", depth + 1);
                self.units.push(Unit::Person { name: None, span });
            }
            Some((name, span)) => self.belonging(entries, key, &name, span),
            None => self.object(entries, key, depth + 1),
        }
    }

    /// Somebody or something with a name of their own: "friends: Bob (city Paris)".
    fn belonging(&mut self, entries: &[(Cow<'a, str>, &'a RawValue)], key: &str, name: &str, span: Range<usize>) {
        let more = entries.iter().filter_map(|(key, raw)| {
            let plain = normal_key(key);
            let says = !IDENTIFIERS.contains(&plain.as_str()) && !matches!(plain.as_str(), "name" | "fullname");
            let value = match serde_json::from_str(raw.get()).ok().filter(|_| says)? {
                Value::String(text) if text.len() <= 120 => text,
                Value::Number(number) => number.to_string(),
                _ => return None,
            };
            Some(format!("{} {value}", spaced(key)))
        });
        let more: Vec<String> = more.collect();
        let text = if more.is_empty() { name.to_owned() } else { format!("{name} ({})", more.join(", ")) };
        // In an array, so that it is not taken apart at its commas.
        self.units.push(Unit::Pair { key: key.to_owned(), value: Value::Array(vec![Value::String(text)]), span });
    }

    fn scalar(&mut self, key: &str, value: Value, span: Range<usize>) {
        let prose = |text: &str| key.is_empty() || text.len() > 120 && text.contains(' ');
        match value {
            Value::Null => {}
            Value::String(text) if prose(&text) || self.book.is_no_key(key) => {
                if !text.trim().is_empty() && text.contains(' ') {
                    self.units.push(prose_unit(self.text, text, span));
                }
            }
            Value::Array(items) if key.is_empty() => {
                for text in items.iter().filter_map(Value::as_str) {
                    self.units.push(prose_unit(self.text, text.to_owned(), span.clone()));
                }
            }
            value => self.units.push(Unit::Pair { key: key.to_owned(), value, span }),
        }
    }

    /// Takes an object for a message when it has the keys of one.
    fn message(&mut self, entries: &[(Cow<'a, str>, &'a RawValue)]) -> bool {
        let get = |names: &[&str]| {
            names.iter().find_map(|name| entries.iter().find(|(k, _)| normal_key(k) == *name)).map(|(_, raw)| *raw)
        };
        let Some(content) = get(&["content", "text", "message", "body", "utterance"]) else { return false };
        let label = get(&["role"]).and_then(string);
        let name = get(&["name", "speaker", "author", "sender", "from", "username"]).and_then(string);
        if label.is_none() && name.is_none() {
            return false;
        }
        let role = label.as_deref().or(name.as_deref()).and_then(role_of);
        let name = name.filter(|name| role_of(name).is_none());
        let date = get(&["timestamp", "createdat", "date", "time", "datetime", "ts", "sentat"]).and_then(time);
        let conversation = get(&["conversationid", "conversation", "sessionid", "threadid"]).and_then(string);
        let sequence = get(&["sequence", "seq", "turn"]).and_then(|raw| serde_json::from_str(raw.get()).ok());
        for (text, raw) in texts(content) {
            let span = self.span(raw);
            let place = place(self.text, &text, &span);
            self.turns.push(Turn {
                role: role.unwrap_or(Role::User),
                name: name.clone(),
                text: Cow::Owned(text),
                place,
                date,
                span,
                conversation: conversation.clone(),
                sequence,
                of_user: label.as_deref().and_then(role_of) == Some(Role::User),
            });
        }
        true
    }

    /// Takes an object for an entry of an activity log when it has a time and says what happened.
    fn record(&mut self, entries: &[(Cow<'a, str>, &'a RawValue)]) -> bool {
        let get = |names: &[&str]| {
            names.iter().find_map(|name| entries.iter().find(|(k, _)| normal_key(k) == *name)).map(|(_, raw)| *raw)
        };
        let when = get(&["timestamp", "createdat", "date", "time", "datetime", "ts", "at", "occurredat"]);
        let what =
            get(&["event", "activity", "action", "description", "title", "summary", "text", "content", "message"]);
        let (Some(when), Some(what)) = (when, what) else { return false };
        let Some(mut text) = string(what) else { return false };
        if let Some(object) = get(&["object", "target", "item", "details", "subject", "page"]).and_then(string) {
            text = format!("{text} {object}");
        }
        let text = text.replace('_', " ");
        let span = self.span(what);
        self.units.push(Unit::Log { text, date: time(when), span });
        true
    }
}

fn prose_unit<'a>(input: &str, text: String, span: Range<usize>) -> Unit<'a> {
    let place = place(input, &text, &span);
    Unit::Prose { text: Cow::Owned(text), place, speaker: Speaker::Subject, date: None, setting: Setting::Text }
}

/// A string without escapes stands in the input as it is, one byte behind the opening quotation mark.
fn place(input: &str, text: &str, span: &Range<usize>) -> Place {
    let inner = span.start + 1..span.end.saturating_sub(1);
    if input.get(inner.clone()) == Some(text) { Place::At(inner.start) } else { Place::Within(span.clone()) }
}

fn string(raw: &RawValue) -> Option<String> {
    serde_json::from_str::<String>(raw.get()).ok().filter(|text| !text.trim().is_empty())
}

/// The texts of a message: a string, or the text parts of an array.
fn texts(raw: &RawValue) -> Vec<(String, &RawValue)> {
    match node(raw) {
        Some(Node::Scalar(Value::String(text))) => vec![(text, raw)],
        Some(Node::Array(parts)) => parts
            .into_iter()
            .filter_map(|part| match node(part)? {
                Node::Scalar(Value::String(text)) => Some((text, part)),
                Node::Object(entries) => {
                    let (_, text) = entries.into_iter().find(|(key, _)| key == "text")?;
                    Some((string(text)?, text))
                }
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// An ISO time, or a number of seconds or milliseconds since 1970.
fn time(raw: &RawValue) -> Option<Moment> {
    match serde_json::from_str(raw.get()).ok()? {
        Value::String(text) => Moment::parse(&text).ok(),
        Value::Number(number) => {
            let number = number.as_f64()?;
            let seconds = if number > 1e11 { number / 1e3 } else { number };
            (0.0..1e10).contains(&seconds).then_some(Moment::from((seconds * 1e6) as i64))
        }
        _ => None,
    }
}

/// "favoriteColor" and "favorite_color" as words.
fn spaced(key: &str) -> String {
    let mut out = String::with_capacity(key.len() + 4);
    let mut lower = false;
    for c in key.chars() {
        if c.is_uppercase() && lower {
            out.push(' ');
        }
        lower = c.is_lowercase();
        match c {
            '_' | '-' | '.' => out.push(' '),
            c => out.extend(c.to_lowercase()),
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}
