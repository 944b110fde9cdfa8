//! Digests: what a first look at a large subject needs, so that a search need not read all its signatures.
//!
//! The signatures of a subject stand in blocks, in the order of writing. So many blocks as a digest takes are never added to
//! again, and what they say of words is turned around: for each word, which texts have it. The codes of their vectors stand
//! together. With what the texts count for, a search then knows of every text how many of the question's words it has, how
//! rare they are, about how near it is in meaning, of which day it tells and by whom, without having read it.
//!
//! ```text
//!   head    texts u32 │ those that count u32 │ their length u64 │ blocks u32 │ stretches of days u32 │ first text of each
//!           block, u16 │ first text of each stretch, u16, and its day, i32 │ speakers: two hashes, u32, and texts u32
//!
//!   bucket  terms u32 │ of each: 24 bits of hash in a u32, texts that have it u16, places u16 │ places, term by term, u16
//!
//!   codes   of so many texts as fill a page: the signs of the vector of each │ the factor of each, f32; zeros for a text
//!           that has none │ the traits of each, u8
//! ```
//!
//! Texts that follow each other mostly tell of one day: a stretch of them. The hashes of speakers stand among the terms, as
//! [`spoken`] makes them. A place is the number of a text in the digest; its highest bit says that the word was only heard
//! around the text. The terms of a digest are divided by their hashes, and a question reads the buckets of its own. All
//! numbers are little endian.
//!
//! A digest counts what it was made of. Texts that are given up or forgotten later stay in it: to name a text in vain costs a
//! little time, and the counts are made anew before they are far off.

use std::collections::{BTreeMap, HashMap};

use crate::signature::{self, Damaged, HEARD, records};

/// Blocks that one digest describes: so many that a large subject has few digests, and so few that it takes little time to
/// make one and to read the blocks that have none yet.
pub const BLOCKS: usize = 256;

/// Blocks of a subject from which on it has digests. That is some twenty thousand texts, which are read in about the time of
/// embedding a question: fewer are not worth what digests cost.
pub const FIRST: usize = 10 * BLOCKS;

/// Digests made at once, so that no writer waits long for those that a subject lacks when it has grown so large.
pub const AT_ONCE: usize = 4;

/// How many buckets the terms are divided into.
pub const BUCKETS: usize = 64;

/// Marks the place of a text around which a word was heard.
const ONLY_HEARD: u16 = 1 << 15;

/// Bytes of the factor at the end of a code.
const FACTOR: usize = 4;

/// Bytes of codes that are stored in one piece: with what is stored beside them they fill a page, where a search reads them as
/// they lie.
const CODES: usize = 8000;

/// Bytes of what stands before the starts of the blocks.
const HEAD: usize = 24;

/// Bytes of a stretch of days.
const DAYS: usize = 6;

/// Bytes of a speaker.
const SPEAKER: usize = 12;

/// The bucket of a term.
pub fn bucket(term: u32) -> usize {
    term as usize >> 18
}

/// The term under which the texts of a speaker stand, by the speaker's hash.
pub fn spoken(speaker: u32) -> u32 {
    (speaker ^ 0x5bd1_e995) >> 8
}

/// What some texts count for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counted {
    /// How many they are.
    pub texts: u64,
    /// Their terms, repetitions counted.
    pub length: u64,
    /// How many of them are by whom; the hashes are those of the signatures.
    pub speakers: BTreeMap<[u32; 2], u32>,
}

impl Counted {
    /// Counts one more.
    pub fn add(&mut self, length: u32, speaker: [u32; 2]) {
        self.texts += 1;
        self.length += u64::from(length);
        if speaker != [0, 0] {
            *self.speakers.entry(speaker).or_default() += 1;
        }
    }

    /// Counts others as well.
    pub fn add_all(&mut self, others: &Counted) {
        self.texts += others.texts;
        self.length += others.length;
        for (speaker, texts) in &others.speakers {
            *self.speakers.entry(*speaker).or_default() += texts;
        }
    }

    /// How many are by one of these.
    pub fn by(&self, speakers: &[u32]) -> u64 {
        let named = |pair: &[u32; 2]| pair.iter().any(|hash| *hash != 0 && speakers.contains(hash));
        self.speakers.iter().filter(|(pair, _)| named(pair)).map(|(_, texts)| u64::from(*texts)).sum()
    }
}

/// A digest as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// What it counts.
    pub counted: Counted,
    /// What [`Head`] reads.
    pub head: Vec<u8>,
    /// What [`Places`] reads, by [`bucket`].
    pub buckets: Vec<Vec<u8>>,
    /// The model whose codes most texts have; 0 for none.
    pub model: u16,
    /// How many of the texts that count have its code.
    pub coded: u32,
    /// What [`Codes`] reads, in pieces; none if no text has a code.
    pub codes: Vec<Vec<u8>>,
}

/// Makes a digest of the blocks that have these signatures. A block may come in several parts, one after the other, each
/// with the number of its block, counted from the first.
pub fn make<'a>(parts: impl IntoIterator<Item = (usize, &'a [u8])>) -> Result<Made, Damaged> {
    let mut counted = Counted::default();
    let mut starts: Vec<u16> = Vec::new();
    // Of each text, whether it counts; of each term, how many of those have it, and its places.
    let mut counts: Vec<bool> = Vec::new();
    let mut coded: Vec<Coded<'_>> = Vec::new();
    let mut days: Vec<(u16, i32)> = Vec::new();
    let mut terms: BTreeMap<u32, (u16, Vec<u16>)> = BTreeMap::new();
    let mut of_block: HashMap<&[u8], u16> = HashMap::new();
    for (block, signatures) in parts {
        while starts.len() <= block {
            starts.push(place(counts.len())?);
            of_block.clear();
        }
        for record in records(signatures) {
            let record = record?;
            let text = match &record.facts {
                Some(facts) => {
                    let text = place(counts.len())?;
                    of_block.insert(record.id, text);
                    counts.push(!facts.forgotten);
                    coded.push(Coded { model: facts.model, code: record.code, traits: facts.traits as u8 });
                    let day = facts.day.unwrap_or(signature::NONE);
                    if days.last().is_none_or(|(_, last)| *last != day) {
                        days.push((text, day));
                    }
                    if !facts.forgotten {
                        counted.add(facts.length, facts.speaker);
                    }
                    text
                }
                None => match of_block.get(record.id) {
                    Some(text) => *text,
                    None => continue,
                },
            };
            let speakers = record.facts.map_or([0, 0], |facts| facts.speaker);
            for (nth, speaker) in speakers.iter().enumerate() {
                if *speaker != 0 && !speakers[..nth].contains(speaker) {
                    terms.entry(spoken(*speaker)).or_default().1.push(text);
                }
            }
            for (term, count) in record.terms() {
                let (holders, places) = terms.entry(term).or_default();
                if count == HEARD {
                    places.push(text | ONLY_HEARD);
                } else {
                    *holders += u16::from(counts[usize::from(text)]);
                    places.push(text);
                }
            }
        }
    }

    let mut head = Vec::with_capacity(HEAD + 2 * starts.len() + DAYS * days.len() + SPEAKER * counted.speakers.len());
    head.extend((counts.len() as u32).to_le_bytes());
    head.extend((counted.texts as u32).to_le_bytes());
    head.extend(counted.length.to_le_bytes());
    head.extend((starts.len() as u32).to_le_bytes());
    head.extend((days.len() as u32).to_le_bytes());
    head.extend(starts.iter().flat_map(|start| start.to_le_bytes()));
    for (first, day) in days {
        head.extend(first.to_le_bytes());
        head.extend(day.to_le_bytes());
    }
    for (pair, texts) in &counted.speakers {
        head.extend([pair[0], pair[1], *texts].into_iter().flat_map(u32::to_le_bytes));
    }
    let buckets = (0..BUCKETS).map(|number| write_bucket(number, &terms)).collect();
    let (model, coded, codes) = write_codes(&coded, &counts);
    Ok(Made { counted, head, buckets, model, coded, codes })
}

/// What stands in the codes of one text.
struct Coded<'a> {
    model: u16,
    code: &'a [u8],
    traits: u8,
}

/// The model that most texts have codes of, how many of those that count have one, and the codes.
fn write_codes(coded: &[Coded<'_>], counts: &[bool]) -> (u16, u32, Vec<Vec<u8>>) {
    let mut models: BTreeMap<(u16, usize), u32> = BTreeMap::new();
    for of in coded.iter().filter(|of| of.model != 0 && of.code.len() > FACTOR) {
        *models.entry((of.model, of.code.len())).or_default() += 1;
    }
    let Some((&(model, length), _)) = models.iter().max_by_key(|(_, texts)| **texts) else { return (0, 0, Vec::new()) };
    let (none, signs) = (vec![0; length], length - FACTOR);
    let has_one = |of: &Coded<'_>| (of.model, of.code.len()) == (model, length);
    let piece = |coded: &[Coded<'_>]| {
        let codes: Vec<&[u8]> = coded.iter().map(|of| if has_one(of) { of.code } else { &none[..] }).collect();
        let mut bytes = Vec::with_capacity((length + 1) * codes.len());
        codes.iter().for_each(|code| bytes.extend(&code[..signs]));
        codes.iter().for_each(|code| bytes.extend(&code[signs..]));
        bytes.extend(coded.iter().map(|of| of.traits));
        bytes
    };
    let pieces = coded.chunks((CODES / (length + 1)).max(1)).map(piece).collect();
    let count = coded.iter().zip(counts).filter(|(of, counts)| has_one(of) && **counts).count();
    (model, count as u32, pieces)
}

/// The number of a text, of which a digest holds no more than it has numbers for.
fn place(at: usize) -> Result<u16, Damaged> {
    u16::try_from(at).ok().filter(|place| place & ONLY_HEARD == 0).ok_or(Damaged)
}

fn write_bucket(number: usize, terms: &BTreeMap<u32, (u16, Vec<u16>)>) -> Vec<u8> {
    let first = (number as u32) << 18;
    let of_bucket = || terms.range(first..first + (1 << 18));
    let mut bytes = Vec::new();
    bytes.extend((of_bucket().count() as u32).to_le_bytes());
    for (term, (holders, places)) in of_bucket() {
        bytes.extend(term.to_le_bytes());
        bytes.extend(holders.to_le_bytes());
        bytes.extend((places.len() as u16).to_le_bytes());
    }
    bytes.extend(of_bucket().flat_map(|(_, (_, places))| places).flat_map(|place| place.to_le_bytes()));
    bytes
}

/// What a digest says besides the words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// What its texts count for.
    pub counted: Counted,
    texts: u32,
    starts: Vec<u16>,
    /// The first text of each stretch, and the day that its texts tell of.
    days: Vec<(u16, i32)>,
}

impl Head {
    /// Reads what [`make`] wrote.
    pub fn read(bytes: &[u8]) -> Result<Head, Damaged> {
        let (numbers, rest) = bytes.split_first_chunk::<HEAD>().ok_or(Damaged)?;
        let number = |at: usize| u32_at(numbers, at);
        let (starts, rest) = split(rest, number(16), 2)?;
        let (days, rest) = split(rest, number(20), DAYS)?;
        let (speakers, []) = rest.as_chunks::<SPEAKER>() else { return Err(Damaged) };
        let counted = Counted {
            texts: u64::from(number(4)),
            length: u64::from(number(8)) | u64::from(number(12)) << 32,
            speakers: speakers.iter().map(|of| ([u32_at(of, 0), u32_at(of, 4)], u32_at(of, 8))).collect(),
        };
        let day = |[low, high, day @ ..]: &[u8; DAYS]| (u16::from_le_bytes([*low, *high]), i32::from_le_bytes(*day));
        Ok(Head {
            counted,
            texts: number(0),
            starts: starts.as_chunks().0.iter().map(|start| u16::from_le_bytes(*start)).collect(),
            days: days.as_chunks().0.iter().map(day).collect(),
        })
    }

    /// How many texts it numbers, those that do not count as well.
    pub fn texts(&self) -> u32 {
        self.texts
    }

    /// The block in which a text was, counted from the first.
    pub fn block_of(&self, text: u16) -> usize {
        self.starts.partition_point(|start| *start <= text).saturating_sub(1)
    }

    /// How many texts it numbers in a block, counted from the first.
    pub fn texts_of(&self, block: usize) -> usize {
        let start = |block: usize| self.starts.get(block).map_or(self.texts as usize, |start| usize::from(*start));
        start(block + 1).saturating_sub(start(block))
    }

    /// The days that texts tell of, each with the first text of the stretch that does, and the text behind its last.
    pub fn days(&self) -> impl Iterator<Item = (u32, u32, i32)> {
        let ends = self.days.iter().skip(1).map(|(first, _)| u32::from(*first)).chain([self.texts]);
        let stretches = self.days.iter().zip(ends);
        stretches
            .filter(|((_, day), _)| *day != signature::NONE)
            .map(|((first, day), end)| (u32::from(*first), end, *day))
    }
}

/// A number at a place.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The bytes of so many things, and what stands behind them.
fn split(bytes: &[u8], count: u32, of_each: usize) -> Result<(&[u8], &[u8]), Damaged> {
    let length = (count as usize).checked_mul(of_each).ok_or(Damaged)?;
    bytes.split_at_checked(length).ok_or(Damaged)
}

/// A piece of the codes of a digest.
#[derive(Debug, Clone, PartialEq)]
pub struct Codes<'a> {
    /// The signs of each text, one after the other.
    pub signs: &'a [u8],
    /// The factor of each text; 0 for one that has no code.
    pub factors: Vec<f32>,
    /// The [traits](crate::rank::Traits) of each text.
    pub traits: &'a [u8],
}

impl<'a> Codes<'a> {
    /// Those in a piece, the signs of a text being so many bytes.
    pub fn read(bytes: &'a [u8], signs: usize) -> Result<Codes<'a>, Damaged> {
        let of_each = signs.checked_add(FACTOR + 1).ok_or(Damaged)?;
        if !bytes.len().is_multiple_of(of_each) {
            return Err(Damaged);
        }
        let texts = bytes.len() / of_each;
        let (signs, rest) = bytes.split_at(signs * texts);
        let (factors, traits) = rest.split_at(FACTOR * texts);
        let factors = factors.as_chunks().0.iter().map(|factor| f32::from_le_bytes(*factor)).collect();
        Ok(Codes { signs, factors, traits })
    }
}

/// Where a term stands in a digest.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// How many texts have it.
    pub texts: u16,
    places: &'a [[u8; 2]],
}

impl<'a> Places<'a> {
    /// Those of a term in its bucket; `None` if the digest has it nowhere.
    pub fn of(term: u32, bucket: &'a [u8]) -> Result<Option<Places<'a>>, Damaged> {
        let (&count, rest) = bucket.split_first_chunk().ok_or(Damaged)?;
        let terms = (u32::from_le_bytes(count) as usize).checked_mul(8).ok_or(Damaged)?;
        let (terms, places) = rest.split_at_checked(terms).ok_or(Damaged)?;
        let places = places.as_chunks().0;
        let mut before = 0;
        for [a, b, c, d, texts @ .., low, high] in terms.as_chunks::<8>().0 {
            let count = usize::from(u16::from_le_bytes([*low, *high]));
            if u32::from_le_bytes([*a, *b, *c, *d]) == term {
                let places = places.get(before..before + count).ok_or(Damaged)?;
                return Ok(Some(Places { texts: u16::from_le_bytes(*texts), places }));
            }
            before += count;
        }
        Ok(None)
    }

    /// The numbers of the texts, and whether each has the term itself.
    pub fn iter(&self) -> impl Iterator<Item = (u16, bool)> + use<'a> {
        self.places.iter().map(|place| {
            let place = u16::from_le_bytes(*place);
            (place & !ONLY_HEARD, place & ONLY_HEARD == 0)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::signature::{Facts, write};

    const ANN: [u32; 2] = [0x1234_5678, 0x9abc_def0];
    const BEN: u32 = 0xfedc_ba98;

    fn facts(length: u32, speaker: [u32; 2], forgotten: bool) -> Facts {
        Facts {
            traits: 0,
            importance: 0.5,
            length,
            sequence: None,
            day: None,
            speaker,
            content: 0,
            conversation: 0,
            ordinal: 0,
            updated_at: 0,
            expires_at: None,
            forgotten,
            model: 0,
        }
    }

    fn found(term: u32, buckets: &[Vec<u8>]) -> Option<(u16, Vec<(u16, bool)>)> {
        Places::of(term, &buckets[bucket(term)]).unwrap().map(|places| (places.texts, places.iter().collect()))
    }

    #[test]
    fn words_are_found_where_they_stand() {
        let many: Vec<(u32, u8)> = (0..900).map(|term| (term << 10, 1)).collect();
        let long = write("c", &facts(900, [0, 0], false), &[], &many);
        assert_eq!(long.len(), 2);
        let first = [
            write("a", &facts(3, ANN, false), &[1, 2], &[(5, 2), (0xff_ffff, 1)]).remove(0),
            write("b", &facts(4, ANN, true), &[], &[(5, 1)]).remove(0),
        ]
        .concat();
        let last = write("d", &facts(5, [BEN, 0], false), &[], &[(6, 1), (5, HEARD)]).remove(0);
        let parts = [(0, &first[..]), (1, &long[0]), (1, &long[1]), (3, &last)];
        let Made { head, buckets, .. } = make(parts).unwrap();

        assert_eq!(found(5, &buckets), Some((1, vec![(0, true), (1, true), (3, false)])));
        assert_eq!(found(0xff_ffff, &buckets), Some((1, vec![(0, true)])));
        assert_eq!(found(899 << 10, &buckets), Some((1, vec![(2, true)])));
        assert_eq!(found(4, &buckets), None);
        assert_eq!(found(spoken(ANN[1]), &buckets), Some((0, vec![(0, true), (1, true)])));

        let head = Head::read(&head).unwrap();
        assert_eq!((head.counted.texts, head.counted.length, head.texts()), (3, 908, 4));
        assert_eq!(head.counted.speakers.clone().into_iter().collect::<Vec<_>>(), [(ANN, 1), ([BEN, 0], 1)]);
        assert_eq!((head.counted.by(&ANN[1..]), head.counted.by(&[ANN[1], BEN]), head.counted.by(&[0])), (1, 2, 0));
        assert_eq!([0, 1, 2, 3].map(|text| head.block_of(text)), [0, 0, 1, 3]);
        assert_eq!([0, 1, 2, 3, 4].map(|block| head.texts_of(block)), [2, 1, 0, 1, 0]);
    }

    #[test]
    fn days_are_those_of_the_texts() {
        let of = |day| write("a", &Facts { day, ..facts(1, [1, 2], false) }, &[], &[]).remove(0);
        let days = |days: &[Option<i32>]| {
            let block: Vec<u8> = days.iter().flat_map(|day| of(*day)).collect();
            Head::read(&make([(0, &block[..])]).unwrap().head).unwrap().days().collect::<Vec<_>>()
        };
        assert_eq!(days(&[Some(7), Some(7), None, None, Some(-3), Some(7)]), [(0, 2, 7), (4, 5, -3), (5, 6, 7)]);
        assert_eq!(days(&[None, None]), []);
        assert_eq!(days(&[]), []);
    }

    #[test]
    fn codes_are_those_of_most_texts() {
        let code = |model: u16, code: &[u8], forgotten| {
            write("a", &Facts { model, traits: model, ..facts(1, [0, 0], forgotten) }, code, &[]).remove(0)
        };
        let of = |factor: f32, sign: u8| [&[sign, sign][..], &factor.to_le_bytes()].concat();
        let block = [code(2, &of(0.5, 1), false), code(1, &of(9.0, 9), false), code(0, &of(9.0, 9), false)].concat();
        let other = [code(2, &[7; 9], false), code(2, &of(0.25, 3), true)].concat();
        let made = make([(0, &block[..]), (1, &other)]).unwrap();
        assert_eq!((made.model, made.coded), (2, 1));
        let codes = Codes::read(&made.codes[0], 2).unwrap();
        assert_eq!(made.codes.len(), 1);
        assert_eq!(codes.signs, [1, 1, 0, 0, 0, 0, 0, 0, 3, 3]);
        assert_eq!(codes.factors, [0.5, 0.0, 0.0, 0.0, 0.25]);
        assert_eq!(codes.traits, [2, 1, 0, 2, 2]);
        assert_eq!(Codes::read(&made.codes[0][..24], 2), Err(Damaged));
        assert!(make([(0, &code(0, &[0; 6], false)[..])]).unwrap().codes.is_empty());
    }

    #[test]
    fn codes_stand_in_pieces_of_a_page() {
        let code = |factor: f32| [&[1u8; 48][..], &factor.to_le_bytes()].concat();
        let of =
            |at: u16| write("a", &Facts { model: 1, traits: 2, ..facts(1, [0, 0], false) }, &code(f32::from(at)), &[]);
        let block: Vec<u8> = (1..=400).flat_map(|at| of(at).remove(0)).collect();
        let pieces = make([(0, &block[..])]).unwrap().codes;
        assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [150 * 53, 150 * 53, 100 * 53]);
        let factors = pieces.iter().flat_map(|piece| Codes::read(piece, 48).unwrap().factors);
        assert!(factors.eq((1u16..=400).map(f32::from)));
        // One that would not fit stands alone.
        let long = write("a", &Facts { model: 1, ..facts(1, [0, 0], false) }, &[7; 9000], &[]).remove(0);
        assert_eq!(make([(0, &long.repeat(2)[..])]).unwrap().codes.len(), 2);
    }

    #[test]
    fn counts_add_up() {
        let mut some = Counted::default();
        some.add(3, [1, 2]);
        some.add(4, [0, 0]);
        let mut all = some.clone();
        all.add_all(&some);
        assert_eq!((all.texts, all.length, all.by(&[2])), (4, 14, 2));
    }

    #[test]
    fn too_many_texts_are_refused() {
        let record = write("a", &facts(0, [0, 0], false), &[], &[]).remove(0);
        let block = record.repeat(usize::from(ONLY_HEARD));
        assert!(make([(0, &block[..])]).is_ok());
        assert_eq!(make([(0, &block[..]), (1, &record[..])]), Err(Damaged));
    }

    proptest! {
        #[test]
        fn nothing_is_lost(texts in prop::collection::vec(prop::collection::btree_map(0u32..1 << 24, 1u8..=255, 0..9), 0..40)) {
            let blocks: Vec<(usize, Vec<u8>)> = texts.iter().enumerate().map(|(at, terms)| {
                let terms: Vec<(u32, u8)> = terms.iter().map(|(term, count)| (*term, *count)).collect();
                (at / 3, write(&at.to_string(), &facts(1, [0, 0], false), &[], &terms).remove(0))
            }).collect();
            let Made { head, buckets, .. } = make(blocks.iter().map(|(block, bytes)| (*block, &bytes[..]))).unwrap();
            let head = Head::read(&head).unwrap();
            prop_assert_eq!(head.counted.texts, texts.len() as u64);
            for (at, terms) in texts.iter().enumerate() {
                prop_assert_eq!(head.block_of(at as u16), at / 3);
                for (term, count) in terms {
                    let (holders, places) = found(*term, &buckets).unwrap();
                    prop_assert!(places.contains(&(at as u16, *count != HEARD)));
                    prop_assert_eq!(usize::from(holders), places.iter().filter(|(_, own)| *own).count());
                }
            }
        }

        #[test]
        fn no_bytes_are_a_danger(bytes in prop::collection::vec(any::<u8>(), 0..200), term in 0u32..1 << 24) {
            let _ = make([(0, &bytes[..])]);
            if let Ok(Some(places)) = Places::of(term, &bytes) {
                let _ = places.iter().count();
            }
            if let Ok(head) = Head::read(&bytes) {
                let _ = (head.block_of(9), head.texts_of(9), head.days().count());
            }
            let _ = Codes::read(&bytes, term as usize);
        }
    }
}
