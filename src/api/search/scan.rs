//! What a search reads before it knows where to look closer: the signatures of all texts.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use pgrx::datum::DatumWithOid;
use pgrx::spi::SpiClient;
use rules::filter::Filter;
use rules::rank::{Text, Texts, Traits};
use rules::signature::{self, Facts, Record, Terms};

use super::Side;
use super::queries::{Keys, Queries, filtered};
use super::stream::stream;
use crate::api::embedding::{Meaning, SentenceCode};
use crate::api::signing::damaged;
use crate::error::{Result, internal};

/// Bytes that a session keeps between its searches.
const MOST_KEPT: usize = 4 << 20;

/// All texts of one side of one subject: what the scoring reads of each, and no more, for it reads all of it.
#[derive(Default)]
pub struct Pool {
    pub subject: [u8; 16],
    ids: String,
    rows: Vec<Row>,
    /// How often each term of the question occurs, text by text; how many terms are counted.
    counts: Vec<u8>,
    terms: usize,
    codes: Codes,
    /// The hashes of all who are known to have said something.
    pub speakers: HashSet<u32>,
    /// Whether some texts have the code of another model's vector.
    lacks_codes: bool,
}

struct Row {
    updated_at: i64,
    ordinal: i64,
    conversation: u64,
    /// Where the id ends.
    end: u32,
    length: u32,
    /// The estimated cosine; NaN where there is no vector.
    cosine: f32,
    importance: f32,
    speaker: [u32; 2],
    content: u32,
    sequence: Option<i32>,
    day: Option<i32>,
    model: u16,
    traits: u16,
    /// Whether it may be returned.
    eligible: bool,
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

    #[inline]
    fn text(&self, at: usize) -> Text<'_> {
        let (row, terms) = (&self.pool.rows[at], self.pool.terms);
        Text {
            id: "",
            frequencies: &self.pool.counts[at * terms..(at + 1) * terms],
            length: row.length,
            cosine: Some(row.cosine).filter(|cosine| cosine.is_finite()),
            updated_at: row.updated_at,
            ordinal: row.ordinal,
            importance: row.importance,
            speaker: row.speaker,
            conversation: row.conversation,
            sequence: row.sequence,
            day: row.day,
            traits: Traits::from_bits(row.traits as u8),
            same_text: row.content == self.question,
            eligible: row.eligible,
        }
    }

    fn id(&self, at: usize) -> &str {
        self.pool.id(at)
    }
}

thread_local! {
    /// The memory of the last pool: to get as much anew from the system, page by page, takes longer than to fill it.
    static SPARE: RefCell<Option<Pool>> = const { RefCell::new(None) };
}

impl Pool {
    fn new(subject: [u8; 16], terms: usize) -> Self {
        let mut pool = SPARE.take().unwrap_or_default();
        pool.ids.clear();
        pool.rows.clear();
        pool.counts.clear();
        pool.codes.clear();
        pool.speakers.clear();
        Pool { subject, terms, lacks_codes: false, ..pool }
    }

    /// Gives its memory to the next pool, unless it is much.
    pub fn recycle(mut self) {
        self.rows.shrink_to_fit();
        self.codes.signs.shrink_to_fit();
        let bytes =
            self.rows.len() * size_of::<Row>() + self.ids.capacity() + self.counts.capacity() + self.codes.signs.len();
        if bytes <= MOST_KEPT {
            SPARE.set(Some(self));
        }
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The id of a text.
    pub fn id(&self, at: usize) -> &str {
        let start = if at == 0 { 0 } else { self.rows[at - 1].end };
        &self.ids[start as usize..self.rows[at].end as usize]
    }

    /// When a text was last changed, in microseconds since 1970.
    pub fn updated_at(&self, at: usize) -> i64 {
        self.rows[at].updated_at
    }

    /// Whether a text may be returned.
    pub fn is_eligible(&self, at: usize) -> bool {
        self.rows[at].eligible
    }

    /// The place of a text with this id.
    pub fn find(&self, id: &str) -> Option<usize> {
        (0..self.len()).find(|at| self.id(*at) == id)
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
    fn take(&mut self, record: &Record<'_>, looked: &Looked<'_>) -> Result<bool> {
        let terms = self.terms;
        let at = match &record.facts {
            Some(facts) => {
                if !looked.lets_in(facts) {
                    return Ok(false);
                }
                let at = self.len();
                self.ids.push_str(record.id);
                self.rows.push(Row {
                    updated_at: facts.updated_at,
                    ordinal: facts.ordinal,
                    conversation: facts.conversation,
                    end: u32::try_from(self.ids.len()).map_err(internal)?,
                    length: facts.length,
                    cosine: f32::NAN,
                    importance: facts.importance,
                    speaker: facts.speaker,
                    content: facts.content,
                    sequence: facts.sequence,
                    day: facts.day,
                    model: facts.model,
                    traits: facts.traits,
                    eligible: true,
                });
                self.counts.resize(self.counts.len() + terms, 0);
                // In a dialogue the same few take turns.
                if self.rows[at.saturating_sub(4)..at].iter().all(|row| row.speaker != facts.speaker) {
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
            None => match (0..self.len()).rev().find(|at| self.id(*at) == record.id) {
                Some(at) => at,
                None => return Ok(false),
            },
        };
        if terms > 0 {
            looked.terms.count(record, &mut self.counts[at * terms..(at + 1) * terms]);
        }
        Ok(true)
    }

    /// The texts by their ids.
    fn by_id(&self) -> HashMap<&str, usize> {
        (0..self.len()).map(|at| (self.id(at), at)).collect()
    }

    fn estimate(&mut self, meaning: &Meaning) -> Result<()> {
        if self.codes.signs.len() != self.codes.texts.len() * meaning.code_len() {
            return Err(internal("the codes of vectors have not the length of the model's"));
        }
        for (text, cosine) in self.codes.texts.iter().zip(meaning.cosines(&self.codes.signs, &self.codes.factors)) {
            self.rows[*text as usize].cosine = cosine;
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

/// Reads the signatures of one side. The hashes of all words go to `vocabulary`.
pub fn signatures(
    client: &SpiClient<'_>,
    side: Side,
    keys: &Keys,
    looked: &Looked<'_>,
    mut vocabulary: Option<&mut HashSet<u32>>,
) -> Result<Vec<Pool>> {
    let mut pools: Vec<Pool> = Vec::new();
    stream(client, &keys.restrict(Queries::of(side).signatures), &[keys.argument()], true, |row| {
        let subject = row.uuid(0);
        if pools.last().is_none_or(|pool| pool.subject != subject) {
            pools.push(Pool::new(subject, looked.terms.len()));
        }
        let Some(pool) = pools.last_mut() else { return Ok(()) };
        for record in signature::records(row.bytes(1)) {
            let record = record.map_err(damaged)?;
            if pool.take(&record, looked)?
                && let Some(vocabulary) = &mut vocabulary
            {
                vocabulary.extend(record.terms().map(|(hash, _)| hash));
            }
        }
        Ok(())
    })?;
    pools.retain(|pool| pool.len() > 0);
    Ok(pools)
}

/// Estimates how near in meaning every text of one side is. Signatures hold the codes of one model; where they are those
/// of another, while texts get new vectors, the codes are looked up beside the vectors.
pub fn estimate(
    client: &SpiClient<'_>,
    side: Side,
    keys: &Keys,
    model: i16,
    meaning: &Meaning,
    pools: &mut [Pool],
) -> Result<()> {
    if pools.iter().any(|pool| pool.lacks_codes) {
        let codes = with_rows(pools, |places, codes: &mut Vec<(usize, usize, Vec<u8>)>| {
            stream(client, &keys.restrict(Queries::of(side).codes), &[keys.argument(), model.into()], true, |row| {
                if let Some((pool, text)) = places.find(row.uuid(0), row.bytes(1)) {
                    codes.push((pool, text, row.bytes(2).to_vec()));
                }
                Ok(())
            })
        })?;
        for (pool, text, code) in codes {
            if pools[pool].rows[text].model != model.cast_unsigned() {
                pools[pool].codes.push(text, &code)?;
            }
        }
    }
    pools.iter_mut().try_for_each(|pool| pool.estimate(meaning))
}

/// Lets only those texts of one side be returned that pass a filter. The others still tell what is around them.
pub fn select_eligible(
    client: &SpiClient<'_>,
    side: Side,
    keys: &Keys,
    filter: &Filter,
    pools: &mut [Pool],
) -> Result<()> {
    let (sql, parameters) = filtered(Queries::of(side).filter, filter, 2);
    let mut arguments = vec![keys.argument()];
    arguments.extend(parameters.iter().map(|parameter| DatumWithOid::from(parameter.as_str().to_owned())));
    let passed = with_rows(pools, |places, passed: &mut Vec<(usize, usize)>| {
        // Callers shape filters as they like: their texts must not pile up among the kept plans.
        stream(client, &keys.restrict(&sql), &arguments, false, |row| {
            passed.extend(places.find(row.uuid(0), row.bytes(1)));
            Ok(())
        })
    })?;
    for pool in pools.iter_mut() {
        pool.rows.iter_mut().for_each(|row| row.eligible = false);
    }
    for (pool, text) in passed {
        pools[pool].rows[text].eligible = true;
    }
    Ok(())
}

/// Texts by subject and id.
struct Places<'a>(HashMap<[u8; 16], (usize, HashMap<&'a str, usize>)>);

impl Places<'_> {
    /// The pool and the place in it of the text that a row is about.
    fn find(&self, subject: [u8; 16], id: &[u8]) -> Option<(usize, usize)> {
        let (pool, texts) = self.0.get(&subject)?;
        Some((*pool, *texts.get(std::str::from_utf8(id).ok()?)?))
    }
}

/// Collects what `read` finds in rows about the texts of some pools.
fn with_rows<T>(pools: &[Pool], read: impl FnOnce(&Places<'_>, &mut Vec<T>) -> Result<()>) -> Result<Vec<T>> {
    let places = Places(pools.iter().enumerate().map(|(at, pool)| (pool.subject, (at, pool.by_id()))).collect());
    let mut found = Vec::new();
    read(&places, &mut found)?;
    Ok(found)
}
