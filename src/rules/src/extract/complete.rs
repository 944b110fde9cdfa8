//! What a turn among people taught, made to stand by itself: a picture is remembered with the words that it came with, and
//! what answers a question brings it.
//!
//! "I'm almost done with it" says little without "[image: a wooden boat]", and the picture says little without the words;
//! "I was bored to death" says little without "What got you into racing?". Facts that last, the values of slots and denials
//! are left as they are: they stand by themselves, and others are compared with them word by word. What has a date of its
//! own needs no question either.

use super::Memory;
use super::learn::{Learner, Voice};
use super::rulebook::SUBJECT;
use super::talk::Asked;

/// What is noted in brackets of a turn and was not said: "[image: a red bicycle]".
pub(super) fn is_note(clause: &str) -> bool {
    clause.starts_with('[') && clause.ends_with(']')
}

/// What was said in a turn, without the note at its end.
pub(super) fn without_note(turn: &str) -> &str {
    let turn = turn.trim_end();
    let note = turn.strip_suffix(']').and_then(|rest| rest.rfind('['));
    note.map_or(turn, |at| turn[..at].trim_end())
}

/// Whether a memory is compared with no other word by word, and may hold more than was stated.
fn is_open(memory: &Memory) -> bool {
    let compared = memory.is_static || memory.slot.is_some() || memory.negated;
    !compared && memory.forget_after.is_none() && memory.calls_off.is_none()
}

impl Learner<'_> {
    /// Adds a note to the last thing that was learned from the words before it, or keeps it as something said.
    pub(super) fn keep_note(&mut self, before: usize, note: &str, memory: Memory) {
        let at = memory.evidence.start;
        let mut said = self.memories[before..].iter_mut();
        match said.rfind(|said| is_open(said) && said.evidence.start <= at) {
            Some(said) => said.content = format!("{} {note}", said.content),
            None => self.keep(memory),
        }
    }

    /// Repeats the question that the turn before ended with in the first memory of this turn that may hold it, if none of
    /// them answers it already.
    pub(super) fn complete_answer(&mut self, before: usize, asked: Asked, voice: &Voice) {
        let wording = &self.book.wording;
        let Some(answered) = &wording.answered else { return };
        let with_name = |words: String| wording.with_name(&words, voice.name.as_deref());
        let told = |words: &str| with_name(words.replace("{S}", &SUBJECT.to_string()));
        let to_listener = self.listener(voice).map(|listener| told(&wording.said_to.replace("{o}", listener)));
        let leads = [Some(told(&wording.said)), to_listener].into_iter().flatten();
        let leads: Vec<String> = leads.map(|lead| lead.replace("{v}", "")).collect();
        let answered = told(answered).replace("{q}", &asked.words);
        let taught = &mut self.memories[before..];
        if taught.iter().any(|memory| memory.context.is_some()) {
            return;
        }
        let open = |memory: &&mut Memory| is_open(memory) && memory.event_date.is_none();
        if let Some(answer) = taught.iter_mut().find(open) {
            let said = leads.iter().find_map(|lead| answer.content.strip_prefix(lead.as_str()));
            answer.content = answered.replace("{v}", said.unwrap_or(&answer.content));
            answer.context = Some(asked.turn);
        }
    }
}
