//! The nearest rows of a search, kept within a fixed amount of memory.
//!
//! A search looks at every row of its namespace, yet a caller who wants ten of them should not pay for a list of all. So
//! a walk keeps the nearest `limit` rows only, and remembers that it dropped others. When those are used up, the caller
//! walks again for the next band, sixteen times as wide, which starts where the last one ended. Rows are ordered by bound
//! and then by row id, so that neighbouring bands neither overlap nor leave a gap; a row that is met twice, because pages
//! were split meanwhile, is given out once.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Rows of the first band: enough for a filter that discards nine of ten, and small enough to be kept at no cost.
const FIRST_LIMIT: usize = 512;
/// Rows of the widest band; sixteen bytes each.
const LAST_LIMIT: usize = 1 << 20;
/// Rows that nearer bounds are computed for. They spare some rows a look into the table, which is worth that much time.
const FINE_LIMIT: usize = 256;
/// How much wider each band is than the one before.
const GROWTH: usize = 16;

/// A row and its place in the order, as one number: bound, block, offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate(u128);

impl Candidate {
    fn new(bound: f32, row: u64) -> Self {
        Self(u128::from(sortable(bound)) << 64 | u128::from(row))
    }

    fn row(self) -> u64 {
        self.0 as u64
    }

    fn bound(self) -> f32 {
        from_sortable((self.0 >> 64) as u32)
    }
}

/// An integer that sorts as the number does; NaN comes last.
#[inline]
pub(crate) fn sortable(value: f32) -> u32 {
    if value.is_nan() {
        return u32::MAX;
    }
    let bits = value.to_bits();
    bits ^ ((bits as i32 >> 31) as u32 | 0x8000_0000)
}

fn from_sortable(bits: u32) -> f32 {
    match bits {
        u32::MAX => f32::NAN,
        _ if bits & 0x8000_0000 != 0 => f32::from_bits(bits ^ 0x8000_0000),
        _ => f32::from_bits(!bits),
    }
}

/// The rows that one walk keeps.
#[derive(Debug)]
pub struct Band {
    /// How many rows the first band has.
    first: usize,
    limit: usize,
    /// Everything up to here was given out by earlier bands.
    floor: Option<Candidate>,
    /// Nothing from here on is kept.
    cut: Option<Candidate>,
    /// The bound of `cut`, or NaN: a bound that is above it need not be looked at closer.
    threshold: f32,
    kept: Vec<Candidate>,
    /// Nearer bounds of all that is kept, as long as they are few.
    fine: Vec<f32>,
    heap: BinaryHeap<Reverse<Candidate>>,
    last: Option<Candidate>,
}

impl Band {
    /// A first band.
    pub fn new() -> Self {
        Self {
            first: FIRST_LIMIT,
            limit: FIRST_LIMIT,
            floor: None,
            cut: None,
            threshold: f32::NAN,
            kept: Vec::new(),
            fine: Vec::new(),
            heap: BinaryHeap::new(),
            last: None,
        }
    }

    /// A first band that is as wide as can be, for whoever will want everything.
    pub fn wide() -> Self {
        Self { first: LAST_LIMIT, limit: LAST_LIMIT, ..Self::new() }
    }

    /// Takes up offers again beside what is left. From now on nothing is dropped.
    pub fn reopen(&mut self) {
        self.limit = usize::MAX / 4;
        self.kept = std::mem::take(&mut self.heap).into_iter().map(|Reverse(candidate)| candidate).collect();
    }

    /// Whether rows were dropped.
    pub fn is_cut(&self) -> bool {
        self.cut.is_some()
    }

    /// Makes the band keep everything that earlier bands have not given out. What was dropped has to be offered again.
    pub fn unlimited(&mut self) {
        self.limit = usize::MAX / 4;
        self.threshold = f32::NAN;
        if self.cut.take().is_some() {
            self.kept.clear();
            self.fine.clear();
        }
    }

    /// Begins anew, for other rows.
    pub fn reset(&mut self) {
        *self = Self { limit: self.first, first: self.first, ..Self::new() };
    }

    /// Whether a row with this bound may be kept: otherwise it need not be offered.
    #[inline(always)]
    pub fn wants(&self, bound: f32) -> bool {
        // NaN, as either, wants a closer look.
        bound.partial_cmp(&self.threshold) != Some(Ordering::Greater)
    }

    /// Whether nearer bounds are of use: bands are told apart by bounds of one kind, so these serve where one is enough.
    pub fn wants_fine(&self) -> bool {
        self.kept.len() == self.fine.len() && self.kept.len() < FINE_LIMIT && self.floor.is_none() && self.cut.is_none()
    }

    /// Offers a row with a nearer bound beside the other.
    pub fn offer_fine(&mut self, bound: f32, fine: f32, row: u64) {
        let count = self.kept.len();
        self.offer(bound, row);
        if self.kept.len() > count {
            self.fine.push(fine.max(bound));
        }
    }

    /// Offers a row.
    pub fn offer(&mut self, bound: f32, row: u64) {
        let candidate = Candidate::new(bound, row);
        if self.floor.is_some_and(|floor| candidate <= floor) || self.cut.is_some_and(|cut| candidate >= cut) {
            return;
        }
        self.kept.push(candidate);
        if self.kept.len() > 2 * self.limit {
            self.narrow();
        }
    }

    /// Drops all but the nearest.
    fn narrow(&mut self) {
        let (_, &mut cut, _) = self.kept.select_nth_unstable(self.limit);
        self.kept.truncate(self.limit);
        self.cut = Some(cut);
        self.threshold = cut.bound();
    }

    /// Ends the offers: from now on [`Band::pop`] gives the rows.
    pub fn seal(&mut self) {
        if self.kept.len() > self.limit {
            self.narrow();
        }
        if self.fine.len() == self.kept.len() {
            for (candidate, &fine) in self.kept.iter_mut().zip(&self.fine) {
                *candidate = Candidate::new(fine, candidate.row());
            }
        }
        self.fine.clear();
        self.heap = BinaryHeap::from(std::mem::take(&mut self.kept).into_iter().map(Reverse).collect::<Vec<_>>());
    }

    /// The nearest row that is left, with its bound.
    pub fn pop(&mut self) -> Option<(f32, u64)> {
        while let Some(Reverse(candidate)) = self.heap.pop() {
            if self.last != Some(candidate) {
                self.last = Some(candidate);
                return Some((candidate.bound(), candidate.row()));
            }
        }
        None
    }

    /// Whether rows were dropped that another walk could find. If so, the band is ready for it.
    pub fn widen(&mut self) -> bool {
        if self.cut.is_none() {
            return false;
        }
        self.floor = self.last;
        self.cut = None;
        self.threshold = f32::NAN;
        self.limit = (self.limit * GROWTH).min(LAST_LIMIT);
        true
    }
}

impl Default for Band {
    fn default() -> Self {
        Self::new()
    }
}
