//! Which lists a search has read, and which come next.

use std::collections::HashSet;

use crate::band::sortable;
use crate::key::{CLOSING, Space, list_of};
use crate::reach::{Found, Reach};

/// A list, and whether it is closing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct List {
    pub(crate) space: Space,
    pub(crate) number: u16,
    closing: bool,
}

impl List {
    pub(crate) fn of(space: Space, row: u64) -> Self {
        Self { space, number: list_of(row), closing: row & CLOSING != 0 }
    }
}

/// A list that was met, and how far its centroid is from the query, squared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Met {
    pub(crate) list: List,
    pub(crate) square: f32,
}

/// The lists of a search.
#[derive(Debug, Default)]
pub(crate) struct Frontier {
    /// Lists that were not read yet, the nearest last, and those that are closing after them.
    unread: Vec<Met>,
    /// All lists, as they were when they were looked at last.
    all: Vec<List>,
    /// The lists that were read, in the order in which that happened.
    read: Vec<Met>,
    reach: Reach,
    nearest: f32,
    /// What the first page counted before the lists were looked at.
    pub(crate) generation: u32,
}

impl Frontier {
    /// Takes note of a list, whose turn comes by its distance.
    pub(crate) fn meet(&mut self, met: Met) {
        self.unread.push(met);
    }

    pub(crate) fn forget_unread(&mut self) {
        self.unread.clear();
    }

    /// Whether there are lists to be read.
    pub(crate) fn is_open(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Whether lists were read.
    pub(crate) fn is_begun(&self) -> bool {
        !self.read.is_empty()
    }

    /// How many lists were read.
    pub(crate) fn read(&self) -> usize {
        self.read.len()
    }

    /// How many lists there are.
    pub(crate) fn count(&self) -> usize {
        self.read.len() + self.unread.len()
    }

    /// Puts what was met in order.
    pub(crate) fn settle(&mut self) {
        self.unread.sort_unstable_by_key(|met| (met.list.closing, sortable(-met.square), met.list));
        self.unread.dedup_by_key(|met| met.list);
        let mut squares: Vec<f32> = self.read.iter().chain(&self.unread).map(|met| met.square).collect();
        squares.sort_unstable_by(f32::total_cmp);
        self.nearest = squares.first().copied().unwrap_or(0.0);
        self.reach = Reach::new(squares.into_iter());
        if self.all.is_empty() {
            self.all = self.unread.iter().map(|met| met.list).collect();
        }
    }

    /// The next list, if there is one that is closing, or `more` is true.
    pub(crate) fn next(&mut self, more: bool) -> Option<Met> {
        let met = self.unread.pop_if(|met| more || met.list.closing)?;
        self.read.push(met);
        Some(met)
    }

    /// Whether a list that is read counts as one of those that were wanted.
    pub(crate) fn counts(met: &Met) -> bool {
        !met.list.closing
    }

    /// Compares the lists with those that there are now, and says whether rows may have moved; then all are unread. They
    /// have to be met again in either case, and [`Frontier::seen`] tells which of them are new.
    pub(crate) fn compare(&mut self, mut now: Vec<List>) -> Change {
        self.all.sort_unstable();
        now.sort_unstable();
        now.dedup();
        if now == self.all {
            return Change::None;
        }
        let is_new = |list: &List| self.all.binary_search(list).is_err();
        let moved = now.iter().any(|list| list.closing && is_new(list))
            || self.all.iter().any(|list| now.binary_search(list).is_err());
        let before = std::mem::replace(&mut self.all, now);
        let unread: HashSet<List> = self.unread.drain(..).map(|met| met.list).collect();
        if moved {
            self.read.clear();
            Change::Moved
        } else {
            Change::Added { before, unread }
        }
    }

    /// Leaves those lists unread that were, or that are new.
    pub(crate) fn keep_new(&mut self, before: &[List], unread: &HashSet<List>) {
        self.unread.retain(|Met { list, .. }| unread.contains(list) || before.binary_search(list).is_err());
    }

    /// How many lists must have been read, if `tally` says how many rows were found in the one that was read at a place; see
    /// [`Reach::lists_needed`].
    pub(crate) fn needed(&mut self, square: f32, tally: &[u32], missing: f32) -> usize {
        let found = self.read.iter().zip(tally).filter(|&(_, &rows)| rows > 0);
        let found: Vec<Found> =
            found.map(|(met, &rows)| Found { gap: met.square - self.nearest, rows: rows as f32 }).collect();
        self.reach.lists_needed(self.read.len(), square, &found, missing)
    }
}

/// What has happened to the lists meanwhile.
pub(crate) enum Change {
    /// Nothing.
    None,
    /// There are more.
    Added {
        /// All that there were.
        before: Vec<List>,
        /// Those that were not read yet.
        unread: HashSet<List>,
    },
    /// Rows may have moved.
    Moved,
}
