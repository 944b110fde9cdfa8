//! What is no statement of the subject about themself: trimmed where it only frames one, refused where it replaces one.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::rulebook::RuleBook;

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
            let groups = pattern.captures(rest)?;
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

/// Refuses a sentence, given whole and trimmed: jokes show in the words around the statement, a question asked after it
/// does not make it one.
pub(super) fn refuse_sentence(book: &RuleBook, whole: &str, sentence: &str) -> Option<Refusal> {
    if sentence.trim_end_matches(['"', '\'', ')', '”', ' ']).ends_with(['?', '？']) {
        return Some(Refusal::Question);
    }
    if book.sarcasm.found_in(whole) {
        return Some(Refusal::Sarcasm);
    }
    if quotes_speech(whole) {
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
fn quotes_speech(sentence: &str) -> bool {
    static QUOTED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("\"([^\"]+)\"|“([^”]+)”|(?:^|[\\s(])'([^']{4,}[.!?,])'").expect("a valid pattern"));
    static SPEECH: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:i|i'm|i've|i'd|i'll|me|my|we|you|your)\b|[,!?]$").expect("a valid pattern")
    });
    let opens = sentence.matches(['"', '“', '”']).count();
    // A mark that is never closed, or was opened in a sentence before.
    if opens % 2 == 1 {
        return true;
    }
    QUOTED
        .captures_iter(sentence)
        .any(|groups| groups.iter().skip(1).flatten().any(|quoted| SPEECH.is_match(quoted.as_str())))
}
