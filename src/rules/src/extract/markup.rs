//! Plain text and Markdown: headings, lists, tables and "key: value" lines on the one hand, running text on the other.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::person::{self, Names};
use super::rulebook::{RuleBook, normal_key};
use super::source::{Place, Setting, Source, Speaker, Unit, lines};
use super::table::{self, Cell};
use super::{FieldSpec, Input, json, naming, people};

static HEADING: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*(?:#{1,6}\s+(?P<a>.+?)\s*#*|\*\*(?P<b>[^*:]{1,60}):?\*\*:?|(?P<c>[\p{L}][\p{L} '/&-]{1,50}):)\s*$")
        .expect("a valid pattern")
});
static BULLET: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\s*(?:[-*+•–]|\d{1,3}[.)])\s+(?:\[[ xX]\]\s+)?").expect("a valid pattern"));
static PAIR: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = concat!(
        r"^\s*(?P<bold>\*\*|__)?(?P<key>[\p{L}][\p{L}\p{M}\p{N} _/'’&.()-]{0,39}?)(?:\*\*|__)?\s*[:=](?:\*\*|__)?",
        r"\s+(?P<value>\S.*?)\s*$"
    );
    Regex::new(pattern).expect("a valid pattern")
});
static ROW: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*\|\s*\**(?P<key>[\p{L}][^|*]{0,39}?)\**\s*\|\s*(?P<value>[^|]*?[^|\s-][^|]*?)\s*\|\s*$")
        .expect("a valid pattern")
});

static SEPARATOR: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)+\|?\s*$").expect("a valid pattern"));

/// The level of a line that serves as a heading without being one: "Interests:", "**Work**".
const LABEL: usize = 7;

/// What the front matter of a document says of the document rather than of anybody.
const OF_THE_DOCUMENT: [&str; 12] = [
    "title",
    "author",
    "description",
    "summary",
    "category",
    "categories",
    "keywords",
    "slug",
    "layout",
    "draft",
    "permalink",
    "subtitle",
];

/// Where a line of prose joins the lines before it.
struct Block {
    start: usize,
    end: usize,
    setting: Setting,
}

/// What may be listed under a heading without saying of whom.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    /// There is no heading.
    Whole,
    /// The heading names a person: the place of its mark among the units.
    Person(usize),
    /// The heading is one of a profile's.
    Profile,
    /// The heading is of anything else: its list is not about the subject.
    Topic,
}

/// Reads plain text or Markdown.
struct Reader<'a, 's> {
    book: &'s RuleBook,
    text: &'a str,
    input: &'s Input<'a>,
    names: Names,
    units: Vec<Unit<'a>>,
    block: Option<Block>,
    heading: String,
    /// The headings above the line, with their levels.
    sections: Vec<(usize, Section)>,
    /// The marks of people whom headings name, and those of them for whom there is other evidence.
    marks: HashSet<usize>,
    evident: HashSet<usize>,
    /// A text of "key: value" lines, where any key counts.
    keyed: bool,
    described: bool,
}

/// Reads plain text or Markdown into units.
pub(super) fn read<'a>(book: &RuleBook, input: &Input<'a>, source: &mut Source<'a>) {
    let text = input.text;
    let keyed = lines(text).filter(|(_, line)| line.len() < 2_000 && pair(line).is_some()).take(2).count() > 1;
    let mut reader = Reader {
        book,
        text,
        input,
        names: Names::new(input.subject_name),
        units: Vec::new(),
        block: None,
        heading: String::new(),
        sections: Vec::new(),
        marks: HashSet::new(),
        evident: HashSet::new(),
        keyed,
        described: naming::is_description(input),
    };
    let all: Vec<(usize, &str)> = lines(text).collect();
    let (mut at, mut fenced) = (0, false);
    // A block of keys between two lines of hyphens, ahead of everything else, describes the document and whom it is about.
    let opens = all.iter().position(|(_, line)| !line.trim().is_empty()).filter(|&at| all[at].1.trim_end() == "---");
    let closes = opens.and_then(|open| {
        let ahead = all.iter().skip(open + 1).take(60).position(|(_, line)| line.trim_end() == "---");
        ahead.map(|rows| open + 1 + rows)
    });
    while let Some(&(start, line)) = all.get(at) {
        let front = opens.is_some_and(|open| at > open) && closes.is_some_and(|close| at < close);
        at += 1;
        let stripped = line.trim();
        let fence = stripped.starts_with("```") || stripped.starts_with("~~~");
        fenced ^= fence;
        // Code is nobody's statement; what is behind ">" was written by somebody else.
        if fence || fenced || stripped.is_empty() || stripped.starts_with('>') || stripped == "---" {
            reader.flush();
            continue;
        }
        let below =
            all.get(at).filter(|(_, next)| line.contains('|') && next.len() < 2_000 && SEPARATOR.is_match(next));
        if below.is_some() && line.len() < 2_000 {
            reader.flush();
            let rows: Vec<Vec<Cell>> = all[at + 1..]
                .iter()
                .take_while(|(_, row)| row.contains('|'))
                .map(|(start, row)| cells(*start, row))
                .collect();
            at += 1 + rows.len();
            let known = reader.units.len();
            table::read(book, &cells(start, line), &rows, &mut reader.units);
            if reader.units.len() > known {
                reader.witness();
            }
            continue;
        }
        reader.line(start, line, front);
    }
    reader.flush();
    reader.settle_headings();
    source.units.append(&mut reader.units);
}

impl Reader<'_, '_> {
    fn line(&mut self, start: usize, line: &str, front: bool) {
        let short = line.len() < 2_000;
        if let Some(groups) = short.then(|| HEADING.captures(line)).flatten() {
            self.flush();
            let level = line.trim_start().bytes().take_while(|byte| *byte == b'#').count();
            let title = ["a", "b", "c"].iter().find_map(|group| groups.name(group));
            if let Some(title) = title {
                let span = start + title.start()..start + title.end();
                self.head(if level == 0 { LABEL } else { level }, plain(title.as_str()), span);
            }
            return;
        }
        let bullet = if short { BULLET.find(line).map(|m| m.end()) } else { None };
        let body_at = bullet.unwrap_or(0);
        let body = &line[body_at..];
        let found = if short { pair(body).or_else(|| row(body)) } else { None };
        if let Some((key, value)) = found {
            let listed = bullet.is_some() || self.keyed || body.trim_start().starts_with(['*', '_', '|']);
            let of_document = front && OF_THE_DOCUMENT.contains(&normal_key(&key).as_str())
                || self.is_sender(&key, &body[value.clone()]);
            if of_document || is_key(self.book, &key, self.input.schema, listed) {
                self.flush();
                if !of_document {
                    let at = start + body_at;
                    let span = at + value.start..at + value.end;
                    let label = self.sections.last().is_some_and(|(level, _)| *level == LABEL);
                    let nested = label && line.starts_with(char::is_whitespace) && bullet.is_none();
                    let key = if nested { json::path_of(self.book, &self.heading, &key) } else { key };
                    if self.book.key(bare_key(&key)).is_some() {
                        self.witness();
                    }
                    self.units.push(Unit::Pair { key, value: value_of(&body[value]), span });
                }
                return;
            }
        }
        let of_heading = !self.heading.is_empty() && self.book.key(bare_key(&self.heading)).is_some();
        let told = short && person::listed(self.book, &self.book.listed, body).is_some();
        if bullet.is_some() && of_heading && !told {
            self.flush();
            let at = start + body_at;
            let span = at..at + body.trim_end().len();
            self.units.push(Unit::Item { heading: self.heading.clone(), text: plain(body), span });
            return;
        }
        let setting = if bullet.is_some() || self.described && told { self.setting() } else { Setting::Text };
        if told && setting == Setting::List || self.opens_with_person(body) {
            self.witness();
        }
        match (&mut self.block, bullet) {
            (Some(block), None) => block.end = start + line.len(),
            _ => {
                self.flush();
                self.block = Some(Block { start: start + body_at, end: start + line.len(), setting });
            }
        }
    }

    /// Whether a line is the sender of a mail rather than where somebody comes from.
    fn is_sender(&self, key: &str, value: &str) -> bool {
        let to = |(_, line): (usize, &str)| {
            pair(line).is_some_and(|(key, _)| matches!(normal_key(&key).as_str(), "to" | "subject"))
        };
        normal_key(key) == "from" && (value.contains('@') || lines(self.text).take(8).any(to))
    }

    /// Begins a section.
    fn head(&mut self, level: usize, title: String, span: Range<usize>) {
        let was_person = self.person().is_some();
        while self.sections.last().is_some_and(|(above, _)| *above >= level) {
            self.sections.pop();
        }
        let section = if people::is_section(self.book, &title) && !self.names.is(&title) {
            Section::Profile
        } else if let Some(name) = people::in_heading(self.book, &self.names, &title) {
            let mark = self.units.len();
            if self.names.is(&name) {
                self.evident.insert(mark);
            }
            self.marks.insert(mark);
            self.units.push(Unit::Person { name: Some(name), span: span.clone() });
            Section::Person(mark)
        } else {
            Section::Topic
        };
        self.sections.push((level, section));
        if was_person && self.person().is_none() {
            self.units.push(Unit::Person { name: None, span });
        }
        self.heading = title;
    }

    /// The mark of the person under whose heading the line stands.
    fn person(&self) -> Option<usize> {
        self.sections.iter().rev().find_map(|(_, section)| match section {
            Section::Person(mark) => Some(*mark),
            _ => None,
        })
    }

    fn setting(&self) -> Setting {
        match self.sections.last().map_or(Section::Whole, |(_, section)| *section) {
            Section::Topic => Setting::Text,
            _ => Setting::List,
        }
    }

    /// Notes that the section tells something that is told of people.
    fn witness(&mut self) {
        self.evident.extend(self.person());
    }

    /// Whether a line begins with the name of its heading's person, or a pronoun for them.
    fn opens_with_person(&self, body: &str) -> bool {
        let Some(Unit::Person { name: Some(name), .. }) = self.person().and_then(|mark| self.units.get(mark)) else {
            return false;
        };
        let words = body.trim_start().split(|c: char| !c.is_alphanumeric());
        let first = words.take(1).collect::<String>();
        !first.is_empty() && (self.book.pronouns.contains(&first.to_lowercase()) || Names::new(Some(name)).is(&first))
    }

    /// A heading that looks like a name and under which nothing is told of a person is a heading like any other.
    fn settle_headings(&mut self) {
        let mut in_doubt = false;
        for (at, unit) in self.units.iter_mut().enumerate() {
            match unit {
                Unit::Person { name, .. } => {
                    in_doubt = self.marks.contains(&at) && !self.evident.contains(&at);
                    if in_doubt {
                        *name = None;
                    }
                }
                Unit::Prose { setting, .. } if in_doubt && *setting == Setting::List => *setting = Setting::Text,
                _ => {}
            }
        }
    }

    fn flush(&mut self) {
        if let Some(block) = self.block.take()
            && block.start < block.end
        {
            self.units.push(Unit::Prose {
                text: Cow::Borrowed(&self.text[block.start..block.end]),
                place: Place::At(block.start),
                speaker: Speaker::Subject,
                date: None,
                setting: block.setting,
            });
        }
    }
}

fn pair(line: &str) -> Option<(String, Range<usize>)> {
    let groups = PAIR.captures(line)?;
    let (key, value) = (groups.name("key")?, groups.name("value")?);
    Some((key.as_str().trim().to_owned(), value.range()))
}

fn row(line: &str) -> Option<(String, Range<usize>)> {
    let groups = ROW.captures(line)?;
    let (key, value) = (groups.name("key")?, groups.name("value")?);
    Some((key.as_str().trim().to_owned(), value.range()))
}

/// The value of a pair: of a list in brackets each item, of quoted words the words.
fn value_of(text: &str) -> Value {
    let unquoted = |text: &str| {
        let text = text.trim();
        let inner = ['"', '\''].into_iter().find_map(|mark| text.strip_prefix(mark)?.strip_suffix(mark));
        plain(inner.filter(|inner| !inner.contains(['"', '\''])).unwrap_or(text))
    };
    match text.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(list) => Value::Array(list.split(',').map(|item| Value::String(unquoted(item))).collect()),
        None => Value::String(unquoted(text)),
    }
}

/// The cells of a row of a table.
fn cells(start: usize, line: &str) -> Vec<Cell> {
    let mut at = start;
    let parts = line.split('|').map(|part| {
        let from = at + part.len() - part.trim_start().len();
        at += part.len() + 1;
        Cell { text: plain(part), span: from..from + part.trim().len() }
    });
    let mut parts: Vec<Cell> = parts.collect();
    if line.trim_start().starts_with('|') {
        parts.remove(0);
    }
    if line.trim_end().ends_with('|') {
        parts.pop();
    }
    parts
}

/// Whether what stands before the colon is a key rather than the beginning of a sentence.
fn is_key(book: &RuleBook, key: &str, schema: &[FieldSpec], listed: bool) -> bool {
    let bare = bare_key(key);
    if book.is_no_key(bare) {
        return false;
    }
    let of_schema = schema.iter().any(|field| {
        let label = field.label.as_deref().is_some_and(|label| normal_key(label) == normal_key(bare));
        label || normal_key(&field.key) == normal_key(bare)
    });
    let words = bare.split_whitespace().count();
    book.key(bare).is_some() || of_schema || (listed && words <= 4 && !bare.to_lowercase().starts_with("i "))
}

/// The key without "my".
pub(super) fn bare_key(key: &str) -> &str {
    let key = key.trim();
    for prefix in
        ["my ", "My ", "our ", "Our ", "their ", "Their ", "User's ", "user's ", "mein ", "Mein ", "meine ", "Meine "]
    {
        if let Some(rest) = key.strip_prefix(prefix) {
            return rest;
        }
    }
    key
}

/// Text without the marks of emphasis.
pub(super) fn plain(text: &str) -> String {
    text.replace(['*', '`'], "").replace("__", "").trim().to_owned()
}
