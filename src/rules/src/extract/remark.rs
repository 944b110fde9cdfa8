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
use super::{Kind, Memory, complete, dates, person, talk};

/// How much a remark on the world at large must say beside something learned; any other must say anything.
const MIN_WEIGHT_GENERAL: usize = 2;

/// How much a remark to the listener must say.
const MIN_WEIGHT_TO_LISTENER: usize = 4;

/// How much the remarks of a turn must say together when nothing was learned from it.
const MIN_WEIGHT_ALONE: usize = 4;

/// How much of that must be more than encouragement and feeling.
const MIN_SUBSTANCE_ALONE: usize = 2;

/// So much of that is enough, however little else is said.
const ENOUGH_SUBSTANCE: usize = 3;

/// The same for what people say of themselves in words that may say nothing: "I can't wait to see it".
const MIN_SUBSTANCE_OF_SELF: usize = 1;

/// How much of that the question may say which they answer.
const MAX_WEIGHT_OF_QUESTION: usize = 3;

/// Something said, until it is known whether the turn it was said in teaches anything.
pub(super) struct Remark {
    memory: Memory,
    weight: usize,
    substance: usize,
    /// Said of the world at large.
    general: bool,
    /// What was noted in brackets rather than said.
    note: Option<String>,
}

impl Remark {
    /// What somebody says of themself in words that may say nothing.
    pub(super) fn vague(memory: Memory, substance: usize) -> Remark {
        Remark { memory, weight: 0, substance, general: false, note: None }
    }
}

impl Learner<'_> {
    /// Notes a clause that is not about its speaker, or asks the listener for something.
    pub(super) fn remark(&mut self, clause: &str, span: &Range<usize>, voice: &Voice, asks: bool) {
        let book = self.book;
        if matches!(voice.setting, Setting::Text | Setting::List) || voice.known {
            return;
        }
        let weight = talk::weight(book, clause);
        // A pronoun points back, and so does an answer that is no sentence.
        let (deictic, whole) = (book.deictic.found_in(clause), book.finite.found_in(clause));
        let points_back = deictic || self.talk.answers() && !whole;
        // A note belongs to the words before it, and answers nothing by itself.
        let note = complete::is_note(clause);
        let thing = if points_back && !note { self.talk.thing(book, clause) } else { None };
        let may_answer = book.wording.answered.is_some() && thing.is_none() && !note && (deictic || !whole);
        let answers = may_answer && self.talk.asks() > 0;
        let general = !answers && self.is_general(clause);
        let least = if general { MIN_WEIGHT_GENERAL } else { 1 };
        let complete = answers || thing.is_some() && self.talk.answers();
        let brief = !complete && book.brief.found_in(clause);
        let empty = brief || book.empty.found_in(clause);
        // What is said to "you" is mostly courtesy, and in a conversation of more than two it is not known to whom.
        let addressed = book.addressed.found_in(clause);
        let listener = self.listener(voice).filter(|_| addressed || asks).map(str::to_owned);
        let least = if addressed { MIN_WEIGHT_TO_LISTENER } else { least };
        if addressed && listener.is_none() || empty || weight < least {
            return self.refuse(Refusal::SmallTalk);
        }
        let now = self.wall(voice);
        let tense = if book.pastish.found_in(clause) { dates::Tense::Past } else { dates::Tense::Future };
        let when = dates::find(book, clause, now, tense);
        let said = dated(clause, &when, false);
        let asked = if answers { self.talk.answered() } else { None };
        let more =
            asked.as_ref().map_or(usize::from(thing.is_some()), |asked| asked.weight.min(MAX_WEIGHT_OF_QUESTION));
        let wording = &book.wording;
        let (canonical, context) = match (thing, asked.zip(wording.answered.as_ref()), listener) {
            (Some((thing, turn)), ..) => (wording.said_of.replace("{t}", &thing), turn),
            (None, Some((asked, answered)), _) => (answered.replace("{q}", &asked.words), Some(asked.turn)),
            (None, None, Some(listener)) => (wording.said_to.replace("{o}", &listener), None),
            (None, None, None) => (wording.said.clone(), None),
        };
        let canonical = canonical.replace("{S}", &SUBJECT.to_string()).replace("{v}", &said);
        let ahead = when.first().filter(|when| tense == dates::Tense::Future && when.end >= now.date());
        let over = when.first().filter(|_| tense == dates::Tense::Past);
        let memory = Memory {
            content: person::render(book, &canonical, voice.name.as_deref()),
            subject: voice.name.clone(),
            kind: if ahead.is_some() { Kind::Event } else { Kind::Context },
            slot: None,
            value: None,
            negated: false,
            aside: true,
            is_static: false,
            confidence: 0.5,
            importance: 0.25,
            event_date: ahead.or(over).map(|when| dates::micros_of(when.start)),
            forget_after: ahead.and_then(|when| self.until_end_of(when.end, voice)),
            calls_off: None,
            evidence: span.clone(),
            context: context.or_else(|| voice.context.clone()),
            message: None,
            context_message: None,
        };
        let substance = talk::substance(book, clause) + more;
        let note = note.then(|| said.clone());
        self.remarks.push(Remark { memory, weight: weight + more, substance, general, note });
    }

    /// Whether something is said of the world at large, rather than of what has been.
    fn is_general(&self, clause: &str) -> bool {
        self.book.general.found_in(clause) && !self.book.over.found_in(clause)
    }

    /// Keeps the remarks of a turn that taught something, and in a conversation among people the weighty ones of any.
    pub(super) fn keep_remarks(&mut self, before: usize, voice: &Voice) {
        let mut remarks = std::mem::take(&mut self.remarks);
        if self.memories.len() == before {
            let own = remarks.iter().any(|remark| !remark.memory.aside);
            if !own {
                remarks.retain(|remark| !remark.general);
            }
            let weight: usize = remarks.iter().map(|remark| remark.weight).sum();
            let substance: usize = remarks.iter().map(|remark| remark.substance).sum();
            let enough = if own {
                substance >= MIN_SUBSTANCE_OF_SELF
            } else {
                let people = voice.setting == Setting::People;
                let says = weight >= MIN_WEIGHT_ALONE && substance >= MIN_SUBSTANCE_ALONE;
                people && (says || substance >= ENOUGH_SUBSTANCE)
            };
            if !enough {
                remarks.clear();
            }
        }
        let mut notes = Vec::new();
        for Remark { memory, note, .. } in remarks {
            match note {
                Some(note) => notes.push((note, memory)),
                None => self.keep(memory),
            }
        }
        // In the order of the text.
        self.memories[before..].sort_by_key(|memory| memory.evidence.start);
        for (note, memory) in notes {
            self.keep_note(before, &note, memory);
        }
    }
}
