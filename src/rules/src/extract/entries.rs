//! What a text says outside its sentences: keys with their values, lists under headings, dated lines of a log.

use std::ops::Range;

use serde_json::Value;

use super::dates::{self, Tense};
use super::gate::{Refusal, lower_first};
use super::learn::{Learner, Voice, dated};
use super::rulebook::{Meaning, RuleBook, SUBJECT, normal_key};
use super::source::{Place, Setting, Speaker};
use super::{Kind, Memory, fields, markup, people, person, sentence};
use crate::time::Moment;

/// Whom a part outside the sentences is about.
#[derive(Clone)]
struct Part {
    name: Option<String>,
    /// The subject of the profile.
    own: bool,
}

impl Learner<'_> {
    /// Whom the parts at hand are about; `None` when they are of no concern.
    fn part(&self) -> Option<Part> {
        match &self.about {
            Speaker::Subject => Some(Part { name: self.name.clone(), own: true }),
            Speaker::Named(name) => Some(Part { name: Some(name.clone()), own: self.fields.is_some() }),
            Speaker::Other(_) => None,
        }
    }

    fn voice_of(&self, part: &Part, setting: Setting, known: bool) -> Voice {
        Voice {
            name: part.name.clone(),
            date: self.date,
            own: part.own,
            setting,
            known: known && part.own,
            context: None,
        }
    }

    /// Whether a name is part of the one under which the subject was known beforehand.
    fn is_known_as(&self, value: &Value) -> bool {
        let words = |name: &str| name.split_whitespace().count();
        match (value, &self.given) {
            (Value::String(name), Some(given)) => self.names.is(name) && words(name) <= words(given),
            _ => false,
        }
    }

    /// A memory in the words of a key.
    fn keyed(&mut self, part: &Part, meaning: &Meaning, key: &str, value: &str, span: &Range<usize>) {
        let name = part.name.clone();
        let named = name.as_deref().filter(|_| meaning.slot.as_deref() != Some("name"));
        let say = meaning.say.as_deref().unwrap_or(&self.book.wording.pair);
        let key = if self.book.nouns_have_capitals { key.to_owned() } else { key.to_lowercase() };
        let text = say.replace("{S}", &SUBJECT.to_string()).replace("{k}", &key).replace("{v}", value);
        let mut memory = Memory {
            content: person::render(self.book, &text, named),
            subject: name,
            kind: meaning.kind,
            slot: meaning.slot.as_deref().filter(|slot| self.book.single.contains(*slot)).map(|slot| part.slot(slot)),
            value: Some(value.to_owned()),
            negated: meaning.negated,
            aside: false,
            is_static: meaning.is_static,
            confidence: meaning.confidence,
            importance: meaning.importance,
            event_date: None,
            forget_after: None,
            calls_off: None,
            evidence: span.clone(),
            context: None,
            message: None,
            context_message: None,
        };
        if memory.content.len() > 1_000 {
            memory.content.truncate(floor_boundary(&memory.content, 1_000));
        }
        self.keep(memory);
    }

    pub(super) fn pair(&mut self, key: &str, value: &Value, span: &Range<usize>) {
        let book = self.book;
        let Some(part) = self.part() else { return };
        let bare = markup::bare_key(key);
        let unknown = Meaning {
            kind: Kind::Fact,
            is_static: true,
            confidence: 0.7,
            importance: 0.5,
            slot: None,
            negated: false,
            plan: false,
            no_date: true,
            also: false,
            say: None,
        };
        // "City: Rome" and "Location: the office": the second key of a slot says something of its own.
        let slot_of = |meaning: &Meaning| meaning.slot.clone().filter(|slot| book.single.contains(slot));
        let known = book.key(bare).filter(|meaning| {
            let slot = slot_of(meaning).map(|slot| part.slot(&slot));
            slot.is_none_or(|slot| {
                *self.keys_of_slots.entry(slot).or_insert_with(|| normal_key(bare)) == normal_key(bare)
            })
        });
        let meaning = known.unwrap_or(&unknown);
        // "Bob: I live in Oslo" is said by somebody.
        if let (None, Value::String(text)) = (known, value)
            && is_sentence(book, text)
            && people::is_name(book, key)
        {
            return self.refuse(Refusal::Reported);
        }
        if let Value::String(text) = value
            && (text.trim().is_empty()
                || matches!(text.trim().to_lowercase().as_str(), "n/a" | "none" | "null" | "-" | "unknown"))
        {
            return;
        }
        if meaning.slot.as_deref() == Some("name") && self.is_known_as(value) {
            return;
        }
        let taken = self
            .fields
            .as_mut()
            .filter(|_| part.own)
            .is_some_and(|fields| fields.pair(bare, value, meaning.slot.as_deref(), span));
        if book.is_no_key(bare) && !taken {
            return;
        }
        let values: Vec<String> = match value {
            Value::String(text) if meaning.say.as_deref() == Some("{v}") || is_sentence(book, text) => {
                let mut voice = self.voice_of(&part, Setting::Text, true);
                return self.prose(text, &Place::Within(span.clone()), &mut voice);
            }
            Value::String(text)
                if known.is_some_and(|m| m.slot.as_deref().is_none_or(|s| !book.single.contains(s))) =>
            {
                text.split([',', ';']).map(|item| item.trim().trim_start_matches("and ").to_owned()).collect()
            }
            Value::String(text) => vec![text.trim().to_owned()],
            Value::Array(items) => items.iter().filter_map(scalar).collect(),
            other => scalar(other).into_iter().collect(),
        };
        // Several values of a key that nobody knows are listed rather than one of them being it.
        let several = matches!(value, Value::Array(_)) && known.is_none();
        let listed = Meaning { say: Some(book.wording.pairs.clone()), ..unknown.clone() };
        let meaning = if several { &listed } else { meaning };
        for value in values.iter().filter(|value| !value.is_empty()) {
            let fits = match meaning.slot.as_deref() {
                // "Sarah's name is Sarah" tells nobody anything, and a name is the subject's own.
                Some("name") => fields::name(book, value).is_some() && part.own,
                Some("email") => value.contains('@'),
                _ => true,
            };
            if fits && value.len() <= 500 {
                self.keyed(&part, meaning, bare, value.trim_end_matches('.'), span);
            }
        }
    }

    pub(super) fn item(&mut self, heading: &str, text: &str, span: &Range<usize>) {
        let book = self.book;
        let (Some(meaning), Some(part)) = (book.key(markup::bare_key(heading)), self.part()) else { return };
        if is_sentence(book, text) || meaning.say.as_deref() == Some("{v}") {
            let mut voice = self.voice_of(&part, Setting::List, true);
            return self.prose(text, &Place::Within(span.clone()), &mut voice);
        }
        if let Some(fields) = self.fields.as_mut().filter(|_| part.own) {
            fields.pair(heading, &Value::String(text.to_owned()), meaning.slot.as_deref(), span);
        }
        if text.len() <= 500 {
            self.keyed(&part, meaning, markup::bare_key(heading), text.trim_end_matches(['.', ',', ';']), span);
        }
    }

    /// A dated line: the subject's own sentence, or what they were recorded doing.
    pub(super) fn log(&mut self, text: &str, date: Option<Moment>, span: &Range<usize>) {
        let Some(part) = self.part() else { return };
        let clean = sentence::cleaned(text);
        let voice = Voice { date: date.unwrap_or(self.date), ..self.voice_of(&part, Setting::Chat, false) };
        let before = self.memories.len();
        if person::first_person(self.book, &clean).is_some() {
            self.sentence(&clean, span, &voice);
            for memory in &mut self.memories[before..] {
                memory.event_date = memory.event_date.or(date.map(|date| date.micros));
            }
            return;
        }
        let first = clean.split_whitespace().next().unwrap_or_default().to_lowercase();
        let past = first.ends_with("ed") && first.len() > 3 || self.book.past.contains(&first);
        let canonical = match person::third_person_of(self.book, &clean, &self.names, false) {
            Some(canonical) => canonical,
            None if past => format!("{SUBJECT} {}", lower_first(&clean)),
            None => self.book.wording.activity.replace("{S}", &SUBJECT.to_string()).replace("{v}", &clean),
        };
        let when = dates::find(self.book, &canonical, self.wall(&voice), Tense::Past);
        let mut text = dated(&canonical, &when, false);
        if when.is_empty() && date.is_some() {
            let end = text.trim_end_matches(['.', '!', ' ']).len();
            text.truncate(end);
            text.push_str(&format!(" {}", dates::on_day(self.book, self.wall(&voice).date())));
        }
        if text.len() > sentence::MAX_SENTENCE {
            return self.refuse(Refusal::TooLong);
        }
        self.keep(Memory {
            content: person::render(self.book, &text, part.name.as_deref()),
            subject: part.name,
            kind: Kind::Event,
            slot: None,
            value: None,
            negated: false,
            aside: false,
            is_static: false,
            confidence: 0.7,
            importance: 0.3,
            event_date: date.map(|date| date.micros),
            forget_after: None,
            calls_off: None,
            evidence: span.clone(),
            context: None,
            message: None,
            context_message: None,
        });
    }
}

impl Part {
    /// A slot of this person: others than the subject have slots of their own.
    fn slot(&self, slot: &str) -> String {
        match &self.name {
            Some(name) if !self.own => format!("{slot} of {}", name.to_lowercase()),
            _ => slot.to_owned(),
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(if *flag { "yes" } else { "no" }.to_owned()),
        _ => None,
    }
}

/// Whether the value of a key is a sentence of its own rather than a name for something.
fn is_sentence(book: &RuleBook, text: &str) -> bool {
    text.split_whitespace().count() > 2
        && (person::first_person(book, text).is_some_and(|canonical| canonical.starts_with(SUBJECT)))
}

fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}
