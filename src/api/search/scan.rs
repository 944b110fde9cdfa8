//! What a search reads before it knows where to look closer: the signatures of all texts.

use std::collections::HashMap;
use std::collections::HashSet;

use pgrx::datum::DatumWithOid;
use pgrx::spi::SpiClient;
use rules::filter::Filter;
use rules::rank::{Text, Traits};
use rules::signature::{self, Facts, Record, Terms};

use super::Side;
use super::queries::{Keys, Texts, filtered};
use super::stream::stream;
use crate::api::embedding::{Meaning, SentenceCode};
use crate::api::signing::damaged;
use crate::error::{Result, internal};

/// All texts of one side of one subject.
pub struct Pool {
    pub subject: [u8; 16],
    ids: String,
    /// Where each id ends.
    ends: Vec<usize>,
    facts: Vec<Facts>,
    /// How often each term of the question occurs, text by text.
    counts: Vec<u8>,
    codes: Codes,
    /// The estimated cosine; NaN where there is no vector. Empty until estimated.
    cosines: Vec<f32>,
    /// Whether it may be returned; empty if all may.
    eligible: Vec<bool>,
}

/// The codes of the vectors of some texts of a pool, one after the other.
#[derive(Default)]
struct Codes {
    signs: Vec<u8>,
    factors: Vec<f32>,
    texts: Vec<usize>,
}

impl Codes {
    fn push(&mut self, text: usize, code: &[u8]) -> Result<()> {
        let code = SentenceCode::read(code).ok_or_else(|| internal("the code of a vector is too short"))?;
        self.signs.extend_from_slice(&code.signs);
        self.factors.push(code.factor);
        self.texts.push(text);
        Ok(())
    }
}

impl Pool {
    fn new(subject: [u8; 16]) -> Self {
        let (ids, ends, facts, counts, codes) = Default::default();
        Pool { subject, ids, ends, facts, counts, codes, cosines: Vec::new(), eligible: Vec::new() }
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.facts.len()
    }

    /// The id of a text.
    pub fn id(&self, at: usize) -> &str {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.ids[start..self.ends[at]]
    }

    /// What a text's signature says of it.
    pub fn facts(&self, at: usize) -> &Facts {
        &self.facts[at]
    }

    /// Whether a text may be returned.
    pub fn is_eligible(&self, at: usize) -> bool {
        self.eligible.is_empty() || self.eligible[at]
    }

    /// The place of a text with this id.
    pub fn find(&self, id: &str) -> Option<usize> {
        (0..self.len()).find(|at| self.id(*at) == id)
    }

    /// The hashes of all who are known to have said something.
    pub fn speakers(&self) -> impl Iterator<Item = u32> {
        self.facts.iter().flat_map(|facts| facts.speaker).filter(|hash| *hash != 0)
    }

    /// Keeps of the counts those of some terms.
    pub fn keep_terms(&mut self, terms: usize, kept: &[usize]) {
        if terms > 0 && kept.len() < terms {
            self.counts =
                self.counts.chunks_exact(terms).flat_map(|counts| kept.iter().map(|at| counts[*at])).collect();
        }
    }

    /// The texts as the scoring takes them; `terms` is how many are counted, `question` the hash of the question.
    pub fn texts(&self, terms: usize, question: u32) -> Vec<Text<'_>> {
        let text = |(at, facts): (usize, &Facts)| Text {
            id: self.id(at),
            frequencies: &self.counts[at * terms..(at + 1) * terms],
            length: facts.length,
            cosine: self.cosines.get(at).copied().filter(|cosine| cosine.is_finite()),
            updated_at: facts.updated_at,
            ordinal: facts.ordinal,
            importance: facts.importance,
            speaker: facts.speaker,
            conversation: facts.conversation,
            sequence: facts.sequence,
            day: facts.day,
            traits: Traits::from_bits(facts.traits as u8),
            same_text: facts.content == question,
            eligible: self.is_eligible(at),
        };
        self.facts.iter().enumerate().map(text).collect()
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
    stream(client, &keys.restrict(Texts::of(side).signatures), &[keys.argument()], true, |row| {
        let subject = row.uuid(0);
        if pools.last().is_none_or(|pool| pool.subject != subject) {
            pools.push(Pool::new(subject));
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

impl Pool {
    /// Takes a record in, unless it is left out.
    fn take(&mut self, record: &Record<'_>, looked: &Looked<'_>) -> Result<bool> {
        let terms = looked.terms.len();
        let at = match record.facts {
            Some(facts) => {
                if !looked.lets_in(&facts) {
                    return Ok(false);
                }
                let at = self.len();
                self.ids.push_str(record.id);
                self.ends.push(self.ids.len());
                self.facts.push(facts);
                self.counts.resize(self.counts.len() + terms, 0);
                if looked.model.is_some_and(|model| facts.model == model.cast_unsigned()) {
                    self.codes.push(at, record.code)?;
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

    /// Whether a text has a vector of another model than this one, but perhaps one of this as well.
    fn lacks(&self, model: i16) -> bool {
        self.facts.iter().any(|facts| facts.model != 0 && facts.model != model.cast_unsigned())
    }

    fn estimate(&mut self, meanings: &[Meaning]) -> Result<()> {
        self.cosines = vec![f32::NAN; self.len()];
        for meaning in meanings {
            if self.codes.signs.len() != self.codes.texts.len() * meaning.code_len() {
                return Err(internal("the codes of vectors have not the length of the model's"));
            }
            for (text, cosine) in self.codes.texts.iter().zip(meaning.cosines(&self.codes.signs, &self.codes.factors)) {
                // The larger one; NaN is smaller than anything.
                self.cosines[*text] = cosine.max(self.cosines[*text]);
            }
        }
        Ok(())
    }
}

/// Estimates how near in meaning every text of one side is. Signatures hold the codes of one model; where they are those
/// of another, while texts get new vectors, the codes are looked up beside the vectors.
pub fn estimate(
    client: &SpiClient<'_>,
    side: Side,
    keys: &Keys,
    model: i16,
    meanings: &[Meaning],
    pools: &mut [Pool],
) -> Result<()> {
    if pools.iter().any(|pool| pool.lacks(model)) {
        let codes = with_rows(pools, |places, codes: &mut Vec<(usize, usize, Vec<u8>)>| {
            stream(client, &keys.restrict(Texts::of(side).codes), &[keys.argument(), model.into()], true, |row| {
                if let Some((pool, text)) = places.find(row.uuid(0), row.bytes(1)) {
                    codes.push((pool, text, row.bytes(2).to_vec()));
                }
                Ok(())
            })
        })?;
        for (pool, text, code) in codes {
            if pools[pool].facts[text].model != model.cast_unsigned() {
                pools[pool].codes.push(text, &code)?;
            }
        }
    }
    pools.iter_mut().try_for_each(|pool| pool.estimate(meanings))
}

/// Lets only those texts of one side be returned that pass a filter. The others still tell what is around them.
pub fn select_eligible(
    client: &SpiClient<'_>,
    side: Side,
    keys: &Keys,
    filter: &Filter,
    pools: &mut [Pool],
) -> Result<()> {
    let (sql, parameters) = filtered(Texts::of(side).filter, filter, 2);
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
        pool.eligible = vec![false; pool.len()];
    }
    for (pool, text) in passed {
        pools[pool].eligible[text] = true;
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
