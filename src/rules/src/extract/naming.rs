//! Whom a text is about, when nobody said so beforehand.

use std::ops::Range;

use serde_json::Value;

use super::rulebook::RuleBook;
use super::source::{Setting, Source, Speaker, Unit};
use super::{Input, fields, markup};

/// The name that the text itself gives: in a pair, by "my name is …", or as the subject of a text in the third person.
pub(super) fn own_name(
    book: &RuleBook,
    source: &Source<'_>,
    described: bool,
) -> Option<(String, Option<Range<usize>>)> {
    let mut third = None;
    let mut own = true;
    for unit in &source.units {
        match unit {
            Unit::About(speaker) => own = *speaker == Speaker::Subject,
            _ if !own => {}
            Unit::Pair { key, value: Value::String(value), .. } => {
                let meaning = book.key(markup::bare_key(key));
                if meaning.is_some_and(|m| m.slot.as_deref() == Some("name"))
                    && let Some(name) = fields::name(book, value)
                {
                    return Some((name, None));
                }
            }
            Unit::Prose { text, place, speaker: Speaker::Subject, setting, .. } => {
                let lower_ok = |name: &str| fields::name(book, name);
                for groups in book.introduced.captures_iter(text) {
                    // The name of a "my name is …" that is asked or quoted is caught by the gate later; a wrong name
                    // here would only word the sentences, so a question is enough to rule out.
                    if let Some(name) =
                        groups.name("v").or_else(|| groups.name("v2")).and_then(|m| lower_ok(m.as_str()))
                    {
                        return Some((name, None));
                    }
                }
                let first = text.split(['.', '!', '\n']).next().unwrap_or_default();
                // "Tom said that he lives in Lyon" introduces nobody.
                let reports = first.len() < 500 && book.reported.found_in(first);
                if *setting == Setting::Text && third.is_none() && !reports && !book.speaks_of_self.found_in(text) {
                    // "Rust is a language" is about nobody; "Sarah lives in Rome" and "Sarah is a nurse. She …" are.
                    let pronoun = || {
                        text.split(|c: char| !c.is_alphanumeric()).any(|w| book.pronouns.contains(&w.to_lowercase()))
                    };
                    let found = book
                        .described
                        .captures(text)
                        .filter(|groups| described || groups.name("sure").is_some() || pronoun());
                    let found = found.and_then(|groups| lower_ok(groups.name("v")?.as_str()));
                    let found = found.filter(|name| {
                        name.split(' ').next().is_none_or(|first| !book.not_subjects.contains(&first.to_lowercase()))
                    });
                    let lead = text.len() - text.trim_start().len();
                    third = found.map(|name| {
                        let end = lead + name.len().min(text.len() - lead);
                        (name, text.is_char_boundary(end).then(|| place.span(&(lead..end))))
                    });
                }
            }
            _ => {}
        }
    }
    source.named.clone().map(|(name, span)| (name, Some(span))).or(third)
}

/// Whether the sender calls the text a description of the subject.
pub(super) fn is_description(input: &Input<'_>) -> bool {
    let hint = input.input_type.unwrap_or_default().to_lowercase();
    let words = ["description", "bio", "profile", "character", "persona", "about", "note", "summary"];
    words.iter().any(|word| hint.contains(word))
}
