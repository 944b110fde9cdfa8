//! A search of a part of a subject: of so many memories that to read what is known of each would take longer than all else.
//!
//! Three things bring a memory into question: its vector is among those nearest to the question's, which the index of
//! vectors tells; it has the question's words, or more of the rarer ones than most, which the [digests](rules::digest) tell;
//! or it is newer than the last digest. Their signatures are read, with those of the blocks before and after, whose texts
//! lend them context. The digests also say how many memories have each word, and who speaks: the score of a memory is
//! what it would be if all had been read.
//!
//! What is given up is a memory that is neither among the nearest nor among those with the most words, and would only come
//! up by both together, or by what stands around it. Where something might be missed for good, all is read: with a
//! filter, which may keep any memory; where more rows are wanted than are looked at closer; where forgotten memories count;
//! and where the words of all are needed to correct those of the question.

use std::collections::BTreeSet;

use pgrx::spi::SpiClient;
use rules::digest::{self, Counted, Head, Places};
use rules::rank::{Census, Model};
use rules::signature::{self, Terms};

use super::Side;
use super::pipeline::{Asked, Request, Scope};
use super::pool::{Looked, Pool};
use super::queries;
use super::stream::stream;
use crate::api::signing::damaged;
use crate::error::{Result, internal};
use crate::gucs;

/// The stretch of the blocks that no digest describes.
const TAIL: u32 = 0;

/// How many of the nearest memories come into question, and how many of those with the most words, for each that is looked at
/// closer. Twice as many change one answer in seventy, half as many change one in thirty.
const NEAR: usize = 4;
const WORDED: usize = 3;

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
        let (Some(key), Some(from), Some(_)) = (scope.subject, gucs::search_texts(), scope.vectors) else {
            return Ok(None);
        };
        let all = request.filter.is_some() || request.include_forgotten || request.rewrite || request.limit > depth;
        if all || !request.sides.contains(&Side::Memories) {
            return Ok(None);
        }
        let (digests, holding, counted) = Default::default();
        let mut part = Part { key, depth, digests, tail: 0, counted, holding };
        let mut texts = 0;
        stream(client, queries::DIGESTS, &[key.into()], true, |row| {
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
            part.digests.push(Described { first_block, head, first_text });
            Ok(())
        })?;
        Ok(Some(part).filter(|part| part.counted.texts >= from))
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
        let (Some(model), Some(meaning)) = (scope.vectors, &asked.meaning) else { return Ok(None) };
        let wanted = NEAR * self.depth;
        let mut blocks = BTreeSet::new();
        let limit = i64::try_from(wanted).unwrap_or(i64::MAX);
        let arguments = [self.key.into(), model.into(), meaning.vector.clone().into(), limit.into()];
        let mut near = 0;
        stream(client, queries::MEMORY_NEAR, &arguments, true, |row| {
            near += 1;
            blocks.extend(row.get::<i64>(0));
            Ok(())
        })?;
        if near < wanted {
            return Ok(None);
        }
        let census = self.worded(client, looked.terms, asked, &scope.model, &mut blocks)?;
        if let Some(id) = request.explained {
            stream(client, queries::MEMORY_BLOCK, &[self.key.into(), id.into()], true, |row| {
                blocks.extend(row.get::<i64>(0));
                Ok(())
            })?;
        }
        self.read(client, looked, &blocks, pool)?;
        Ok(Some(census))
    }

    /// Adds the blocks of the memories that have most of the words asked for, and says how many have each.
    fn worded(
        &self,
        client: &SpiClient<'_>,
        terms: &Terms,
        asked: &Asked,
        model: &Model,
        blocks: &mut BTreeSet<i64>,
    ) -> Result<Census> {
        let mut holding: Vec<u64> = asked.terms.iter().map(|at| self.holding[*at]).collect();
        let named = self.counted.by(&asked.speakers);
        let asked: Vec<u32> = asked.terms.iter().map(|at| terms.hashes()[*at]).collect();
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
                    holding[nth] += u64::from(places.texts);
                    let first_text = self.digests[digest].first_text;
                    found.extend(places.iter().map(|(place, own)| (nth, first_text + u32::from(place), own)));
                }
            }
            Ok(())
        })?;
        let census = Census { texts: self.counted.texts, length: self.counted.length, named, holding };

        let rarities = census.rarities(model);
        let mut worth = vec![0f32; self.digests.last().map_or(0, |last| last.first_text + last.head.texts()) as usize];
        for (nth, text, own) in found {
            if let Some(worth) = worth.get_mut(text as usize) {
                *worth += rarities[nth] as f32 * if own { 1.0 } else { HEARD_WORTH };
            }
        }
        let mut worded: Vec<(f32, u32)> = worth.into_iter().zip(0..).filter(|(worth, _)| *worth > 0.0).collect();
        let most = WORDED * self.depth;
        if worded.len() > most {
            // Of those with the same words the newer.
            worded.select_nth_unstable_by(most, |a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
            worded.truncate(most);
        }
        blocks.extend(worded.iter().map(|(_, text)| self.block_of(*text)));
        Ok(census)
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
