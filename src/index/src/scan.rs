//! A search: the rows of some namespaces, nearest first.
//!
//! Rows come in the order of a bound that their distance is never below, and the caller finishes the order with the exact
//! distances. No row is left out: the rows whose distance is NaN follow those with a number, and those without a vector
//! come last, as in a sort. A search without a vector to compare with gives the rows in the order of their ids.
//!
//! In a namespace with lists a search reads the nearest lists first. It goes on to further ones when it runs out of rows,
//! and already when the caller has taken one in [`ROWS_PER_HIT`] of those that were read: who takes so many discards most
//! of them, and the nearest of what remains may well be elsewhere. Rows that turn up then may be nearer than some that were
//! given out before; they come as soon as they are found. So the order is exact as long as no further lists are read.
//!
//! Rows may move meanwhile, out of lists that are closing and from the rows without a list ([`crate::reshape`]). These are
//! read first, so that a row is met where it was or where it went. After each turn the search looks whether there are other
//! lists than before: new ones wait their turn, but where one began to close, or has gone, all are read again.

use std::collections::HashSet;

use kernels::Kernels;

use crate::band::{Band, sortable};
use crate::code::Query;
use crate::fault::Result;
use crate::key::{ABSENT, CENTROIDS, CLOSING, DIRECTIONLESS, Key, PLAIN, Space, Span, list_of};
use crate::lists::first_probes;
use crate::page::Leaf;
use crate::pages::Pages;
use crate::route::walk_centroids;
use crate::tree::{next_dim, walk};

/// Rows that are read for each one that is taken, in a namespace with lists.
const ROWS_PER_HIT: usize = 40;

/// A list, and whether it is closing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct List {
    space: Space,
    number: u16,
    closing: bool,
}

/// A list that was not read yet.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Unread {
    remoteness: f32,
    list: List,
}

impl List {
    fn of(space: Space, row: u64) -> Self {
        Self { space, number: list_of(row), closing: row & CLOSING != 0 }
    }
}

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
    bounds: Vec<f32>,
    fine: Vec<f32>,
    /// Lists that were not read yet, the nearest last, and those that are closing after them.
    unread: Vec<Unread>,
    /// All lists, in order, as they were when they were looked at last.
    lists: Vec<List>,
    /// How many lists were read.
    probes: usize,
    /// How many rows were read, where there are lists, and how many were given out.
    read: usize,
    taken: HashSet<u64>,
    /// How many lists to read first; none for the default.
    first_probes: Option<usize>,
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
            bounds: Vec::new(),
            fine: Vec::new(),
            unread: Vec::new(),
            lists: Vec::new(),
            probes: 0,
            read: 0,
            taken: HashSet::new(),
            first_probes: None,
        }
    }

    /// Sets how many lists are read at first.
    pub fn with_probes(mut self, probes: usize) -> Self {
        self.first_probes = Some(probes);
        self
    }

    /// The next row.
    pub fn next<P: Pages>(&mut self, pages: &P) -> Result<Option<Hit>> {
        loop {
            if !self.unread.is_empty() && self.taken.len() * ROWS_PER_HIT > self.read {
                self.read_lists(pages, self.probes)?;
            }
            if let Some((bound, row)) = self.band.pop() {
                if self.probes > 0 && !self.taken.insert(row) {
                    continue;
                }
                let distance = match self.stage {
                    Stage::Absent | Stage::Unordered => Distance::Null,
                    _ if bound.is_nan() => Distance::NotANumber,
                    _ => Distance::AtLeast(bound),
                };
                return Ok(Some(Hit { row, distance }));
            }
            if !self.unread.is_empty() {
                self.read_lists(pages, self.probes)?;
                continue;
            }
            if !self.band.widen() {
                self.stage = match self.stage {
                    Stage::New if self.query.is_some() => Stage::Near,
                    Stage::Near => Stage::Directionless,
                    Stage::Directionless => Stage::Absent,
                    Stage::New => Stage::Unordered,
                    _ => Stage::Done,
                };
                self.band.reset();
            }
            if self.stage == Stage::Done {
                return Ok(None);
            }
            self.read(pages)?;
            let with_lists = self.stage == Stage::Near && self.probes == 0 && !self.unread.is_empty();
            if with_lists {
                // With lists, rows do not come in bands: what was dropped already is read again.
                if self.band.is_cut() {
                    self.band.unlimited();
                    self.unread.clear();
                    self.read = 0;
                    self.read(pages)?;
                }
                self.band.unlimited();
            }
            self.band.seal();
            if with_lists {
                self.lists = self.unread.iter().map(|unread| unread.list).collect();
                self.lists.sort_unstable();
                self.lists.dedup();
                let count = self.lists.len();
                self.read_lists(pages, self.first_probes.unwrap_or_else(|| first_probes(count)).max(1))?;
            }
        }
    }

    /// Offers the rows of this stage to the band.
    fn read<P: Pages>(&mut self, pages: &P) -> Result<()> {
        for i in 0..self.spans.len() {
            let span = self.spans[i];
            let dim = self.query.as_ref().map_or(0, Query::dim);
            match self.stage {
                Stage::Near if span.is_single() => self.read_near(pages, span.keys(dim, PLAIN..=CENTROIDS), true)?,
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
        self.sort_unread();
        loop {
            while let Some(Unread { list, .. }) = self.unread.pop_if(|next| count > 0 || next.list.closing) {
                count -= usize::from(!list.closing);
                self.probes += 1;
                let dim = self.query.as_ref().map_or(0, Query::dim);
                let key = Key::new(dim, list.space, list.number);
                self.read_near(pages, (key, key), false)?;
            }
            if !self.look_again(pages)? {
                break;
            }
            count = std::mem::take(&mut self.probes);
        }
        self.band.seal();
        Ok(())
    }

    fn sort_unread(&mut self) {
        let order = |unread: &Unread| (unread.list.closing, sortable(-unread.remoteness), unread.list);
        self.unread.sort_unstable_by_key(order);
        self.unread.dedup();
    }

    /// Takes note of lists that were made, closed or given up meanwhile, and says whether rows may have moved: then all lists
    /// are unread.
    fn look_again<P: Pages>(&mut self, pages: &P) -> Result<bool> {
        let dim = self.query.as_ref().map_or(0, Query::dim);
        let mut lists = Vec::with_capacity(self.lists.len());
        for span in self.spans.iter().filter(|span| span.is_single()) {
            let space = span.first;
            walk_centroids(pages, Key::new(dim, space, PLAIN), |leaf, places| {
                lists.extend(places.iter().map(|&i| List::of(space, leaf.row(i))));
            })?;
        }
        lists.sort_unstable();
        lists.dedup();
        if lists == self.lists {
            return Ok(false);
        }
        let is_new = |list: &List| self.lists.binary_search(list).is_err();
        let moved = lists.iter().any(|list| list.closing && is_new(list))
            || self.lists.iter().any(|list| lists.binary_search(list).is_err());
        let before = std::mem::replace(&mut self.lists, lists);
        let was_unread: HashSet<List> = self.unread.drain(..).map(|unread| unread.list).collect();
        for i in 0..self.spans.len() {
            if self.spans[i].is_single() {
                self.read_near(pages, self.spans[i].keys(dim, CENTROIDS..=CENTROIDS), true)?;
            }
        }
        if !moved {
            self.unread.retain(|Unread { list, .. }| was_unread.contains(list) || before.binary_search(list).is_err());
        }
        self.sort_unread();
        Ok(moved)
    }

    /// Offers rows with the bounds of their distances; with `lists`, takes note of the lists on the way.
    fn read_near<P: Pages>(&mut self, pages: &P, (first, last): (Key, Key), lists: bool) -> Result<()> {
        let Some(query) = self.query.as_mut() else { return Ok(()) };
        let (band, bounds, kernels) = (&mut self.band, &mut self.bounds, self.kernels);
        let (unread, read, fine) = (&mut self.unread, &mut self.read, &mut self.fine);
        walk(pages, first, last, |leaf| {
            if leaf.dim() != query.dim() {
                return Ok(());
            }
            query.bounds(kernels, leaf, bounds);
            fine.clear();
            if band.wants_fine() {
                query.fine_bounds(kernels, leaf, fine);
            }
            for (i, &bound) in bounds.iter().enumerate() {
                let id = leaf.id(i);
                if id < first.id || last.id < id {
                    continue;
                }
                match list_of(id) {
                    CENTROIDS if lists => {
                        let list = List::of(Key { dim: 0, id }.space(), leaf.row(i));
                        unread.push(Unread { remoteness: bound, list });
                    }
                    CENTROIDS | DIRECTIONLESS => {}
                    _ => {
                        *read += 1;
                        match fine.get(i) {
                            Some(&fine) => band.offer_fine(bound, fine, leaf.row(i)),
                            None if band.wants(bound) => band.offer(bound, leaf.row(i)),
                            None => {}
                        }
                    }
                }
            }
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

fn is_directionless(list: u16) -> bool {
    list == DIRECTIONLESS
}

fn is_row(list: u16) -> bool {
    list != CENTROIDS
}
