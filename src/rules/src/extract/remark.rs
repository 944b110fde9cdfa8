//! What is said in a conversation besides what people say of themselves.
//!
//! "The donations even bought a fire truck" is no statement about its speaker, but it belongs to what they told, and a
//! question may be about it. It is remembered as said by them and of what, surely enough to be found and never as a fact:
//! in a conversation among people whenever it says enough, in any other only beside something that was learned.

use std::ops::Range;

use super::gate::Refusal;
use super::learn::{Learner, Voice, dated};
use super::rulebook::SUBJECT;
use super::source::Setting;
use super::{Kind, Memory, dates, person, talk};

/// How much a remark must say beside something learned, and alone.
const MIN_WEIGHT: usize = 2;
const MIN_WEIGHT_ALONE: usize = 3;

impl Learner<'_> {
    /// Notes a clause that is not about its speaker.
    pub(super) fn remark(&mut self, clause: &str, span: &Range<usize>, voice: &Voice) {
        let book = self.book;
        if voice.setting == Setting::Text || voice.known {
            return;
        }
        if book.addressed.found_in(clause) || book.empty.found_in(clause) || talk::weight(book, clause) < MIN_WEIGHT {
            return self.refuse(Refusal::SmallTalk);
        }
        let today = dates::day_of(voice.date);
        let tense = if book.pastish.found_in(clause) { dates::Tense::Past } else { dates::Tense::Future };
        let when = dates::find(book, clause, today, tense);
        let said = dated(clause, &when, false);
        let thing = if book.deictic.found_in(clause) { self.talk.thing(book) } else { None };
        let canonical = match thing {
            Some(thing) => format!("{SUBJECT} said of {thing}: {said}"),
            None => format!("{SUBJECT} said: {said}"),
        };
        self.remarks.push(Memory {
            content: person::render(&canonical, voice.name.as_deref()),
            subject: voice.name.clone(),
            kind: Kind::Context,
            slot: None,
            value: None,
            negated: false,
            is_static: false,
            confidence: 0.5,
            importance: 0.25,
            event_date: when.first().filter(|_| tense == dates::Tense::Past).map(|when| dates::micros_of(when.start)),
            forget_after: None,
            evidence: span.clone(),
        });
    }

    /// Keeps the remarks of a turn that taught something, and in a conversation among people the weighty ones of any.
    pub(super) fn keep_remarks(&mut self, before: usize, voice: &Voice) {
        let taught = self.memories.len() > before;
        let remarks = std::mem::take(&mut self.remarks);
        for remark in remarks {
            let said = remark.content.split_once(": ").map_or("", |(_, said)| said);
            let weighty = voice.setting == Setting::People
                && talk::weight(self.book, said) >= MIN_WEIGHT_ALONE
                && !self.book.general.found_in(said);
            if taught || weighty {
                self.keep(remark);
            }
        }
        // In the order of the text.
        self.memories[before..].sort_by_key(|memory| memory.evidence.start);
    }
}
