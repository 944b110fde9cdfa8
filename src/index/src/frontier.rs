//! Which lists a search has read, and which come next.

use std::collections::HashSet;

use crate::band::{from_sortable, sortable};
use crate::key::{CLOSING, Key, Space, list_of};
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

/// A list that was met, and how far its centroid is from the query, squared: in the order in which lists are unread, the
/// nearest last, and those that are closing after them. It is one number, because a search sorts a thousand of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Met(u128);

impl Met {
    pub(crate) fn new(list: List, square: f32) -> Self {
        let id = Key::new(0, list.space, list.number).id;
        Self(u128::from(list.closing) << 96 | u128::from(sortable(-square)) << 64 | u128::from(id))
    }

    /// The id of the list's rows.
    pub(crate) fn id(self) -> u64 {
        self.0 as u64
    }

    fn list(self) -> List {
        List { space: Key { dim: 0, id: self.id() }.space(), number: list_of(self.id()), closing: self.is_closing() }
    }

    fn square(self) -> f32 {
        -from_sortable((self.0 >> 64) as u32)
    }

    fn is_closing(self) -> bool {
        self.0 >> 96 != 0
    }
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
        self.unread.sort_unstable();
        self.unread.dedup_by_key(|met| met.list());
        let unread = self.unread.iter().rev();
        let mut squares: Vec<f32> = self.read.iter().chain(unread).map(|met| met.square()).collect();
        squares.sort_unstable_by(f32::total_cmp);
        self.nearest = squares.first().copied().unwrap_or(0.0);
        self.reach = Reach::new(squares.into_iter());
        if self.all.is_empty() {
            self.all = self.unread.iter().map(|met| met.list()).collect();
        }
    }

    /// The next list, if there is one that is closing, or `more` is true.
    pub(crate) fn next(&mut self, more: bool) -> Option<Met> {
        let met = self.unread.pop_if(|met| more || met.is_closing())?;
        self.read.push(met);
        Some(met)
    }

    /// Whether a list that is read counts as one of those that were wanted.
    pub(crate) fn counts(met: &Met) -> bool {
        !met.is_closing()
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
        let unread: HashSet<List> = self.unread.drain(..).map(Met::list).collect();
        if moved {
            self.read.clear();
            Change::Moved
        } else {
            Change::Added { before, unread }
        }
    }

    /// Leaves those lists unread that were, or that are new.
    pub(crate) fn keep_new(&mut self, before: &[List], unread: &HashSet<List>) {
        self.unread.retain(|met| unread.contains(&met.list()) || before.binary_search(&met.list()).is_err());
    }

    /// How many lists must have been read, if `tally` says how many rows were found in the one that was read at a place; see
    /// [`Reach::lists_needed`].
    pub(crate) fn needed(&mut self, square: f32, tally: &[u32], missing: f32) -> usize {
        let found = self.read.iter().zip(tally).filter(|&(_, &rows)| rows > 0);
        let found: Vec<Found> =
            found.map(|(met, &rows)| Found { gap: met.square() - self.nearest, rows: rows as f32 }).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::FIRST_LIST;

    #[test]
    fn lists_come_by_distance_after_those_that_are_closing() {
        let list = |number, closing| List { space: Space(7), number: FIRST_LIST + number, closing };
        let mut frontier = Frontier::default();
        let squares = [(0, 0.5), (1, f32::NAN), (2, 0.0), (3, -0.25), (4, f32::INFINITY), (2, 0.0), (5, 0.5)];
        for (number, square) in squares {
            frontier.meet(Met::new(list(number, number == 4), square));
        }
        frontier.settle();
        assert_eq!(frontier.next(false).map(Met::list), Some(list(4, true)));
        assert_eq!(frontier.next(false), None, "the others are not closing");
        let rest: Vec<Met> = std::iter::from_fn(|| frontier.next(true)).collect();
        let numbers: Vec<u16> = rest.iter().map(|met| met.list().number - FIRST_LIST).collect();
        assert_eq!(numbers, [1, 3, 2, 5, 0], "NaN first, which says nothing; and each list once");
        let squares: Vec<f32> = rest.iter().map(|met| met.square()).collect();
        assert!(squares[0].is_nan());
        assert_eq!(squares[1..], [-0.25, 0.0, 0.5, 0.5]);
        assert_eq!(rest[1].id(), Key::new(0, Space(7), FIRST_LIST + 3).id);
    }
}
