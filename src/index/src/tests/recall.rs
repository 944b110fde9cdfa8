//! The ten nearest are found, whatever the vectors are like, and however many rows a filter leaves.

use std::collections::BinaryHeap;

use super::lists::{SPACE, build, vectors};
use super::store::Store;
use super::{Random, distance, query};
use crate::code::Metric;
use crate::key::Span;
use crate::scan::{Distance, Scan};

/// Rows that a search wants.
const LIMIT: usize = 10;

/// The order of numbers that are not below zero is that of their bits.
fn ordered(distance: f64) -> u64 {
    distance.max(0.0).to_bits()
}

/// A number that has little to do with another one.
fn mixed(number: u64) -> u64 {
    let mixed = (number ^ number >> 31).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 33
}

/// Searches as the executor does: it looks at rows in the order of their bounds, leaves out what a filter does not pass, and
/// stops when the next bound is not below the distance of the last one wanted.
fn search(store: &Store, q: &[f32], exact: &[u64], passes: impl Fn(usize) -> bool) -> Vec<usize> {
    let span = Span { first: SPACE, last: SPACE };
    let mut scan = Scan::new(kernels::best(), vec![span], Some(query(Metric::Cosine, q)));
    let mut nearest = BinaryHeap::new();
    while let Some(hit) = scan.next(store).unwrap() {
        let Distance::AtLeast(bound) = hit.distance else { panic!("every row has a distance") };
        if nearest.len() == LIMIT && nearest.peek().is_some_and(|&(farthest, _)| farthest <= ordered(f64::from(bound)))
        {
            break;
        }
        let row = (hit.row >> 16) as usize;
        if passes(row) {
            nearest.push((exact[row], row));
            if nearest.len() > LIMIT {
                nearest.pop();
            }
        }
    }
    nearest.into_iter().map(|(_, row)| row).collect()
}

#[test]
fn with_and_without_a_filter() {
    let (count, lists, rounds) = if cfg!(miri) { (60, 4, 1) } else { (20_000, 140, 60) };
    // Topics of a hundred rows and of ten, and none.
    for topics in [200, 2_000, count] {
        let mut random = Random(29);
        let vectors = vectors(&mut random, count, topics);
        let store = Store::new(20_000);
        build(&store, Metric::Cosine, &vectors, lists);
        for percent in [100, 30, 10, 3, 1] {
            let (mut right, mut wanted) = (0, 0);
            for round in 0..rounds {
                let near = &vectors[random.below(count as u64) as usize];
                let q: Vec<f32> = near.iter().map(|x| x + random.unit() / 2.0).collect();
                let exact: Vec<u64> = vectors
                    .iter()
                    .map(|vector| ordered(distance(kernels::best(), Metric::Cosine, &q, vector)))
                    .collect();
                let passes = |row: usize| mixed((row * rounds + round) as u64) % 100 < percent;
                let mut expected: Vec<usize> = (0..count).filter(|&row| passes(row)).collect();
                expected.sort_unstable_by_key(|&row| exact[row]);
                expected.truncate(LIMIT);
                let found = search(&store, &q, &exact, passes);
                assert_eq!(found.len(), expected.len());
                right += expected.iter().filter(|row| found.contains(row)).count();
                wanted += expected.len();
            }
            let recall = right as f64 / wanted as f64;
            assert!(recall >= 0.99 || cfg!(miri), "{topics} topics, {percent} % pass: {recall}");
        }
    }
}
