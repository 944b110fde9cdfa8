//! A search: the rows of some namespaces, nearest first.
//!
//! Rows come in the order of a bound that their distance is never below, and the caller finishes the order with the exact
//! distances. No row is left out: the rows whose distance is NaN follow those with a number, and those without a vector
//! come last, as in a sort. A search without a vector to compare with gives the rows in the order of their ids.
//!
//! In a namespace with lists a search reads the nearest lists first, until those that are left are unlikely to hold one of
//! the rows that the caller will ask for ([`crate::reach`]): at first of the ten nearest. Who wants no more stops when the
//! bounds pass the distance of the tenth. Who goes on, because a filter discards rows or more are wanted, is taken to want
//! twice as many each time. Few rows may be missed. If one turns up later, its place in the order is taken: it comes
//! after all others. So the order is exact for whoever stops before, and no row is left out for whoever does not. A search
//! that wants both reads all lists before it gives the first row, as if there were none.
//!
//! Rows may move meanwhile, out of lists that are closing and from the rows without a list ([`crate::reshape`]). Lists that
//! are closing are read first, so that a row is met where it was or where it went. After each turn the search looks whether
//! lists have begun to close since it began, which the first page counts: then all are read again.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use kernels::Kernels;

use crate::band::{Band, NOTE_SHIFT, from_sortable, sortable};
use crate::code::Query;
use crate::fault::Result;
use crate::frontier::{Change, Frontier, List, Met};
use crate::key::{ABSENT, CENTROIDS, DIRECTIONLESS, Key, PLAIN, Span, list_of};
use crate::page::{Leaf, META, generation};
use crate::pages::{Guard, Pages};
use crate::route::walk_centroids;
use crate::tree::{next_dim, walk, walk_ahead};

/// Rows that a caller is taken to want, as long as nothing else is known.
const WANTED: usize = 10;
/// Rows that a caller is taken to want who wants more than those.
const WANTED_NEXT: usize = 64;
/// The part of the rows that are wanted that may be missed by forecast: less than half of what may be missed in truth, since
/// vectors change their character with the distance.
const MISSING: f32 = 0.004;
/// Lists that are read before anything is forecast.
const FIRST_LISTS: usize = 2;
/// Found rows that a forecast for fewer is made from. Those that come after the ones that are wanted tell much about them,
/// and seldom too little, for what is farther away is mostly spread wider: so the lower of the forecasts is taken. It may be
/// spread less, too: where one topic is as near as single rows of all others, it is the topic that comes after the first ten.
const EVIDENCE: [usize; 2] = [20, 40];
/// A search of no more lists than this that has read one in [`TRIED`] of them, and still expects to need a third, reads all:
/// it takes less time than further forecasts, and misses nothing.
const FEW_LISTS: usize = 128;
const TRIED: usize = 16;

/// What is known about the distance of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distance {
    /// Not below this number.
    AtLeast(f32),
    /// NaN.
    NotANumber,
    /// Null.
    Null,
}

/// A row that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The row: block and offset.
    pub row: u64,
    /// How far it is.
    pub distance: Distance,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing was read yet.
    New,
    /// Rows with a distance.
    Near,
    /// Rows whose distance is NaN.
    Directionless,
    /// Rows without a vector.
    Absent,
    /// All rows, in no order of distance.
    Unordered,
    /// There is nothing more.
    Done,
}

/// A search.
#[derive(Debug)]
pub struct Scan {
    kernels: &'static Kernels,
    spans: Vec<Span>,
    query: Option<Query>,
    stage: Stage,
    band: Band,
    /// Room for the products of a page.
    sums: Vec<i32>,
    lists: Frontier,
    /// The greatest norm of the rows that were read, where it matters.
    norm: f32,
    /// Rows that were given out, where there are lists.
    taken: HashSet<u64>,
    /// The bound that the last of them had, and rows below it that were found only then.
    given: f32,
    late: BinaryHeap<Reverse<(u32, u64)>>,
    /// How many of them are from the list that was read at a place.
    tally: Vec<u32>,
    /// The bound up to which rows are given out before further lists are thought of.
    horizon: f32,
    /// How much less than the distance a bound is, at most, as far as it was looked at.
    slack: f32,
    /// How many lists to read first; none for the default.
    first_probes: Option<usize>,
    /// Whether lists are not to be told apart.
    exact: bool,
}

impl Scan {
    /// Prepares a search of these namespaces.
    pub fn new(kernels: &'static Kernels, mut spans: Vec<Span>, query: Option<Query>) -> Self {
        spans.sort_unstable_by_key(|span| (span.first, span.last));
        spans.dedup();
        let band = if query.is_some() { Band::new() } else { Band::wide() };
        Self {
            kernels,
            spans,
            query,
            stage: Stage::New,
            band,
            sums: Vec::new(),
            lists: Frontier::default(),
            norm: 0.0,
            taken: HashSet::new(),
            given: f32::NEG_INFINITY,
            late: BinaryHeap::new(),
            tally: Vec::new(),
            horizon: f32::INFINITY,
            slack: 0.0,
            first_probes: None,
            exact: false,
        }
    }

    /// Sets how many lists are read at first.
    pub fn with_probes(mut self, probes: usize) -> Self {
        self.first_probes = Some(probes.max(1));
        self
    }

    /// Makes the search read all of its namespaces before it gives the first row, so that the order is exact.
    pub fn exactly(mut self) -> Self {
        self.exact = true;
        self
    }

    /// How many lists were read so far.
    pub fn lists_read(&self) -> usize {
        self.lists.read()
    }

    /// The next row.
    pub fn next<P: Pages>(&mut self, pages: &P) -> Result<Option<Hit>> {
        loop {
            if self.lists.is_open() && self.given > self.horizon {
                self.read_for(pages, (self.taken.len() * 2).max(WANTED_NEXT))?;
            }
            if let Some((bound, noted)) = self.band.pop(|rows| pages.expect_rows(rows)) {
                let row = noted & ((1 << NOTE_SHIFT) - 1);
                // Lists that were read may all be gone by now.
                if self.lists.is_begun() || !self.taken.is_empty() {
                    if !self.taken.insert(row) {
                        continue;
                    }
                    count(&mut self.tally, noted);
                    if bound < self.given {
                        self.late.push(Reverse((sortable(bound), row)));
                        continue;
                    }
                    self.given = bound;
                }
                return Ok(Some(self.hit(row, bound)));
            }
            if self.lists.is_open() {
                self.read_for(pages, (self.taken.len() * 2).max(WANTED_NEXT))?;
                continue;
            }
            if let Some(Reverse((bound, row))) = self.late.pop() {
                return Ok(Some(self.hit(row, from_sortable(bound))));
            }
            if !self.band.widen() {
                let before = self.stage;
                self.stage = match before {
                    Stage::New if self.query.is_some() => Stage::Near,
                    Stage::Near => Stage::Directionless,
                    Stage::Directionless => Stage::Absent,
                    Stage::New => Stage::Unordered,
                    _ => Stage::Done,
                };
                if before != Stage::New {
                    self.band.reset();
                }
            }
            if self.stage == Stage::Done {
                return Ok(None);
            }
            self.read(pages)?;
            let with_lists = self.stage == Stage::Near && !self.lists.is_begun() && self.lists.is_open();
            if with_lists {
                // With lists, rows do not come in bands: what was dropped already is read again.
                let again = self.band.is_cut();
                self.band.keep_all();
                if again {
                    self.lists.forget_unread();
                    self.read(pages)?;
                }
            }
            if with_lists {
                self.lists.settle();
                match self.first_probes {
                    Some(probes) => {
                        self.read_lists(pages, probes)?;
                        self.lists_needed(WANTED);
                    }
                    None => {
                        self.read_lists(pages, FIRST_LISTS)?;
                        self.read_for(pages, WANTED)?;
                    }
                }
            }
        }
    }

    fn hit(&self, row: u64, bound: f32) -> Hit {
        let distance = match self.stage {
            Stage::Absent | Stage::Unordered => Distance::Null,
            _ if bound.is_nan() => Distance::NotANumber,
            _ => Distance::AtLeast(bound),
        };
        Hit { row, distance }
    }

    /// Reads further lists, until those that are left are unlikely to hold one of so many nearest rows.
    fn read_for<P: Pages>(&mut self, pages: &P, rows: usize) -> Result<()> {
        while self.lists.is_open() {
            let read = self.lists.read();
            let needed = self.lists_needed(rows);
            if needed <= read {
                break;
            }
            let all = self.lists.count();
            if all <= FEW_LISTS && read * TRIED >= all && needed >= all.div_ceil(3) {
                self.read_lists(pages, all)?;
                continue;
            }
            // The forecast changes with what is found.
            self.read_lists(pages, (needed - read).min(read / 2 + 1))?;
        }
        Ok(())
    }

    /// How many lists must be read for so many rows, those that were given out among them; and how far the caller may go then.
    fn lists_needed(&mut self, rows: usize) -> usize {
        self.band.reopen();
        let mut needed = usize::MAX;
        self.horizon = f32::INFINITY;
        if let Some((bound, tally)) = self.nearest(rows)
            && let Some(query) = &self.query
        {
            let square = query.square(bound, self.norm);
            self.horizon = (bound + self.slack).max(self.given);
            let mut more = EVIDENCE.into_iter().filter(|&more| more > rows);
            let mut next = more.next().and_then(|more| self.nearest(more)).or(Some((bound, tally)));
            while let Some((_, tally)) = next {
                needed = needed.min(self.lists.needed(square, &tally, MISSING));
                next = more.next().and_then(|more| self.nearest(more));
            }
        }
        needed
    }

    /// The bound of the last of so many nearest rows that were found, and how many of them are from the list that was read at
    /// a place; none if there are not so many.
    fn nearest(&mut self, rows: usize) -> Option<(f32, Vec<u32>)> {
        let mut tally = self.tally.clone();
        let left = rows.saturating_sub(self.taken.len());
        let bound = self.band.nearest(left, |_, noted| count(&mut tally, noted))?;
        Some((bound, tally))
    }

    /// Offers the rows of this stage to the band.
    fn read<P: Pages>(&mut self, pages: &P) -> Result<()> {
        if self.stage == Stage::Near && !self.exact && self.spans.iter().any(Span::is_single) {
            self.lists.generation = generation(pages.shared(META).page());
        }
        for i in 0..self.spans.len() {
            let span = self.spans[i];
            let dim = self.query.as_ref().map_or(0, Query::dim);
            match self.stage {
                Stage::Near if span.is_single() && !self.exact => {
                    self.read_near(pages, span.keys(dim, PLAIN..=CENTROIDS), true)?;
                }
                Stage::Near => self.read_near(pages, span.keys(dim, PLAIN..=ABSENT), false)?,
                Stage::Directionless if span.is_single() => {
                    self.read_all(pages, span.keys(dim, DIRECTIONLESS..=DIRECTIONLESS), is_directionless, f32::NAN)?;
                }
                Stage::Directionless => {
                    self.read_all(pages, span.keys(dim, PLAIN..=ABSENT), is_directionless, f32::NAN)?;
                }
                Stage::Absent => self.read_all(pages, span.keys(0, PLAIN..=ABSENT), is_row, f32::NAN)?,
                Stage::Unordered => {
                    let mut least = 0;
                    while let Some(dim) = next_dim(pages, least)? {
                        self.read_all(pages, span.keys(dim, PLAIN..=ABSENT), is_row, 0.0)?;
                        match dim.checked_add(1) {
                            Some(next) => least = next,
                            None => break,
                        }
                    }
                }
                Stage::New | Stage::Done => {}
            }
        }
        Ok(())
    }

    /// Offers the rows of so many more lists, beside those that are left, and of all that are closing.
    fn read_lists<P: Pages>(&mut self, pages: &P, mut count: usize) -> Result<()> {
        self.band.reopen();
        loop {
            while let Some(met) = self.lists.next(count > 0) {
                count -= usize::from(Frontier::counts(&met));
                let dim = self.query.as_ref().map_or(0, Query::dim);
                let key = Key { dim, id: met.id() };
                self.read_near(pages, (key, key), false)?;
            }
            let read = self.lists.read();
            if !self.look_again(pages)? {
                break;
            }
            count = read;
        }
        Ok(())
    }

    /// Takes note of lists that were closed meanwhile, and of those that have followed them, and says whether rows may have
    /// moved: then all lists are unread.
    fn look_again<P: Pages>(&mut self, pages: &P) -> Result<bool> {
        let now = generation(pages.shared(META).page());
        if now == self.lists.generation {
            return Ok(false);
        }
        self.lists.generation = now;
        let dim = self.query.as_ref().map_or(0, Query::dim);
        let mut lists = Vec::new();
        for span in self.spans.iter().filter(|span| span.is_single()) {
            let space = span.first;
            walk_centroids(pages, Key::new(dim, space, PLAIN), |leaf, places| {
                lists.extend(places.iter().map(|&i| List::of(space, leaf.row(i))));
            })?;
        }
        let change = self.lists.compare(lists);
        match change {
            Change::None => return Ok(false),
            Change::Moved => self.tally.clear(),
            Change::Added { .. } => {}
        }
        for i in 0..self.spans.len() {
            if self.spans[i].is_single() {
                self.read_near(pages, self.spans[i].keys(dim, CENTROIDS..=CENTROIDS), true)?;
            }
        }
        if let Change::Added { before, unread } = &change {
            self.lists.keep_new(before, unread);
        }
        self.lists.settle();
        Ok(matches!(change, Change::Moved))
    }

    /// Offers rows with the bounds of their distances; with `lists`, takes note of the lists on the way.
    fn read_near<P: Pages>(&mut self, pages: &P, (first, last): (Key, Key), lists: bool) -> Result<()> {
        let Some(query) = &self.query else { return Ok(()) };
        let (band, sums, kernels) = (&mut self.band, &mut self.sums, self.kernels);
        let (frontier, norm, slack) = (&mut self.lists, &mut self.norm, &mut self.slack);
        // Beside each row the place of its list among those that were read, from one on.
        let note = (frontier.read().min(usize::from(u16::MAX)) as u64) << NOTE_SHIFT;
        walk_ahead(pages, first, last, |leaf, ahead| {
            if leaf.dim() != query.dim() {
                return Ok(());
            }
            if note > 0 {
                *norm = norm.max(query.greatest_norm(leaf));
                *slack = slack.max(query.slack(leaf));
            }
            query.bounds(kernels, leaf, ahead, sums, |bound, id, row| {
                if id < first.id || last.id < id {
                    return;
                }
                match list_of(id) {
                    CENTROIDS if lists => {
                        let list = List::of(Key { dim: 0, id }.space(), row);
                        frontier.meet(Met::new(list, query.square(bound, 1.0)));
                    }
                    CENTROIDS | DIRECTIONLESS => {}
                    _ => band.offer(bound, note | row),
                }
            });
            Ok(())
        })
    }

    /// Offers rows that have no bounds.
    fn read_all<P: Pages>(
        &mut self,
        pages: &P,
        (first, last): (Key, Key),
        wanted: impl Fn(u16) -> bool,
        bound: f32,
    ) -> Result<()> {
        let band = &mut self.band;
        walk(pages, first, last, |leaf: &Leaf<'_>| {
            for i in 0..leaf.len() {
                let key = leaf.key(i);
                if first <= key && key <= last && wanted(key.list()) {
                    band.offer(bound, leaf.row(i));
                }
            }
            Ok(())
        })
    }
}

/// Counts a row for the list that is noted beside it.
fn count(tally: &mut Vec<u32>, noted: u64) {
    if let Some(place) = ((noted >> NOTE_SHIFT) as usize).checked_sub(1) {
        tally.resize(tally.len().max(place + 1), 0);
        tally[place] += 1;
    }
}

fn is_directionless(list: u16) -> bool {
    list == DIRECTIONLESS
}

fn is_row(list: u16) -> bool {
    list != CENTROIDS
}
