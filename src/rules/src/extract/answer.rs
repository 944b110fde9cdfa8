//! "Where do you live now?" – "In Lisbon, since March": a short answer to a question about the user, as the sentence it
//! stands for.
//!
//! The assistant's words teach nothing by themselves; what the user answers does, and says little without them. The
//! answer becomes a sentence of the user ("I live in Lisbon, since March"), which is read like any other, with its dates,
//! its negation and its slot. The questions and their sentences are data (`[answers]`). Who declines, doubts or asks back
//! has not answered, nor who says it in a sentence of their own, which is read as it stands.

use regex::{Captures, Regex};

use super::gate::lower_first;
use super::rulebook::{RuleBook, groups_of};

/// A longer answer is no answer to a simple question alone.
const MAX_WORDS: usize = 14;

/// What is asked, and the sentence that an answer makes of it.
pub(super) struct Asking {
    /// The sentence: `{a}` is the answer, `{in}` and `{at}` the same behind a preposition of place, `{an}` behind an article;
    /// `{n}` is the group of the question that an answer may count, any other a group of the question.
    says: String,
    /// For a question of yes or no: the sentence after a no.
    denies: Option<String>,
    pattern: Regex,
}

impl Asking {
    /// Reads "sentence / sentence after a no :: question".
    pub(super) fn parse(line: &str, compile: impl Fn(&str) -> Regex) -> Asking {
        let (sentences, pattern) = line.split_once(" :: ").expect("sentences and a question");
        let (says, denies) = match sentences.split_once(" / ") {
            Some((says, denies)) => (says, Some(denies.to_owned())),
            None => (sentences, None),
        };
        Asking { says: says.to_owned(), denies, pattern: compile(pattern) }
    }

    /// A sentence with the words of the question and the answer.
    fn filled(&self, sentence: &str, groups: &Captures<'_>, answer: &str) -> String {
        let mut text = sentence.to_owned();
        for name in self.pattern.capture_names().flatten() {
            text = text.replace(&format!("{{{name}}}"), groups.name(name).map_or("", |group| group.as_str().trim()));
        }
        text.replace("{a}", answer).split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// The sentence that a short answer stands for.
pub(super) fn spelled_out(book: &RuleBook, question: &str, answer: &str) -> Option<String> {
    let question = question.trim_end_matches(['?', ' ']);
    if answer.ends_with('?') || answer.split_whitespace().count() > MAX_WORDS {
        return None;
    }
    let (asking, groups) =
        book.answers.iter().find_map(|asking| Some((asking, groups_of(&asking.pattern, question)?)))?;
    let answer = answer.trim_end_matches(['.', '!', ' ']);
    if book.not_asked.found_in(question) || book.no_answer.found_in(answer) {
        return None;
    }
    let end_of = |patterns: &[Regex]| patterns.iter().find_map(|pattern| pattern.find(answer)).map(|found| found.end());
    let (yes, no) = (end_of(&book.yes), end_of(&book.no));
    let Some(denies) = &asking.denies else {
        let rest = &answer[yes.unwrap_or(0)..];
        let told = !rest.is_empty() && no.is_none() && !book.own_words.found_in(answer);
        return told.then(|| told_by(book, asking, &groups, rest));
    };
    match (yes, no) {
        // "No, two cats" denies nothing that could be told apart.
        (_, Some(end)) => answer[end..].is_empty().then(|| asking.filled(denies, &groups, "")),
        (Some(end), None) => {
            let rest = &answer[end..];
            // "Yes, I have two" says it by itself.
            let told = !book.own_words.found_in(rest);
            told.then(|| {
                if rest.is_empty() {
                    asking.filled(&asking.says, &groups, "")
                } else if asking.says.contains("{n}") && book.counted.found_in(rest) {
                    // "Do you have pets?" – "Yes, two cats".
                    asking.filled(&asking.says.replace("{n}", "{a}"), &groups, &lower_first(rest))
                } else {
                    format!("{}, {}", asking.filled(&asking.says, &groups, ""), lower_first(rest))
                }
            })
        }
        _ => None,
    }
}

/// The sentence of an answer to a question that is not of yes or no.
fn told_by(book: &RuleBook, asking: &Asking, groups: &Captures<'_>, answer: &str) -> String {
    let begins = answer.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_lowercase();
    let placed = book.placed.contains(&begins);
    let word = placed || book.thin.contains(&begins) || book.numbers.contains_key(&begins);
    let mut says = asking.says.replace("{in}", if placed { "{a}" } else { "in {a}" });
    says = says.replace("{at}", if placed { "{a}" } else { "at {a}" });
    let noun = says.contains("{an}") && answer.chars().nth(1).is_some_and(char::is_lowercase);
    let article = match begins.chars().next() {
        _ if matches!(begins.as_str(), "a" | "an" | "the" | "my" | "as") => "",
        Some('a' | 'e' | 'i' | 'o') => "an ",
        _ => "a ",
    };
    says = says.replace("{an}", &format!("{article}{{a}}"));
    let mut answer = if word || noun { lower_first(answer) } else { answer.to_owned() };
    // "Where are you from?" – "From Porto".
    let last = says.split("{a}").next().and_then(|before| before.split_whitespace().next_back());
    if let Some(rest) = last.and_then(|last| answer.strip_prefix(&format!("{} ", last))) {
        answer = rest.to_owned();
    }
    // "How many kids do you have?" – "Two, a boy and a girl".
    match answer.split_once(", ").filter(|_| !says.ends_with("{a}")) {
        Some((first, more)) => format!("{}, {more}", asking.filled(&says, groups, first)),
        None => asking.filled(&says, groups, &answer),
    }
}
