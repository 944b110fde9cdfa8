//! Plain text and Markdown: headings, lists, tables and "key: value" lines on the one hand, running text on the other.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::FieldSpec;
use super::rulebook::{RuleBook, normal_key};
use super::source::{Place, Setting, Speaker, Unit, lines};

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

/// Where a line of prose joins the lines before it.
struct Block {
    start: usize,
    end: usize,
}

/// Reads text that begins at `base` of the input.
pub(super) fn read<'a>(book: &RuleBook, text: &'a str, base: usize, schema: &[FieldSpec], units: &mut Vec<Unit<'a>>) {
    let mut heading = String::new();
    let mut block: Option<Block> = None;
    let mut fenced = false;
    let pairs = lines(text).filter(|(_, line)| line.len() < 2_000 && pair(line).is_some()).take(2).count();
    for (start, line) in lines(text) {
        let stripped = line.trim();
        if stripped.starts_with("```") || stripped.starts_with("~~~") {
            fenced = !fenced;
            flush(text, base, &mut block, units);
            continue;
        }
        // Code is nobody's statement; what is behind ">" was written by somebody else.
        if fenced || stripped.starts_with('>') {
            flush(text, base, &mut block, units);
            continue;
        }
        if stripped.is_empty() {
            flush(text, base, &mut block, units);
            continue;
        }
        let short = line.len() < 2_000;
        if let Some(groups) = short.then(|| HEADING.captures(line)).flatten() {
            flush(text, base, &mut block, units);
            heading = ["a", "b", "c"].iter().find_map(|g| groups.name(g)).map_or(String::new(), |m| plain(m.as_str()));
            continue;
        }
        let bullet = if short { BULLET.find(line).map(|m| m.end()) } else { None };
        let body_at = bullet.unwrap_or(0);
        let body = &line[body_at..];
        let found = if short { pair(body).or_else(|| row(body)) } else { None };
        if let Some((key, value)) = found
            && is_key(
                book,
                &key,
                schema,
                bullet.is_some() || pairs > 1 || body.trim_start().starts_with(['*', '_', '|']),
            )
        {
            flush(text, base, &mut block, units);
            let at = base + start + body_at;
            let span = at + value.start..at + value.end;
            let text = plain(&body[value]);
            units.push(Unit::Pair { key, value: Value::String(text), span });
            continue;
        }
        if bullet.is_some() && !heading.is_empty() && book.key(&heading).is_some() {
            flush(text, base, &mut block, units);
            let at = base + start + body_at;
            units.push(Unit::Item {
                heading: heading.clone(),
                text: plain(body),
                span: at..at + body.trim_end().len(),
            });
            continue;
        }
        match (&mut block, bullet) {
            (Some(block), None) => block.end = start + line.len(),
            _ => {
                flush(text, base, &mut block, units);
                block = Some(Block { start: start + body_at, end: start + line.len() });
            }
        }
    }
    flush(text, base, &mut block, units);
}

fn flush<'a>(text: &'a str, base: usize, block: &mut Option<Block>, units: &mut Vec<Unit<'a>>) {
    if let Some(block) = block.take()
        && block.start < block.end
    {
        units.push(Unit::Prose {
            text: Cow::Borrowed(&text[block.start..block.end]),
            place: Place::At(base + block.start),
            speaker: Speaker::Subject,
            date: None,
            setting: Setting::Text,
        });
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
    for prefix in ["my ", "My ", "our ", "Our ", "their ", "Their ", "User's ", "user's "] {
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
