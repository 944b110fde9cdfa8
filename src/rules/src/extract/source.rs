//! What a text is and who says what in it: the parts that can be learned from, each with its place in the input.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::person::Names;
use super::rulebook::RuleBook;
use super::{Input, Message, Role, json, markup};
use crate::time::parse_micros;

/// Who speaks in a piece of prose.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Speaker {
    /// The subject of the profile.
    Subject,
    /// Somebody else, who is the subject of their own memories.
    Named(String),
    /// Somebody whose words teach nothing but give those of the others their sense.
    Other(Option<String>),
}

/// Where something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    /// In a text about the subject or by them.
    Text,
    /// In a message.
    Chat,
    /// In a message of a conversation among people who have names: what they speak of matters as well.
    People,
}

/// Where a text stands in the input.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// It is a slice of the input that begins here.
    At(usize),
    /// It was decoded from this range; finer places are not known.
    Within(Range<usize>),
}

impl Place {
    /// The range of the input that holds a range of the text.
    pub(super) fn span(&self, range: &Range<usize>) -> Range<usize> {
        match self {
            Place::At(base) => base + range.start..base + range.end,
            Place::Within(whole) => whole.clone(),
        }
    }
}

/// A part of the text that can be learned from.
#[derive(Clone, Debug)]
pub(super) enum Unit<'a> {
    /// Running text.
    Prose { text: Cow<'a, str>, place: Place, speaker: Speaker, date: Option<i64>, setting: Setting },
    /// A key and its value.
    Pair { key: String, value: Value, span: Range<usize> },
    /// An entry of a list under a heading.
    Item { heading: String, text: String, span: Range<usize> },
    /// A dated line of an activity log.
    Log { text: String, date: Option<i64>, span: Range<usize> },
}

/// A text, taken apart.
#[derive(Debug, Default)]
pub(super) struct Source<'a> {
    pub(super) units: Vec<Unit<'a>>,
    pub(super) messages: Vec<Message>,
    pub(super) notes: Vec<String>,
    /// Several people speak and none of them is known to be the subject.
    pub(super) several: bool,
}

/// A turn before it is known whose it is.
pub(super) struct Turn<'a> {
    pub(super) role: Role,
    pub(super) name: Option<String>,
    pub(super) text: Cow<'a, str>,
    pub(super) place: Place,
    pub(super) date: Option<i64>,
    pub(super) span: Range<usize>,
    pub(super) conversation: Option<String>,
    pub(super) sequence: Option<i32>,
}

/// Takes a text apart.
pub(super) fn parse<'a>(book: &RuleBook, input: &Input<'a>) -> Source<'a> {
    let text = input.text;
    let hint = input.input_type.unwrap_or_default().to_lowercase();
    let mut source = Source::default();
    if text.trim_start().starts_with(['{', '[']) {
        if let Some(document) = json::parse(text) {
            json::read(book, document, &mut source, input);
            return source;
        }
        if hint.contains("json") {
            source.notes.push("the text is not valid JSON and was read as plain text".to_owned());
        }
    }
    let chat = ["chat", "conversation", "transcript", "dialog", "messages"].iter().any(|word| hint.contains(word));
    let log = hint.contains("log") && !hint.contains("blog") && !hint.contains("dialog");
    if let Some(turns) = (!log).then(|| transcript(book, text, chat)).flatten() {
        assign(turns, input, &mut source);
    } else if let Some(units) = activity_log(text, log) {
        source.units = units;
    } else {
        markup::read(book, text, 0, input.schema, &mut source.units);
    }
    source
}

/// What a speaker's label says of their role; `None` for a name.
pub(super) fn role_of(label: &str) -> Option<Role> {
    let label = label.trim().to_lowercase();
    match label.as_str() {
        "user" | "human" | "me" | "customer" | "client" | "patient" | "caller" | "visitor" | "q" => Some(Role::User),
        "assistant" | "ai" | "bot" | "agent" | "support" | "chatgpt" | "gpt" | "claude" | "gemini" | "copilot"
        | "model" | "chatbot" | "ai assistant" | "virtual assistant" | "a" | "tool" | "function" => {
            Some(Role::Assistant)
        }
        "system" | "developer" => Some(Role::System),
        _ => None,
    }
}

static SPEAKER: LazyLock<Regex> = LazyLock::new(|| {
    let time = r"\d[\d/.:\-T, ]{3,24}(?:Z|[+-]\d\d:?\d\d)?(?: ?[AaPp][Mm])?";
    let pattern = format!(
        concat!(
            r"^[ \t]*(?:\[?(?P<before>{time})\]?[ \t]*[-–]?[ \t]*)?(?:\*\*)?",
            r"(?P<who>[\p{{L}}][\p{{L}}\p{{M}}\p{{N}} .'_-]{{0,39}}?)[ \t]*(?:[\[(](?P<after>{time})[\])])?[ \t]*",
            r"(?:\*\*)?:(?:\*\*)?[ \t]+(?P<what>\S.*)$"
        ),
        time = time
    );
    Regex::new(&pattern).expect("a valid pattern")
});

/// The lines of a text with their places.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        (start, line.trim_end_matches(['\n', '\r']))
    })
}

/// The turns of a transcript, when the text is one.
fn transcript<'a>(book: &RuleBook, text: &'a str, chat: bool) -> Option<Vec<Turn<'a>>> {
    struct Head {
        line: usize,
        text: usize,
        who: String,
        date: Option<i64>,
    }
    let mut heads = Vec::new();
    let mut written = 0;
    for (start, line) in lines(text) {
        written += usize::from(!line.trim().is_empty());
        // A label stands at the beginning: what lies far behind cannot change that.
        if line.len() > 20_000 {
            continue;
        }
        let Some(groups) = SPEAKER.captures(line) else { continue };
        let (Some(who), Some(what)) = (groups.name("who"), groups.name("what")) else { continue };
        if who.as_str().split_whitespace().count() > 4 {
            continue;
        }
        let time = groups.name("before").or_else(|| groups.name("after"));
        let date = time.and_then(|m| parse_micros(m.as_str().trim()).ok());
        heads.push(Head { line: start, text: start + what.start(), who: who.as_str().trim().to_owned(), date });
    }
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for head in &heads {
        *counts.entry(head.who.as_str()).or_default() += 1;
    }
    let roles = counts.keys().any(|who| role_of(who).is_some());
    let keys =
        counts.keys().filter(|who| book.key(who).is_some() || book.is_no_key(who)).filter(|who| role_of(who).is_none());
    let (known, most) = (keys.count(), counts.values().copied().max().unwrap_or(0));
    let named = most >= 2 && counts.len() * 2 <= heads.len() + 1 && heads.len() * 3 >= written;
    if heads.is_empty() || known * 2 > counts.len() || !(roles && known == 0 || named || chat) {
        return None;
    }
    let ends = heads.iter().skip(1).map(|head| head.line).chain([text.len()]);
    let turns = heads.iter().zip(ends).map(|(head, end)| {
        let body = text[head.text..end].trim_end();
        let role = role_of(&head.who);
        Turn {
            role: role.unwrap_or(Role::User),
            name: role.is_none().then(|| head.who.clone()),
            text: Cow::Borrowed(body),
            place: Place::At(head.text),
            date: head.date,
            span: head.text..head.text + body.len(),
            conversation: None,
            sequence: None,
        }
    });
    Some(turns.collect())
}

/// Decides whose the turns are.
///
/// With a known subject only their turns teach; with role labels only the user's. When several named people speak and
/// none is known to be the subject, each teaches about themself and the profile's fields are left alone.
pub(super) fn assign<'a>(turns: Vec<Turn<'a>>, input: &Input<'_>, source: &mut Source<'a>) {
    let names = Names::new(input.subject_name);
    let by_name = input.subject_name.is_some()
        && turns.iter().any(|turn| turn.name.as_deref().is_some_and(|name| names.is(name)));
    let by_role = turns.iter().any(|turn| turn.role == Role::User && turn.name.is_none())
        || turns.iter().any(|turn| turn.role == Role::Assistant);
    let mut speakers: Vec<&str> = turns.iter().filter_map(|turn| turn.name.as_deref()).collect();
    speakers.sort_unstable();
    speakers.dedup();
    let assisted = turns.iter().any(|turn| turn.role == Role::Assistant);
    source.several = !by_name && !by_role && speakers.len() > 1;
    for turn in turns {
        let speaker = match (&turn.name, turn.role) {
            (_, Role::Assistant | Role::System) => Speaker::Other(turn.name.clone()),
            (Some(name), _) if by_name && !names.is(name) => Speaker::Other(turn.name.clone()),
            (None, _) => Speaker::Subject,
            (Some(_), _) if by_name => Speaker::Subject,
            (Some(name), _) if source.several || input.subject_name.is_none() => Speaker::Named(name.clone()),
            (Some(_), _) => Speaker::Subject,
        };
        let setting = if turn.name.is_some() && !assisted { Setting::People } else { Setting::Chat };
        source.messages.push(Message {
            role: turn.role,
            name: turn.name,
            content: turn.text.to_string(),
            date: turn.date,
            span: turn.span,
            conversation: turn.conversation,
            sequence: turn.sequence,
        });
        source.units.push(Unit::Prose { text: turn.text, place: turn.place, speaker, date: turn.date, setting });
    }
}

static LOGGED: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = concat!(
        r"^[ \t]*(?:[-*•][ \t]+)?\[?(?P<ts>\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?|",
        r"\d{1,2}:\d\d(?::\d\d)?(?: ?[AaPp][Mm])?)\]?[ \t]*[-–:|,]?[ \t]*",
        r"(?:\[?(?:INFO|DEBUG|WARN|TRACE|NOTICE)\]?[ \t:-]+)?(?P<what>[^\d\s].*)$"
    );
    Regex::new(pattern).expect("a valid pattern")
});

/// The entries of an activity log, when the text is one: most lines begin with a date or a time.
fn activity_log<'a>(text: &'a str, told: bool) -> Option<Vec<Unit<'a>>> {
    let mut units = Vec::new();
    let (mut written, mut dated) = (0, 0);
    for (start, line) in lines(text) {
        if line.trim().is_empty() {
            continue;
        }
        written += 1;
        let groups = (line.len() < 20_000).then(|| LOGGED.captures(line)).flatten();
        match groups.as_ref().and_then(|groups| Some((groups.name("ts")?, groups.name("what")?))) {
            Some((ts, what)) => {
                dated += 1;
                let span = start + what.start()..start + what.end();
                units.push(Unit::Log {
                    text: what.as_str().trim_end().to_owned(),
                    date: parse_micros(&ts.as_str().replace(',', ".")).ok(),
                    span,
                });
            }
            None => units.push(Unit::Prose {
                text: Cow::Borrowed(line),
                place: Place::At(start),
                speaker: Speaker::Subject,
                date: None,
                setting: Setting::Chat,
            }),
        }
    }
    let enough = if told { dated >= 1 } else { dated >= 2 };
    (enough && dated * 2 >= written).then_some(units)
}
