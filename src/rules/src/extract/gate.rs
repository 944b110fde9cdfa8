//! What is no statement of the subject about themself: trimmed where it only frames one, refused where it replaces one.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::rulebook::{RuleBook, groups_of};
use super::source::Setting;

/// Why a clause is not learned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    Question,
    Request,
    Hypothetical,
    Sarcasm,
    Reported,
    Quoted,
    SmallTalk,
    TooLong,
}

impl Refusal {
    /// The word for the notes, in the plural.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Refusal::Question => "questions",
            Refusal::Request => "requests",
            Refusal::Hypothetical => "hypotheticals",
            Refusal::Sarcasm => "jokes",
            Refusal::Reported => "reports of others",
            Refusal::Quoted => "quotations",
            Refusal::SmallTalk => "pleasantries",
            Refusal::TooLong => "overlong sentences",
        }
    }
}

/// The place of the statement inside its framing: "Well, honestly, I live in Berlin, you know" is "I live in Berlin".
pub(super) fn trimmed(book: &RuleBook, text: &str) -> Range<usize> {
    let (mut start, mut end) = (0, text.len());
    for _ in 0..4 {
        let rest = &text[start..end];
        if book.keep_lead.found_in(rest) {
            break;
        }
        let cut = book.lead.iter().find_map(|pattern| {
            let groups = groups_of(pattern, rest)?;
            groups.name("cut").or_else(|| groups.get(0)).map(|m| m.end())
        });
        match cut {
            Some(cut) if cut > 0 && !rest[cut..].trim().is_empty() => start += cut,
            _ => break,
        }
    }
    for _ in 0..2 {
        let rest = &text[start..end];
        let cut = book.tail.iter().find_map(|pattern| pattern.find(rest)).map(|m| m.start());
        match cut {
            Some(cut) if cut > 0 => end = start + cut,
            _ => break,
        }
    }
    start..end
}

/// The place of a sentence without the name of the person it is said to: "Thanks, Ann", "Ann, I moved".
pub(super) fn without_names(text: &str, people: &[String]) -> Range<usize> {
    let is_name = |word: &str| {
        let lower = word.to_lowercase();
        // Short forms as well: "Mel" is Melanie.
        word.starts_with(char::is_uppercase)
            && lower.chars().count() > 1
            && people.iter().any(|name| name.starts_with(&lower))
    };
    let (mut start, mut end) = (0, text.len());
    if let Some((name, rest)) = text.split_once(", ")
        && is_name(name)
    {
        start = text.len() - rest.len();
    }
    let stripped = text[start..].trim_end_matches(['.', '!', ' ']);
    if let Some((before, name)) = stripped.rsplit_once(", ")
        && is_name(name)
    {
        end = start + before.len();
    }
    start..end
}

/// A clause whose subject was left out, with its subject: "Been learning guitar", "Here's my new boat" in a chat.
pub(super) fn completed(book: &RuleBook, clause: &str, setting: Setting) -> Option<String> {
    if setting == Setting::People
        && let Some(what) = book.shown.iter().find_map(|pattern| groups_of(pattern, clause)?.name("what"))
    {
        return Some(format!("I showed {}", what.as_str()));
    }
    if book.not_elided.found_in(clause) {
        return None;
    }
    let written = book.elided.iter().find(|(_, pattern)| pattern.is_match(clause)).map(|(words, _)| words.as_str());
    let words = written.or_else(|| {
        if matches!(setting, Setting::Text | Setting::List) { None } else { subject_of_form(book, clause) }
    });
    words.map(|words| format!("{words} {}", lower_first(clause)))
}

/// What "Painting my room" and "Dyed my hair" leave out, by the form of the first word.
fn subject_of_form(book: &RuleBook, clause: &str) -> Option<&'static str> {
    let mut words = clause.split(' ');
    let (first, second) = (words.next()?.to_lowercase(), words.next()?.to_lowercase());
    if matches!(second.as_str(), "by" | "to" | "that" | "and" | "is" | "was" | "you" | "your" | "it" | "from" | "with")
    {
        return None;
    }
    let base = |end: &str| {
        let stem = first.strip_suffix(end)?;
        let halved = stem.char_indices().next_back().map_or("", |(at, _)| &stem[..at]);
        let bases = [stem.to_owned(), format!("{stem}e"), halved.to_owned()];
        bases.iter().any(|base| book.verbs.contains(base)).then_some(())
    };
    if base("ing").is_some() && !book.finite.found_in(clause) { Some("I am") } else { base("ed").map(|()| "I") }
}

/// The text with its first letter in lower case, unless that is "I".
pub(super) fn lower_first(text: &str) -> String {
    let first = text.split_whitespace().next().unwrap_or_default();
    if first == "I" || first.starts_with("I'") {
        return text.to_owned();
    }
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// Refuses a sentence, given whole and trimmed: jokes show in the words around the statement, a question asked after it
/// does not make it one.
pub(super) fn refuse_sentence(book: &RuleBook, whole: &str, sentence: &str) -> Option<Refusal> {
    if sentence.trim_end_matches(['"', '\'', ')', '”', ' ']).ends_with(['?', '？']) {
        return Some(Refusal::Question);
    }
    if book.sarcasm.found_in(whole) {
        return Some(Refusal::Sarcasm);
    }
    if quotes_speech(book, whole) {
        return Some(Refusal::Quoted);
    }
    None
}

/// Refuses a clause as it was written.
pub(super) fn refuse_clause(book: &RuleBook, clause: &str, elided: bool) -> Option<Refusal> {
    if !elided && book.question.found_in(clause) {
        return Some(Refusal::Question);
    }
    if !elided && book.request.found_in(clause) && !book.allowed.found_in(clause) {
        return Some(Refusal::Request);
    }
    if book.hypothetical.found_in(clause) {
        return Some(Refusal::Hypothetical);
    }
    if book.reported.found_in(clause) && !book.owned.found_in(clause) {
        return Some(Refusal::Reported);
    }
    None
}

/// Whether a quotation in the sentence is speech rather than a title: somebody says "I" in it, or it is a sentence.
fn quotes_speech(book: &RuleBook, sentence: &str) -> bool {
    static QUOTED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("\"([^\"]+)\"|“([^”]+)”|(?:^|[\\s(])'([^']{4,}[.!?,])'").expect("a valid pattern"));
    // The marks of inches quote nothing.
    static INCHES: LazyLock<Regex> = LazyLock::new(|| Regex::new("\\d\"").expect("a valid pattern"));
    let marks = sentence.matches(['"', '“', '”']).count();
    let opens = if marks == 1 && INCHES.is_match(sentence) { 0 } else { marks };
    // A mark that is never closed, or was opened in a sentence before.
    if opens % 2 == 1 {
        return true;
    }
    QUOTED
        .captures_iter(sentence)
        .any(|groups| groups.iter().skip(1).flatten().any(|quoted| book.speech.found_in(quoted.as_str())))
}
