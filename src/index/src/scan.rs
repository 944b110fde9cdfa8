//! A search: the rows of some namespaces, nearest first.
//!
//! Rows come in the order of a bound that their distance is never below, and the caller finishes the order with the exact
//! distances. No row is left out: the rows whose distance is NaN follow those with a number, and those without a vector
//! come last, as in a sort. A search without a vector to compare with gives the rows in the order of their ids.

use kernels::Kernels;

use crate::band::Band;
use crate::code::Query;
use crate::fault::Result;
use crate::key::{ABSENT, CENTROIDS, DIRECTIONLESS, Key, PLAIN, Span, list_of};
use crate::page::Leaf;
use crate::pages::Pages;
use crate::tree::{next_dim, walk};

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
}

impl Scan {
    /// Prepares a search of these namespaces.
    pub fn new(kernels: &'static Kernels, mut spans: Vec<Span>, query: Option<Query>) -> Self {
        spans.sort_unstable_by_key(|span| (span.first, span.last));
        spans.dedup();
        let band = if query.is_some() { Band::new() } else { Band::wide() };
        Self { kernels, spans, query, stage: Stage::New, band, bounds: Vec::new() }
    }

    /// The next row.
    pub fn next<P: Pages>(&mut self, pages: &P) -> Result<Option<Hit>> {
        loop {
            if let Some((bound, row)) = self.band.next() {
                let distance = match self.stage {
                    Stage::Absent | Stage::Unordered => Distance::Null,
                    _ if bound.is_nan() => Distance::NotANumber,
                    _ => Distance::AtLeast(bound),
                };
                return Ok(Some(Hit { row, distance }));
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
            self.band.seal();
        }
    }

    /// Offers the rows of this stage to the band.
    fn read<P: Pages>(&mut self, pages: &P) -> Result<()> {
        for i in 0..self.spans.len() {
            let span = self.spans[i];
            let dim = self.query.as_ref().map_or(0, Query::dim);
            match self.stage {
                Stage::Near if span.is_single() => self.read_near(pages, span.keys(dim, PLAIN..=PLAIN))?,
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

    /// Offers rows with the bounds of their distances.
    fn read_near<P: Pages>(&mut self, pages: &P, (first, last): (Key, Key)) -> Result<()> {
        let Some(query) = self.query.as_mut() else { return Ok(()) };
        let (band, bounds, kernels) = (&mut self.band, &mut self.bounds, self.kernels);
        walk(pages, first, last, |leaf| {
            if leaf.dim() != query.dim() {
                return Ok(());
            }
            query.bounds(kernels, leaf, bounds);
            for (i, &bound) in bounds.iter().enumerate() {
                let id = leaf.id(i);
                if first.id <= id && id <= last.id && !matches!(list_of(id), CENTROIDS | DIRECTIONLESS) {
                    band.offer(bound, leaf.row(i));
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
