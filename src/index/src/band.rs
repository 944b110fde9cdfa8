//! The nearest rows of a search, kept within a fixed amount of memory.
//!
//! A search looks at every row of its namespace, yet a caller who wants ten of them should not pay for a list of all. So
//! a walk keeps the nearest `limit` rows only, and remembers that it dropped others. When those are used up, the caller
//! walks again for the next band, sixteen times as wide, which starts where the last one ended. Rows are ordered by bound
//! and then by row id, so that neighbouring bands neither overlap nor leave a gap; a row that is met twice, because pages
//! were split meanwhile, is given out once.
//!
//! Where reading again is not possible, because only some lists of a namespace were read, nothing is dropped
//! ([`Band::keep_all`]): what does not belong to the nearest lies aside in no order until it is needed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Rows of the first band: enough for a filter that discards nine of ten, and small enough to be kept at no cost.
const FIRST_LIMIT: usize = 256;
/// Rows of the widest band; sixteen bytes each.
const LAST_LIMIT: usize = 1 << 20;
/// Rows that are known in advance: at first as many as are mostly wanted, then two of which the second is not needed half of the
/// time, and later, when many are wanted, more together.
const AHEAD: [usize; 4] = [10, 2, 2, 4];
/// How much wider each band is than the one before.
const GROWTH: usize = 16;

/// Above these bits of a row's number stands what the search notes of it, which does not make it another row.
pub(crate) const NOTE_SHIFT: u32 = 48;

/// A row and its place in the order, as one number: bound, note, block, offset.
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

    /// The place of the row whatever is noted of it.
    fn unnoted(self) -> Self {
        Self::new(self.bound(), self.row() & ((1 << NOTE_SHIFT) - 1))
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

/// The number that sorts as this integer does.
pub(crate) fn from_sortable(bits: u32) -> f32 {
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
    /// The bound of `cut`, or NaN if there is none: a row whose bound is above it need not be looked at closer.
    threshold: f32,
    kept: Vec<Candidate>,
    heap: BinaryHeap<Reverse<Candidate>>,
    /// The next ones of the heap, the nearest last.
    ahead: Vec<Candidate>,
    /// How often next ones were taken from it, as far as that matters.
    turn: usize,
    last: Option<Candidate>,
    /// If nothing is dropped: what is not below `cut`.
    aside: Option<Vec<Candidate>>,
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
            kept: Vec::with_capacity(FIRST_LIMIT),
            heap: BinaryHeap::new(),
            ahead: Vec::with_capacity(AHEAD[0]),
            turn: 0,
            last: None,
            aside: None,
        }
    }

    /// A first band that is as wide as can be, for whoever will want everything.
    pub fn wide() -> Self {
        Self { first: LAST_LIMIT, limit: LAST_LIMIT, ..Self::new() }
    }

    /// Takes up offers again beside what is left.
    pub fn reopen(&mut self) {
        self.kept.append(&mut self.ahead);
        self.kept.extend(std::mem::take(&mut self.heap).into_iter().map(|Reverse(candidate)| candidate));
    }

    /// Whether rows were dropped.
    pub fn is_cut(&self) -> bool {
        self.cut.is_some() && self.aside.is_none()
    }

    /// Makes the band keep everything that earlier bands have not given out. What was dropped has to be offered again.
    pub fn keep_all(&mut self) {
        if self.is_cut() {
            self.cut_at(None);
            self.kept.clear();
        }
        self.aside.get_or_insert_default();
    }

    /// Hands the bounds and rows of the nearest `count` of a band that keeps all to `take`, in no order, and returns the
    /// greatest bound among them; none if there are not so many.
    pub fn nearest(&mut self, count: usize, mut take: impl FnMut(f32, u64)) -> Option<f32> {
        self.limit = self.limit.max(count);
        if self.kept.len() < count {
            self.take_back(count.saturating_mul(2));
        }
        if count == 0 || self.kept.len() < count {
            return None;
        }
        let (nearer, &mut last, _) = self.kept.select_nth_unstable(count - 1);
        nearer.iter().chain([&last]).for_each(|candidate| take(candidate.bound(), candidate.row()));
        Some(last.bound())
    }

    /// Takes the nearest of what lies aside to what is kept.
    fn take_back(&mut self, count: usize) {
        let Some(aside) = &mut self.aside else { return };
        if aside.len() <= count {
            self.kept.append(aside);
            self.cut_at(None);
        } else {
            let (_, &mut cut, _) = aside.select_nth_unstable(count);
            self.kept.extend(aside.drain(..count));
            self.cut_at(Some(cut));
        }
    }

    fn cut_at(&mut self, cut: Option<Candidate>) {
        self.cut = cut;
        self.threshold = cut.map_or(f32::NAN, Candidate::bound);
    }

    /// Begins anew, for other rows.
    pub fn reset(&mut self) {
        *self = Self { limit: self.first, first: self.first, ..Self::new() };
    }

    /// Offers a row.
    #[inline(always)]
    pub fn offer(&mut self, bound: f32, row: u64) {
        // NaN, as either, wants a closer look.
        if bound > self.threshold {
            // It is beyond what was given out, too.
            if let Some(aside) = &mut self.aside {
                aside.push(Candidate::new(bound, row));
            }
        } else {
            self.weigh(bound, row);
        }
    }

    /// Takes up a row that may belong to the nearest.
    fn weigh(&mut self, bound: f32, row: u64) {
        let candidate = Candidate::new(bound, row);
        // What an earlier band has given out may lie in a list by now.
        if self.floor.is_some_and(|floor| candidate.unnoted() <= floor) {
            return;
        }
        if self.cut.is_some_and(|cut| candidate >= cut) {
            if let Some(aside) = &mut self.aside {
                aside.push(candidate);
            }
            return;
        }
        self.kept.push(candidate);
        if self.kept.len() > 2 * self.limit {
            self.narrow();
        }
    }

    /// Drops all but the nearest, or lays them aside.
    fn narrow(&mut self) {
        let (_, &mut cut, _) = self.kept.select_nth_unstable(self.limit);
        match &mut self.aside {
            Some(aside) => aside.extend(self.kept.drain(self.limit..)),
            None => self.kept.truncate(self.limit),
        }
        self.cut_at(Some(cut));
    }

    /// Puts what was offered in order.
    fn seal(&mut self) {
        if self.kept.len() > self.limit {
            self.narrow();
        }
        self.heap = BinaryHeap::from(std::mem::take(&mut self.kept).into_iter().map(Reverse).collect::<Vec<_>>());
    }

    /// The nearest row that is left, with its bound. Some rows are known in advance: they are handed to `expect` once.
    pub fn pop(&mut self, expect: impl FnOnce(&[u64])) -> Option<(f32, u64)> {
        if self.ahead.is_empty() {
            self.look_ahead(expect);
        }
        let next = self.ahead.pop()?;
        self.last = Some(next);
        Some((next.bound(), next.row()))
    }

    fn look_ahead(&mut self, expect: impl FnOnce(&[u64])) {
        if !self.kept.is_empty() {
            self.seal();
        }
        let (mut rows, mut count) = ([0; AHEAD[0]], 0);
        let mut last = self.last;
        let wanted = AHEAD[self.turn];
        self.turn = (self.turn + 1).min(AHEAD.len() - 1);
        while count < wanted {
            match self.heap.pop() {
                Some(Reverse(candidate)) if last == Some(candidate) => {}
                Some(Reverse(candidate)) => {
                    rows[count] = candidate.row();
                    count += 1;
                    self.ahead.push(candidate);
                    last = Some(candidate);
                }
                None if count == 0 && self.aside.as_ref().is_some_and(|aside| !aside.is_empty()) => {
                    self.limit = (self.limit * GROWTH).min(LAST_LIMIT);
                    self.take_back(self.limit);
                    self.seal();
                }
                None => break,
            }
        }
        self.ahead.reverse();
        expect(&rows[..count]);
    }

    /// Whether rows were dropped that another walk could find. If so, the band is ready for it.
    pub fn widen(&mut self) -> bool {
        if !self.is_cut() {
            return false;
        }
        self.floor = self.last.map(Candidate::unnoted);
        self.cut_at(None);
        self.limit = (self.limit * GROWTH).min(LAST_LIMIT);
        true
    }
}

impl Default for Band {
    fn default() -> Self {
        Self::new()
    }
}
