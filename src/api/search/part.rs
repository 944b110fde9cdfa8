//! A search of a part of a subject: of so many memories that to read what is known of each would take longer than all else.
//!
//! The [digests](rules::digest) of a subject tell of each memory which of the question's words it has, about how near it is in
//! meaning, by whom it is and of which day: what weighs most in a first look. The best by that [glance](Glance) come into
//! question, and those newer than the last digest. Their signatures are read, with those of the blocks before and after,
//! whose texts lend them context, and what was read goes the way of any search. The digests also say how many memories have
//! each word, and who speaks: the score of a memory is what it would be if all had been read.
//!
//! What is given up is a memory that only what stands farther around it would lift above so many others. Where something might
//! be missed for good, all is read: with a filter, which may keep any memory; where more rows are wanted than are looked at
//! closer; where forgotten memories count; where the words of all are needed to correct those of the question; and while
//! many memories wait for their vectors. A digest is older than what it tells of: where so many of those that look best are no
//! longer current that others might be missed for them, more are read, and in the end all.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::spi::SpiClient;
use rules::digest::{self, Codes, Counted, Head, Places};
use rules::rank::{Census, Cues, Glance, Model};
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

/// What share of these has to be current, one in so many. Fewer, and the next best are read as well.
const CURRENT: usize = 2;

/// How many times as many are read then.
const MORE: usize = 4;

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
    /// Whether its codes are those of the model.
    is_coded: bool,
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
                return Err(incomplete());
            };
            let head = Head::read(row.bytes(2)).map_err(damaged)?;
            part.counted.add_all(&head.counted);
            part.tail = last + 1;
            let first_text = texts;
            texts += head.texts();
            let is_coded = row.get::<bool>(4).unwrap_or(false);
            if is_coded {
                coded += u64::from(row.get::<i32>(3).unwrap_or(0).unsigned_abs());
            }
            part.digests.push(Described { first_block, head, first_text, is_coded });
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
        let Some(meaning) = &asked.meaning else { return Ok(None) };
        let (census, covered, named) = self.covered(client, looked.terms, asked, &scope.model)?;
        let (cosines, traits) = self.codes(client, meaning)?;
        let spoken: u64 = self.counted.speakers.values().map(|texts| u64::from(*texts)).sum();
        let glance = Glance {
            cosines: &cosines,
            covered: &covered,
            named: &named,
            traits: &traits,
            date_fits: &self.date_fits(&asked.cues),
            in_dialogue: spoken * 2 > self.counted.texts,
        };
        let evidence = glance.evidence(&asked.cues, &census, &scope.model);
        let Some(blocks) = self.read_best(client, looked, &evidence, pool)? else { return Ok(None) };
        if let Some(id) = request.explained {
            self.read_explained(client, looked, id, &blocks, pool)?;
        }
        Ok(Some(census))
    }

    /// How many texts all digests have.
    fn texts(&self) -> usize {
        self.digests.last().map_or(0, |last| (last.first_text + last.head.texts()) as usize)
    }

    /// Estimates how near in meaning each text of the digests is, and tells what each has that a question may want.
    fn codes(&self, client: &SpiClient<'_>, meaning: &Meaning) -> Result<(Vec<f32>, Vec<u8>)> {
        let (mut cosines, mut traits) = (vec![f32::NAN; self.texts()], vec![0; self.texts()]);
        let mut coded = self.digests.iter().filter(|digest| digest.is_coded);
        // The digest whose codes come, and the numbers of its texts that are still to come.
        let mut of: Option<(i64, Range<usize>)> = None;
        stream(client, queries::DIGEST_CODES, &[self.key.into()], true, |row| {
            let Some(first) = row.get::<i64>(0) else { return Err(incomplete()) };
            if of.as_ref().is_none_or(|(last, _)| *last != first) {
                let Ok(at) = self.digests.binary_search_by_key(&first, |digest| digest.first_block) else {
                    return Err(incomplete());
                };
                if !self.digests[at].is_coded {
                    return Ok(());
                }
                let ended = of.take().is_none_or(|(_, rest)| rest.is_empty());
                let Some(digest) = coded.next().filter(|digest| digest.first_block == first && ended) else {
                    return Err(incomplete());
                };
                let start = digest.first_text as usize;
                of = Some((first, start..start + digest.head.texts() as usize));
            }
            let Some((_, rest)) = &mut of else { return Err(incomplete()) };
            let codes = Codes::read(row.bytes(1), meaning.code_len()).map_err(damaged)?;
            let these = rest.start..rest.start + codes.factors.len();
            if these.end > rest.end {
                return Err(damaged(Damaged));
            }
            rest.start = these.end;
            traits[these.clone()].copy_from_slice(codes.traits);
            let estimates = meaning.cosines(codes.signs, &codes.factors).into_iter().zip(&codes.factors);
            for (cosine, (estimate, factor)) in cosines[these].iter_mut().zip(estimates) {
                *cosine = if *factor > 0.0 { estimate } else { f32::NAN };
            }
            Ok(())
        })?;
        if coded.next().is_some() || of.is_some_and(|(_, rest)| !rest.is_empty()) {
            return Err(incomplete());
        }
        Ok((cosines, traits))
    }

    /// How well the day of each text of the digests fits the dates that the question names; empty if it names none.
    fn date_fits(&self, cues: &Cues) -> Vec<f32> {
        if cues.dates.is_empty() {
            return Vec::new();
        }
        let mut fits = vec![0.0; self.texts()];
        for digest in &self.digests {
            for (first, end, day) in digest.head.days() {
                let [first, end] = [first, end].map(|text| (digest.first_text + text) as usize);
                if let Some(fits) = fits.get_mut(first..end) {
                    fits.fill(cues.fit(day));
                }
            }
        }
        fits
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
        let mut found: Vec<(u32, u16, bool)> = Vec::new();
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
                    found.extend(places.iter().map(|(place, own)| (first_text + u32::from(place), nth as u16, own)));
                }
            }
            Ok(())
        })?;
        let census = Census { texts: self.counted.texts, length: self.counted.length, named, holding };

        let rarities = census.rarities(model);
        let total: f64 = rarities.iter().sum();
        let (mut covered, mut named) = (vec![0f32; self.texts()], vec![false; self.texts()]);
        for (text, nth, own) in found {
            let (text, nth) = (text as usize, usize::from(nth));
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

    /// The digest that has a text, or a block.
    fn digest_of(&self, is_before: impl Fn(&Described) -> bool) -> &Described {
        &self.digests[self.digests.partition_point(is_before).saturating_sub(1)]
    }

    fn block_of(&self, text: u32) -> i64 {
        let digest = self.digest_of(|digest| digest.first_text <= text);
        digest.first_block + digest.head.block_of((text - digest.first_text) as u16) as i64
    }

    /// How many texts a block had when its digest was made.
    fn texts_of(&self, block: i64) -> usize {
        let digest = self.digest_of(|digest| digest.first_block <= block);
        usize::try_from(block - digest.first_block).map_or(0, |nth| digest.head.texts_of(nth))
    }

    /// Reads the blocks of those that look best, and those around them; says which. Nothing where most would have to be read.
    fn read_best(
        &self,
        client: &SpiClient<'_>,
        looked: &Looked<'_>,
        evidence: &[f32],
        pool: &mut Pool,
    ) -> Result<Option<BTreeSet<i64>>> {
        let newer = pool.len();
        let mut most = CHOSEN * self.depth;
        while most < evidence.len() / 2 {
            let mut chosen: BTreeMap<i64, usize> = BTreeMap::new();
            for text in best(evidence, most) {
                *chosen.entry(self.block_of(text)).or_default() += 1;
            }
            let blocks = self.around(chosen.keys().copied());
            let taken = self.read(client, looked, &blocks, pool)?;
            // Of a block that lacks some of its texts by now, those that were chosen may be the ones.
            let current = chosen.iter().map(|(block, chosen)| {
                let taken = taken.get(block).copied().unwrap_or(0);
                chosen.saturating_sub(self.texts_of(*block).saturating_sub(taken))
            });
            if current.sum::<usize>() >= CHOSEN * self.depth / CURRENT {
                return Ok(Some(blocks));
            }
            pool.truncate(newer);
            most *= MORE;
        }
        Ok(None)
    }

    /// Reads the block of a text that is to be explained, unless it was read. What is read for this alone is no answer.
    fn read_explained(
        &self,
        client: &SpiClient<'_>,
        looked: &Looked<'_>,
        id: &str,
        read: &BTreeSet<i64>,
        pool: &mut Pool,
    ) -> Result<()> {
        let mut block = None;
        stream(client, queries::MEMORY_BLOCK, &[self.key.into(), id.into()], true, |row| {
            block = row.get::<i64>(0);
            Ok(())
        })?;
        let block = block.filter(|block| (0..self.tail).contains(block) && !read.contains(block));
        let blocks: BTreeSet<i64> = self.around(block.into_iter()).difference(read).copied().collect();
        let others = pool.len();
        self.read(client, looked, &blocks, pool)?;
        pool.forbid_from(others);
        Ok(())
    }

    /// Some blocks and those around them, as far as digests describe them.
    fn around(&self, blocks: impl Iterator<Item = i64>) -> BTreeSet<i64> {
        let around = blocks.flat_map(|block| block - AROUND..=block + AROUND);
        around.filter(|block| (0..self.tail).contains(block)).collect()
    }

    /// Reads some blocks that digests describe; says how many texts of each are current.
    fn read(
        &self,
        client: &SpiClient<'_>,
        looked: &Looked<'_>,
        blocks: &BTreeSet<i64>,
        pool: &mut Pool,
    ) -> Result<BTreeMap<i64, usize>> {
        let mut taken = BTreeMap::new();
        if blocks.is_empty() {
            return Ok(taken);
        }
        let arguments = [self.key.into(), blocks.iter().copied().collect::<Vec<_>>().into()];
        let mut parts: Vec<(i64, i16, Vec<u8>)> = Vec::new();
        stream(client, queries::MEMORY_BLOCKS, &arguments, true, |row| {
            if let (Some(block), Some(part)) = (row.get(0), row.get(1)) {
                parts.push((block, part, row.bytes(2).to_vec()));
            }
            Ok(())
        })?;
        parts.sort_unstable_by_key(|(block, part, _)| (*block, *part));
        let (mut stretch, mut last) = (pool.last_stretch(), None);
        for (block, _, signatures) in &parts {
            if last.is_none_or(|last| last + 1 < *block) {
                stretch += 1;
            }
            last = Some(*block);
            let before = pool.len();
            take(pool, signatures, looked)?;
            pool.note_stretch(stretch);
            *taken.entry(*block).or_default() += pool.len() - before;
        }
        if last == Some(self.tail - 1) {
            pool.join_stretch(stretch, TAIL);
        }
        Ok(taken)
    }
}

/// How digests that leave something out are reported.
fn incomplete() -> ErrorReport {
    internal("the digests of a subject are not complete")
        .set_hint("Write the signatures anew with memory_profile.search_refresh().")
}

/// The texts with the greatest evidence; of what is equal the newer.
fn best(evidence: &[f32], count: usize) -> Vec<u32> {
    let order = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1));
    let (mut best, mut least) = (Vec::with_capacity(4 * count), f32::NEG_INFINITY);
    for (evidence, text) in evidence.iter().zip(0..) {
        if *evidence >= least {
            best.push((*evidence, text));
            if best.len() == 4 * count {
                least = best.select_nth_unstable_by(count - 1, order).1.0;
                best.truncate(count);
            }
        }
    }
    if best.len() > count {
        best.select_nth_unstable_by(count - 1, order);
        best.truncate(count);
    }
    best.into_iter().map(|(_, text)| text).collect()
}

/// Takes the texts of a block in.
fn take(pool: &mut Pool, signatures: &[u8], looked: &Looked<'_>) -> Result<()> {
    for record in signature::records(signatures) {
        pool.take(&record.map_err(damaged)?, looked)?;
    }
    Ok(())
}
