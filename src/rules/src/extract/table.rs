//! Tables, of Markdown or of values separated by commas: what a row says depends on what its columns are.
//!
//! Two columns of keys and values are pairs; a column of names makes a row the record of a person; a column of dates
//! makes it an entry of an activity log; a single row is a record of whom the text is about. The rows of any other
//! table are about nobody that is known, and teach nothing.

use std::ops::Range;

use serde_json::Value;

use super::rulebook::{RuleBook, normal_key};
use super::source::Unit;
use crate::time::Moment;

/// A wider table is a data set and tells nothing of a person.
const MAX_COLUMNS: usize = 40;

/// A cell and where it stands in the input.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) span: Range<usize>,
}

const DATES: [&str; 8] = ["date", "time", "timestamp", "datetime", "day", "when", "createdat", "occurredat"];
const TIMES: [&str; 3] = ["time", "hour", "clock"];
const DEEDS: [&str; 11] =
    ["event", "activity", "action", "description", "what", "summary", "title", "task", "text", "details", "entry"];

/// What the rows of a table say.
pub(super) fn read(book: &RuleBook, header: &[Cell], rows: &[Vec<Cell>], units: &mut Vec<Unit<'_>>) {
    let keys: Vec<String> = header.iter().map(|cell| normal_key(&cell.text)).collect();
    let column = |names: &[&str]| keys.iter().position(|key| names.contains(&key.as_str()));
    let slot = |at: usize| book.key(&header[at].text).and_then(|meaning| meaning.slot.as_deref());
    let names = (0..header.len()).find(|&at| slot(at) == Some("name"));
    let (first, last) = (column(&["firstname", "givenname"]), column(&["lastname", "surname", "familyname"]));
    let date = column(&DATES);
    let known = header.iter().filter(|cell| book.key(&cell.text).is_some()).count();
    if header.len() == 2
        && date.is_none()
        && (names.is_none() || rows.iter().all(|row| is_key_row(book, row)))
        && known < 2
    {
        for row in rows {
            if let [key, value] = &row[..] {
                push_pair(&key.text, value, units);
            }
        }
    } else if names.is_some() || first.is_some() && last.is_some() {
        for row in rows {
            let part = |at: Option<usize>| at.and_then(|at| row.get(at)).filter(|cell| !cell.text.is_empty());
            let (name, span) = match (part(names), part(first), part(last)) {
                (Some(name), ..) => (name.text.clone(), name.span.clone()),
                (None, Some(first), Some(last)) => (format!("{} {}", first.text, last.text), first.span.clone()),
                _ => continue,
            };
            units.push(Unit::Person { name: Some(name.clone()), span: span.clone() });
            units.push(Unit::Pair { key: "name".to_owned(), value: Value::String(name), span });
            for (at, (head, value)) in header.iter().zip(row).enumerate() {
                if ![names, first, last].contains(&Some(at)) {
                    push_pair(&head.text, value, units);
                }
            }
        }
        units.push(Unit::Person { name: None, span: 0..0 });
    } else if let Some(date) = date {
        let time = column(&TIMES).filter(|&at| at != date);
        let deed = column(&DEEDS).or_else(|| (0..header.len()).find(|&at| at != date && Some(at) != time));
        for row in rows {
            if let (Some(when), Some(what)) = (row.get(date), deed.and_then(|at| row.get(at))) {
                let hour = time.and_then(|at| row.get(at)).map_or("", |cell| cell.text.as_str());
                let more = header.iter().zip(row).enumerate().filter(|(at, (head, cell))| {
                    let said = *at != date && Some(*at) != time && Some(*at) != deed;
                    said && !cell.text.is_empty() && !book.is_no_key(&head.text)
                });
                let more: Vec<String> = more.map(|(_, (head, cell))| format!("{} {}", head.text, cell.text)).collect();
                let mut text = what.text.clone();
                if !more.is_empty() {
                    text = format!("{text} ({})", more.join(", "));
                }
                let stamp = format!("{} {hour}", when.text);
                let date = Moment::parse(&stamp).or_else(|_| Moment::parse(&when.text)).ok();
                if !what.text.is_empty() {
                    units.push(Unit::Log { text, date, span: what.span.clone() });
                }
            }
        }
    } else if let [row] = rows {
        for (head, value) in header.iter().zip(row) {
            push_pair(&head.text, value, units);
        }
    }
}

/// "| Name | Ann |" in a table of keys and values, whose heading happens to be the first of them.
fn is_key_row(book: &RuleBook, row: &[Cell]) -> bool {
    row.first().is_some_and(|cell| book.key(&cell.text).is_some() || book.is_no_key(&cell.text))
}

fn push_pair(key: &str, value: &Cell, units: &mut Vec<Unit<'_>>) {
    let telling = value.text.chars().any(char::is_alphanumeric);
    if key.chars().any(char::is_alphabetic) && telling {
        let text = Value::String(value.text.clone());
        units.push(Unit::Pair { key: key.to_owned(), value: text, span: value.span.clone() });
    }
}

/// The table that a text of separated values is: a line of headings that name something known, and rows as long as it.
pub(super) fn separated(book: &RuleBook, text: &str, told: bool) -> Option<(Vec<Cell>, Vec<Vec<Cell>>)> {
    let first = text.trim_start().lines().next()?;
    let delimiter = [',', ';', '\t'].into_iter().max_by_key(|mark| first.matches(*mark).count())?;
    if !first.contains(delimiter) || first.len() > 2_000 {
        return None;
    }
    let mut rows = records(text, delimiter);
    rows.retain(|row| row.iter().any(|cell| !cell.text.is_empty()));
    if rows.len() < 2 {
        return None;
    }
    let header = rows.remove(0);
    let heads = |cell: &Cell| {
        (1..=40).contains(&cell.text.len())
            && cell.text.starts_with(char::is_alphabetic)
            && cell.text.split_whitespace().count() <= 4
            && !cell.text.ends_with(['.', '!', '?', ':'])
    };
    let known = header.iter().filter(|cell| {
        let key = normal_key(&cell.text);
        book.key(&cell.text).is_some() || DATES.contains(&key.as_str()) || DEEDS.contains(&key.as_str())
    });
    let fits = (2..=MAX_COLUMNS).contains(&header.len())
        && header.iter().all(heads)
        && rows.iter().all(|row| row.len() == header.len())
        && (told || known.count() >= 2);
    fits.then_some((header, rows))
}

/// Rows of cells; one in double quotes may hold the delimiter, a line break, and the quote itself, doubled.
fn records(text: &str, delimiter: char) -> Vec<Vec<Cell>> {
    let (mut rows, mut row) = (Vec::new(), Vec::new());
    let (mut cell, mut quoted, mut start) = (String::new(), false, 0);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if quoted && chars.peek().is_some_and(|(_, next)| *next == '"') => {
                chars.next();
                cell.push('"');
            }
            '"' if quoted || cell.trim().is_empty() => quoted = !quoted,
            c if !quoted && (c == delimiter || c == '\n') => {
                row.push(Cell { text: std::mem::take(&mut cell).trim().to_owned(), span: start..at });
                start = at + 1;
                if c == '\n' {
                    rows.push(std::mem::take(&mut row));
                }
            }
            c => cell.push(c),
        }
    }
    if !cell.trim().is_empty() || !row.is_empty() {
        row.push(Cell { text: cell.trim().to_owned(), span: start..text.len() });
        rows.push(row);
    }
    rows
}
