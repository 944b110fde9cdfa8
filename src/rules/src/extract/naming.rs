//! Whom a text is about, when nobody said so beforehand.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::rulebook::RuleBook;
use super::source::{Setting, Speaker, Unit};
use super::{Input, fields, markup};

/// The name that the text itself gives: in a pair, by "my name is …", or as the subject of a text in the third person.
pub(super) fn own_name(book: &RuleBook, units: &[Unit<'_>], described: bool) -> Option<(String, Option<Range<usize>>)> {
    static INTRODUCED: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = concat!(
            r"(?:^|[.!?,;:\n]\s*|\b[Hh](?:i|ello|ey),? |\band )(?:[Mm]y (?:full )?name(?: is|'s|’s)|I(?:'m|’m| am) called|",
            r"I(?:'m|’m| am)) (?P<v>\p{Lu}[\p{L}\p{M}'-]+(?: \p{Lu}[\p{L}\p{M}'-]+){0,2})(?:[.!,;\n]|$| and I\b| from\b)"
        );
        Regex::new(pattern).expect("a valid pattern")
    });
    static SUBJECT_OF: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = concat!(
            r"^\s*(?P<v>\p{Lu}[\p{L}\p{M}'-]+(?: \p{Lu}[\p{L}\p{M}'.-]+){0,3}),? ",
            r"(?P<sure>(?:works|lives|loves|likes|enjoys|grew|moved|studied|studies|was born|born|is \d|\d)\b)?"
        );
        Regex::new(pattern).expect("a valid pattern")
    });
    static PERSON: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?i)\b(?:she|he|her|his|they|their|she's|he's)\b").expect("a valid pattern"));
    static FIRST: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b(?:I|I'm|I’m|[Mm]y)\b").expect("a valid pattern"));
    let mut third = None;
    for unit in units {
        match unit {
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
                for groups in INTRODUCED.captures_iter(text) {
                    // The name of a "my name is …" that is asked or quoted is caught by the gate later; a wrong name
                    // here would only word the sentences, so a question is enough to rule out.
                    if let Some(name) = groups.name("v").and_then(|m| lower_ok(m.as_str())) {
                        return Some((name, None));
                    }
                }
                if *setting == Setting::Text && third.is_none() && !FIRST.is_match(text) {
                    // "Rust is a language" is about nobody; "Sarah lives in Rome" and "Sarah is a nurse. She …" are.
                    let found = SUBJECT_OF
                        .captures(text)
                        .filter(|groups| described || groups.name("sure").is_some() || PERSON.is_match(text));
                    let found = found.and_then(|groups| lower_ok(groups.name("v")?.as_str()));
                    let found = found.filter(|name| {
                        !matches!(
                            name.split(' ').next(),
                            Some(
                                "The"
                                    | "This"
                                    | "That"
                                    | "It"
                                    | "She"
                                    | "He"
                                    | "They"
                                    | "User"
                                    | "There"
                                    | "Here"
                                    | "What"
                                    | "Who"
                                    | "A"
                                    | "An"
                                    | "His"
                                    | "Her"
                                    | "Their"
                                    | "Our"
                                    | "Your"
                            )
                        )
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
    third
}

/// Whether the sender calls the text a description of the subject.
pub(super) fn is_description(input: &Input<'_>) -> bool {
    let hint = input.input_type.unwrap_or_default().to_lowercase();
    let words = ["description", "bio", "profile", "character", "persona", "about", "note", "summary"];
    words.iter().any(|word| hint.contains(word))
}
