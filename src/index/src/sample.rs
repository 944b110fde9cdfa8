//! Some rows of many, as a sample for k-means.

use crate::lists::SCALE;
use crate::page::{Entry, as_codes};

/// Some of the rows that were offered, each as likely as any other, in random order.
#[derive(Debug)]
pub struct Sample {
    wanted: usize,
    seen: u64,
    random: u64,
    /// Codes, one vector after the other.
    pub codes: Vec<i8>,
    /// The scale of each vector.
    pub scales: Vec<f32>,
}

impl Sample {
    /// An empty sample that will have so many rows.
    pub fn new(wanted: usize) -> Self {
        Self { wanted, seen: 0, random: 0x2545_F491_4F6C_DD1D, codes: Vec::new(), scales: Vec::new() }
    }

    /// How many vectors of so many dimensions fit this memory.
    pub fn fitting(bytes: usize, dim: u16) -> usize {
        bytes / (usize::from(dim) + size_of::<f32>())
    }

    /// How many rows were offered.
    pub fn seen(&self) -> usize {
        self.seen as usize
    }

    /// A number below `limit`.
    fn below(&mut self, limit: u64) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        ((self.random >> 11) % limit) as usize
    }

    /// Takes a row in, or not.
    pub fn offer(&mut self, entry: &Entry<'_>) {
        self.seen += 1;
        let count = self.scales.len();
        let place = self.below(self.seen);
        let codes = as_codes(entry.code);
        let dim = codes.len();
        if count < self.wanted {
            // The place of an earlier row, which goes to the end: so all orders are equally likely.
            self.codes.extend(codes);
            self.scales.push(entry.factors[SCALE]);
            self.scales.swap(place, count);
            if place < count {
                let (head, tail) = self.codes.split_at_mut(count * dim);
                head[place * dim..][..dim].swap_with_slice(tail);
            }
        } else if place < count {
            self.codes[place * dim..][..dim].copy_from_slice(codes);
            self.scales[place] = entry.factors[SCALE];
        }
    }
}
