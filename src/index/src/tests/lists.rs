//! Lists: a search finds what it should at first, and everything in the end.

use std::collections::HashSet;

use super::store::Store;
use super::{Random, distance, query};
use crate::check::census;
use crate::code::{Code, Metric};
use crate::key::{FIRST_LIST, Key, PLAIN, Space, Span};
use crate::lists::{ROUNDS, SCALE, Training, assign};
use crate::load::{Loader, Sink};
use crate::page::{Entry, Page};
use crate::route;
use crate::scan::{Distance, Scan};
use crate::vacuum::{shrink, sweep};

const DIM: usize = 32;
pub const SPACE: Space = Space(77);

struct Into<'a>(&'a Store);

impl Sink for Into<'_> {
    fn write(&mut self, block: u32, page: &Page) {
        self.0.write(block, page);
    }
}

/// Vectors around some centres, as embeddings are.
pub fn vectors(random: &mut Random, count: usize, centres: usize) -> Vec<Vec<f32>> {
    let centres: Vec<Vec<f32>> = (0..centres).map(|_| random.vector(DIM)).collect();
    (0..count)
        .map(|_| {
            let centre = &centres[random.below(centres.len() as u64) as usize];
            centre.iter().map(|x| x + random.unit() / 2.0).collect()
        })
        .collect()
}

fn coded(metric: Metric, vector: &[f32]) -> Code {
    let mut code = Code::default();
    code.encode(kernels::best(), metric, vector).unwrap();
    code
}

/// Builds an index of one namespace, beside a small one without lists.
pub fn build(store: &Store, metric: Metric, vectors: &[Vec<f32>], lists: usize) {
    let dim = vectors[0].len();
    let codes: Vec<Code> = vectors.iter().map(|vector| coded(metric, vector)).collect();
    let all: Vec<i8> = codes.iter().flat_map(|code| code.codes.iter().copied()).collect();
    let scales: Vec<f32> = codes.iter().map(|code| code.factors()[SCALE]).collect();
    let mut training = Training::new(kernels::best(), metric, dim, all.clone(), scales.clone(), lists);
    (0..ROUNDS).for_each(|_| training.round());
    let centroids = training.finish();
    assert_eq!(centroids.len(), lists.min(vectors.len()));
    let mut loader = Loader::new(Into(store), metric.factors(), 100);
    let plain = Key::new(dim as u16, Space(5), PLAIN);
    for (row, code) in codes.iter().enumerate().take(700) {
        let entry =
            Entry { id: plain.id, row: 1 << 40 | (row as u64) << 16, factors: code.factors(), code: code.bytes() };
        loader.add(entry).unwrap();
    }
    let key = Key::new(dim as u16, SPACE, PLAIN);
    centroids.entries(kernels::best(), key, FIRST_LIST, |entry| loader.add(entry).unwrap()).unwrap();
    let mut places: Vec<(u16, usize)> =
        assign(kernels::best(), &centroids, &all, &scales).into_iter().enumerate().map(|(i, list)| (list, i)).collect();
    places.sort_unstable();
    for (list, row) in places {
        let (id, code) = (Key::new(dim as u16, SPACE, list).id, &codes[row]);
        loader.add(Entry { id, row: (row as u64) << 16, factors: code.factors(), code: code.bytes() }).unwrap();
    }
    loader.finish();
}

fn search(store: &Store, metric: Metric, spans: Vec<Span>, q: &[f32], limit: usize) -> Vec<(u64, Distance)> {
    let mut scan = Scan::new(kernels::best(), spans, Some(query(metric, q)));
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(hit) = scan.next(store).unwrap()
    {
        found.push((hit.row, hit.distance));
    }
    found
}

#[test]
fn finds_the_nearest_and_in_the_end_all() {
    let (count, lists) = if cfg!(miri) { (60, 4) } else { (20_000, 40) };
    for metric in [Metric::Cosine, Metric::InnerProduct, Metric::L2] {
        let mut random = Random(3);
        let mut vectors = vectors(&mut random, count, 300);
        let store = Store::new(20_000);
        build(&store, metric, &vectors, lists);
        let one = Span { first: SPACE, last: SPACE };
        let small = Span { first: Space(5), last: Space(5) };

        // Rows that come later go to lists.
        let later: Vec<Vec<f32>> = (0..count / 10).map(|i| vectors[i].iter().map(|x| x * 1.01).collect()).collect();
        for vector in later {
            let code = coded(metric, &vector);
            let key = Key::new(DIM as u16, SPACE, PLAIN);
            let row = (vectors.len() as u64) << 16;
            let entry = Entry { id: key.id, row, factors: code.factors(), code: code.bytes() };
            route::add(&store, kernels::best(), metric, entry).unwrap();
            vectors.push(vector);
        }
        let small_key = Key::new(DIM as u16, Space(5), PLAIN);
        let none = route::choose(&store, kernels::best(), metric, small_key, &[1; DIM], 1.0);
        assert_eq!(none.unwrap(), None);
        assert_eq!(census(&store, |_, _| {}).unwrap().lists, lists as u64);

        let mut right = 0;
        let rounds = if cfg!(miri) { 1 } else { 50 };
        for _ in 0..rounds {
            let near = &vectors[random.below(vectors.len() as u64) as usize];
            let q: Vec<f32> = near.iter().map(|x| x + random.unit() / 8.0).collect();
            let exact = |row: u64| distance(kernels::best(), metric, &q, &vectors[(row >> 16) as usize]);
            let mut expected: Vec<u64> = (0..vectors.len() as u64).map(|i| i << 16).collect();
            expected.sort_by(|&a, &b| exact(a).total_cmp(&exact(b)));
            let found: HashSet<u64> = search(&store, metric, vec![one], &q, 30).iter().map(|&(row, _)| row).collect();
            right += expected[..10].iter().filter(|row| found.contains(row)).count();

            let all = search(&store, metric, vec![one], &q, usize::MAX);
            assert_eq!(all.len(), vectors.len(), "no row is left out");
            assert_eq!(all.iter().map(|&(row, _)| row).collect::<HashSet<_>>().len(), vectors.len());
            for (row, bound) in all {
                assert!(matches!(bound, Distance::AtLeast(bound) if f64::from(bound) <= exact(row)));
            }
            assert_eq!(search(&store, metric, vec![one, small], &q, usize::MAX).len(), vectors.len() + count.min(700));
        }
        assert!(right * 100 >= rounds * 10 * 95 || cfg!(miri), "{metric:?}: {right} of {} were found", rounds * 10);

        let mut swept = sweep(&store, |row| row < 1 << 40 && row >> 16 & 1 == 1).unwrap();
        shrink(&store, &mut swept).unwrap();
        let left = search(&store, metric, vec![one], &vectors[0], usize::MAX);
        assert_eq!(left.len(), vectors.len().div_ceil(2));
        let everything = search(&store, metric, vec![Span::ALL], &vectors[0], usize::MAX);
        assert_eq!(everything.len() as u64, census(&store, |_, _| {}).unwrap().rows);
    }
}

/// The ten nearest, and how many of them a search for ten finds; and how many lists it reads.
fn recall(store: &Store, vectors: &[Vec<f32>], random: &mut Random, metric: Metric, rounds: usize) -> (f64, f64) {
    let (mut right, mut lists) = (0, 0);
    for _ in 0..rounds {
        let near = &vectors[random.below(vectors.len() as u64) as usize];
        let q: Vec<f32> = near.iter().map(|x| x + random.unit() / 2.0).collect();
        let exact = |row: u64| distance(kernels::best(), metric, &q, &vectors[(row >> 16) as usize]);
        let mut expected: Vec<u64> = (0..vectors.len() as u64).map(|i| i << 16).collect();
        expected.sort_by(|&a, &b| exact(a).total_cmp(&exact(b)));
        let mut scan = Scan::new(kernels::best(), vec![Span { first: SPACE, last: SPACE }], Some(query(metric, &q)));
        let found: HashSet<u64> = (0..20).map_while(|_| scan.next(store).unwrap()).map(|hit| hit.row).collect();
        right += expected[..10].iter().filter(|row| found.contains(row)).count();
        lists += scan.lists_read();
    }
    (right as f64 / (rounds * 10) as f64, lists as f64 / rounds as f64)
}

/// Where vectors have no structure, nearly all lists are read; where they have, few.
#[test]
fn as_many_lists_as_it_takes() {
    let (count, lists, rounds) = if cfg!(miri) { (60, 4, 1) } else { (20_000, 100, 60) };
    for metric in [Metric::Cosine, Metric::InnerProduct, Metric::L2] {
        let mut random = Random(13);
        let shapeless: Vec<Vec<f32>> = (0..count).map(|_| random.vector(DIM)).collect();
        let shaped = vectors(&mut random, count, 100);
        let mut read = Vec::new();
        for vectors in [shapeless, shaped] {
            let store = Store::new(20_000);
            build(&store, metric, &vectors, lists);
            let (found, lists) = recall(&store, &vectors, &mut random, metric, rounds);
            assert!(found >= 0.985 || cfg!(miri), "{metric:?}: {found} of the nearest with {lists} lists");
            read.push(lists);
        }
        assert!(read[1] < read[0] * 0.6 || cfg!(miri), "{metric:?}: {read:?} lists");
    }
}

/// Rows come in the order of their bounds, and none is left out; both at once where the search has to be exact.
#[test]
fn in_order() {
    let (count, lists, rounds, limit) = if cfg!(miri) { (60, 4, 1, 20) } else { (20_000, 40, 40, 1000) };
    let mut random = Random(17);
    let vectors = vectors(&mut random, count, 200);
    let store = Store::new(20_000);
    build(&store, Metric::Cosine, &vectors, lists);
    let span = Span { first: SPACE, last: SPACE };
    let mut late = 0;
    for _ in 0..rounds {
        let near = &vectors[random.below(count as u64) as usize];
        let q: Vec<f32> = near.iter().map(|x| x + random.unit() / 4.0).collect();
        let bounds = |mut scan: Scan| -> Vec<f32> {
            let hits = std::iter::from_fn(|| scan.next(&store).unwrap());
            hits.map(|hit| match hit.distance {
                Distance::AtLeast(bound) => bound,
                _ => panic!("every row has a distance"),
            })
            .collect()
        };
        let new = || Scan::new(kernels::best(), vec![span], Some(query(Metric::Cosine, &q)));
        let exact = bounds(new().exactly());
        assert!(exact.len() == count && exact.is_sorted(), "the order is exact");
        let usual = bounds(new());
        assert_eq!(usual.len(), count);
        assert!(usual[..limit].is_sorted(), "the order is exact as long as there are further rows");
        let end = (1..count).find(|&i| usual[i] < usual[i - 1]).unwrap_or(count);
        assert!(usual[end..].is_sorted(), "rows that were found late come last");
        late += count - end;
        // Whoever reads few lists at first finds many rows late.
        let hasty = bounds(new().with_probes(1));
        assert!(hasty.len() == count && hasty[..limit].is_sorted());
    }
    assert!(late * 500 < rounds * count, "{late} rows were late in {rounds} searches of all {count}");
}
