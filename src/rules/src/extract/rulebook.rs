//! The rules as data: reads a language file into compiled tables.
//!
//! A language is one text file of `[sections]`; `#` starts a comment line. Sections of patterns hold one regular
//! expression per line, with `{MACRO}` replaced; sections of words hold words. A section that is not there says nothing.
//! The files ship inside the library, so a mistake in one is a bug of the build and panics at first use; a test loads
//! every language. To add a language, add its file to [`LANGUAGES`] and its sentences to the tests; see docs/extraction.md.

mod sections;
mod wording;

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use regex::{Captures, Regex, RegexBuilder};

pub(super) use sections::Sections;
use sections::expand;
use wording::Wording;

use super::Kind;
use super::answer::Asking;
use super::dates::rule::{DateRule, date_rule};
use super::grammar::Grammar;

/// The languages there are rules for, by their ISO 639-1 codes; the first is the default.
const LANGUAGES: [(&str, &str); 2] =
    [("en", include_str!("../../data/en.rules")), ("de", include_str!("../../data/de.rules"))];

/// Stands for the subject in canonical sentences; a control character, removed from the input beforehand. It is of ASCII
/// because the fast engine of the patterns gives up at word boundaries beside anything else.
pub(super) const SUBJECT: char = '\u{1}';

/// What a rule or a key says about what it finds.
#[derive(Clone, Debug)]
pub(super) struct Meaning {
    pub(super) kind: Kind,
    pub(super) is_static: bool,
    pub(super) confidence: f32,
    pub(super) importance: f32,
    pub(super) slot: Option<String>,
    pub(super) negated: bool,
    pub(super) plan: bool,
    pub(super) no_date: bool,
    pub(super) also: bool,
    /// The sentence to remember instead of the one that was found.
    pub(super) say: Option<String>,
}

/// A pattern over canonical sentences. Compiled when first tried: a session that never learns never pays for it.
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) meaning: Meaning,
    source: String,
    compiled: OnceLock<Regex>,
}

impl Rule {
    /// The compiled pattern.
    pub(super) fn pattern(&self) -> &Regex {
        self.compiled.get_or_init(|| compile(&self.source))
    }
}

/// The groups of a match. Most patterns match nothing, and whether they do is found out several times faster than where
/// their groups lie: for an anchored pattern the engine begins with the groups.
pub(super) fn groups_of<'t>(pattern: &Regex, text: &'t str) -> Option<Captures<'t>> {
    if pattern.is_match(text) { pattern.captures(text) } else { None }
}

/// Everything known about a language.
pub(super) struct RuleBook {
    pub(super) small_talk: Patterns,
    pub(super) question: Patterns,
    pub(super) request: Patterns,
    pub(super) allowed: Patterns,
    pub(super) hypothetical: Patterns,
    pub(super) sarcasm: Patterns,
    pub(super) reported: Patterns,
    pub(super) owned: Patterns,
    pub(super) lead: Vec<Regex>,
    pub(super) keep_lead: Patterns,
    pub(super) tail: Vec<Regex>,
    pub(super) elided: Vec<(String, Regex)>,
    pub(super) not_elided: Patterns,
    pub(super) listed: Vec<(String, Regex)>,
    pub(super) listed_too: Vec<(String, Regex)>,
    pub(super) about: Vec<Regex>,
    pub(super) headings: HashSet<String>,
    pub(super) pronouns: HashSet<String>,
    /// How the sentences of the speaker become sentences about them; English has rules of its own in `person`.
    pub(super) grammar: Option<Grammar>,
    pub(super) wording: Wording,
    /// A number before a month has a full stop.
    pub(super) ordinal_days: bool,
    /// Keys are nouns and keep their capitals.
    pub(super) nouns_have_capitals: bool,
    pub(super) boundary: Option<Regex>,
    pub(super) subordinate: Patterns,
    pub(super) speech: Patterns,
    pub(super) denied: Patterns,
    pub(super) not_other: Patterns,
    pub(super) owns: Regex,
    pub(super) introduced: Regex,
    pub(super) described: Regex,
    pub(super) speaks_of_self: Patterns,
    pub(super) not_subjects: HashSet<String>,
    pub(super) units: HashMap<String, String>,
    pub(super) since: HashSet<String>,
    /// "Last", "this", "next" and the like, as numbers; the words for the edges of a span; ordinals, the last one as -1.
    pub(super) which: HashMap<String, String>,
    pub(super) edges: HashMap<String, String>,
    pub(super) ordinals: HashMap<String, i64>,
    /// Sentences in which "in an hour" is when, and not how long; those that tell of every year.
    pub(super) soon: Patterns,
    pub(super) yearly: Patterns,
    date_end: Patterns,
    /// Words between the ends of a span of time.
    pub(super) until: HashSet<String>,
    pub(super) correction: Vec<Regex>,
    /// Sentences that are read as others: the words of the other, with the groups that they take, and the pattern.
    pub(super) reworded: Vec<(String, Regex)>,
    /// What calls a plan off or moves it; what may do so of a plan of the subject; words for plans, and between those.
    pub(super) called_off: Vec<Regex>,
    pub(super) the_plan: Vec<Regex>,
    pub(super) plan_sorts: HashSet<String>,
    pub(super) plan_stop: HashSet<String>,
    pub(super) shown: Vec<Regex>,
    pub(super) finite: Patterns,
    pub(super) dateline: Patterns,
    pub(super) addressed: Patterns,
    pub(super) of_listener: Regex,
    pub(super) to_listener: Regex,
    pub(super) empty: Patterns,
    /// Clauses that begin with a pronoun of several, and nouns that it may stand for.
    pub(super) many: Patterns,
    pub(super) plural: Patterns,
    /// Clauses that say too little, unless they answer.
    pub(super) brief: Patterns,
    pub(super) thin: HashSet<String>,
    /// Words that praise, encourage or tell a feeling, and nothing else.
    pub(super) hollow: HashSet<String>,
    pub(super) antecedent: Vec<Regex>,
    pub(super) thing: Vec<Regex>,
    pub(super) not_things: HashSet<String>,
    pub(super) general: Patterns,
    pub(super) over: Patterns,
    pub(super) asked: Vec<Regex>,
    /// What an assistant asks of the user, and the sentences of short answers.
    pub(super) answers: Vec<Asking>,
    pub(super) not_asked: Patterns,
    pub(super) no_answer: Patterns,
    pub(super) own_words: Patterns,
    pub(super) counted: Patterns,
    pub(super) yes: Vec<Regex>,
    pub(super) no: Vec<Regex>,
    /// Words with which an answer to "where" says how it lies there.
    pub(super) placed: HashSet<String>,
    pub(super) she: HashSet<String>,
    pub(super) he: HashSet<String>,
    pub(super) they: HashSet<String>,
    pub(super) preface: Patterns,
    pub(super) deictic: Patterns,
    pub(super) adverbs: HashSet<String>,
    pub(super) modals: HashSet<String>,
    pub(super) past: HashSet<String>,
    pub(super) same: HashSet<String>,
    pub(super) habitual: Patterns,
    pub(super) not_past: HashSet<String>,
    pub(super) verbs: HashSet<String>,
    pub(super) plain_verbs: HashSet<String>,
    pub(super) not_names: HashSet<String>,
    pub(super) numbers: HashMap<String, i64>,
    pub(super) months: HashMap<String, i64>,
    pub(super) weekdays: HashMap<String, i64>,
    pub(super) month_names: Vec<String>,
    pub(super) dates: Vec<DateRule>,
    pub(super) any_date: Regex,
    pub(super) no_date: Regex,
    pub(super) say_date: HashMap<String, String>,
    pub(super) languages: HashSet<String>,
    pub(super) future: Patterns,
    pub(super) pastish: Patterns,
    pub(super) single: HashSet<String>,
    pub(super) single_kin: HashSet<String>,
    pub(super) rules: Vec<Rule>,
    pub(super) keys: Vec<Meaning>,
    key_index: HashMap<String, usize>,
    no_keys: HashSet<String>,
    slot_of_key: HashMap<String, String>,
}

/// Patterns of which any may match.
pub(super) struct Patterns(Vec<Regex>);

impl Patterns {
    /// Whether any pattern is found in the text.
    pub(super) fn found_in(&self, text: &str) -> bool {
        self.0.iter().any(|pattern| pattern.is_match(text))
    }
}

impl RuleBook {
    /// The book for a language; that for English where there is none.
    pub(super) fn of(language: Option<&str>) -> &'static RuleBook {
        static BOOKS: [OnceLock<RuleBook>; LANGUAGES.len()] = [const { OnceLock::new() }; LANGUAGES.len()];
        let at = LANGUAGES.iter().position(|(code, _)| language == Some(*code)).unwrap_or(0);
        BOOKS[at].get_or_init(|| RuleBook::parse(LANGUAGES[at].1))
    }

    /// The codes of the languages there are books for.
    pub(super) fn languages() -> impl Iterator<Item = &'static str> {
        LANGUAGES.iter().map(|(code, _)| *code)
    }

    /// The book for English.
    #[cfg(test)]
    pub(super) fn english() -> &'static RuleBook {
        RuleBook::of(None)
    }

    /// What a key of a "key: value" line means.
    pub(super) fn key(&self, key: &str) -> Option<&Meaning> {
        self.key_index.get(&normal_key(key)).map(|&at| &self.keys[at])
    }

    /// Whether a key says nothing about the subject.
    pub(super) fn is_no_key(&self, key: &str) -> bool {
        self.no_keys.contains(&normal_key(key))
    }

    /// Whether a date is complete before these words.
    pub(super) fn ends_date(&self, rest: &str) -> bool {
        rest.is_empty() || self.date_end.found_in(rest)
    }

    /// The slot that a schema key stands for.
    pub(super) fn slot_of_key(&self, key: &str) -> Option<&str> {
        self.slot_of_key.get(&normal_key(key)).map(String::as_str)
    }

    fn parse(text: &str) -> RuleBook {
        let sections = Sections::parse(text);
        let macros = sections.macros();
        let expand = |pattern: &str| expand(pattern, &macros);
        let patterns = |name: &str| -> Vec<Regex> { sections.lines(name).map(|l| compile(&expand(l))).collect() };
        // Nothing, where there are no such patterns.
        let any_of = |name: &str| {
            let lines: Vec<String> = sections.lines(name).map(&expand).collect();
            compile(if lines.is_empty() { r"[^\s\S]".to_owned() } else { lines.join("|") }.as_str())
        };
        let worded = |name: &str| -> Vec<(String, Regex)> {
            let lines = sections.lines(name).map(|line| line.split_once(" :: ").expect("words and a pattern"));
            lines.map(|(words, pattern)| (words.to_owned(), compile(&expand(pattern)))).collect()
        };
        let numbered = |name: &str| -> HashMap<String, i64> {
            let mut map = HashMap::new();
            for line in sections.lines(name) {
                let (names, value) = line.rsplit_once(' ').expect("names and a number");
                let value = value.parse().expect("a number");
                map.insert(names.to_owned(), value);
                if name != "numbers" {
                    map.extend(names.split(' ').map(|n| (n.to_owned(), value)));
                }
            }
            map
        };
        let (keys, key_index) = sections.keys();
        let date_sources: Vec<(String, String)> = sections
            .lines("dates")
            .map(|line| {
                let (head, pattern) = line.split_once(" :: ").expect("a head and a pattern");
                (head.to_owned(), format!(r"\b(?:{})\b", expand(pattern)))
            })
            .collect();
        let unnamed = Regex::new(r"\(\?P<\w+>").expect("a valid pattern");
        let any: Vec<String> =
            date_sources.iter().map(|(_, pattern)| unnamed.replace_all(pattern, "(?:").into_owned()).collect();
        RuleBook {
            small_talk: Patterns(patterns("smalltalk")),
            question: Patterns(patterns("question")),
            request: Patterns(patterns("request")),
            allowed: Patterns(patterns("allowed")),
            hypothetical: Patterns(patterns("hypothetical")),
            sarcasm: Patterns(patterns("sarcasm")),
            reported: Patterns(patterns("reported")),
            owned: Patterns(patterns("owned")),
            lead: patterns("lead"),
            keep_lead: Patterns(patterns("keeplead")),
            tail: patterns("tail"),
            elided: worded("elided"),
            not_elided: Patterns(patterns("notelided")),
            listed: worded("listed"),
            listed_too: worded("listedtoo"),
            about: patterns("about"),
            headings: sections.words("headings"),
            pronouns: sections.words("pronouns"),
            grammar: Grammar::parse(&sections),
            wording: Wording::parse(&sections),
            ordinal_days: sections.words("traits").contains("ordinal-days"),
            nouns_have_capitals: sections.words("traits").contains("nouns-have-capitals"),
            boundary: sections.lines("boundary").next().map(|line| compile(&expand(line))),
            subordinate: Patterns(patterns("subordinate")),
            speech: Patterns(patterns("speech")),
            denied: Patterns(patterns("denied")),
            not_other: Patterns(patterns("notother")),
            owns: any_of("owns"),
            introduced: any_of("introduced"),
            described: any_of("described"),
            speaks_of_self: Patterns(patterns("self")),
            not_subjects: sections.words("notsubjects"),
            units: sections.pairs("units"),
            since: sections.words("since"),
            which: sections.pairs("which"),
            edges: sections.pairs("edges"),
            ordinals: numbered("ordinals"),
            soon: Patterns(patterns("soon")),
            yearly: Patterns(patterns("yearly")),
            date_end: Patterns(patterns("dateend")),
            until: sections.words("until"),
            correction: patterns("correction"),
            reworded: worded("reworded"),
            called_off: patterns("calledoff"),
            the_plan: patterns("theplan"),
            plan_sorts: sections.words("plansorts"),
            plan_stop: sections.words("planstop"),
            shown: patterns("shown"),
            finite: Patterns(patterns("finite")),
            dateline: Patterns(patterns("dateline")),
            addressed: Patterns(patterns("addressed")),
            of_listener: any_of("oflistener"),
            to_listener: any_of("tolistener"),
            empty: Patterns(patterns("empty")),
            many: Patterns(patterns("many")),
            plural: Patterns(patterns("plural")),
            brief: Patterns(patterns("brief")),
            thin: sections.words("thin"),
            hollow: sections.words("hollow"),
            antecedent: patterns("antecedent"),
            thing: patterns("thing"),
            not_things: sections.words("notthings"),
            over: Patterns(patterns("over")),
            general: Patterns(patterns("general")),
            asked: patterns("asked"),
            answers: sections.lines("answers").map(|line| Asking::parse(line, |p| compile(&expand(p)))).collect(),
            not_asked: Patterns(patterns("notasked")),
            no_answer: Patterns(patterns("noanswer")),
            own_words: Patterns(patterns("ownwords")),
            counted: Patterns(patterns("counted")),
            yes: patterns("yes"),
            no: patterns("no"),
            placed: sections.words("placed"),
            she: sections.words("she"),
            he: sections.words("he"),
            they: sections.words("they"),
            preface: Patterns(patterns("preface")),
            deictic: Patterns(patterns("deictic")),
            adverbs: sections.words("adverbs"),
            modals: sections.words("modals"),
            past: sections.words("past"),
            same: sections.words("same"),
            habitual: Patterns(patterns("habitual")),
            not_past: sections.words("notpast"),
            verbs: sections.words("verbs"),
            plain_verbs: sections.words("plainverbs"),
            not_names: sections.words("notnames"),
            numbers: numbered("numbers"),
            months: numbered("months"),
            weekdays: numbered("weekdays"),
            month_names: sections
                .lines("months")
                .map(|line| capitalized(line.split(' ').next().unwrap_or_default()))
                .collect(),
            any_date: compile(&any.join("|")),
            dates: date_sources.iter().map(|(head, pattern)| date_rule(head, pattern)).collect(),
            no_date: any_of("nodate"),
            say_date: sections
                .lines("saydate")
                .filter_map(|line| line.split_once(" = "))
                .map(|(name, form)| (name.to_owned(), form.to_owned()))
                .collect(),
            languages: sections.words("languages"),
            future: Patterns(patterns("future")),
            pastish: Patterns(patterns("pastish")),
            single: sections.words("single"),
            single_kin: sections.words("singlekin"),
            rules: sections.lines("rules").map(|line| rule(line, &macros)).collect(),
            keys,
            key_index,
            no_keys: sections.lines("nokeys").flat_map(|line| line.split(',')).map(normal_key).collect(),
            slot_of_key: sections
                .lines("slots")
                .filter_map(|line| line.split_once(" = "))
                .flat_map(|(slot, names)| names.split(',').map(move |name| (normal_key(name), slot.to_owned())))
                .collect(),
        }
    }
}

/// Lower case, with anything but letters and digits taken out: "Full Name", "full_name" and "fullName" are one key.
pub(super) fn normal_key(key: &str) -> String {
    key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The text with its first letter in upper case.
pub(super) fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn rule(line: &str, macros: &[(String, String)]) -> Rule {
    let mut parts = line.split(" :: ");
    let (id, mut meaning) = head_of(parts.next().unwrap_or_default());
    let source = expand(parts.next().expect("a rule needs a pattern"), macros);
    meaning.say = parts.next().map(str::to_owned);
    Rule { id, meaning, source, compiled: OnceLock::new() }
}

/// Reads "home fact static .9 .8 slot=home nodate".
fn head_of(head: &str) -> (String, Meaning) {
    let mut words = head.split_whitespace();
    let id = words.next().expect("a rule needs a name").to_owned();
    let mut figures = Vec::new();
    let mut meaning = Meaning {
        kind: Kind::Fact,
        is_static: false,
        confidence: 0.0,
        importance: 0.0,
        slot: None,
        negated: false,
        plan: false,
        no_date: false,
        also: false,
        say: None,
    };
    for word in words {
        match word {
            "fact" => meaning.kind = Kind::Fact,
            "preference" => meaning.kind = Kind::Preference,
            "event" => meaning.kind = Kind::Event,
            "context" => meaning.kind = Kind::Context,
            "static" => meaning.is_static = true,
            "dynamic" => meaning.is_static = false,
            "negated" => meaning.negated = true,
            "plan" => meaning.plan = true,
            "nodate" => meaning.no_date = true,
            "also" => meaning.also = true,
            _ => match word.strip_prefix("slot=") {
                Some(slot) => meaning.slot = Some(slot.to_owned()),
                None => figures.push(word.parse::<f32>().unwrap_or_else(|_| panic!("unknown word in a rule: {head}"))),
            },
        }
    }
    let [confidence, importance] = figures[..] else { panic!("a rule needs a confidence and an importance: {head}") };
    (meaning.confidence, meaning.importance) = (confidence, importance);
    (id, meaning)
}

pub(super) fn compile(pattern: &str) -> Regex {
    RegexBuilder::new(pattern)
        .case_insensitive(true)
        .size_limit(32 << 20)
        .build()
        .unwrap_or_else(|error| panic!("a pattern of the rule book does not compile: {error}"))
}
