//! What a search keeps of the signatures that it read: all texts of a subject, as the scoring takes them.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};

use rules::digest::Counted;
use rules::rank::{Notes, Text, Texts, Traits};
use rules::signature::{self, Damaged, Facts, Record, Terms};

use crate::api::embedding::{Meaning, SentenceCode};
use crate::api::signing::damaged;
use crate::error::{Result, internal};

/// Bytes that a session keeps of a pool between its searches, enough for more than twenty thousand texts.
const MOST_KEPT: usize = 4 << 20;

/// The places of texts by their ids.
pub type ById<'a> = HashMap<&'a [u8], usize>;

/// All texts of one side of one subject: what the scoring reads of each, and no more, for it reads all of it, and in
/// parts that are read together.
#[derive(Default)]
pub struct Pool {
    pub subject: [u8; 16],
    ids: Vec<u8>,
    rows: Vec<Row>,
    places: Vec<Place>,
    /// The estimated cosines; NaN where there is no vector.
    cosines: Vec<f32>,
    /// How often each term of the question occurs, text by text; how many terms are counted.
    counts: Vec<u8>,
    terms: usize,
    codes: Codes,
    /// The hashes of all who are known to have said something.
    pub speakers: HashSet<u32>,
    /// Whether some texts have the code of another model's vector.
    lacks_codes: bool,
    /// Where these are some of the texts of a subject, the stretch of blocks that each was read with; empty where they are all.
    stretches: Vec<u32>,
}

struct Row {
    updated_at: i64,
    /// Where the id ends.
    end: u32,
    length: u32,
    importance: f32,
    content: u32,
    model: u16,
    traits: u16,
    /// Whether it may be returned: found out of some texts while others are ranked.
    eligible: Cell<bool>,
}

/// What tells which texts are neighbours.
struct Place {
    conversation: u64,
    ordinal: i64,
    speaker: [u32; 2],
    /// [`signature::NONE`] stands for none.
    sequence: i32,
    day: i32,
}

/// The codes of the vectors of some texts of a pool, one after the other.
#[derive(Default)]
struct Codes {
    signs: Vec<u8>,
    factors: Vec<f32>,
    texts: Vec<u32>,
}

impl Codes {
    fn clear(&mut self) {
        self.signs.clear();
        self.factors.clear();
        self.texts.clear();
    }

    fn push(&mut self, text: usize, code: &[u8]) -> Result<()> {
        let code = SentenceCode::read(code).ok_or_else(|| internal("the code of a vector is too short"))?;
        self.signs.extend_from_slice(&code.signs);
        self.factors.push(code.factor);
        self.texts.push(text as u32);
        Ok(())
    }
}

/// The texts of a pool as the scoring takes them.
pub struct PoolTexts<'a> {
    pub pool: &'a Pool,
    /// The hash of the question.
    pub question: u32,
}

impl Texts for PoolTexts<'_> {
    fn len(&self) -> usize {
        self.pool.len()
    }

    #[inline(always)]
    fn text(&self, at: usize) -> Text<'_> {
        let (row, place, terms) = (&self.pool.rows[at], &self.pool.places[at], self.pool.terms);
        Text {
            id: "",
            frequencies: &self.pool.counts[at * terms..(at + 1) * terms],
            length: row.length,
            cosine: Some(self.pool.cosines[at]).filter(|cosine| cosine.is_finite()),
            updated_at: row.updated_at,
            ordinal: place.ordinal,
            importance: row.importance,
            speaker: place.speaker,
            conversation: place.conversation,
            sequence: signature::some(place.sequence),
            day: signature::some(place.day),
            traits: Traits::from_bits(row.traits as u8),
            same_text: row.content == self.question,
            eligible: row.eligible.get(),
        }
    }

    fn id(&self, at: usize) -> &[u8] {
        self.pool.id_bytes(at)
    }

    #[inline(always)]
    fn adjoin(&self, before: usize, after: usize) -> bool {
        self.pool.stretches.is_empty() || self.pool.adjoin(before, after)
    }
}

thread_local! {
    /// The memory of the last pool: to get as much anew from the system, page by page, takes longer than to fill it.
    static SPARE: RefCell<Option<Pool>> = const { RefCell::new(None) };
    /// That of what was last noted of one.
    static SPARE_NOTES: RefCell<Option<Notes>> = const { RefCell::new(None) };
}

/// Memory for what is noted of a pool.
pub fn notes() -> Notes {
    SPARE_NOTES.take().unwrap_or_default()
}

/// Gives it to the next search, unless it is much.
pub fn recycle(notes: Notes) {
    if notes.size() <= MOST_KEPT * 3 / 4 {
        SPARE_NOTES.set(Some(notes));
    }
}

impl Pool {
    /// An empty one for so many terms, in the memory of an earlier one.
    pub fn new(subject: [u8; 16], terms: usize) -> Self {
        let mut pool = SPARE.take().unwrap_or_default();
        pool.ids.clear();
        pool.rows.clear();
        pool.places.clear();
        pool.cosines.clear();
        pool.counts.clear();
        pool.codes.clear();
        pool.speakers.clear();
        pool.stretches.clear();
        Pool { subject, terms, lacks_codes: false, ..pool }
    }

    /// Gives its memory to the next pool, unless it is much.
    pub fn recycle(self) {
        let of_each = size_of::<Row>() + size_of::<Place>() + size_of::<f32>();
        let of_codes = self.codes.signs.len() + (size_of::<f32>() + size_of::<u32>()) * self.codes.texts.len();
        if of_each * self.len() + of_codes + self.ids.len() + self.counts.len() <= MOST_KEPT {
            SPARE.set(Some(self));
        }
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The id of a text.
    pub fn id(&self, at: usize) -> Result<&str> {
        std::str::from_utf8(self.id_bytes(at)).map_err(|_| damaged(Damaged))
    }

    /// The same, unchecked.
    pub fn id_bytes(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.rows[at - 1].end };
        &self.ids[start as usize..self.rows[at].end as usize]
    }

    /// When a text was last changed, in microseconds since 1970.
    pub fn updated_at(&self, at: usize) -> i64 {
        self.rows[at].updated_at
    }

    /// Whether a text may be returned.
    pub fn is_eligible(&self, at: usize) -> bool {
        self.rows[at].eligible.get()
    }

    /// The place of a text with this id.
    pub fn find(&self, id: &str) -> Option<usize> {
        (0..self.len()).find(|at| self.id_bytes(*at) == id.as_bytes())
    }

    /// Keeps of the counts those of some terms.
    pub fn keep_terms(&mut self, kept: &[usize]) {
        if kept.len() < self.terms {
            let mut counts = Vec::with_capacity(kept.len() * self.len());
            for all in self.counts.chunks_exact(self.terms) {
                counts.extend(kept.iter().map(|at| all[*at]));
            }
            (self.counts, self.terms) = (counts, kept.len());
        }
    }

    /// Takes a record in, unless it is left out.
    pub fn take(&mut self, record: &Record<'_>, looked: &Looked<'_>) -> Result<bool> {
        let terms = self.terms;
        let at = match &record.facts {
            Some(facts) => {
                if !looked.lets_in(facts) {
                    return Ok(false);
                }
                let at = self.len();
                self.ids.extend_from_slice(record.id);
                self.rows.push(Row {
                    updated_at: facts.updated_at,
                    end: u32::try_from(self.ids.len()).map_err(internal)?,
                    length: facts.length,
                    importance: facts.importance,
                    content: facts.content,
                    model: facts.model,
                    traits: facts.traits,
                    eligible: Cell::new(true),
                });
                self.places.push(Place {
                    conversation: facts.conversation,
                    ordinal: facts.ordinal,
                    speaker: facts.speaker,
                    sequence: facts.sequence.unwrap_or(signature::NONE),
                    day: facts.day.unwrap_or(signature::NONE),
                });
                self.cosines.push(f32::NAN);
                self.counts.resize(self.counts.len() + terms, 0);
                // In a dialogue the same few take turns.
                if self.places[at.saturating_sub(4)..at].iter().all(|place| place.speaker != facts.speaker) {
                    self.speakers.extend(facts.speaker.into_iter().filter(|hash| *hash != 0));
                }
                if let Some(model) = looked.model.map(i16::cast_unsigned) {
                    if facts.model == model {
                        self.codes.push(at, record.code)?;
                    }
                    self.lacks_codes |= facts.model != 0 && facts.model != model;
                }
                at
            }
            // Further terms follow soon after the text that they belong to, if that was not left out.
            None => match (0..self.len()).rev().find(|at| self.id_bytes(*at) == record.id) {
                Some(at) => at,
                None => return Ok(false),
            },
        };
        if terms > 0 {
            looked.terms.count(record, &mut self.counts[at * terms..(at + 1) * terms]);
        }
        Ok(true)
    }

    /// Forgets the texts that were taken last, but for so many.
    pub fn truncate(&mut self, count: usize) {
        self.ids.truncate(if count == 0 { 0 } else { self.rows[count - 1].end as usize });
        self.rows.truncate(count);
        self.places.truncate(count);
        self.cosines.truncate(count);
        self.counts.truncate(count * self.terms);
        self.stretches.truncate(count);
        let coded = self.codes.texts.partition_point(|text| (*text as usize) < count);
        let of_each = self.codes.signs.len().checked_div(self.codes.texts.len()).unwrap_or(0);
        self.codes.signs.truncate(coded * of_each);
        self.codes.factors.truncate(coded);
        self.codes.texts.truncate(coded);
    }

    /// Notes the stretch of blocks of the texts that were taken last.
    pub fn note_stretch(&mut self, stretch: u32) {
        self.stretches.resize(self.len(), stretch);
    }

    /// The greatest number of a stretch.
    pub fn last_stretch(&self) -> u32 {
        self.stretches.iter().copied().max().unwrap_or(0)
    }

    /// Gives the texts of a stretch to another one.
    pub fn join_stretch(&mut self, stretch: u32, other: u32) {
        self.stretches.iter_mut().filter(|of| **of == stretch).for_each(|of| *of = other);
    }

    /// Whether two texts that follow each other in a conversation were read together, or are known to have none between them.
    fn adjoin(&self, before: usize, after: usize) -> bool {
        let sequence = |at: usize| signature::some(self.places[at].sequence);
        let follows = |(before, after): (i32, i32)| before == after || before.checked_add(1) == Some(after);
        self.stretches[before] == self.stretches[after] || sequence(before).zip(sequence(after)).is_some_and(follows)
    }

    /// What the texts count for, and how many have each term.
    pub fn count(&self) -> (Counted, Vec<u64>) {
        let mut counted = Counted::default();
        let mut holding = vec![0; self.terms];
        for (at, (row, place)) in self.rows.iter().zip(&self.places).enumerate() {
            counted.add(row.length, place.speaker);
            for (holding, count) in holding.iter_mut().zip(&self.counts[at * self.terms..]) {
                *holding += u64::from(!matches!(*count, 0 | signature::HEARD));
            }
        }
        (counted, holding)
    }

    /// Whether some texts have the code of another model's vector.
    pub fn lacks_codes(&self) -> bool {
        self.lacks_codes
    }

    /// Adds the code of a text's vector, unless its signature had one of that model.
    pub fn add_code(&mut self, text: usize, model: i16, code: &[u8]) -> Result<()> {
        if self.rows[text].model == model.cast_unsigned() { Ok(()) } else { self.codes.push(text, code) }
    }

    /// Lets nothing be returned any more.
    pub fn forbid_all(&self) {
        self.forbid_from(0);
    }

    /// Lets nothing be returned of what was taken after so many texts.
    pub fn forbid_from(&self, count: usize) {
        self.rows[count..].iter().for_each(|row| row.eligible.set(false));
    }

    /// Lets a text not be returned.
    pub fn forbid(&self, text: usize) {
        self.rows[text].eligible.set(false);
    }

    /// Lets a text be returned.
    pub fn allow(&self, text: usize) {
        self.rows[text].eligible.set(true);
    }

    /// The texts by their ids.
    pub fn by_id(&self) -> ById<'_> {
        (0..self.len()).map(|at| (self.id_bytes(at), at)).collect()
    }

    /// Estimates the cosines of all texts that have a code.
    pub fn estimate(&mut self, meaning: &Meaning) -> Result<()> {
        if self.codes.signs.len() != self.codes.texts.len() * meaning.code_len() {
            return Err(internal("the codes of vectors have not the length of the model's"));
        }
        for (text, cosine) in self.codes.texts.iter().zip(meaning.cosines(&self.codes.signs, &self.codes.factors)) {
            self.cosines[*text as usize] = cosine;
        }
        Ok(())
    }
}

/// What is looked for in signatures, and which of them count.
pub struct Looked<'a> {
    pub terms: &'a Terms,
    /// The model whose codes are kept.
    pub model: Option<i16>,
    /// The present, in microseconds: what has expired is left out.
    pub now: i64,
    /// Whether the forgotten and the expired are let in after all.
    pub include_forgotten: bool,
}

impl Looked<'_> {
    fn lets_in(&self, facts: &Facts) -> bool {
        self.include_forgotten || !(facts.forgotten || facts.expires_at.is_some_and(|moment| moment <= self.now))
    }
}
