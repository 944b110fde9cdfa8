//! Signatures: what a search reads of every text of its scope, packed into some two hundred bytes.
//!
//! A search scores all texts of a subject, so it must not read the texts. Their signatures stand together in blocks, a
//! dozen to an index entry, and one pass over them gives every signal but the closer look at the best: which words
//! occur how often, who said it, where and when, whether it still holds, and the code of its vector.
//!
//! ```text
//!   block   record record record …            at most BLOCK bytes
//!
//!   record  ┌────────┬──────┬────────┬────────────┬────┬────────────────┬───────────────────┐
//!           │ length │ kind │ length │ facts, 68 B│ id │ code of vector │ terms, 4 B each:  │
//!           │ u16    │ u8   │ of id  │            │    │                │ 24 bits of hash,  │
//!           └────────┴──────┴────────┴────────────┴────┴────────────────┤ 8 of count        │
//!                                                                       └───────────────────┘
//! ```
//!
//! The terms of a long text go on in further records, which have its id and no facts. A term that was only said where a
//! text was drawn from stands among them with the count [`HEARD`]. All numbers are little endian. A term is known by 24 bits of its hash: of ten questions to a subject with 20,000 texts about one meets a text that
//! does not have the word, which costs less than reading the words would.

use std::collections::HashSet;
use std::fmt;

/// Bytes of a block: the more, the fewer index entries are read; the fewer, the less is written anew when a text is added,
/// and the less of a page is left empty when it splits. Four entries of this size fill a page.
pub const BLOCK: usize = 1_900;

/// Terms of a question that are looked for; a question of more is no question any more.
pub const QUESTION_TERMS: usize = 255;

/// Stands for the count of a term that a text does not have, and that was said where it was drawn from.
pub const HEARD: u8 = u8::MAX;

/// The kind of a record that describes a text.
const TEXT: u8 = 1;

/// The kind of a record with further terms.
const CONTINUED: u8 = 2;

/// Bytes of length, kind and length of id.
const PREFIX: usize = 4;

/// Bytes of the facts.
const FACTS: usize = 68;

/// Bytes of a term.
const TERM: usize = 4;

const FORGOTTEN: u8 = 1;

/// Stands for no number.
pub const NONE: i32 = i32::MIN;

/// A number that may be none.
#[inline]
pub fn some(number: i32) -> Option<i32> {
    Some(number).filter(|number| *number != NONE)
}

/// The 32-bit hash of a text: FNV-1a of 64 bits, folded. It is stored, so it never changes.
pub fn hash(text: &str) -> u32 {
    let hash = long_hash(text);
    (hash >> 32) as u32 ^ hash as u32
}

/// The 64-bit hash of a text, FNV-1a. It is stored, so it never changes.
pub fn long_hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The hash of a term, 24 bits.
pub fn term(lexeme: &str) -> u32 {
    hash(lexeme) >> 8
}

/// What a signature says besides the terms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Facts {
    /// Bits that describe the wording, see [`crate::rank`].
    pub traits: u16,
    /// How much the text matters, 0 to 1.
    pub importance: f32,
    /// Terms of the text, repetitions counted.
    pub length: u32,
    /// The number within its conversation.
    pub sequence: Option<i32>,
    /// The day it speaks of, or was said, in days since 1970.
    pub day: Option<i32>,
    /// Hashes of who said it: the whole name and its first word; 0 for nobody.
    pub speaker: [u32; 2],
    /// The hash of the text itself.
    pub content: u32,
    /// The hash of the conversation it belongs to; 0 for none.
    pub conversation: u64,
    /// Its place in the order of writing.
    pub ordinal: i64,
    /// When it was last changed, in microseconds since 1970.
    pub updated_at: i64,
    /// When it stops to hold, in microseconds since 1970.
    pub expires_at: Option<i64>,
    /// Whether it was forgotten.
    pub forgotten: bool,
    /// The embedding model whose code the signature holds; 0 if there is but room for one.
    pub model: u16,
}

impl Facts {
    fn write(&self, code: usize, to: &mut Vec<u8>) {
        to.extend([u8::from(self.forgotten) * FORGOTTEN, 0]);
        to.extend(self.traits.to_le_bytes());
        to.extend(self.importance.to_le_bytes());
        to.extend(self.length.to_le_bytes());
        to.extend(self.sequence.unwrap_or(NONE).to_le_bytes());
        to.extend(self.day.unwrap_or(NONE).to_le_bytes());
        to.extend(self.speaker[0].to_le_bytes());
        to.extend(self.speaker[1].to_le_bytes());
        to.extend(self.content.to_le_bytes());
        to.extend(self.conversation.to_le_bytes());
        to.extend(self.ordinal.to_le_bytes());
        to.extend(self.updated_at.to_le_bytes());
        to.extend(self.expires_at.unwrap_or(i64::MAX).to_le_bytes());
        to.extend(self.model.to_le_bytes());
        to.extend((code as u16).to_le_bytes());
    }

    /// The facts and the length of the code.
    #[inline]
    fn read(bytes: &[u8; FACTS]) -> (Facts, usize) {
        let short = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let long = |at: usize| u64::from(number(at)) | u64::from(number(at + 4)) << 32;
        let optional = |at: usize| some(number(at) as i32);
        let facts = Facts {
            forgotten: bytes[0] & FORGOTTEN != 0,
            traits: short(2),
            importance: f32::from_bits(number(4)),
            length: number(8),
            sequence: optional(12),
            day: optional(16),
            speaker: [number(20), number(24)],
            content: number(28),
            conversation: long(32),
            ordinal: long(40) as i64,
            updated_at: long(48) as i64,
            expires_at: Some(long(56) as i64).filter(|moment| *moment != i64::MAX),
            model: short(64),
        };
        (facts, usize::from(short(66)))
    }
}

/// The terms of a text with their counts, and behind them those that were heard around it and are not among its own.
pub fn terms(own: impl IntoIterator<Item = (u32, u32)>, heard: &[u32]) -> Vec<(u32, u8)> {
    let count = |count: u32| u8::try_from(count).unwrap_or(u8::MAX).min(HEARD - 1);
    let mut terms: Vec<(u32, u8)> = own.into_iter().map(|(term, times)| (term, count(times))).collect();
    let mut known: HashSet<u32> = terms.iter().map(|(term, _)| *term).collect();
    terms.extend(heard.iter().filter(|term| known.insert(**term)).map(|term| (*term, HEARD)));
    terms
}

/// The records of a text: one, and further ones if it has many terms. `code` is that of its vector, or the room for one;
/// `terms` are hashes with counts.
pub fn write(id: &str, facts: &Facts, code: &[u8], terms: &[(u32, u8)]) -> Vec<Vec<u8>> {
    let room = |taken: usize| (BLOCK.saturating_sub(PREFIX + id.len() + taken) / TERM).max(1);
    let (first, rest) = terms.split_at(terms.len().min(room(FACTS + code.len())));
    let mut described = Vec::with_capacity(FACTS + code.len());
    facts.write(code.len(), &mut described);
    let mut records = vec![record(TEXT, id, &described, code, first)];
    records.extend(rest.chunks(room(0)).map(|terms| record(CONTINUED, id, &[], &[], terms)));
    records
}

fn record(kind: u8, id: &str, facts: &[u8], code: &[u8], terms: &[(u32, u8)]) -> Vec<u8> {
    let length = PREFIX + facts.len() + id.len() + code.len() + TERM * terms.len();
    let mut record = Vec::with_capacity(length);
    record.extend((length as u16).to_le_bytes());
    record.extend([kind, id.len() as u8]);
    record.extend(facts);
    record.extend(id.as_bytes());
    record.extend(code);
    record.extend(terms.iter().flat_map(|(term, count)| (term << 8 | u32::from(*count)).to_le_bytes()));
    record
}

/// A record where it lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Record<'a> {
    /// The id of the text.
    pub id: &'a [u8],
    /// What is said of it; `None` for a record with further terms.
    pub facts: Option<Facts>,
    /// The code of its vector, or the room for one.
    pub code: &'a [u8],
    terms: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record at the beginning of some bytes.
    #[inline]
    fn first(bytes: &'a [u8]) -> Option<Self> {
        let (&[low, high, kind, id_len], _) = bytes.split_first_chunk()?;
        let bytes = bytes.get(..usize::from(u16::from_le_bytes([low, high])))?;
        let mut rest = bytes.get(PREFIX..)?;
        let (mut facts, mut code_len) = (None, 0);
        if kind == TEXT {
            let (described, behind) = rest.split_first_chunk()?;
            let (read, len) = Facts::read(described);
            (facts, code_len, rest) = (Some(read), len, behind);
        } else if kind != CONTINUED {
            return None;
        }
        let (id, rest) = rest.split_at_checked(usize::from(id_len))?;
        let (code, terms) = rest.split_at_checked(code_len)?;
        terms.len().is_multiple_of(TERM).then_some(Record { id, facts, code, terms, bytes })
    }

    /// The hashes of its terms, with their counts.
    pub fn terms(&self) -> impl Iterator<Item = (u32, u8)> + use<'a> {
        self.terms.as_chunks::<TERM>().0.iter().map(|term| {
            let term = u32::from_le_bytes(*term);
            (term >> 8, term as u8)
        })
    }
}

/// A block holds something else than records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged;

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a block of signatures is damaged")
    }
}

impl std::error::Error for Damaged {}

/// The records of a block; what is damaged ends them with an error.
pub fn records(mut block: &[u8]) -> impl Iterator<Item = Result<Record<'_>, Damaged>> {
    std::iter::from_fn(move || {
        if block.is_empty() {
            return None;
        }
        let record = Record::first(block).ok_or(Damaged);
        block = record.map_or(&[], |record| &block[record.bytes.len()..]);
        Some(record)
    })
}

/// A block without the records of the texts that are gone; `None` if it has none.
pub fn without(block: &[u8], is_gone: impl Fn(&[u8]) -> bool) -> Result<Option<Vec<u8>>, Damaged> {
    let mut left = Vec::with_capacity(block.len());
    for record in records(block) {
        let record = record?;
        if !is_gone(record.id) {
            left.extend(record.bytes);
        }
    }
    Ok((left.len() < block.len()).then_some(left))
}

/// A block in which a text's facts are other ones, by `change`, and so is its code, if one is given; `None` if the text is
/// not in it, or the code has another length.
pub fn revised(
    block: &[u8],
    id: &[u8],
    code: Option<&[u8]>,
    change: impl FnOnce(&mut Facts),
) -> Result<Option<Vec<u8>>, Damaged> {
    let mut at = 0;
    for record in records(block) {
        let record = record?;
        if let Some(mut facts) = record.facts.filter(|_| record.id == id) {
            if code.is_some_and(|code| code.len() != record.code.len()) {
                return Ok(None);
            }
            change(&mut facts);
            let mut written = Vec::with_capacity(FACTS);
            facts.write(record.code.len(), &mut written);
            let mut revised = block.to_vec();
            revised[at + PREFIX..][..FACTS].copy_from_slice(&written);
            if let Some(code) = code {
                revised[at + PREFIX + FACTS + id.len()..][..code.len()].copy_from_slice(code);
            }
            return Ok(Some(revised));
        }
        at += record.bytes.len();
    }
    Ok(None)
}

/// Puts records into blocks, in their order; at the ends of the ranges one block ends and the next begins.
pub fn pack(lengths: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let (mut ends, mut filled, mut count) = (Vec::new(), 0, 0);
    for length in lengths {
        if filled > 0 && filled + length > BLOCK {
            ends.push(count);
            filled = 0;
        }
        filled += length;
        count += 1;
    }
    if count > 0 {
        ends.push(count);
    }
    ends
}

/// The terms of a question, ready to be counted in signatures.
#[derive(Debug, Clone)]
pub struct Terms {
    hashes: Vec<u32>,
    /// A bit for every hash modulo their number: most terms of most texts end here.
    seen: [u64; 64],
}

impl Terms {
    /// The terms with these hashes, at most [`QUESTION_TERMS`] of them.
    pub fn new(mut hashes: Vec<u32>) -> Self {
        hashes.truncate(QUESTION_TERMS);
        let mut seen = [0; 64];
        for hash in &hashes {
            let (word, bit) = Self::place(*hash);
            seen[word] |= bit;
        }
        Terms { hashes, seen }
    }

    fn place(hash: u32) -> (usize, u64) {
        ((hash as usize >> 6) % 64, 1 << (hash % 64))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Their hashes.
    pub fn hashes(&self) -> &[u32] {
        &self.hashes
    }

    /// Adds how often each occurs in a record, or that it was [`HEARD`]; `counts` has a place for each.
    #[inline]
    pub fn count(&self, record: &Record<'_>, counts: &mut [u8]) {
        for (hash, frequency) in record.terms() {
            let (word, bit) = Self::place(hash);
            if self.seen[word] & bit == 0 {
                continue;
            }
            for (count, _) in counts.iter_mut().zip(&self.hashes).filter(|(_, known)| **known == hash) {
                *count = match (*count, frequency) {
                    (0, HEARD) => HEARD,
                    (counted, HEARD) => counted,
                    (HEARD, counted) => counted,
                    (counted, more) => counted.saturating_add(more).min(HEARD - 1),
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some_facts() -> Facts {
        Facts {
            traits: 0x8001,
            importance: 0.25,
            length: 70_000,
            sequence: Some(-1),
            day: Some(19_000),
            speaker: [hash("caroline jones"), hash("caroline")],
            content: hash("I went there."),
            conversation: u64::MAX - 1,
            ordinal: 1 << 40,
            updated_at: -1,
            expires_at: Some(0),
            forgotten: true,
            model: 7,
        }
    }

    fn read(block: &[u8]) -> Vec<Record<'_>> {
        records(block).collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn hashes_are_what_is_stored() {
        assert_eq!(["", "a", "camp"].map(hash), [0x4fd0_bfc1, 0x2962_30c0, 0x5d2a_2d44]);
        assert_eq!(term("camp"), 0x005d_2a2d);
    }

    #[test]
    fn what_is_written_comes_back() {
        let facts = some_facts();
        let bare = Facts { sequence: None, day: None, expires_at: None, forgotten: false, ..facts };
        let one = write("mem_1", &facts, &[9, 8, 7], &[(5, 2), (0xff_ffff, 255)]);
        let two = write("", &bare, &[], &[]);
        let block = [&one[0][..], &two[0]].concat();
        let found = read(&block);
        assert_eq!((found[0].id, found[0].facts, found[0].code), (&b"mem_1"[..], Some(facts), &[9, 8, 7][..]));
        assert_eq!(found[0].terms().collect::<Vec<_>>(), [(5, 2), (0xff_ffff, 255)]);
        assert_eq!((found[1].id, found[1].facts, found[1].terms().count()), (&b""[..], Some(bare), 0));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn what_was_heard_stands_apart_from_what_is_said() {
        let terms = terms([(5, 2), (6, 900)], &[7, 5, 7]);
        assert_eq!(terms, [(5, 2), (6, HEARD - 1), (7, HEARD)]);
        let records = write("mem_1", &some_facts(), &[], &terms);
        let mut counts = [0; 4];
        Terms::new(vec![7, 6, 5, 4]).count(&read(&records[0])[0], &mut counts);
        assert_eq!(counts, [HEARD, HEARD - 1, 2, 0]);
    }

    #[test]
    fn long_texts_have_several_records() {
        let terms: Vec<(u32, u8)> = (0..1_500).map(|n| (n, (n % 200) as u8 + 1)).collect();
        let records = write("mem_1", &some_facts(), &[0; 52], &terms);
        assert_eq!(records.len(), 4);
        let wanted = Terms::new(vec![3, 1_499, 9_999]);
        let mut counts = [0; 3];
        for bytes in &records {
            assert!(bytes.len() <= BLOCK);
            wanted.count(&read(bytes)[0], &mut counts);
        }
        assert_eq!(counts, [4, 100, 0]);
        assert_eq!(records.iter().filter(|bytes| read(bytes)[0].facts.is_none()).count(), 3);
    }

    #[test]
    fn records_are_removed_and_revised_where_they_are() {
        let block: Vec<u8> =
            ["a", "b", "c"].iter().flat_map(|id| write(id, &some_facts(), &[1, 2], &[(4, 4)]).remove(0)).collect();
        let left = without(&block, |id| id == b"b").unwrap().unwrap();
        assert_eq!(read(&left).iter().map(|record| record.id).collect::<Vec<_>>().concat(), b"ac");
        assert_eq!(without(&block, |id| id == b"d"), Ok(None));

        let change = |facts: &mut Facts| facts.importance = 1.0;
        let revised_block = revised(&block, b"b", Some(&[3, 4]), change).unwrap().unwrap();
        let found = read(&revised_block);
        assert_eq!(found[1].facts, Some(Facts { importance: 1.0, ..some_facts() }));
        assert_eq!((found[1].code, found[1].terms().next()), (&[3, 4][..], Some((4, 4))));
        assert_eq!((found[0], found[2]), (read(&block)[0], read(&block)[2]));
        assert_eq!(revised(&block, b"b", Some(&[3]), change), Ok(None));
        assert_eq!(revised(&block, b"d", None, change), Ok(None));
    }

    #[test]
    fn blocks_are_filled_in_order() {
        assert_eq!(pack([]), Vec::<usize>::new());
        assert_eq!(pack([900, 900, 900, 1_900, 5_000, 10]), [2, 3, 4, 5, 6]);
    }

    proptest! {
        #[test]
        fn counts_are_those_of_a_plain_search(
            terms in prop::collection::vec((0u32..500, 1u8..255), 0..900),
            wanted in prop::collection::vec(0u32..600, 0..40),
        ) {
            let question = Terms::new(wanted.clone());
            let mut counts = vec![0; wanted.len()];
            for bytes in write("mem_1", &some_facts(), &[], &terms) {
                question.count(&read(&bytes)[0], &mut counts);
            }
            for (hash, count) in wanted.iter().zip(counts) {
                let plain = terms.iter().filter(|(term, _)| term == hash).map(|(_, n)| u32::from(*n)).sum::<u32>();
                prop_assert_eq!(u32::from(count), plain.min(u32::from(HEARD) - 1));
            }
        }

        #[test]
        fn no_bytes_are_a_danger(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0usize..300) {
            let _ = records(&bytes).count();
            let good = write("mem_1", &some_facts(), &[1; 9], &[(1, 2), (3, 4)]).remove(0);
            let cut = cut.min(good.len() - 1);
            prop_assert!(records(&good[..cut]).all(|record| record.is_err()));
            let _ = (without(&bytes, |id| id == b"a"), revised(&bytes, b"a", None, |_| ()));
        }
    }
}
