//! What a text says outside its sentences: keys with their values, lists under headings, dated lines of a log.

use std::ops::Range;

use serde_json::Value;

use super::dates::{self, Tense};
use super::gate::{Refusal, lower_first};
use super::learn::{Learner, Voice, dated};
use super::rulebook::{Meaning, RuleBook, SUBJECT};
use super::source::{Place, Setting};
use super::{Kind, Memory, fields, markup, person, sentence};

impl Learner<'_> {
    /// A memory in the words of a key.
    fn keyed(&mut self, meaning: &Meaning, key: &str, value: &str, span: &Range<usize>) {
        let name = self.name.clone();
        let named = name.as_deref().filter(|_| meaning.slot.as_deref() != Some("name"));
        let say = meaning.say.as_deref().unwrap_or("{S}'s {k} is {v}");
        let text = say.replace("{S}", &SUBJECT.to_string()).replace("{k}", &key.to_lowercase()).replace("{v}", value);
        let mut memory = Memory {
            content: person::render(&text, named),
            subject: name,
            kind: meaning.kind,
            slot: meaning.slot.clone().filter(|slot| self.book.single.contains(slot)),
            value: Some(value.to_owned()),
            negated: meaning.negated,
            aside: false,
            is_static: meaning.is_static,
            confidence: meaning.confidence,
            importance: meaning.importance,
            event_date: None,
            forget_after: None,
            evidence: span.clone(),
            message: None,
        };
        if memory.content.len() > 1_000 {
            memory.content.truncate(floor_boundary(&memory.content, 1_000));
        }
        self.keep(memory);
    }

    pub(super) fn pair(&mut self, key: &str, value: &Value, span: &Range<usize>) {
        let book = self.book;
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
        let known = book.key(bare);
        let meaning = known.unwrap_or(&unknown);
        if let Value::String(text) = value
            && (text.trim().is_empty()
                || matches!(text.trim().to_lowercase().as_str(), "n/a" | "none" | "null" | "-" | "unknown"))
        {
            return;
        }
        let taken = self.fields.as_mut().is_some_and(|fields| fields.pair(bare, value, meaning.slot.as_deref(), span));
        if book.is_no_key(bare) && !taken {
            return;
        }
        let values: Vec<String> = match value {
            Value::String(text) if meaning.say.as_deref() == Some("{v}") || is_sentence(book, text) => {
                let mut voice =
                    Voice { name: self.name.clone(), date: self.now, own: true, setting: Setting::Text, known: true };
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
        for value in values.iter().filter(|value| !value.is_empty()) {
            let fits = match meaning.slot.as_deref() {
                Some("name") => fields::name(book, value).is_some(),
                Some("email") => value.contains('@'),
                _ => true,
            };
            if fits && value.len() <= 500 {
                self.keyed(meaning, bare, value.trim_end_matches('.'), span);
            }
        }
    }

    pub(super) fn item(&mut self, heading: &str, text: &str, span: &Range<usize>) {
        let book = self.book;
        let Some(meaning) = book.key(markup::bare_key(heading)) else { return };
        if is_sentence(book, text) || meaning.say.as_deref() == Some("{v}") {
            let mut voice =
                Voice { name: self.name.clone(), date: self.now, own: true, setting: Setting::Chat, known: true };
            return self.prose(text, &Place::Within(span.clone()), &mut voice);
        }
        if let Some(fields) = &mut self.fields {
            fields.pair(heading, &Value::String(text.to_owned()), meaning.slot.as_deref(), span);
        }
        if text.len() <= 500 {
            self.keyed(meaning, markup::bare_key(heading), text.trim_end_matches(['.', ',', ';']), span);
        }
    }

    /// A dated line: the subject's own sentence, or what they were recorded doing.
    pub(super) fn log(&mut self, text: &str, date: Option<i64>, span: &Range<usize>) {
        let at = date.unwrap_or(self.now);
        let clean = sentence::cleaned(text);
        let voice = Voice { name: self.name.clone(), date: at, own: true, setting: Setting::Chat, known: false };
        let before = self.memories.len();
        if person::first_person(self.book, &clean).is_some() {
            self.sentence(&clean, span, &voice);
            for memory in &mut self.memories[before..] {
                memory.event_date = memory.event_date.or(date);
            }
            return;
        }
        let first = clean.split_whitespace().next().unwrap_or_default().to_lowercase();
        let past = first.ends_with("ed") && first.len() > 3 || self.book.past.contains(&first);
        let canonical = match person::third_person_of(self.book, &clean, &self.names, false) {
            Some(canonical) => canonical,
            None if past => format!("{SUBJECT} {}", lower_first(&clean)),
            None => format!("{SUBJECT}'s activity: {clean}"),
        };
        let day = dates::day_of(at);
        let when = dates::find(self.book, &canonical, day, Tense::Past);
        let mut text = dated(&canonical, &when, false);
        if when.is_empty() && date.is_some() {
            let month = self.book.month_names.get(usize::try_from(day.month() - 1).unwrap_or(0));
            let text_end = text.trim_end_matches(['.', '!', ' ']).len();
            text.truncate(text_end);
            text.push_str(&format!(" on {} {} {}", day.day(), month.map_or("", String::as_str), day.year()));
        }
        if text.len() > sentence::MAX_SENTENCE {
            return self.refuse(Refusal::TooLong);
        }
        self.keep(Memory {
            content: person::render(&text, self.name.as_deref()),
            subject: self.name.clone(),
            kind: Kind::Event,
            slot: None,
            value: None,
            negated: false,
            aside: false,
            is_static: false,
            confidence: 0.7,
            importance: 0.3,
            event_date: date,
            forget_after: None,
            evidence: span.clone(),
            message: None,
        });
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
