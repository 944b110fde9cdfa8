//! Whether two statements say the same, contradict each other, or one says more.
//!
//! Sentence vectors cannot tell: "allergic to peanuts" and "allergic to walnuts" are nearer to each other than most
//! paraphrases are, and a fact that is taken for another one is lost. So the words decide, and the vectors only confirm.
//! A statement is brought into a canonical form: wordings that mean the same (`data/en.same`) become one, numbers are
//! written in digits, words that carry nothing go, a denial becomes a property of the whole. What is left must be equal,
//! word by word and in order. Every number, name, tense, preposition and object that differs is a difference.
//!
//! The form has a hash, the gist, that does not depend on the order, the inflection or the denial. Statements that say
//! the same or contradict each other have the same gist, so an index over it finds the few that are worth comparing, in
//! a subject of any size, before there is any vector.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use crate::signature::long_hash;

/// Of statements that are written together, the places of those that meet another one of them, counted from 1: they have the
/// same text, or the gist of the one is that of the other, or of a beginning of it. `gists` has those of each statement, its own
/// first, and `places` says whose they are.
pub fn meeting(texts: &[impl AsRef<str>], gists: &[i64], places: &[i32]) -> HashSet<i32> {
    let mut meeting = HashSet::new();
    let mut meet = |one: i32, other: i32| {
        if one != other {
            meeting.extend([one, other]);
        }
    };
    let mut by_text = HashMap::new();
    for (text, place) in texts.iter().zip(1..) {
        meet(place, *by_text.entry(text.as_ref()).or_insert(place));
    }
    let mut by_gist = HashMap::new();
    let mut before = 0;
    for (&gist, &place) in gists.iter().zip(places) {
        if place != before {
            meet(place, *by_gist.entry(gist).or_insert(place));
        }
        before = place;
    }
    for (gist, &place) in gists.iter().zip(places) {
        meet(place, *by_gist.get(gist).unwrap_or(&place));
    }
    meeting
}

/// How a statement denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Denial {
    /// "does not drink coffee"
    Not,
    /// "never drinks coffee"
    Never,
    /// "no longer drinks coffee": it was so before
    NoLonger,
}

/// How a new statement stands to one that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Both say the same.
    Same,
    /// One denies what the other states.
    Contradicts,
    /// The new one states the known one, and more.
    Extends,
}

impl Relation {
    /// The name that SQL knows.
    pub fn as_str(self) -> &'static str {
        match self {
            Relation::Same => "same",
            Relation::Contradicts => "contradicts",
            Relation::Extends => "extends",
        }
    }
}

/// Cosine of the vectors below which a paraphrase is not taken for one, whatever the words say: a second wall, for wordings
/// that nobody thought of. Of the pairs that the words find right, all-MiniLM-L6-v2 puts none below 0.78 (`make
/// bench-paraphrases`); by itself no cosine will do, since at 0.95 a third of what passes differs.
pub const MIN_COSINE: f64 = 0.75;

/// Words of a statement, the subject among them, that another one must begin with to count as its detail.
const MIN_EXTENDED: usize = 3;

/// The longest text that is compared; what is longer is no single statement.
const MAX_WORDS: usize = 60;

/// A statement in its canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    words: Vec<Word>,
    denial: Option<Denial>,
    /// An adverbial stands before the subject.
    fronted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    text: String,
    /// Stands where a denial takes the inflection away: "does not smoke", "stopped smoking".
    bare: bool,
}

impl Word {
    fn is(&self, other: &Word) -> bool {
        self.text == other.text || (self.bare || other.bare) && stem(&self.text) == stem(&other.text)
    }
}

impl Statement {
    /// Reads a text; `subject` is the name of the one it is about, whom other texts may call "User". `None` where there is
    /// nothing to compare: no word, more than one statement would have, a question, or a turn of a conversation as it was
    /// said ("Ann: I like it"), which is a record and no statement.
    pub fn read(text: &str, subject: Option<&str>) -> Option<Statement> {
        let language = &*ENGLISH;
        if text.trim_end().ends_with('?') || is_turn(text) {
            return None;
        }
        let raw = named(tokens(text), subject);
        if raw.is_empty() || raw.len() > MAX_WORDS {
            return None;
        }
        let fronted = language.fronted.contains(raw[0].as_str());
        let raw: Vec<String> = raw.into_iter().filter(|word| !language.adverbs.contains(word.as_str())).collect();
        let mut words: Vec<Word> = Vec::with_capacity(raw.len());
        let mut denial = None;
        let mut bare = false;
        let mut at = 0;
        while at < raw.len() {
            let rest = &raw[at..];
            // "does" only carries the denial behind it.
            let next = rest.get(1).map(String::as_str);
            let carries = matches!(rest[0].as_str(), "does" | "do") && matches!(next, Some("not" | "never"));
            let is = rest[0] == "'s" && matches!(next, Some("a" | "an" | "the" | "not"));
            if carries || is {
                at += 1;
                continue;
            }
            let (text, length) = match (language.denials.longest(rest), language.groups.longest(rest)) {
                (Some((&found, length)), group) if group.is_none_or(|(_, longer)| longer <= length) => {
                    // "does not smoke any more" is no longer, not merely not.
                    denial = denial.filter(|&known| known == Denial::NoLonger).or(Some(found));
                    bare = true;
                    at += length;
                    continue;
                }
                (_, Some((wording, length))) => match wording.strip_prefix("not ") {
                    // "Does not hate" is less than to like, and another denial of it says nothing that can be compared.
                    Some(_) if denial.is_some() => return None,
                    Some(denied) => {
                        denial = Some(Denial::Not);
                        (denied, length)
                    }
                    None => (wording.as_str(), length),
                },
                _ => (rest[0].as_str(), 1),
            };
            at += length;
            for word in text.split(' ').filter(|word| !word.is_empty() && !language.drop.contains(*word)) {
                let word = language.numbers.get(word).map_or(word, String::as_str);
                words.push(Word { text: word.to_owned(), bare });
                bare = false;
            }
        }
        day_before_month(&mut words);
        (!words.is_empty()).then_some(Statement { words, denial, fronted })
    }

    /// A hash that statements share that say the same or contradict each other.
    pub fn gist(&self) -> i64 {
        gist_of(&self.words)
    }

    /// The gists of statements that this one may be a detail of: of its beginnings.
    pub fn gists_of_beginnings(&self) -> Vec<i64> {
        let stems: Vec<String> = self.words.iter().map(|word| stem(&word.text)).collect();
        // Each beginning has one stem more than the one before, put in its place among the sorted.
        let mut sorted: Vec<&str> = Vec::with_capacity(stems.len());
        let mut gists = Vec::new();
        for stem in stems.iter().take(stems.len().saturating_sub(1)) {
            sorted.insert(sorted.partition_point(|other| *other <= stem.as_str()), stem);
            if sorted.len() >= MIN_EXTENDED {
                gists.push(gist_of_sorted(&sorted));
            }
        }
        gists
    }

    /// How this statement, the new one, stands to a known one.
    pub fn relation_to(&self, known: &Statement) -> Option<Relation> {
        let same_words = self.says_the_words_of(known);
        if same_words && self.denial == known.denial {
            Some(Relation::Same)
        } else if same_words && self.denial.is_some() != known.denial.is_some() {
            Some(Relation::Contradicts)
        } else if self.denial.is_none()
            && known.denial.is_none()
            && known.words.len() >= MIN_EXTENDED
            && known.words.len() < self.words.len()
            && self.words.iter().zip(&known.words).all(|(a, b)| a.is(b))
        {
            Some(Relation::Extends)
        } else {
            None
        }
    }

    fn says_the_words_of(&self, other: &Statement) -> bool {
        let (a, b) = (&self.words, &other.words);
        if a.len() != b.len() {
            return false;
        }
        let equal = |shift: usize| (0..a.len()).all(|at| a[at].is(&b[(at + shift) % b.len()]));
        // "In Berlin Ann works as a baker": only an adverbial may change its place, and nothing but from end to front.
        equal(0) || self.fronted != other.fronted && (1..a.len()).any(equal)
    }
}

/// Whether a text begins with a name and a colon.
fn is_turn(text: &str) -> bool {
    text.split_once(": ").is_some_and(|(name, _)| {
        name.split_whitespace().count() <= 3
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '.' | '-' | '_'))
    })
}

/// A phrase in the words that stand for all that mean the same: "colour" and "color", "film" and "movie".
pub(crate) fn plain_words(phrase: &str) -> String {
    let plain = Statement::read(phrase, None).filter(|statement| statement.denial.is_none());
    let words = plain.map(|plain| plain.words.into_iter().map(|word| word.text).collect::<Vec<_>>().join(" "));
    words.unwrap_or_else(|| phrase.to_lowercase())
}

/// Whether two values of a slot are one: letter case, punctuation, articles and what follows a comma aside.
pub fn same_value(a: &str, b: &str) -> bool {
    let normal = |value: &str| -> Vec<String> {
        tokens(value).into_iter().filter(|word| !matches!(word.as_str(), "a" | "an" | "the")).collect()
    };
    let head = |value: &str| normal(value.split(',').next().unwrap_or_default());
    let (whole_a, whole_b) = (normal(a), normal(b));
    whole_a == whole_b || !whole_a.is_empty() && (whole_a == head(b) || whole_b == head(a)) && !whole_b.is_empty()
}

/// Lower-case words, signs that make a difference among them ("C++", "$5", "5 %"); contractions are spelt out.
fn tokens(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace(['’', '`'], "'");
    let letters: Vec<char> = text.chars().collect();
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for (at, &c) in letters.iter().enumerate() {
        let between_digits = |sign: char| {
            c == sign
                && at > 0
                && letters[at - 1].is_ascii_digit()
                && letters.get(at + 1).is_some_and(char::is_ascii_digit)
        };
        if c.is_alphanumeric() || matches!(c, '\'' | '+' | '#') || between_digits('.') || between_digits(':') {
            word.push(c);
        } else if between_digits(',') {
            continue;
        } else {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            if matches!(c, '%' | '$' | '€' | '£' | '@' | '&') || !c.is_ascii() && !c.is_whitespace() && !is_mark(c) {
                words.push(c.to_string());
            }
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words.into_iter().flat_map(|word| spelt_out(&word)).collect()
}

fn is_mark(c: char) -> bool {
    matches!(c, '“' | '”' | '‘' | '„' | '«' | '»' | '–' | '—' | '…' | '·' | '•' | '。' | '，' | '！' | '？')
}

fn spelt_out(word: &str) -> Vec<String> {
    let irregular = [("won't", "will"), ("can't", "can"), ("shan't", "shall"), ("cannot", "can")];
    let own = |parts: &[&str]| parts.iter().filter(|part| !part.is_empty()).map(|&part| part.to_owned()).collect();
    if let Some((_, verb)) = irregular.iter().find(|(form, _)| *form == word) {
        return own(&[verb, "not"]);
    }
    if let Some(verb) = word.strip_suffix("n't") {
        return own(&[verb, "not"]);
    }
    for (ending, full) in [("'m", "is"), ("'re", "is"), ("'ve", "has"), ("'ll", "will"), ("'s", "'s")] {
        if let Some(head) = word.strip_suffix(ending) {
            return own(&[head, full]);
        }
    }
    let ordinal = ["st", "nd", "rd", "th"].iter().find_map(|end| word.strip_suffix(end));
    if let Some(digits) = ordinal.filter(|head| !head.is_empty() && head.bytes().all(|b| b.is_ascii_digit())) {
        return own(&[digits]);
    }
    let bare = word.trim_matches('\'');
    // "the twins' school"
    if word.ends_with('\'') && bare.ends_with('s') { own(&[bare, "'s"]) } else { own(&[bare]) }
}

/// With "user" in place of the subject's name, in full or the first of it.
fn named(words: Vec<String>, subject: Option<&str>) -> Vec<String> {
    let full = subject.map(tokens).unwrap_or_default();
    let Some(first) = full.first() else { return words };
    let mut out = Vec::with_capacity(words.len());
    let mut at = 0;
    while at < words.len() {
        if words[at..].starts_with(&full) {
            at += full.len();
        } else if words[at] == *first {
            at += 1;
        } else {
            out.push(words[at].clone());
            at += 1;
            continue;
        }
        out.push("user".to_owned());
    }
    out
}

/// Brings "May 7" and "7 of May" into one order.
fn day_before_month(words: &mut Vec<Word>) {
    let is_month = |word: &Word| ENGLISH.months.contains(word.text.as_str());
    let is_day = |word: &Word| word.text.len() <= 2 && word.text.bytes().all(|byte| byte.is_ascii_digit());
    let mut at = 0;
    while at + 1 < words.len() {
        if is_month(&words[at]) && is_day(&words[at + 1]) {
            words.swap(at, at + 1);
            at += 1;
        } else if at + 2 < words.len() && is_day(&words[at]) && words[at + 1].text == "of" && is_month(&words[at + 2]) {
            words.remove(at + 1);
        }
        at += 1;
    }
}

/// A word without its inflection, coarsely: what it makes alike by mistake, the comparison of the words tells apart.
fn stem(word: &str) -> String {
    let long = |stem: &&str| stem.chars().count() >= 3;
    let cut = ["ing", "ies", "es", "s", "y", "e"].iter().find_map(|end| word.strip_suffix(end).filter(long));
    let mut stem = cut.unwrap_or(word).to_owned();
    let bytes = stem.as_bytes();
    if stem.is_ascii() && bytes.len() > 3 && bytes[bytes.len() - 1] == bytes[bytes.len() - 2] {
        stem.pop();
    }
    stem
}

/// The hash of the sorted stems, each with a zero behind it: stored in the database, so it stays as it is.
fn gist_of(words: &[Word]) -> i64 {
    let stems: Vec<String> = words.iter().map(|word| stem(&word.text)).collect();
    let mut sorted: Vec<&str> = stems.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    gist_of_sorted(&sorted)
}

fn gist_of_sorted(stems: &[&str]) -> i64 {
    long_hash(&stems.iter().flat_map(|stem| [stem, "\0"]).collect::<String>()).cast_signed()
}

/// Wordings of several words, found by their first.
struct Wordings<T>(HashMap<String, Vec<(Vec<String>, T)>>);

impl<T> Wordings<T> {
    fn new(wordings: impl IntoIterator<Item = (String, T)>) -> Self {
        let mut table: HashMap<String, Vec<(Vec<String>, T)>> = HashMap::new();
        for (wording, meaning) in wordings {
            let words: Vec<String> = wording.split_whitespace().map(str::to_owned).collect();
            if let Some(first) = words.first() {
                table.entry(first.clone()).or_default().push((words, meaning));
            }
        }
        table.values_mut().for_each(|list| list.sort_by_key(|(words, _)| std::cmp::Reverse(words.len())));
        Wordings(table)
    }

    /// The longest wording that the words begin with, and its length.
    fn longest(&self, words: &[String]) -> Option<(&T, usize)> {
        let found = self.0.get(words.first()?)?.iter().find(|(wording, _)| words.starts_with(wording))?;
        Some((&found.1, found.0.len()))
    }
}

/// What is known of a language.
struct Language {
    groups: Wordings<String>,
    denials: Wordings<Denial>,
    adverbs: HashSet<&'static str>,
    drop: HashSet<&'static str>,
    fronted: HashSet<&'static str>,
    months: HashSet<&'static str>,
    numbers: HashMap<&'static str, String>,
}

static ENGLISH: LazyLock<Language> = LazyLock::new(|| Language::read(include_str!("../data/en.same")));

impl Language {
    /// The file ships inside the library: a mistake in it is a bug of the build, found by the tests.
    fn read(text: &'static str) -> Language {
        let mut sections: HashMap<&str, Vec<&'static str>> = HashMap::new();
        let mut section = "";
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                Some(name) => section = name,
                None => sections.entry(section).or_default().push(line),
            }
        }
        let mut take = |name: &str| sections.remove(name).unwrap_or_default();
        let words = |lines: Vec<&'static str>| lines.into_iter().flat_map(str::split_whitespace).collect();
        let groups = take("groups").into_iter().flat_map(|line| {
            let wordings: Vec<&str> = line.split('|').map(str::trim).collect();
            let canonical = if wordings[0] == "-" { "" } else { wordings[0] };
            wordings.into_iter().map(|wording| (wording.to_owned(), canonical.to_owned())).collect::<Vec<_>>()
        });
        let groups = Wordings::new(groups.filter(|(wording, _)| wording != "-"));
        let denials = [("not", Denial::Not), ("never", Denial::Never), ("nolonger", Denial::NoLonger)];
        let denials = denials.into_iter().flat_map(|(section, denial)| {
            take(section).into_iter().map(move |wording| (wording.to_owned(), denial)).collect::<Vec<_>>()
        });
        Language {
            groups,
            denials: Wordings::new(denials.collect::<Vec<_>>()),
            adverbs: words(take("adverbs")),
            drop: words(take("drop")),
            fronted: words(take("fronted")),
            months: words(take("months")),
            numbers: take("numbers")
                .into_iter()
                .filter_map(|line| line.split_once(' '))
                .map(|(word, digits)| (word, digits.to_owned()))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests;
