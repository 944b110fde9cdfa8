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

/// The part of the ten nearest that is found, with a filter that so many per cent of the rows pass. Rows that are as near as
/// the tenth are as good.
fn recall(store: &Store, vectors: &[Vec<f32>], questions: &[Vec<f32>], percent: u64) -> f64 {
    let (mut right, mut wanted) = (0, 0);
    for (round, q) in questions.iter().enumerate() {
        let exact: Vec<u64> =
            vectors.iter().map(|vector| ordered(distance(kernels::best(), Metric::Cosine, q, vector))).collect();
        let passes = |row: usize| mixed((row * questions.len() + round) as u64) % 100 < percent;
        let mut expected: Vec<u64> = (0..vectors.len()).filter(|&row| passes(row)).map(|row| exact[row]).collect();
        expected.sort_unstable();
        expected.truncate(LIMIT);
        let found = search(store, q, &exact, passes);
        assert_eq!(found.len(), expected.len());
        right += found.iter().filter(|&&row| expected.last().is_some_and(|&last| exact[row] <= last)).count();
        wanted += expected.len();
    }
    right as f64 / wanted as f64
}

fn demand(name: &str, store: &Store, vectors: &[Vec<f32>], questions: &[Vec<f32>]) {
    for percent in [100, 30, 10, 3, 1] {
        let recall = recall(store, vectors, questions, percent);
        assert!(recall >= 0.99 || cfg!(miri), "{name}, {percent} % pass: {recall}");
    }
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
        let questions: Vec<Vec<f32>> = (0..rounds)
            .map(|_| {
                let near = &vectors[random.below(count as u64) as usize];
                near.iter().map(|x| x + random.unit() / 2.0).collect()
            })
            .collect();
        demand(&format!("{topics} topics"), &store, &vectors, &questions);
    }
}

/// A text is about one topic, and touches two of a thousand subjects, of which topics are some. Asked is for other topics
/// than those of the namespace: what is near has a subject in common with the question, or is all of a topic that is one.
#[test]
fn questions_about_something_else() {
    let (count, lists, rounds, dim) = if cfg!(miri) { (60, 4, 1, 16) } else { (10_000, 90, 60, 384) };
    let (subjects, topics, here) = (1_000_usize, 300, 30);
    let mut random = Random(31);
    for shift in [0.0, 0.4] {
        let subject: Vec<Vec<f32>> =
            (0..subjects).map(|_| unit((0..dim).map(|_| random.unit() + shift).collect())).collect();
        let mut text = |first: usize, topics: usize| {
            let topic = &subject[first + random.below(topics as u64) as usize];
            let [a, b] = [(); 2].map(|()| &subject[random.below(subjects as u64) as usize]);
            let touched = unit(a.iter().zip(b).map(|(a, b)| a + b).collect());
            unit(topic.iter().zip(&touched).map(|(topic, touched)| 2.0 * topic + touched).collect())
        };
        let vectors: Vec<Vec<f32>> = (0..count).map(|_| text(0, here)).collect();
        let questions: Vec<Vec<f32>> = (0..rounds).map(|_| text(here, topics - here)).collect();
        let store = Store::new(20_000);
        build(&store, Metric::Cosine, &vectors, lists);
        demand(&format!("shifted by {shift}"), &store, &vectors, &questions);
    }
}

fn unit(vector: Vec<f32>) -> Vec<f32> {
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter().map(|x| x / norm).collect()
}
