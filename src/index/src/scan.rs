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

use std::collections::HashSet;

use kernels::Kernels;

use crate::band::Band;
use crate::code::Query;
use crate::fault::Result;
use crate::key::{ABSENT, CENTROIDS, DIRECTIONLESS, Key, PLAIN, Space, Span, list_of};
use crate::lists::first_probes;
use crate::page::Leaf;
use crate::pages::Pages;
use crate::tree::{next_dim, walk};

/// Rows that are read for each one that is taken, in a namespace with lists.
const ROWS_PER_HIT: usize = 40;

/// A list that was not read yet.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Unread {
    remoteness: f32,
    space: Space,
    list: u16,
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
    /// Lists that were not read yet, the nearest last.
    unread: Vec<Unread>,
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
            unread: Vec::new(),
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
                    self.band.reset();
                    self.unread.clear();
                    self.read = 0;
                    self.band.unlimited();
                    self.read(pages)?;
                }
                self.band.unlimited();
            }
            self.band.seal();
            if with_lists {
                let lists = self.unread.len();
                self.unread.sort_by(|a, b| b.remoteness.total_cmp(&a.remoteness));
                self.read_lists(pages, self.first_probes.unwrap_or_else(|| first_probes(lists)).max(1))?;
            }
        }
    }

    /// Offers the rows of this stage to the band.
    fn read<P: Pages>(&mut self, pages: &P) -> Result<()> {
        for i in 0..self.spans.len() {
            let span = self.spans[i];
            let dim = self.query.as_ref().map_or(0, Query::dim);
            match self.stage {
                Stage::Near if span.is_single() => self.read_near(pages, span.keys(dim, PLAIN..=CENTROIDS))?,
                Stage::Near => self.read_near(pages, span.keys(dim, PLAIN..=ABSENT))?,
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

    /// Offers the rows of so many more lists, beside those that are left.
    fn read_lists<P: Pages>(&mut self, pages: &P, count: usize) -> Result<()> {
        self.band.reopen();
        for _ in 0..count {
            let Some(Unread { space, list, .. }) = self.unread.pop() else { break };
            self.probes += 1;
            let dim = self.query.as_ref().map_or(0, Query::dim);
            let key = Key::new(dim, space, list);
            self.read_near(pages, (key, key))?;
        }
        self.band.seal();
        Ok(())
    }

    /// Offers rows with the bounds of their distances.
    fn read_near<P: Pages>(&mut self, pages: &P, (first, last): (Key, Key)) -> Result<()> {
        let Some(query) = self.query.as_mut() else { return Ok(()) };
        let (band, bounds, kernels) = (&mut self.band, &mut self.bounds, self.kernels);
        let (unread, read) = (&mut self.unread, &mut self.read);
        let with_lists = first.space() == last.space() && self.probes == 0;
        walk(pages, first, last, |leaf| {
            if leaf.dim() != query.dim() {
                return Ok(());
            }
            query.bounds(kernels, leaf, bounds);
            for (i, &bound) in bounds.iter().enumerate() {
                let id = leaf.id(i);
                if id < first.id || last.id < id {
                    continue;
                }
                match list_of(id) {
                    CENTROIDS if with_lists => {
                        let list = list_of(leaf.row(i));
                        unread.push(Unread { remoteness: bound, space: Key { dim: 0, id }.space(), list });
                    }
                    CENTROIDS | DIRECTIONLESS => {}
                    _ => {
                        *read += 1;
                        band.offer(bound, leaf.row(i));
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
