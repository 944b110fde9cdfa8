//! Turns into sentences, sentences into clauses: places in the text, nothing copied.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::rulebook::{RuleBook, SUBJECT};

/// A longer sentence is no sentence: a dump, a table, a wall of text. It is skipped.
pub(crate) const MAX_SENTENCE: usize = 1_500;

/// How far a closing quotation mark may lie from the opening one.
const MAX_QUOTE: usize = 600;

const ABBREVIATIONS: [&str; 34] = [
    "mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs", "etc", "e.g", "i.e", "approx", "dept", "est", "fig",
    "inc", "ltd", "co", "no", "mt", "u.s", "z.b", "bzw", "ca", "usw", "d.h", "u.a", "nr", "str", "evtl", "ggf", "inkl",
    "geb",
];

/// Words by which a sentence is told from the one before it, where the space was forgotten.
const BEGINNINGS: [&str; 12] = ["I", "I'm", "I’m", "I've", "I’ve", "My", "We", "Our", "Ich", "Mein", "Meine", "Wir"];

/// The sentences of a text, trimmed. A line break ends one, except inside a wrapped paragraph.
pub(crate) fn sentences(text: &str) -> Vec<Range<usize>> {
    split(text, &|_| false)
}

/// The sentences of a text in a language whose days have a full stop before the month: "am 3. Mai".
pub(super) fn sentences_of(book: &RuleBook, text: &str) -> Vec<Range<usize>> {
    split(text, &|word| book.ordinal_days && book.months.contains_key(&word.to_lowercase()))
}

fn split(text: &str, is_month: &dyn Fn(&str) -> bool) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < bytes.len() {
        let c = text[at..].chars().next().unwrap_or(' ');
        let next = at + c.len_utf8();
        match c {
            '\n' if ends_line(text, start, at, next) => {
                push(text, start..at, &mut found);
                start = next;
            }
            '"' | '“' => {
                let close = if c == '"' { '"' } else { '”' };
                at = quoted_until(text, next, close).unwrap_or(next);
                // "… I love it." She left: the stop inside the quotation ends the sentence as well.
                let inside = text[next..at].strip_suffix(close).is_some_and(|quoted| quoted.ends_with(['.', '!', '?']));
                let goes_on = || text[at..].strip_prefix(' ').is_some_and(|rest| rest.starts_with(char::is_uppercase));
                if inside && goes_on() {
                    push(text, start..at, &mut found);
                    start = at;
                }
                continue;
            }
            '.' | '!' | '?' | '…' if ends_sentence(text, start, at, next, is_month) => {
                let mut end = next;
                while let Some(c) = text[end..].chars().next().filter(|c| matches!(c, ')' | '"' | '”' | '\'' | '’'))
                {
                    end += c.len_utf8();
                }
                push(text, start..end, &mut found);
                (start, at) = (end, end);
                continue;
            }
            '。' | '！' | '？' => {
                push(text, start..next, &mut found);
                start = next;
            }
            _ => {}
        }
        at = next;
    }
    push(text, start..text.len(), &mut found);
    found
}

fn push(text: &str, range: Range<usize>, found: &mut Vec<Range<usize>>) {
    let piece = &text[range.clone()];
    let start = range.start + (piece.len() - piece.trim_start().len());
    let end = start + piece.trim().len();
    if start < end {
        found.push(start..end);
    }
}

/// The end of a quotation that is opened just before `from`, when it closes in the same paragraph.
fn quoted_until(text: &str, from: usize, close: char) -> Option<usize> {
    let mut end = text.len().min(from + MAX_QUOTE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let ahead = &text[from..end];
    let at = ahead.find(close)?;
    (!ahead[..at].contains('\n')).then_some(from + at + close.len_utf8())
}

/// A line break joins when the paragraph was wrapped: the line before is full and ends in the middle of a sentence, and the
/// next goes on in lower case.
fn ends_line(text: &str, start: usize, at: usize, next: usize) -> bool {
    let before = text[start..at].trim_end();
    let wrapped = before.len() > 40 && before.ends_with(|c: char| c.is_alphanumeric() || c == ',');
    let continues = text[next..].starts_with(|c: char| c.is_lowercase());
    !(wrapped && continues && at - start < MAX_SENTENCE)
}

fn ends_sentence(text: &str, start: usize, at: usize, next: usize, is_month: &dyn Fn(&str) -> bool) -> bool {
    let rest = &text[next..];
    let Some(following) = rest.chars().next() else { return true };
    if matches!(following, ')' | '"' | '”' | '\'' | '’') {
        return rest.chars().nth(1).is_none_or(char::is_whitespace);
    }
    if !following.is_whitespace() {
        // "I live in Boston.I love dogs": nothing but a new sentence begins so.
        let word = rest.split(char::is_whitespace).next().unwrap_or_default();
        return text[..at].ends_with(char::is_lowercase) && BEGINNINGS.contains(&word);
    }
    if !text[at..].starts_with('.') {
        return true;
    }
    // Only the last word matters; a window keeps a text without spaces linear.
    let mut from = at.saturating_sub(24).max(start);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let word = text[from..at].rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
    let number = (1..=2).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit());
    if number && is_month(rest.trim_start().split(|c: char| !c.is_alphabetic()).next().unwrap_or_default()) {
        return false;
    }
    let mut letters = word.split('.');
    let initial = word != "I" && letters.all(|l| l.chars().count() == 1 && l.starts_with(char::is_uppercase));
    !initial && !ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}

/// A sentence on one line, with plain apostrophes and without marks of emphasis.
pub(super) fn cleaned(text: &str) -> String {
    static EMOTICON: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?:^|\s)(?::\)|:\(|:D|;\)|:P|<3|xD)(?:\s|$)").expect("a valid pattern"));
    // There the closing mark looks like the opening one elsewhere.
    let german = text.contains('„');
    let plain: String = text
        .chars()
        .map(|c| match c {
            '’' | '‘' | 'ʼ' => '\'',
            '„' | '«' | '»' => '"',
            '“' if german => '"',
            SUBJECT | '*' | '`' => ' ',
            c if c.is_control() || c.is_whitespace() || is_pictograph(c) => ' ',
            c => c,
        })
        .collect();
    let plain = EMOTICON.replace_all(&plain, " ");
    plain.split_whitespace().collect::<Vec<_>>().join(" ").trim_matches('_').to_owned()
}

fn is_pictograph(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{21FF}' | '\u{2600}'..='\u{27BF}' | '\u{2B00}'..='\u{2BFF}' | '\u{FE0F}' | '\u{1F000}'..='\u{1FAFF}')
}

static BOUNDARY: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = concat!(
        r"(?i)(?:(?P<dash>\s*(?:--|—)\s*)|(?P<mark>[,;–—]|\s?-|\.\.\.)?\s+)(?P<and>(?:and|but|so|plus|yet)\s+)?(?:(?:also|then|now|currently|recently|actually)\s+)?",
        r"(?P<next>(?:i|i'm|im|i've|ive|i'd|i'll|we|we're|we've|we'd|we'll|my|our|she|he|she's|he's|they|they're|you|you're|you'd|maybe)\s)"
    );
    Regex::new(pattern).expect("a valid pattern")
});
static CLAUSE: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = concat!(
        r"(?i)(?:^|\b)(?:i|im|ive|we|\w+'(?:m|s|re|ve|d|ll))\s|",
        r"\b(?:is|are|was|were|has|have|had|lives?|works?|loves?|likes?|\w{2,}ed|went|got|moved|met|called)\s"
    );
    Regex::new(pattern).expect("a valid pattern")
});
static SUBORDINATE: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?i)^(?:\w+ )?(?:when|whenever|because|since|although|though|even though|while|as|after|before|once|until|if|given|now that|ever since|the)\b";
    Regex::new(pattern).expect("a valid pattern")
});
static COPULA: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^(?:my|our)\s+(?:\S+\s+){1,4}(?:is|are|was|were|has|have|had|\w+s|\w+ed|means)\s").expect("valid")
});

/// The clauses of a sentence in a language: by its own pattern where it states one.
pub(super) fn clauses_of(book: &RuleBook, sentence: &str) -> Vec<Range<usize>> {
    let Some(boundary) = &book.boundary else { return clauses(sentence) };
    let mut found = Vec::new();
    let mut start = 0;
    for hit in boundary.captures_iter(sentence) {
        let (Some(whole), Some(next)) = (hit.get(0), hit.name("next")) else { continue };
        let left = &sentence[start..whole.start()];
        // What somebody said goes on behind the comma.
        let reported = book.reported.found_in(left) && !book.owned.found_in(left);
        if !reported && !book.subordinate.found_in(left) {
            found.push(start..whole.start());
            start = next.start();
        }
    }
    found.push(start..sentence.len());
    found
}

/// The clauses of a sentence that can stand alone: "I'm Sarah and I work at Acme" is two, "when I moved, I cried" is one.
pub(super) fn clauses(sentence: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for hit in BOUNDARY.captures_iter(sentence) {
        let (Some(whole), Some(next)) = (hit.get(0), hit.name("next")) else { continue };
        if ["mark", "dash", "and"].iter().all(|name| hit.name(name).is_none()) {
            continue;
        }
        let left = &sentence[start..whole.start()];
        let word = next.as_str().trim_end().to_lowercase();
        let possessive = word == "my" || word == "our";
        let third = word.starts_with("she") || word.starts_with("he") || word.starts_with("they");
        let right = &sentence[next.start()..];
        let first_person = left
            .split_whitespace()
            .any(|w| w.eq_ignore_ascii_case("i") || w.to_lowercase().starts_with("i'") || w.eq_ignore_ascii_case("my"));
        let splits = CLAUSE.is_match(&format!("{left} "))
            && !SUBORDINATE.is_match(left)
            && (!possessive || COPULA.is_match(right))
            && !(third && first_person);
        if splits {
            found.push(start..whole.start());
            start = next.start();
        }
    }
    found.push(start..sentence.len());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        sentences(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn sentences_end_where_they_should() {
        assert_eq!(cut("I met Dr. Who. He left! Why? ok"), ["I met Dr. Who.", "He left!", "Why?", "ok"]);
        assert_eq!(cut("It costs 3.50 now. J. R. Smith came."), ["It costs 3.50 now.", "J. R. Smith came."]);
        assert_eq!(cut("one\ntwo\n\nthree"), ["one", "two", "three"]);
        assert_eq!(
            cut("this line of a paragraph is long enough to be\nwrapped. Next."),
            ["this line of a paragraph is long enough to be\nwrapped.", "Next."]
        );
        assert_eq!(
            cut("She said \"I live here. I love it.\" I left."),
            ["She said \"I live here. I love it.\"", "I left."]
        );
        assert_eq!(cut("我住在柏林。我喜欢茶。"), ["我住在柏林。", "我喜欢茶。"]);
        assert_eq!(cut("  "), Vec::<&str>::new());
    }

    #[test]
    fn clauses_stand_alone() {
        let split = |text: &'static str| clauses(text).into_iter().map(|r| &text[r]).collect::<Vec<_>>();
        assert_eq!(
            split("I'm Sarah, I live in Berlin and I work at Acme"),
            ["I'm Sarah", "I live in Berlin", "I work at Acme"]
        );
        assert_eq!(split("My husband and I went home"), ["My husband and I went home"]);
        assert_eq!(split("When I moved to Berlin, I got a dog"), ["When I moved to Berlin, I got a dog"]);
        assert_eq!(split("My sister lives in Paris and she works at Airbus").len(), 1);
        assert_eq!(split("I love my dog and my cat"), ["I love my dog and my cat"]);
        assert_eq!(split("I have a dog and my cat is grey"), ["I have a dog", "my cat is grey"]);
    }
}
