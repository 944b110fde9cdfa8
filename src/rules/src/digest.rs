//! Digests: what a first look at a large subject needs, so that a search need not read all its signatures.
//!
//! The signatures of a subject stand in blocks, in the order of writing. So many blocks as a digest takes are never added to
//! again, and what they say of words is turned around: for each word, which texts have it. The codes of their vectors stand
//! together. With what the texts count for, a search then knows of every text how many of the question's words it has, how
//! rare they are, and about how near it is in meaning, without having read it.
//!
//! ```text
//!   head    texts u32 │ those that count u32 │ their length u64 │ blocks u32 │ first text of each block, u16 │ speakers: two hashes, u32, and texts u32
//!
//!   bucket  terms u32 │ of each: 24 bits of hash in a u32, texts that have it u16, places u16 │ places, term by term, u16
//!
//!   codes   the signs of the vector of each text │ the factor of each, f32; zeros for a text that has none
//! ```
//!
//! The hashes of speakers stand among the terms, as [`spoken`] makes them. A place is the number of a text in the digest; its highest bit says that the word was only heard around the text. The terms
//! of a digest are divided by their hashes, and a question reads the buckets of its own. All numbers are little endian.
//!
//! A digest counts what it was made of. Texts that are given up or forgotten later stay in it: to name a text in vain costs a
//! little time, and the counts are made anew before they are far off.

use std::collections::{BTreeMap, HashMap};

use crate::signature::{Damaged, HEARD, records};

/// Blocks that one digest describes: so many that a large subject has few digests, and so few that it takes little time to
/// make one and to read the blocks that have none yet.
pub const BLOCKS: usize = 256;

/// How many buckets the terms are divided into.
pub const BUCKETS: usize = 64;

/// Marks the place of a text around which a word was heard.
const ONLY_HEARD: u16 = 1 << 15;

/// Bytes of the factor at the end of a code.
const FACTOR: usize = 4;

/// Bytes of what stands before the starts of the blocks.
const HEAD: usize = 20;

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
    /// What [`Codes`] reads.
    pub codes: Vec<u8>,
}

/// Makes a digest of the blocks that have these signatures. A block may come in several parts, one after the other, each
/// with the number of its block, counted from the first.
pub fn make<'a>(parts: impl IntoIterator<Item = (usize, &'a [u8])>) -> Result<Made, Damaged> {
    let mut counted = Counted::default();
    let mut starts: Vec<u16> = Vec::new();
    // Of each text, whether it counts; of each term, how many of those have it, and its places.
    let mut counts: Vec<bool> = Vec::new();
    let mut codes: Vec<(u16, &[u8])> = Vec::new();
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
                    codes.push((facts.model, record.code));
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

    let mut head = Vec::with_capacity(HEAD + 2 * starts.len() + 12 * counted.speakers.len());
    head.extend((counts.len() as u32).to_le_bytes());
    head.extend((counted.texts as u32).to_le_bytes());
    head.extend(counted.length.to_le_bytes());
    head.extend((starts.len() as u32).to_le_bytes());
    head.extend(starts.iter().flat_map(|start| start.to_le_bytes()));
    for (pair, texts) in &counted.speakers {
        head.extend([pair[0], pair[1], *texts].into_iter().flat_map(u32::to_le_bytes));
    }
    let buckets = (0..BUCKETS).map(|number| write_bucket(number, &terms)).collect();
    let (model, coded, codes) = write_codes(&codes, &counts);
    Ok(Made { counted, head, buckets, model, coded, codes })
}

/// The model that most texts have codes of, how many of those that count have one, and the codes.
fn write_codes(codes: &[(u16, &[u8])], counts: &[bool]) -> (u16, u32, Vec<u8>) {
    let mut models: BTreeMap<(u16, usize), u32> = BTreeMap::new();
    for (model, code) in codes.iter().filter(|(model, code)| *model != 0 && code.len() > FACTOR) {
        *models.entry((*model, code.len())).or_default() += 1;
    }
    let Some((&(model, length), _)) = models.iter().max_by_key(|(_, texts)| **texts) else { return (0, 0, Vec::new()) };
    let (none, signs) = (vec![0; length], length - FACTOR);
    let has_one = |of: &(u16, &[u8])| (of.0, of.1.len()) == (model, length);
    let code = |of: &(u16, &'_ [u8])| if has_one(of) { of.1.to_vec() } else { none.clone() };
    let mut bytes = Vec::with_capacity(length * codes.len());
    codes.iter().for_each(|of| bytes.extend(&code(of)[..signs]));
    codes.iter().for_each(|of| bytes.extend(&code(of)[signs..]));
    let coded = codes.iter().zip(counts).filter(|(of, counts)| has_one(of) && **counts).count();
    (model, coded as u32, bytes)
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
}

impl Head {
    /// Reads what [`make`] wrote.
    pub fn read(bytes: &[u8]) -> Result<Head, Damaged> {
        let number = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let read = || {
            let (all, texts, low, high) = (number(0)?, number(4)?, number(8)?, number(12)?);
            let blocks = number(16)? as usize;
            let starts = bytes.get(HEAD..HEAD.checked_add(blocks.checked_mul(2)?)?)?;
            let speakers = bytes.get(HEAD + 2 * blocks..)?;
            if !speakers.len().is_multiple_of(12) {
                return None;
            }
            let word =
                |bytes: &[u8], at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
            let speaker = |bytes: &[u8]| ([word(bytes, 0), word(bytes, 4)], word(bytes, 8));
            let counted = Counted {
                texts: u64::from(texts),
                length: u64::from(low) | u64::from(high) << 32,
                speakers: speakers.chunks_exact(12).map(speaker).collect(),
            };
            Some(Head {
                counted,
                texts: all,
                starts: starts.as_chunks().0.iter().map(|start| u16::from_le_bytes(*start)).collect(),
            })
        };
        read().ok_or(Damaged)
    }

    /// How many texts it numbers, those that do not count as well.
    pub fn texts(&self) -> u32 {
        self.texts
    }

    /// The block in which a text was, counted from the first.
    pub fn block_of(&self, text: u16) -> usize {
        self.starts.partition_point(|start| *start <= text).saturating_sub(1)
    }
}

/// The codes of a digest.
#[derive(Debug, Clone, PartialEq)]
pub struct Codes<'a> {
    /// The signs of each text, one after the other.
    pub signs: &'a [u8],
    /// The factor of each text.
    pub factors: Vec<f32>,
}

impl<'a> Codes<'a> {
    /// Those of so many texts.
    pub fn read(bytes: &'a [u8], texts: u32) -> Result<Codes<'a>, Damaged> {
        let factors = (texts as usize).checked_mul(FACTOR).ok_or(Damaged)?;
        let (signs, factors) =
            bytes.split_at_checked(bytes.len().checked_sub(factors).ok_or(Damaged)?).ok_or(Damaged)?;
        Ok(Codes { signs, factors: factors.as_chunks().0.iter().map(|factor| f32::from_le_bytes(*factor)).collect() })
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
            write("a", &facts(3, [7, 8], false), &[1, 2], &[(5, 2), (0xff_ffff, 1)]).remove(0),
            write("b", &facts(4, [7, 8], true), &[], &[(5, 1)]).remove(0),
        ]
        .concat();
        let last = write("d", &facts(5, [9, 0], false), &[], &[(6, 1), (5, HEARD)]).remove(0);
        let parts = [(0, &first[..]), (1, &long[0]), (1, &long[1]), (3, &last)];
        let Made { head, buckets, .. } = make(parts).unwrap();

        assert_eq!(found(5, &buckets), Some((1, vec![(0, true), (1, true), (3, false)])));
        assert_eq!(found(0xff_ffff, &buckets), Some((1, vec![(0, true)])));
        assert_eq!(found(899 << 10, &buckets), Some((1, vec![(2, true)])));
        assert_eq!(found(4, &buckets), None);
        assert_eq!(found(spoken(8), &buckets), Some((0, vec![(0, true), (1, true)])));

        let head = Head::read(&head).unwrap();
        assert_eq!((head.counted.texts, head.counted.length, head.texts()), (3, 908, 4));
        assert_eq!(head.counted.speakers.clone().into_iter().collect::<Vec<_>>(), [([7, 8], 1), ([9, 0], 1)]);
        assert_eq!((head.counted.by(&[8]), head.counted.by(&[8, 9]), head.counted.by(&[0])), (1, 2, 0));
        assert_eq!([0, 1, 2, 3].map(|text| head.block_of(text)), [0, 0, 1, 3]);
    }

    #[test]
    fn codes_are_those_of_most_texts() {
        let code = |model: u16, code: &[u8], forgotten| {
            write("a", &Facts { model, ..facts(1, [0, 0], forgotten) }, code, &[]).remove(0)
        };
        let of = |factor: f32, sign: u8| [&[sign, sign][..], &factor.to_le_bytes()].concat();
        let block = [code(2, &of(0.5, 1), false), code(1, &of(9.0, 9), false), code(0, &of(9.0, 9), false)].concat();
        let other = [code(2, &[7; 9], false), code(2, &of(0.25, 3), true)].concat();
        let made = make([(0, &block[..]), (1, &other)]).unwrap();
        assert_eq!((made.model, made.coded), (2, 1));
        let codes = Codes::read(&made.codes, 5).unwrap();
        assert_eq!(codes.signs, [1, 1, 0, 0, 0, 0, 0, 0, 3, 3]);
        assert_eq!(codes.factors, [0.5, 0.0, 0.0, 0.0, 0.25]);
        assert_eq!(Codes::read(&made.codes[..19], 5), Err(Damaged));
        assert_eq!(make([(0, &code(0, &[0; 6], false)[..])]).unwrap().codes, []);
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
                let _ = head.block_of(9);
            }
        }
    }
}
