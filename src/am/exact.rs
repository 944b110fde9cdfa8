//! The exact order of a search, from the distances of the rows in the table.
//!
//! What the index holds bounds a distance from below. The executor could do the rest: it computes the distance of each row
//! that comes, and keeps copies of rows in a queue until no bound is below theirs. But a search looks at few rows, and
//! all of that takes longer than reading the index. So the search looks at the vectors itself, where they lie (`rows`), and
//! gives the rows out in their order; the executor fetches those that it gets, and no others.
//!
//! Where a distance is not known in this way the row is given out with its bound, and the executor proceeds as it does for
//! any index: it puts such rows into their place, and raises its own errors.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use index::scan::{Distance, Hit};

use super::rows::Look;

/// A row that comes next.
pub enum Next {
    /// A row at this distance.
    At(u64, f64),
    /// A row of which no more than this is known.
    Found(Hit),
}

/// Rows that were looked at and whose turn has not come, and the entry after them.
#[derive(Default)]
pub struct Order {
    seen: BinaryHeap<Reverse<(u64, u64)>>,
    found: Option<Hit>,
}

impl Order {
    /// The next row, given the entries in the order of their bounds, and a look at a row.
    pub fn next(&mut self, mut search: impl FnMut() -> Option<Hit>, mut look: impl FnMut(u64) -> Look) -> Option<Next> {
        loop {
            if self.found.is_none() {
                self.found = search();
            }
            let bound = match self.found.map(|hit| hit.distance) {
                Some(Distance::AtLeast(bound)) => Some(f64::from(bound)),
                _ => None,
            };
            if let Some(&Reverse((distance, row))) = self.seen.peek() {
                let distance = from_sortable(distance);
                if bound.is_none_or(|bound| distance <= bound) {
                    self.seen.pop();
                    return Some(Next::At(row, distance));
                }
            }
            let hit = self.found.take()?;
            let Some(bound) = bound else { return Some(Next::Found(hit)) };
            match look(hit.row) {
                // A distance below the bound is damage, which the executor reports.
                Look::At(distance) if distance < bound => return Some(Next::Found(hit)),
                Look::At(distance) => self.seen.push(Reverse((sortable(distance), hit.row))),
                Look::Unknown => return Some(Next::Found(hit)),
                Look::Hidden => {}
            }
        }
    }
}

/// An integer that sorts as the number does; NaN comes last.
fn sortable(distance: f64) -> u64 {
    if distance.is_nan() {
        return u64::MAX;
    }
    let bits = distance.to_bits();
    bits ^ ((bits as i64 >> 63) as u64 | 1 << 63)
}

/// The number that sorts as this integer does.
fn from_sortable(bits: u64) -> f64 {
    match bits {
        u64::MAX => f64::NAN,
        _ if bits >> 63 != 0 => f64::from_bits(bits ^ 1 << 63),
        _ => f64::from_bits(!bits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(bounds: &[f32], look: impl Fn(u64) -> Look) -> Vec<(u64, Option<f64>)> {
        let mut hits = bounds.iter().zip(1..).map(|(&bound, row)| {
            let distance = if bound.is_nan() { Distance::NotANumber } else { Distance::AtLeast(bound) };
            Hit { row, distance }
        });
        let mut order = Order::default();
        std::iter::from_fn(|| order.next(|| hits.next(), &look))
            .map(|next| match next {
                Next::At(row, distance) => (row, Some(distance)),
                Next::Found(hit) => (hit.row, None),
            })
            .collect()
    }

    #[test]
    fn rows_come_in_the_order_of_their_distances() {
        let distances = [0.5, 0.25, -1.0, 0.75, f64::INFINITY];
        let rows = order(&[f32::NEG_INFINITY, -2.0, -1.0, 0.5, 0.625], |row| Look::At(distances[row as usize - 1]));
        assert_eq!(rows, [(3, Some(-1.0)), (2, Some(0.25)), (1, Some(0.5)), (4, Some(0.75)), (5, Some(f64::INFINITY))]);
    }

    #[test]
    fn no_row_is_looked_at_before_its_bound_is_reached() {
        let mut hits = [0.0, 0.1, 0.2, 0.3].into_iter().zip(1..);
        let (mut order, mut looked) = (Order::default(), Vec::new());
        let mut next = || hits.next().map(|(bound, row)| Hit { row, distance: Distance::AtLeast(bound) });
        let first = order.next(&mut next, |row| {
            looked.push(row);
            Look::At(0.15)
        });
        assert!(matches!(first, Some(Next::At(1, _))));
        assert_eq!(looked, [1, 2]);
    }

    #[test]
    fn rows_without_a_number_come_last_and_those_that_are_hidden_not_at_all() {
        let rows = order(&[0.0, 0.0, 0.0, f32::NAN], |row| match row {
            1 => Look::At(-f64::NAN),
            2 => Look::Hidden,
            _ => Look::At(3.0),
        });
        assert_eq!(rows.iter().map(|&(row, _)| row).collect::<Vec<_>>(), [3, 1, 4]);
        assert!(rows[1].1.is_some_and(f64::is_nan) && rows[2].1.is_none());
    }

    #[test]
    fn what_cannot_be_computed_is_left_to_the_executor() {
        let rows = order(&[0.0, 0.5, 0.75], |row| match row {
            1 => Look::Unknown,
            // Below its bound.
            2 => Look::At(0.25),
            _ => Look::At(0.75),
        });
        assert_eq!(rows, [(1, None), (2, None), (3, Some(0.75))]);
    }

    #[test]
    fn integers_sort_as_distances_do() {
        let sorted = [f64::NEG_INFINITY, -1.5, -0.0, 0.0, f64::MIN_POSITIVE, 1.0, f64::INFINITY];
        assert!(sorted.windows(2).all(|pair| sortable(pair[0]) < sortable(pair[1])));
        assert!(sorted.iter().all(|&distance| from_sortable(sortable(distance)) == distance));
        assert!(from_sortable(sortable(f64::NAN)).is_nan() && sortable(-f64::NAN) > sortable(f64::INFINITY));
    }
}
