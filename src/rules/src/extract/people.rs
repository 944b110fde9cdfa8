//! Whom the parts of a text are about, where the text itself names people: headings, rows of a table, records, forms.
//!
//! What is told of one person is never learned of another. A text about the subject may leave them out ("- Lives in
//! Rome") or name them; a part that names somebody else teaches nothing about the subject. Where nobody's name is known,
//! the one person that a text names is the subject; of several, each is the subject of their own memories, and the
//! profile's fields are left alone.

use std::ops::Range;

use serde_json::Value;

use super::person::Names;
use super::rulebook::{RuleBook, groups_of};
use super::source::{Source, Speaker, Unit};
use super::{Input, fields, markup, zones};

/// People beyond these are not told apart: there are several either way.
const MAX_PEOPLE: usize = 100;

/// Whether words are a person's name rather than a heading, a place or a key: strict, since a mistake would put one
/// person's facts into another's mouth or make a person of a topic.
pub(super) fn is_name(book: &RuleBook, text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let named = |word: &&str| {
        let lower = word.to_lowercase();
        let letters = word.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | '’' | '-' | '.'));
        let shouted = word.chars().count() > 1 && word.chars().all(char::is_uppercase);
        letters
            && !shouted
            && word.starts_with(char::is_uppercase)
            && !book.headings.contains(&lower)
            && !book.thin.contains(&lower)
            && !book.verbs.contains(&lower)
            && !book.languages.contains(&lower)
            && !book.months.contains_key(&lower)
            && !book.weekdays.contains_key(&lower)
    };
    (1..=3).contains(&words.len())
        && words.iter().all(named)
        && book.key(text).is_none()
        && !book.is_no_key(text)
        && fields::name(book, text).is_some()
        && zones::find(text).is_none()
}

/// The person that a heading names: "Ann", "About Ann Lee", "Ann's preferences".
pub(super) fn in_heading(book: &RuleBook, names: &Names, heading: &str) -> Option<String> {
    let person = |text: &str| names.is(text) || is_name(book, text);
    if person(heading) {
        return Some(heading.to_owned());
    }
    book.about.iter().find_map(|pattern| {
        let name = groups_of(pattern, heading)?.name("v")?.as_str().trim().to_owned();
        person(&name).then_some(name)
    })
}

/// Whether a heading is one of those under which a profile lists what it has to say.
pub(super) fn is_section(book: &RuleBook, heading: &str) -> bool {
    book.key(markup::bare_key(heading)).is_some()
        || heading
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .all(|word| book.headings.contains(&word.to_lowercase()))
}

/// Gives each part its person, and says by whom the text is, as far as it names one.
pub(super) fn settle(book: &RuleBook, source: &mut Source<'_>, input: &Input<'_>) {
    mark_records(book, &mut source.units);
    let subject = Names::of_subject(input);
    let known = input.subject_name.is_some();
    let mut people: Vec<(Names, String, Range<usize>)> = Vec::new();
    for unit in &source.units {
        if let Unit::Person { name: Some(name), span } = unit
            && people.len() < MAX_PEOPLE
            && !people.iter().any(|(names, ..)| names.is(name))
        {
            people.push((Names::new(Some(name)), name.clone(), span.clone()));
        }
    }
    let the_user = Names::new(None);
    let one = people.len() == 1;
    let several = !known && people.iter().filter(|(_, name, _)| !the_user.is(name)).count() > 1;
    source.several |= several;
    let mut current = Speaker::Subject;
    let mut left_out = false;
    for unit in &mut source.units {
        match unit {
            Unit::Person { name, .. } => {
                current = match name.take() {
                    None => Speaker::Subject,
                    Some(name) if subject.is(&name) || !known && one => Speaker::Subject,
                    Some(name) if several => Speaker::Named(name),
                    Some(name) => Speaker::Other(Some(name)),
                };
                left_out |= matches!(current, Speaker::Other(_));
                *unit = Unit::About(current.clone());
            }
            Unit::Prose { speaker, .. } if *speaker == Speaker::Subject => *speaker = current.clone(),
            _ => {}
        }
    }
    if left_out {
        source.notes.push("what is told of others than the subject was left out".to_owned());
    }
    if let (true, false, Some((_, name, span))) = (one, known, people.pop())
        && !the_user.is(&name)
    {
        source.named = Some((name, span));
    }
}

/// A form that gives a second, different name begins another person's record.
fn mark_records(book: &RuleBook, units: &mut Vec<Unit<'_>>) {
    if units.iter().any(|unit| matches!(unit, Unit::Person { .. })) {
        return;
    }
    let name_of = |unit: &Unit<'_>| match unit {
        Unit::Pair { key, value: Value::String(value), span } => {
            let meaning = book.key(markup::bare_key(key))?;
            let name = (meaning.slot.as_deref() == Some("name")).then(|| fields::name(book, value)).flatten()?;
            Some((name, span.clone()))
        }
        _ => None,
    };
    let names: Vec<String> = units.iter().filter_map(|unit| name_of(unit).map(|(name, _)| name)).collect();
    let first = names.first().map(|name| Names::new(Some(name)));
    if first.is_none_or(|first| names.iter().all(|name| first.is(name))) {
        return;
    }
    *units = std::mem::take(units)
        .into_iter()
        .flat_map(|unit| {
            let mark = name_of(&unit).map(|(name, span)| Unit::Person { name: Some(name), span });
            mark.into_iter().chain([unit])
        })
        .collect();
}
