//! The vocabulary as it lies in the packed file: an open-addressing table over the text of all pieces.
//!
//! Nothing here trusts the table: a damaged one makes look-ups fail or return a wrong id, which callers bound, never
//! an access outside the section.

use crate::format::ENTRY_LEN;

const CONTINUES: u32 = 1 << 31;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// FNV-1a, extended byte by byte: the hash of a prefix is on the way to the hash of the whole.
#[derive(Clone, Copy, Debug)]
pub struct PieceHash(u64);

impl PieceHash {
    /// The hash of the empty piece; pieces that continue a word ("##ing") hash apart from those that begin one.
    pub fn new(continues: bool) -> PieceHash {
        PieceHash(if continues { 0x9e37_79b9_7f4a_7c15 } else { 0xcbf2_9ce4_8422_2325 })
    }

    /// Appends one byte.
    pub fn push(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(PRIME);
    }

    fn slot(self, slots: usize) -> usize {
        let mixed = self.0 ^ (self.0 >> 29);
        mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) as usize >> 7 & (slots - 1)
    }
}

/// A view of the three vocabulary sections.
#[derive(Clone, Copy, Debug)]
pub struct Vocab<'a> {
    /// Entry number plus one, or zero; a power of two of them.
    pub slots: &'a [u32],
    /// Offset, length with the continuation flag, id: `ENTRY_LEN` bytes each.
    pub entries: &'a [u8],
    pub pieces: &'a [u8],
    pub max_probes: usize,
}

impl Vocab<'_> {
    /// The id of `piece`, whose hash the caller has computed on the way.
    pub fn find(&self, piece: &[u8], continues: bool, hash: PieceHash) -> Option<u32> {
        let first = hash.slot(self.slots.len());
        for probe in 0..self.max_probes {
            let slot = (first + probe) & (self.slots.len() - 1);
            let entry = (self.slots[slot] as usize).checked_sub(1)?;
            let entry = self.entries.get(entry * ENTRY_LEN..)?.first_chunk::<ENTRY_LEN>()?;
            let (offset, len, id) = fields(entry);
            let found = self.pieces.get(offset as usize..).and_then(|tail| tail.get(..(len & !CONTINUES) as usize));
            if found == Some(piece) && (len & CONTINUES != 0) == continues {
                return Some(id);
            }
        }
        None
    }
}

fn fields(entry: &[u8; ENTRY_LEN]) -> (u32, u32, u32) {
    let number = |at: usize| u32::from_le_bytes(std::array::from_fn(|byte| entry[at + byte]));
    (number(0), number(4), number(8))
}

/// The sections of a vocabulary, ready to be written.
#[derive(Debug, Default)]
pub struct VocabTable {
    pub slots: Vec<u32>,
    pub entries: Vec<u8>,
    pub pieces: Vec<u8>,
    pub max_probes: usize,
    pub max_piece_len: usize,
}

impl VocabTable {
    /// Builds the table of `tokens` (piece as published, id); `prefix` marks pieces that continue a word.
    pub fn build(tokens: &[(String, u32)], prefix: &str) -> VocabTable {
        let count = (tokens.len() * 2).next_power_of_two().max(2);
        let mut table = VocabTable { slots: vec![0; count], max_piece_len: 1, max_probes: 1, ..VocabTable::default() };
        for (number, (token, id)) in tokens.iter().enumerate() {
            let tail = token.strip_prefix(prefix).filter(|tail| !tail.is_empty() && !prefix.is_empty());
            let (piece, continues) = (tail.unwrap_or(token), tail.is_some());
            let mut hash = PieceHash::new(continues);
            piece.bytes().for_each(|byte| hash.push(byte));
            let first = hash.slot(count);
            let probe = (0..count).find(|probe| table.slots[(first + probe) & (count - 1)] == 0).unwrap_or(0);
            table.slots[(first + probe) & (count - 1)] = number as u32 + 1;
            table.max_probes = table.max_probes.max(probe + 1);
            table.max_piece_len = table.max_piece_len.max(piece.len());
            let len = piece.len() as u32 | if continues { CONTINUES } else { 0 };
            let entry = [table.pieces.len() as u32, len, *id];
            table.entries.extend(entry.iter().flat_map(|number| number.to_le_bytes()));
            table.pieces.extend_from_slice(piece.as_bytes());
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(table: &VocabTable, piece: &str, continues: bool) -> Option<u32> {
        let VocabTable { slots, entries, pieces, max_probes, .. } = table;
        let vocab = Vocab { slots, entries, pieces, max_probes: *max_probes };
        let mut hash = PieceHash::new(continues);
        piece.bytes().for_each(|byte| hash.push(byte));
        vocab.find(piece.as_bytes(), continues, hash)
    }

    #[test]
    fn finds_every_piece_and_nothing_else() {
        let tokens: Vec<_> =
            (0..5000).map(|id| (format!("{}w{id}", if id % 3 == 0 { "##" } else { "" }), id)).collect();
        let table = VocabTable::build(&tokens, "##");
        for id in 0..5000 {
            let continues = id % 3 == 0;
            assert_eq!(find(&table, &format!("w{id}"), continues), Some(id));
            assert_eq!(find(&table, &format!("w{id}"), !continues), None);
        }
        assert_eq!(find(&table, "w5000", false), None);
        assert_eq!(find(&table, "", true), None);
        assert!(table.max_probes < 64, "{} probes", table.max_probes);
    }

    #[test]
    fn a_table_full_of_nonsense_finds_nothing() {
        let vocab = Vocab { slots: &[u32::MAX; 8], entries: &[0xff; 36], pieces: b"abc", max_probes: 8 };
        assert_eq!(vocab.find(b"abc", false, PieceHash::new(false)), None);
        let vocab = Vocab { slots: &[1; 8], ..vocab };
        assert_eq!(vocab.find(b"abc", false, PieceHash::new(false)), None);
    }
}
