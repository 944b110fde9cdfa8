//! What a text is and who says what in it: the parts that can be learned from, each with its place in the input.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::person::{self, Names};
use super::rulebook::RuleBook;
use super::{Input, Message, Role, json, markup, people, table};
use crate::time::Moment;

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
    /// In a list about somebody, whose items may leave out whom they are about.
    List,
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
    Prose { text: Cow<'a, str>, place: Place, speaker: Speaker, date: Option<Moment>, setting: Setting },
    /// A key and its value.
    Pair { key: String, value: Value, span: Range<usize> },
    /// An entry of a list under a heading.
    Item { heading: String, text: String, span: Range<usize> },
    /// A dated line of an activity log.
    Log { text: String, date: Option<Moment>, span: Range<usize> },
    /// The parts behind it are about the person of this name; without one, again about whom the text is about.
    Person { name: Option<String>, span: Range<usize> },
    /// What has become of that: whose the parts behind it are.
    About(Speaker),
}

/// A text, taken apart.
#[derive(Debug, Default)]
pub(super) struct Source<'a> {
    pub(super) units: Vec<Unit<'a>>,
    pub(super) messages: Vec<Message>,
    pub(super) notes: Vec<String>,
    /// Several people speak, or are told of, and none of them is known to be the subject.
    pub(super) several: bool,
    /// The one person that the text names, when nobody said whom it is about.
    pub(super) named: Option<(String, Range<usize>)>,
}

/// A turn before it is known whose it is.
pub(super) struct Turn<'a> {
    pub(super) role: Role,
    pub(super) name: Option<String>,
    pub(super) text: Cow<'a, str>,
    pub(super) place: Place,
    pub(super) date: Option<Moment>,
    pub(super) span: Range<usize>,
    pub(super) conversation: Option<String>,
    pub(super) sequence: Option<i32>,
    /// The sender says that this is the user's.
    pub(super) of_user: bool,
}

/// Takes a text apart, and says of each part whose it is.
pub(super) fn parse<'a>(book: &RuleBook, input: &Input<'a>) -> Source<'a> {
    let mut source = Source::default();
    take_apart(book, input, &mut source);
    people::settle(book, &mut source, input);
    source
}

fn take_apart<'a>(book: &RuleBook, input: &Input<'a>, source: &mut Source<'a>) {
    let text = input.text;
    let hint = input.input_type.unwrap_or_default().to_lowercase();
    if text.trim_start().starts_with(['{', '[']) {
        if let Some(document) = json::parse(text) {
            return json::read(book, document, source, input);
        }
        if hint.contains("json") {
            source.notes.push("the text is not valid JSON and was read as plain text".to_owned());
        }
    }
    let hinted = |words: &[&str]| words.iter().any(|word| hint.contains(word));
    let chat = hinted(&["chat", "conversation", "transcript", "dialog", "messages"]);
    let log = hint.contains("log") && !hint.contains("blog") && !hint.contains("dialog");
    if let Some((header, rows)) = table::separated(book, text, hinted(&["csv", "tsv", "spreadsheet", "table"])) {
        table::read(book, &header, &rows, &mut source.units);
    } else if let Some(turns) = (!log).then(|| transcript(book, text, chat)).flatten() {
        assign(turns, input, source);
    } else if let Some(units) = activity_log(text, log) {
        source.units = units;
    } else {
        markup::read(book, input, source);
    }
}

/// What a speaker's label says of their role; `None` for a name.
pub(super) fn role_of(label: &str) -> Option<Role> {
    let label = label.trim().to_lowercase();
    match label.as_str() {
        "user" | "human" | "me" | "customer" | "client" | "patient" | "caller" | "visitor" | "q" | "nutzer"
        | "nutzerin" | "benutzer" | "kunde" | "kundin" | "ich" => Some(Role::User),
        "assistant" | "ai" | "bot" | "agent" | "support" | "chatgpt" | "gpt" | "claude" | "gemini" | "copilot"
        | "model" | "chatbot" | "ai assistant" | "virtual assistant" | "a" | "tool" | "function" | "assistent" => {
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
        date: Option<Moment>,
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
        let date = time.and_then(|m| Moment::parse(m.as_str()).ok());
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
    // A few lines are a conversation when names stand before what people say of themselves, to each other.
    let said = |head: &&Head| {
        let line = text[head.text..].lines().next().unwrap_or_default();
        line.trim_end().ends_with(['?', '!']) || person::first_person(book, line).is_some()
    };
    let told_apart = || {
        heads.iter().all(|head| role_of(&head.who).is_some() || people::is_name(book, &head.who))
            && heads.iter().filter(said).count() * 2 >= heads.len()
            && heads.len() * 2 >= written
    };
    if heads.is_empty() || known * 2 > counts.len() || !(roles && known == 0 || named || chat || told_apart()) {
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
            of_user: false,
        }
    });
    Some(turns.collect())
}

/// Decides whose the turns are, so that nothing that one person says is learned of another.
///
/// What the user says without a name is the subject's; so is what one speaks who bears the subject's name, or whom the
/// sender calls the user while nobody else is. Whoever speaks besides the subject teaches nothing. Where nobody is known
/// to be the subject, the one who has a name is; of several each teaches about themself, and the profile's fields are
/// left alone.
pub(super) fn assign<'a>(turns: Vec<Turn<'a>>, input: &Input<'_>, source: &mut Source<'a>) {
    let names = Names::of_subject(input);
    let known = input.subject_name.is_some();
    let humans = || turns.iter().filter(|turn| turn.role == Role::User);
    let mut speakers: Vec<&str> = humans().filter_map(|turn| turn.name.as_deref()).collect();
    speakers.sort_unstable();
    speakers.dedup();
    let sole = speakers.len() == 1;
    let by_name = known && speakers.iter().any(|name| names.is(name));
    let unnamed = humans().any(|turn| turn.name.is_none());
    let assisted = turns.iter().any(|turn| turn.role == Role::Assistant);
    source.several = !by_name && !unnamed && speakers.len() > 1;
    let (mut subject, mut others) = (false, false);
    for turn in turns {
        let speaker = match &turn.name {
            _ if turn.role != Role::User => Speaker::Other(turn.name.clone()),
            None => Speaker::Subject,
            Some(name) if by_name && names.is(name) => Speaker::Subject,
            Some(name) if source.several => Speaker::Named(name.clone()),
            Some(_) if sole && turn.of_user && known && !by_name => Speaker::Subject,
            Some(name) if sole && !known && (turn.of_user || !unnamed) => Speaker::Named(name.clone()),
            Some(name) => Speaker::Other(Some(name.clone())),
        };
        subject |= !matches!(speaker, Speaker::Other(_));
        others |= turn.role == Role::User && matches!(speaker, Speaker::Other(_));
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
    if others && !subject {
        source.notes.push("none of those who speak is the subject".to_owned());
    } else if others {
        source.notes.push("what others than the subject said was left out".to_owned());
    }
}

static LOGGED: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = concat!(
        r"^[ \t]*(?:[-*•][ \t]+)?\[?(?P<ts>\d{4}-\d\d-\d\d(?:(?:T|[ ,;|\t]{1,3})\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?|",
        r"\d{1,2}:\d\d(?::\d\d)?(?: ?[AaPp][Mm])?)\]?[ \t]*[-–:|,;]?[ \t]*",
        r"(?:\[?(?:INFO|DEBUG|WARN|TRACE|NOTICE)\]?[ \t:-]+)?(?P<what>[^\d\s].*)$"
    );
    Regex::new(pattern).expect("a valid pattern")
});

/// The point in time of a log's line: the day and the hour may stand in columns of their own.
fn stamp(text: &str) -> Option<Moment> {
    let day = text.get(..10).filter(|day| day.as_bytes()[4] == b'-');
    let joined = day.and_then(|day| {
        let hour = text[day.len()..].trim_start_matches([' ', ',', ';', '|', '\t', 'T']);
        (!hour.is_empty()).then(|| format!("{day}T{}", hour.replace(',', ".")))
    });
    Moment::parse(joined.as_deref().unwrap_or(text)).ok()
}

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
                units.push(Unit::Log { text: what.as_str().trim_end().to_owned(), date: stamp(ts.as_str()), span });
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
