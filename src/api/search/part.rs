//! A search of a part of a subject: of so many memories that to read what is known of each would take longer than all else.
//!
//! The [digests](rules::digest) of a subject tell of each memory which of the question's words it has and about how near it
//! is in meaning: what weighs most in a first look. The best by that come into question, and those newer than the last
//! digest. Their signatures are read, with those of the blocks before and after, whose texts lend them context, and what was
//! read goes the way of any search. The digests also say how many memories have each word, and who speaks: the score of
//! a memory is what it would be if all had been read.
//!
//! What is given up is a memory that only what stands around it, its day or its speaker would lift above so many others.
//! Where something might be missed for good, all is read: with a filter, which may keep any memory; where more rows are wanted
//! than are looked at closer; where forgotten memories count; where the words of all are needed to correct those of the
//! question; and while many memories wait for their vectors.

use std::collections::BTreeSet;

use pgrx::spi::SpiClient;
use rules::digest::{self, Codes, Counted, Head, Places};
use rules::rank::{Census, Model};
use rules::signature::{self, Damaged, Terms};

use super::Side;
use super::pipeline::{Asked, Request, Scope};
use super::pool::{Looked, Pool};
use super::queries;
use super::stream::stream;
use crate::api::embedding::Meaning;
use crate::api::signing::damaged;
use crate::error::{Result, internal};
use crate::gucs;

/// The stretch of the blocks that no digest describes.
const TAIL: u32 = 0;

/// How many memories come into question for each that is looked at closer.
const CHOSEN: usize = 5;

/// Blocks before and after one that comes into question that are read as well, for what their texts lend.
const AROUND: i64 = 1;

/// What a word is worth that was heard around a memory, where its own is worth 1: what both weigh, about.
const HEARD_WORTH: f32 = 0.5;

/// The memories of a large subject.
pub struct Part {
    key: pgrx::Uuid,
    /// How many are looked at closer.
    depth: usize,
    digests: Vec<Described>,
    /// The first block that no digest describes.
    tail: i64,
    /// What all memories count for.
    counted: Counted,
    /// How many of those that no digest describes have each term.
    holding: Vec<u64>,
}

struct Described {
    first_block: i64,
    head: Head,
    /// The number of its first text among those of all digests.
    first_text: u32,
}

impl Part {
    /// The memories that a search is to read in part, if it is: they are many, and nothing else speaks against it.
    pub fn of(client: &SpiClient<'_>, request: &Request<'_>, scope: &Scope) -> Result<Option<Part>> {
        let depth = request.depth();
        let (Some(key), Some(from), Some(model)) = (scope.subject, gucs::search_texts(), scope.vectors) else {
            return Ok(None);
        };
        let all = request.filter.is_some() || request.include_forgotten || request.rewrite || request.limit > depth;
        if all || !request.sides.contains(&Side::Memories) {
            return Ok(None);
        }
        let (digests, holding, counted) = Default::default();
        let mut part = Part { key, depth, digests, tail: 0, counted, holding };
        let (mut texts, mut coded) = (0, 0);
        stream(client, queries::DIGESTS, &[key.into(), model.into()], true, |row| {
            let (first, last) = (row.get::<i64>(0), row.get::<i64>(1));
            let (Some(first_block), Some(last)) = (first.filter(|first| *first == part.tail), last) else {
                return Err(internal("the digests of a subject are not complete")
                    .set_hint("Write the signatures anew with memory_profile.search_refresh()."));
            };
            let head = Head::read(row.bytes(2)).map_err(damaged)?;
            part.counted.add_all(&head.counted);
            part.tail = last + 1;
            let first_text = texts;
            texts += head.texts();
            coded += u64::from(row.get::<i32>(3).unwrap_or(0).unsigned_abs());
            part.digests.push(Described { first_block, head, first_text });
            Ok(())
        })?;
        // Of texts whose code is not there yet words alone would tell.
        let few_lack_codes = coded * 20 >= part.counted.texts * 19;
        Ok(Some(part).filter(|part| few_lack_codes && part.counted.texts >= from))
    }

    /// Reads those that no digest describes. Whoever speaks among all of them is known then.
    pub fn tail(&mut self, client: &SpiClient<'_>, looked: &Looked<'_>) -> Result<Pool> {
        let mut pool = Pool::new(*self.key.as_bytes(), looked.terms.len());
        stream(client, queries::MEMORY_TAIL, &[self.key.into(), self.tail.into()], true, |row| {
            take(&mut pool, row.bytes(0), looked)
        })?;
        pool.note_stretch(TAIL);
        let (counted, holding) = pool.count();
        self.counted.add_all(&counted);
        self.holding = holding;
        pool.speakers.extend(self.counted.speakers.keys().flatten().filter(|hash| **hash != 0));
        Ok(pool)
    }

    /// Reads those that come into question, and says what all count for; nothing where too few have vectors.
    pub fn complete(
        &self,
        client: &SpiClient<'_>,
        request: &Request<'_>,
        scope: &Scope,
        asked: &Asked,
        looked: &Looked<'_>,
        pool: &mut Pool,
    ) -> Result<Option<Census>> {
        let (Some(vectors), Some(meaning)) = (scope.vectors, &asked.meaning) else { return Ok(None) };
        let (census, covered, named) = self.covered(client, looked.terms, asked, &scope.model)?;
        let cosines = self.cosines(client, vectors, meaning)?;
        let mut scored: Vec<(f32, u32)> =
            self.first_look(&scope.model, (&cosines, &covered, &named), &census).into_iter().zip(0..).collect();
        let most = CHOSEN * self.depth;
        if scored.len() > most {
            // Of what is equal the newer.
            scored.select_nth_unstable_by(most, |a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
            scored.truncate(most);
        }
        let mut blocks: BTreeSet<i64> = scored.iter().map(|(_, text)| self.block_of(*text)).collect();
        if let Some(id) = request.explained {
            stream(client, queries::MEMORY_BLOCK, &[self.key.into(), id.into()], true, |row| {
                blocks.extend(row.get::<i64>(0));
                Ok(())
            })?;
        }
        self.read(client, looked, &blocks, pool)?;
        Ok(Some(census))
    }

    /// How many texts all digests have.
    fn texts(&self) -> usize {
        self.digests.last().map_or(0, |last| (last.first_text + last.head.texts()) as usize)
    }

    /// Estimates how near in meaning each text of the digests is.
    fn cosines(&self, client: &SpiClient<'_>, model: i16, meaning: &Meaning) -> Result<Vec<f32>> {
        let mut cosines = Vec::with_capacity(self.texts());
        let mut digests = self.digests.iter();
        stream(client, queries::DIGEST_CODES, &[self.key.into(), model.into()], true, |row| {
            let Some(digest) = digests.next() else { return Ok(()) };
            let codes = row.bytes(1);
            if codes.is_empty() {
                cosines.resize(cosines.len() + digest.head.texts() as usize, 0.0);
                return Ok(());
            }
            let codes = Codes::read(codes, digest.head.texts()).map_err(damaged)?;
            if codes.signs.len() != codes.factors.len() * meaning.code_len() {
                return Err(damaged(Damaged));
            }
            cosines.extend(meaning.cosines(codes.signs, &codes.factors));
            Ok(())
        })?;
        Ok(cosines)
    }

    /// The evidence of the texts of the digests, about as the first look adds it up: of meaning and words, by whom it is said,
    /// and, where most texts are those of a dialogue, what the texts before and after lend.
    fn first_look(
        &self,
        model: &Model,
        (cosines, covered, named): (&[f32], &[f32], &[bool]),
        census: &Census,
    ) -> Vec<f32> {
        let weights = &model.weights;
        let [constant, by_cosine, by_coverage] = weights.maxsim_by_cosine_and_coverage.map(|weight| weight as f32);
        let [unrelated, related] = weights.related.map(|share| share as f32);
        let speaker = (weights.speaker * census.speaker_tells()) as f32;
        let [cosine, coverage, maxsim, nearby, before] = [
            weights.cosine,
            weights.share + weights.coverage,
            weights.maxsim,
            weights.coverage_nearby,
            weights.maxsim_before,
        ]
        .map(|weight| weight as f32);
        let spoken: u64 = self.counted.speakers.values().map(|texts| u64::from(*texts)).sum();
        let in_dialogue = spoken * 2 > self.counted.texts;
        let matched = |at: usize| constant + by_cosine * cosines[at] + by_coverage * covered[at];
        let score = |at: usize| {
            let matches = matched(at);
            let mut score = cosine * cosines[at] + coverage * covered[at] + maxsim * matches;
            if named[at] {
                score += speaker * ((matches - unrelated) / (related - unrelated)).clamp(0.0, 1.0);
            }
            if in_dialogue && at > 0 {
                let around = &covered[at.saturating_sub(2)..(at + 2).min(covered.len())];
                let best = around.iter().copied().fold(0.0, f32::max);
                score += nearby * (best - covered[at]).max(0.0) + before * (matched(at - 1) - matches).max(0.0);
            }
            score
        };
        (0..cosines.len().min(covered.len())).map(score).collect()
    }

    /// In how many memories each word asked for occurs, and what share of the words, weighed by rarity, each text of the digests
    /// has, and whether the question names who says it.
    fn covered(
        &self,
        client: &SpiClient<'_>,
        terms: &Terms,
        asked: &Asked,
        model: &Model,
    ) -> Result<(Census, Vec<f32>, Vec<bool>)> {
        let mut holding: Vec<u64> = asked.terms.iter().map(|at| self.holding[*at]).collect();
        let named = self.counted.by(&asked.speakers);
        let words = asked.terms.iter().map(|at| terms.hashes()[*at]);
        // Behind the words the speakers.
        let asked: Vec<u32> = words.chain(asked.speakers.iter().map(|hash| digest::spoken(*hash))).collect();
        let buckets: BTreeSet<i16> = asked.iter().map(|term| digest::bucket(*term) as i16).collect();
        let mut found: Vec<(usize, u32, bool)> = Vec::new();
        let arguments = [self.key.into(), buckets.into_iter().collect::<Vec<_>>().into()];
        stream(client, queries::DIGEST_WORDS, &arguments, true, |row| {
            let (Some(first), Some(bucket)) = (row.get::<i64>(0), row.get::<i16>(1)) else { return Ok(()) };
            let Ok(digest) = self.digests.binary_search_by_key(&first, |digest| digest.first_block) else {
                return Ok(());
            };
            let in_bucket = |(_, term): &(usize, &u32)| digest::bucket(**term) as i16 == bucket;
            for (nth, term) in asked.iter().enumerate().filter(in_bucket) {
                if let Some(places) = Places::of(*term, row.bytes(2)).map_err(damaged)? {
                    if let Some(holding) = holding.get_mut(nth) {
                        *holding += u64::from(places.texts);
                    }
                    let first_text = self.digests[digest].first_text;
                    found.extend(places.iter().map(|(place, own)| (nth, first_text + u32::from(place), own)));
                }
            }
            Ok(())
        })?;
        let census = Census { texts: self.counted.texts, length: self.counted.length, named, holding };

        let rarities = census.rarities(model);
        let total: f64 = rarities.iter().sum();
        let (mut covered, mut named) = (vec![0f32; self.texts()], vec![false; self.texts()]);
        for (nth, text, own) in found {
            let text = text as usize;
            match (rarities.get(nth), covered.get_mut(text), named.get_mut(text)) {
                (Some(rarity), Some(covered), _) => {
                    *covered += (rarity / total) as f32 * if own { 1.0 } else { HEARD_WORTH };
                }
                (None, _, Some(named)) => *named = true,
                _ => {}
            }
        }
        Ok((census, covered, named))
    }

    fn block_of(&self, text: u32) -> i64 {
        let after = self.digests.partition_point(|digest| digest.first_text <= text);
        let digest = &self.digests[after.saturating_sub(1)];
        digest.first_block + digest.head.block_of((text - digest.first_text) as u16) as i64
    }

    /// Reads some blocks that digests describe, and those around them.
    fn read(&self, client: &SpiClient<'_>, looked: &Looked<'_>, blocks: &BTreeSet<i64>, pool: &mut Pool) -> Result<()> {
        let around = blocks.iter().flat_map(|block| block - AROUND..=block + AROUND);
        let wanted: BTreeSet<i64> = around.filter(|block| (0..self.tail).contains(block)).collect();
        let arguments = [self.key.into(), wanted.into_iter().collect::<Vec<_>>().into()];
        let mut parts: Vec<(i64, i16, Vec<u8>)> = Vec::new();
        stream(client, queries::MEMORY_BLOCKS, &arguments, true, |row| {
            if let (Some(block), Some(part)) = (row.get(0), row.get(1)) {
                parts.push((block, part, row.bytes(2).to_vec()));
            }
            Ok(())
        })?;
        parts.sort_unstable_by_key(|(block, part, _)| (*block, *part));
        let (mut stretch, mut last) = (TAIL, None);
        for (block, _, signatures) in &parts {
            if last.is_none_or(|last| last + 1 < *block) {
                stretch += 1;
            }
            last = Some(*block);
            take(pool, signatures, looked)?;
            pool.note_stretch(stretch);
        }
        if last == Some(self.tail - 1) {
            pool.join_stretch(stretch, TAIL);
        }
        Ok(())
    }
}

/// Takes the texts of a block in.
fn take(pool: &mut Pool, signatures: &[u8], looked: &Looked<'_>) -> Result<()> {
    for record in signature::records(signatures) {
        pool.take(&record.map_err(damaged)?, looked)?;
    }
    Ok(())
}
