//! From "I love my dog" and "She loves her dog" to one canonical sentence: the subject is a mark, verbs agree with it.
//!
//! The speaker's first "I" becomes the mark, later ones "they"; where the sentence already speaks of a "they", the mark is
//! repeated so that nobody is confused with anybody. A verb right after the subject takes the third person; so does a
//! verb after "and" that shares the subject, unless an infinitive or a modal governs both. "We" is read of the speaker
//! alone (who "went camping" with others went camping), except where it says something of the group.

use std::collections::HashSet;

use regex::Regex;

use super::gate::lower_first;
use super::rulebook::{RuleBook, SUBJECT};

/// A word and what stands before it.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) gap: String,
    pub(super) word: String,
    pub(super) lower: String,
}

pub(super) fn tokens(text: &str) -> (Vec<Token>, String) {
    let mut list = Vec::new();
    let (mut gap, mut word) = (String::new(), String::new());
    let push = |gap: &mut String, word: &mut String, list: &mut Vec<Token>| {
        if !word.is_empty() {
            // A closing quotation mark or a dangling hyphen is no part of the word.
            let end = word.trim_end_matches(['\'', '-']).len();
            let rest = word.split_off(end);
            let lower = word.to_lowercase();
            if word.is_empty() {
                gap.push_str(&rest);
            } else {
                list.push(Token { gap: std::mem::take(gap), word: std::mem::take(word), lower });
                *gap = rest;
            }
        }
    };
    // An address of the web is one word: the "me" of "example.com/~me" is nobody.
    let mut address_ends = 0;
    for (at, c) in text.char_indices() {
        if word.is_empty() && at >= address_ends {
            address_ends = at + address(&text[at..]);
        }
        if at < address_ends {
            word.push(c);
            continue;
        }
        let inner = matches!(c, '\'' | '-' | '_' | '@' | '.') && !word.is_empty() && c != '.';
        if c.is_alphanumeric() || c == SUBJECT || inner || is_mark(c) {
            word.push(c);
        } else {
            push(&mut gap, &mut word, &mut list);
            gap.push(c);
        }
    }
    push(&mut gap, &mut word, &mut list);
    (list, gap)
}

/// How long the address of the web is with which a text begins.
fn address(text: &str) -> usize {
    let begins = ["http://", "https://", "www."]
        .iter()
        .any(|begin| text.get(..begin.len()).is_some_and(|head| head.eq_ignore_ascii_case(begin)));
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    if begins { text[..end].trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '>', '"', '\'']).len() } else { 0 }
}

/// Combining marks, which belong to the letter before them.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}' | '\u{900}'..='\u{DFF}' | '\u{E00}'..='\u{EFF}' | '\u{200C}' | '\u{200D}')
}

pub(super) fn joined(list: &[Token], tail: &str) -> String {
    let mut out = String::new();
    for token in list {
        out.push_str(&token.gap);
        out.push_str(&token.word);
    }
    out.push_str(tail);
    out
}

/// A canonical sentence and, when verbs share its subject, the further sentences they make.
pub(super) fn sentences_of(book: &RuleBook, canonical: &str) -> Vec<String> {
    let (list, tail) = tokens(canonical);
    let mut cuts = Vec::new();
    let first_is_subject = list.first().is_some_and(|t| t.word.starts_with(SUBJECT) && !t.word.contains('\''));
    for at in 2..list.len().saturating_sub(1) {
        let joins =
            matches!(list[at].lower.as_str(), "and" | "but") && list[at].gap.trim().trim_matches(',').is_empty();
        if !(first_is_subject && joins) {
            continue;
        }
        let verb = skip_adverbs(book, &list, at + 1);
        let Some(next) = list.get(verb + 1) else { continue };
        let said = list.get(verb).is_some_and(|t| {
            is_third_person(book, &t.lower)
                && t.gap.trim().is_empty()
                && !matches!(next.lower.as_str(), "and" | "by" | "of" | "or")
        });
        let plain = list[1].lower != "would"
            && !list[1..at]
                .iter()
                .any(|t| matches!(t.lower.as_str(), "who" | "that" | "which" | "because" | "when" | "if"));
        if said && plain && next.gap.trim().is_empty() {
            cuts.push((at, at + 1));
        }
    }
    if cuts.is_empty() {
        return vec![canonical.to_owned()];
    }
    let mut parts = Vec::new();
    let mut from = 0;
    for (end, next) in cuts.iter().copied().chain([(list.len(), list.len())]) {
        let mut part = joined(&list[from..end], if end == list.len() { &tail } else { "" });
        part = part.trim().to_owned();
        parts.push(if from == 0 { part } else { format!("{SUBJECT} {part}") });
        from = next;
    }
    parts
}

fn is_third_person(book: &RuleBook, word: &str) -> bool {
    let known = |base: &str| book.verbs.contains(base);
    matches!(word, "is" | "has" | "does" | "goes")
        || word.strip_suffix('s').is_some_and(known)
        || word.strip_suffix("es").is_some_and(known)
        || word.strip_suffix("ies").is_some_and(|stem| known(&format!("{stem}y")))
}

/// The canonical sentence of one that the subject says of themself; `None` when it does not speak of the speaker.
pub(super) fn first_person(book: &RuleBook, clause: &str) -> Option<String> {
    if let Some(grammar) = &book.grammar {
        return grammar.first_person(clause);
    }
    let (mut list, tail) = tokens(clause);
    spell_out(&mut list);
    join_companion(&mut list);
    let speaks = list.iter().any(|t| is_first_person(&t.lower));
    if !speaks {
        return None;
    }
    let others = list.iter().any(|t| matches!(t.lower.as_str(), "they" | "them" | "their" | "theirs" | "they're"));
    let group = is_group(&list);
    let mut flip = Flip { book, list, mentioned: false, others, group, habit: book.habitual.found_in(clause) };
    for at in 0..flip.list.len() {
        flip.token(at);
    }
    let mut list = flip.list;
    spell_out_negations(&mut list);
    Some(capital_first(&joined(&list, &tail)))
}

fn is_first_person(word: &str) -> bool {
    matches!(word, "i" | "me" | "my" | "mine" | "myself" | "we" | "us" | "our" | "ours" | "ourselves")
        || word.starts_with("i'")
        || word.starts_with("we'")
}

/// Whether "we" says something of the group that is not true of each of it.
fn is_group(list: &[Token]) -> bool {
    let has = |word: &str| list.iter().any(|t| t.lower == word);
    let all = list.iter().position(|t| t.lower == "all");
    let we_all = all.is_some_and(|at| list[at.saturating_sub(2)..at].iter().any(|t| t.lower == "we"));
    has("we")
        && (we_all
            || has("both")
            || has("together")
            || has("met")
            || has("other")
            || has("couple")
            || has("team")
            || has("each"))
}

/// Common misspellings and slang, before anything else looks at the words.
fn spell_out(list: &mut Vec<Token>) {
    let mut at = 0;
    while at < list.len() {
        let starts = at == 0 || list[at].gap.contains(['.', '!', ',', ';']);
        let next = list.get(at + 1).map(|t| t.lower.clone()).unwrap_or_default();
        let new: &str = match list[at].lower.as_str() {
            "im" => "I'm",
            "ive" => "I've",
            "dont" => "don't",
            "doesnt" => "doesn't",
            "didnt" => "didn't",
            "cant" => "can't",
            "wont" => "won't",
            "isnt" => "isn't",
            "wasnt" => "wasn't",
            "havent" => "haven't",
            "gonna" | "gunna" => "going to",
            "wanna" => "want to",
            "gotta" => "have to",
            "kinda" => "kind of",
            "id" if starts && matches!(next.as_str(), "love" | "like" | "rather" | "prefer") => "I'd",
            "ill" if starts && (next == "be" || next.ends_with("ing")) => "I'll",
            _ => {
                at += 1;
                continue;
            }
        };
        let (first, second) = new.split_once(' ').map_or((new, None), |(a, b)| (a, Some(b)));
        first.clone_into(&mut list[at].word);
        list[at].lower = first.to_lowercase();
        if let Some(second) = second {
            list.insert(at + 1, Token { gap: " ".into(), word: second.into(), lower: second.into() });
        }
        at += 1;
    }
}

/// "My wife and I went" and "Me and my wife went" become "I and my wife went", which reads on as the subject's own sentence.
fn join_companion(list: &mut Vec<Token>) {
    if list.first().is_some_and(|t| t.lower == "me") && list.get(1).is_some_and(|t| t.lower == "and") {
        list[0].word = "I".into();
        list[0].lower = "i".into();
        return;
    }
    let limit = list.len().min(8);
    let Some(and) = (1..limit).find(|&at| list[at].lower == "and" && list.get(at + 1).is_some_and(|t| t.lower == "i"))
    else {
        return;
    };
    let plain = list[1..and].iter().all(|t| t.gap.trim().is_empty());
    let opens = list[0].lower == "my" || list[0].word.starts_with(char::is_uppercase);
    let verb =
        |t: &Token| matches!(t.lower.as_str(), "is" | "was" | "are" | "has" | "loves" | "likes" | "lives" | "works");
    if plain && opens && and <= 6 && !list[..and].iter().any(verb) {
        let gap = std::mem::take(&mut list[0].gap);
        let mut companion: Vec<Token> = list.drain(..and).collect();
        companion[0].gap = " ".into();
        if matches!(
            companion[0].lower.as_str(),
            "some" | "a" | "an" | "the" | "one" | "two" | "three" | "several" | "all"
        ) {
            companion[0].word = companion[0].lower.clone();
        }
        // What is left reads "and I …": the two change places around the companion.
        list.swap(0, 1);
        list[0].gap = gap;
        list[1].gap = " ".into();
        let rest = list.split_off(2);
        list.append(&mut companion);
        list.extend(rest);
    }
}

struct Flip<'a> {
    book: &'a RuleBook,
    list: Vec<Token>,
    mentioned: bool,
    others: bool,
    group: bool,
    /// The clause tells a habit.
    habit: bool,
}

impl Flip<'_> {
    fn token(&mut self, at: usize) {
        let lower = self.list[at].lower.clone();
        match lower.as_str() {
            "i" | "we" => {
                let companion = self.list.get(at + 1).is_some_and(|t| t.lower == "and")
                    && at == 0
                    && self.list.get(2).is_some_and(|t| t.lower == "my" || t.word.starts_with(char::is_uppercase));
                let shared = at > 0 && self.list[at - 1].lower == "and";
                let (word, plural) = self.subject(lower == "we");
                self.list[at].word = word;
                if !companion && !shared {
                    self.agree(at, plural);
                }
            }
            "i'm" | "we're" => self.contracted(at, "is", "are"),
            "i've" | "we've" => self.contracted(at, "has", "have"),
            "i'll" | "we'll" => self.contracted(at, "will", "will"),
            "i'd" | "we'd" => {
                let next = skip_adverbs(self.book, &self.list, at + 1);
                let had = self.list.get(next).is_some_and(|t| t.lower == "better" || self.is_past(&t.lower));
                let verb = if had { "had" } else { "would" };
                self.contracted(at, verb, verb);
            }
            "my" | "our" => {
                let word = if self.mentioned && !self.others { "their".to_owned() } else { format!("{SUBJECT}'s") };
                self.mention(at, word);
            }
            "us" if at > 0 && self.list[at - 1].lower == "of" => self.mention(at, format!("{SUBJECT} and others")),
            "me" | "us" => {
                let word = if self.mentioned && !self.others { "them".to_owned() } else { SUBJECT.to_string() };
                self.mention(at, word);
            }
            "mine" | "ours" => {
                let word = if self.mentioned && !self.others { "theirs".to_owned() } else { format!("{SUBJECT}'s") };
                self.mention(at, word);
            }
            "myself" | "ourselves" => self.mention(at, "themselves".to_owned()),
            "am" => "is".clone_into(&mut self.list[at].word),
            _ => {}
        }
    }

    fn mention(&mut self, at: usize, word: String) {
        self.mentioned = true;
        self.list[at].word = word;
    }

    /// The word for the subject, and whether it takes a plural verb.
    fn subject(&mut self, we: bool) -> (String, bool) {
        let first = !std::mem::replace(&mut self.mentioned, true);
        match (first || self.others, we && self.group) {
            (true, true) => (format!("{SUBJECT} and others"), true),
            (true, false) => (SUBJECT.to_string(), false),
            (false, _) => ("they".to_owned(), true),
        }
    }

    fn contracted(&mut self, at: usize, singular: &str, plural: &str) {
        let (word, many) = self.subject(self.list[at].lower.starts_with("we"));
        let verb = if many { plural } else { singular };
        self.list[at].word = format!("{word} {verb}");
        if verb == "is" {
            self.agree_coordinated(at + 1, true);
        }
    }

    fn is_past(&self, word: &str) -> bool {
        if self.habit && self.book.same.contains(word) {
            return false;
        }
        (word.ends_with("ed") && word.len() > 3 && !self.book.not_past.contains(word))
            || self.book.past.contains(word)
            || matches!(word, "been" | "gone" | "done" | "seen" | "taken" | "given" | "known" | "written")
    }

    /// Makes the verb after a subject agree with it, and those that share the subject.
    fn agree(&mut self, subject: usize, plural: bool) {
        let at = skip_adverbs(self.book, &self.list, subject + 1);
        if !self.list.get(at).is_some_and(|t| t.gap.trim().is_empty()) {
            return;
        }
        let word = self.list[at].lower.clone();
        let (base, negated) = match word.strip_suffix("n't") {
            Some(base) => (base, true),
            None => (word.as_str(), false),
        };
        let fixed = match (base, plural) {
            ("am" | "are" | "is", false) => Some("is"),
            ("am" | "are" | "is", true) => Some("are"),
            ("was" | "were", false) => Some("was"),
            ("was" | "were", true) => Some("were"),
            ("have", false) => Some("has"),
            ("do", false) => Some("does"),
            _ => None,
        };
        let present = match fixed {
            Some(verb) => {
                // Said and done: the word is not to be looked at again.
                self.list[at].lower.clear();
                self.list[at].word = if negated { format!("{verb} not") } else { verb.to_owned() };
                !negated && matches!(verb, "has" | "does" | "is")
            }
            None if plural || negated || self.book.modals.contains(base) || self.is_past(base) => false,
            None if base.is_empty() || !base.bytes().all(|b| b.is_ascii_lowercase()) || base.ends_with("ing") => false,
            None => {
                self.list[at].word = third_person(base);
                true
            }
        };
        if present {
            let after_be = self.list[at].word == "is";
            self.agree_coordinated(at + 1, after_be);
        }
    }

    /// "I have a dog and work": what follows "and" agrees as well. After "I am" only verbs that are no nouns do.
    fn agree_coordinated(&mut self, from: usize, after_be: bool) {
        let stop: HashSet<&str> =
            ["i", "we", "you", "he", "she", "they", "it", "who", "that", "which", "to", "been"].into();
        for at in from..self.list.len() {
            let lower = self.list[at].lower.as_str();
            if stop.contains(lower) || lower.starts_with("i'") || self.book.modals.contains(lower) {
                return;
            }
            if !matches!(lower, "and" | "but" | "or") {
                continue;
            }
            let verb = skip_adverbs(self.book, &self.list, at + 1);
            let known = self
                .list
                .get(verb)
                .is_some_and(|t| t.gap.trim().is_empty() && (self.book.verbs.contains(&t.lower) || t.lower == "don't"));
            let known = known && (!after_be || self.book.plain_verbs.contains(&self.list[verb].lower));
            // A bare word at the end is more likely a noun: "I love food and travel".
            let governs = self.list.get(verb + 1).is_some_and(|t| t.gap.trim().is_empty() && t.lower != "and");
            if known && governs {
                let word = self.list[verb].lower.clone();
                self.list[verb].word = if word == "don't" { "does not".into() } else { third_person(&word) };
            }
        }
    }
}

fn skip_adverbs(book: &RuleBook, list: &[Token], from: usize) -> usize {
    let adverb = |t: &Token| {
        book.adverbs.contains(&t.lower)
            || (t.lower.len() > 4
                && t.lower.ends_with("ly")
                && t.lower != "reply"
                && t.lower != "apply"
                && t.lower != "supply"
                && t.lower != "family")
    };
    let mut at = from;
    while at < list.len() && at < from + 4 {
        let kind_of = matches!(list[at].lower.as_str(), "kind" | "sort");
        let no_longer = list[at].lower == "no" && list.get(at + 1).is_some_and(|t| t.lower == "longer");
        if no_longer || kind_of && list.get(at + 1).is_some_and(|t| t.lower == "of") {
            at += 2;
        } else if adverb(&list[at]) && !kind_of {
            at += 1;
        } else {
            break;
        }
    }
    at
}

/// The third person singular of a verb in its base form.
fn third_person(base: &str) -> String {
    match base {
        "have" => return "has".into(),
        "be" | "am" | "are" => return "is".into(),
        _ => {}
    }
    let vowel = |c: char| "aeiou".contains(c);
    if let Some(stem) = base.strip_suffix('y')
        && !stem.ends_with(vowel)
    {
        return format!("{stem}ies");
    }
    let hissing = ["s", "x", "z", "ch", "sh", "o"].iter().any(|end| base.ends_with(end));
    if hissing && !base.ends_with("oo") { format!("{base}es") } else { format!("{base}s") }
}

fn spell_out_negations(list: &mut [Token]) {
    for token in list {
        let full = match token.word.to_lowercase().as_str() {
            "can't" => "cannot".to_owned(),
            "won't" => "will not".to_owned(),
            "shan't" => "shall not".to_owned(),
            "ain't" => "is not".to_owned(),
            word => match word.strip_suffix("n't") {
                Some(base) if !base.is_empty() => format!("{base} not"),
                _ => continue,
            },
        };
        token.word = full;
    }
}

/// Who a third-person text is about.
#[derive(Clone, Debug)]
pub(super) struct Names {
    variants: Vec<Vec<String>>,
}

impl Names {
    /// The name in full, its first word, and "the user".
    pub(super) fn new(name: Option<&str>) -> Self {
        let words = |text: &str| text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>();
        let mut variants = vec![words("the user"), words("user"), words("the customer"), words("the client")];
        if let Some(name) = name {
            let full = words(name);
            if let Some(first) = full.first().filter(|first| first.chars().count() > 1) {
                variants.push(vec![first.clone()]);
            }
            variants.push(full);
        }
        variants.retain(|v| !v.is_empty());
        variants.sort_by_key(|v| std::cmp::Reverse(v.len()));
        Names { variants }
    }

    /// How many words at the start of the list are the name, and whether it is in the possessive.
    pub(super) fn leading(&self, list: &[Token]) -> Option<(usize, bool)> {
        self.variants.iter().find_map(|variant| {
            let last = variant.len() - 1;
            let mut possessive = false;
            let fits = list.len() >= variant.len()
                && variant.iter().enumerate().all(|(at, word)| {
                    let token = &list[at].lower;
                    possessive = at == last && token.strip_suffix("'s") == Some(word);
                    (token == word || possessive) && (at == 0 || list[at].gap.trim().is_empty())
                });
            fits.then_some((variant.len(), possessive))
        })
    }

    /// Whether a speaker's label names the subject.
    pub(super) fn is(&self, label: &str) -> bool {
        let words: Vec<String> = label.split_whitespace().map(str::to_lowercase).collect();
        self.variants.contains(&words)
            || words.first().is_some_and(|first| self.variants.iter().any(|v| v.len() == 1 && v[0] == *first))
    }
}

/// The canonical sentence of one that is about the named subject; a leading pronoun counts when `known` says that the
/// sentence before was about them.
pub(super) fn third_person_of(book: &RuleBook, clause: &str, names: &Names, known: bool) -> Option<String> {
    if let Some(grammar) = &book.grammar {
        return grammar.third_person_of(clause, names, known);
    }
    let (mut list, tail) = tokens(clause);
    if let Some((words, possessive)) = names.leading(&list) {
        // "User: …" is a label, not a subject; "Sarah's here" is "Sarah is here".
        let rest = list.split_off(words);
        let gap = list[0].gap.clone();
        let word = match (possessive, rest.first()) {
            (true, Some(next))
                if matches!(next.lower.as_str(), "a" | "an" | "the" | "not" | "from" | "in" | "been" | "got")
                    || next.lower.ends_with("ing") =>
            {
                let verb = if matches!(next.lower.as_str(), "been" | "got") { "has" } else { "is" };
                format!("{SUBJECT} {verb}")
            }
            (true, _) => format!("{SUBJECT}'s"),
            (false, _) => SUBJECT.to_string(),
        };
        list = vec![Token { gap, lower: String::new(), word }];
        list.extend(rest);
    } else if known {
        let lower = list.first()?.lower.clone();
        let next = list.get(1)?.lower.clone();
        let word = match lower.as_str() {
            "she" | "he" => SUBJECT.to_string(),
            "they" => {
                let mut flip = Flip { book, list, mentioned: true, others: true, group: false, habit: false };
                flip.agree(0, false);
                list = flip.list;
                SUBJECT.to_string()
            }
            "she's" | "he's" => {
                let has = matches!(next.as_str(), "been" | "got" | "had" | "lived" | "worked" | "always");
                format!("{SUBJECT} {}", if has { "has" } else { "is" })
            }
            "they're" => format!("{SUBJECT} is"),
            "they've" => format!("{SUBJECT} has"),
            "she'll" | "he'll" | "they'll" => format!("{SUBJECT} will"),
            "she'd" | "he'd" | "they'd" => format!("{SUBJECT} would"),
            "her" | "his" | "their" => format!("{SUBJECT}'s"),
            _ => return None,
        };
        list[0].word = word;
    } else {
        return None;
    }
    spell_out_negations(&mut list);
    Some(joined(&list, &tail).trim().to_owned())
}

/// The canonical sentence of an item in a list that leaves out whom it is about: "Lives in Rome".
pub(super) fn listed(book: &RuleBook, patterns: &[(String, Regex)], item: &str) -> Option<String> {
    let words = patterns.iter().find(|(_, pattern)| pattern.is_match(item)).map(|(words, _)| words)?;
    third_person_of(book, &format!("{words} {}", lower_first(item)), &Names::new(None), false)
}

fn capital_first(text: &str) -> String {
    super::rulebook::capitalized(text.trim())
}

/// Writes a part of a canonical sentence, as it stands.
pub(super) fn render_part(book: &RuleBook, part: &str, name: Option<&str>) -> String {
    book.wording.with_name(part, name)
}

/// Writes a canonical sentence about a name.
pub(super) fn render(book: &RuleBook, canonical: &str, name: Option<&str>) -> String {
    let text = book.wording.with_name(canonical, name);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    super::rulebook::capitalized(text.trim_end_matches(['.', '!', ',', ';', ':', ' ', '-']))
}
