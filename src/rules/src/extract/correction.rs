//! "No, I meant Thursday": what a speaker takes back right after saying it is read again as it was meant.
//!
//! Only what can be told apart is corrected: the words that the speaker names ("not Tuesday"), a day of the week or a
//! number for another one, or else the value of the slot that the sentence filled.

use std::ops::Range;

use super::learn::Learner;
use super::rulebook::groups_of;

/// A sentence that taught something, until its speaker says another one.
pub(super) struct Said {
    pub(super) text: String,
    pub(super) speaker: Option<String>,
    /// What it taught.
    pub(super) memories: Range<usize>,
}

impl Learner<'_> {
    /// If a sentence corrects the one that its speaker said before: that one as it was meant, and what is no longer so.
    pub(super) fn corrected(&mut self, sentence: &str, speaker: Option<&str>) -> Option<(String, Range<usize>)> {
        let groups = self.book.correction.iter().find_map(|pattern| groups_of(pattern, sentence))?;
        let meant = groups.name("v")?.as_str().trim();
        // "No, I meant it" takes nothing back.
        if words(meant).next().is_none_or(|first| self.book.thin.contains(&meant[first].to_lowercase())) {
            return None;
        }
        let said = self.said.take_if(|said| said.speaker.as_deref() == speaker)?;
        let place = match groups.name("w") {
            Some(wrong) => find(&said.text, wrong.as_str().trim()),
            None if self.is_day(meant) => only(&said.text, |word| self.is_day(word)),
            None if is_number(meant) => only(&said.text, is_number),
            None => {
                let values = self.memories[said.memories.clone()].iter().rev().filter(|memory| memory.slot.is_some());
                values.filter_map(|memory| memory.value.as_deref()).find_map(|value| find(&said.text, value))
            }
        };
        let mut text = said.text;
        text.replace_range(place?, meant);
        Some((text, said.memories))
    }

    /// "It is no longer on Friday, it's on Monday" as the one clause that it comes to.
    pub(super) fn reworded(&self, sentence: String) -> String {
        let other = self.book.reworded.iter().find(|(_, pattern)| pattern.is_match(&sentence));
        other.map_or_else(|| sentence.clone(), |(words, pattern)| pattern.replace(&sentence, words).into_owned())
    }

    /// "Did you mean your sister?" – "No, I meant Ann" is an answer: it takes nothing back.
    pub(super) fn asked_back(&mut self, turn: &str) {
        self.said.take_if(|_| turn.contains('?'));
    }

    fn is_day(&self, word: &str) -> bool {
        self.book.weekdays.contains_key(&word.to_lowercase())
    }
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// The one word of a sort in a text; nowhere if there are several.
fn only(text: &str, sort: impl Fn(&str) -> bool) -> Option<Range<usize>> {
    let mut found = words(text).filter(|place| sort(&text[place.clone()]));
    found.next().filter(|_| found.next().is_none())
}

/// The places of the words of a text.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(move |word| {
        let start = word.as_ptr().addr() - text.as_ptr().addr();
        start..start + word.len()
    })
}

/// Where a text has some words as words, whatever their letter case; nowhere if twice.
fn find(text: &str, wanted: &str) -> Option<Range<usize>> {
    let wanted: Vec<String> = words(wanted).map(|place| wanted[place].to_lowercase()).collect();
    let places: Vec<Range<usize>> = words(text).collect();
    let mut found = places.windows(wanted.len().max(1)).filter(|window| {
        window.len() == wanted.len()
            && window.iter().zip(&wanted).all(|(at, word)| text[at.clone()].to_lowercase() == *word)
    });
    let window = found.next().filter(|_| found.next().is_none())?;
    Some(window[0].start..window[window.len() - 1].end)
}
