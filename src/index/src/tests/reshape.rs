//! Lists keep in shape while a namespace grows and shrinks, and nobody misses a row meanwhile.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::store::Store;
use super::{Random, distance, planted, query};
use crate::check::{Census, census};
use crate::code::{Code, Metric};
use crate::key::{Key, PLAIN, Space, Span};
use crate::lists::Training;
use crate::page::Entry;
use crate::reshape::{Reshaped, Settings, reshape};
use crate::route;
use crate::scan::Scan;
use crate::vacuum::{shrink, sweep};

/// Large vectors fill the pages of several lists with few rows.
const DIM: usize = if cfg!(miri) { 1000 } else { 64 };
const METRIC: Metric = Metric::Cosine;
const LISTS_FROM: usize = if cfg!(miri) { 70 } else { 3000 };
/// About as many rows as five leaves hold, which a list should fill.
const PER_LIST: u64 = if cfg!(miri) { 35 } else { 500 };

fn add(store: &Store, space: u64, row: u64, vector: &[f32]) {
    let mut code = Code::default();
    code.encode(kernels::best(), METRIC, vector).unwrap();
    let id = Key::new(vector.len() as u16, Space(space), PLAIN).id;
    route::add(store, kernels::best(), METRIC, Entry { id, row, factors: code.factors(), code: code.bytes() }).unwrap();
}

/// What a vacuum does.
fn vacuum(store: &Store, dead: impl FnMut(u64) -> bool) -> Reshaped {
    let mut swept = sweep(store, dead).unwrap();
    shrink(store, &mut swept).unwrap();
    let settings = Settings {
        kernels: kernels::best(),
        metric: METRIC,
        lists_from: LISTS_FROM,
        sample_bytes: 1 << 20,
        round: &Training::round,
    };
    reshape(store, &settings, &swept.listed).unwrap()
}

fn clustered(random: &mut Random, centres: &[Vec<f32>]) -> Vec<f32> {
    let centre = &centres[random.below(centres.len() as u64) as usize];
    centre.iter().map(|x| x + random.unit() / 2.0).collect()
}

fn one(space: u64) -> Vec<Span> {
    vec![Span { first: Space(space), last: Space(space) }]
}

/// The part of the ten nearest that a search finds first, and the rows that it reads for it, as parts of all.
fn search(store: &Store, vectors: &[Option<Vec<f32>>], random: &mut Random) -> f64 {
    let rounds = if cfg!(miri) { 2 } else { 40 };
    let mut right = 0;
    for _ in 0..rounds {
        let near = loop {
            if let Some(vector) = &vectors[random.below(vectors.len() as u64) as usize] {
                break vector;
            }
        };
        let q: Vec<f32> = near.iter().map(|x| x + random.unit() / 4.0).collect();
        let mut exact: Vec<(f64, u64)> = vectors
            .iter()
            .enumerate()
            .filter_map(|(i, vector)| Some((distance(kernels::best(), METRIC, &q, vector.as_ref()?), (i as u64) << 16)))
            .collect();
        exact.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut scan = Scan::new(kernels::best(), one(1), Some(query(METRIC, &q)));
        let found: HashSet<u64> = (0..30).map_while(|_| scan.next(store).unwrap()).map(|hit| hit.row).collect();
        right += exact.iter().take(10).filter(|(_, row)| found.contains(row)).count();
    }
    right as f64 / (rounds * 10) as f64
}

fn all_rows(store: &Store, space: u64) -> HashSet<u64> {
    let mut scan = Scan::new(kernels::best(), one(space), Some(query(METRIC, &[1.0; DIM])));
    let mut found = HashSet::new();
    while let Some(hit) = scan.next(store).unwrap() {
        assert!(found.insert(hit.row), "a row is found once");
    }
    found
}

fn sound(store: &Store, rows: usize) -> Census {
    let all = census(store, |_, _| {}).unwrap();
    assert_eq!(all.rows, rows as u64);
    assert_eq!(all.blocks.len() + 1 + store.free_pages(), store.len() as usize, "no page is lost");
    all
}

#[test]
fn lists_come_and_go_with_the_rows() {
    let steps: &[usize] = if cfg!(miri) { &[40, 150] } else { &[2000, 4000, 10_000, 40_000] };
    let mut random = Random(11);
    let store = planted(20_000, METRIC);
    let centres: Vec<Vec<f32>> = (0..400).map(|_| random.vector(DIM)).collect();
    let mut vectors: Vec<Option<Vec<f32>>> = Vec::new();
    for &rows in steps {
        while vectors.len() < rows {
            let vector = clustered(&mut random, &centres);
            add(&store, 1, (vectors.len() as u64) << 16, &vector);
            vectors.push(Some(vector));
        }
        let recall = search(&store, &vectors, &mut random);
        assert!(recall > 0.95 || cfg!(miri), "{recall} of the nearest of {rows} before the vacuum");
        vacuum(&store, |_| false);
        let all = sound(&store, rows);
        let most = rows as u64 * 2 / PER_LIST;
        let expected = if rows < LISTS_FROM { 0..=0 } else { most / 4..=most };
        assert!(expected.contains(&all.lists), "{} lists for {rows} rows", all.lists);
        let recall = search(&store, &vectors, &mut random);
        assert!(recall > 0.95 || cfg!(miri), "{recall} of the nearest of {rows}");
        assert_eq!(all_rows(&store, 1).len(), rows);
        assert_eq!(vacuum(&store, |_| false).made, 0, "what is in shape is left alone");
    }
    let grown = store.len();
    for keep in [10, 100, 1000] {
        let mut left = 0;
        for (i, vector) in vectors.iter_mut().enumerate() {
            *vector = vector.take().filter(|_| i % keep == 0);
            left += usize::from(vector.is_some());
        }
        vacuum(&store, |row| !((row >> 16) as usize).is_multiple_of(keep));
        let all = sound(&store, left);
        let most = if cfg!(miri) { 3 } else { 1 + left as u64 * 2 / PER_LIST };
        assert!(all.lists >= 1 && all.lists <= most, "{} lists for {left} rows", all.lists);
        assert_eq!(all_rows(&store, 1).len(), left);
        assert!(search(&store, &vectors, &mut random) > 0.95 || cfg!(miri));
    }
    assert!(store.free_pages() as u32 > grown * 9 / 10 || cfg!(miri), "pages are given back");
    vacuum(&store, |_| true);
    assert_eq!(sound(&store, 0).lists, 1);
    add(&store, 1, 7, &centres[0]);
    assert_eq!(all_rows(&store, 1).len(), 1);
}

/// Lists that come while a search is on its way move the rows that it has given out as well as those that it has not.
#[test]
fn lists_that_come_during_a_search() {
    let mut random = Random(21);
    let store = planted(4000, METRIC);
    let centres: Vec<Vec<f32>> = (0..30).map(|_| random.vector(DIM)).collect();
    for i in 0..LISTS_FROM as u64 - 1 {
        add(&store, 1, i << 16, &clustered(&mut random, &centres));
    }
    let scan = || Scan::new(kernels::best(), one(1), Some(query(METRIC, &centres[0])));
    let mut searches: Vec<(Scan, HashSet<u64>)> = Vec::new();
    for rows in [1, 10, 100, 255, 256, 257, 1000, 2000].into_iter().filter(|&rows| rows < LISTS_FROM) {
        let mut scan = scan();
        let found = (0..rows).map(|_| scan.next(&store).unwrap().unwrap().row).collect();
        searches.push((scan, found));
    }
    for i in 0..20 {
        add(&store, 1, (LISTS_FROM as u64 + i) << 16, &random.vector(DIM));
    }
    assert!(vacuum(&store, |_| false).made > 1);
    for (mut scan, mut found) in searches {
        let given = found.len();
        while let Some(hit) = scan.next(&store).unwrap() {
            assert!(found.insert(hit.row), "a row is found once, also behind {given}");
        }
        assert!((0..LISTS_FROM as u64 - 1).all(|i| found.contains(&(i << 16))), "no row is left out behind {given}");
    }
}

/// Each change of pages may be the last one before a crash: what is left is sound and complete, and goes on from there.
#[test]
fn an_end_at_any_moment_loses_nothing() {
    let rows = if cfg!(miri) { 110 } else { LISTS_FROM + 200 };
    let mut random = Random(5);
    // The interpreter has time for one vacuum that is cut short and one that is not.
    let stops = if cfg!(miri) { vec![90, u32::MAX] } else { (1..100).map(|n| n * 173).collect() };
    for stop in stops {
        let store = planted(4000, METRIC);
        let centres: Vec<Vec<f32>> = (0..30).map(|_| random.vector(DIM)).collect();
        for i in 0..rows {
            add(&store, 1, (i as u64) << 16, &clustered(&mut random, &centres));
        }
        store.fail_after(stop);
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| vacuum(&store, |_| false))).is_ok();
        store.recover();
        assert_eq!(census(&store, |_, _| {}).unwrap().rows, rows as u64, "after {stop} changes");
        assert_eq!(all_rows(&store, 1).len(), rows);
        for i in rows..rows + 50 {
            add(&store, 1, (i as u64) << 16, &clustered(&mut random, &centres));
        }
        vacuum(&store, |_| false);
        vacuum(&store, |_| false);
        assert_eq!(census(&store, |_, _| {}).unwrap().rows, rows as u64 + 50);
        assert_eq!(all_rows(&store, 1).len(), rows + 50);
        if ended {
            return;
        }
    }
    panic!("no vacuum came to its end");
}

/// Searches find every row that was there before they began, while rows come, go, and move between lists.
#[test]
fn everybody_at_once() {
    let per_thread: u64 = if cfg!(miri) { 100 } else { 12_000 };
    let store = planted(30_000, METRIC);
    let done = AtomicBool::new(false);
    let written: Vec<AtomicU64> = (0..2).map(|_| AtomicU64::new(0)).collect();
    let mut moved = 0;
    std::thread::scope(|scope| {
        for (thread, written) in written.iter().enumerate() {
            let store = &store;
            scope.spawn(move || {
                let mut random = Random(thread as u64 + 1);
                let centres: Vec<Vec<f32>> = (0..50).map(|_| random.vector(DIM)).collect();
                for n in 0..per_thread {
                    add(store, n % 2, (thread as u64) << 39 | n << 16 | 1, &clustered(&mut random, &centres));
                    written.store(n + 1, Ordering::Release);
                }
            });
        }
        let vacuum = scope.spawn(|| {
            let mut moved = 0;
            while !done.load(Ordering::Acquire) {
                // Three in four are removed in the end, so that lists are put together, too.
                let late = written[0].load(Ordering::Acquire) > per_thread / 2;
                moved += vacuum(&store, |row| late && row >> 16 & 4 != 0).moved;
            }
            moved
        });
        let mut random = Random(99);
        loop {
            let before: Vec<u64> = written.iter().map(|written| written.load(Ordering::Acquire)).collect();
            let space = random.below(2);
            let mut scan = Scan::new(kernels::best(), one(space), Some(query(METRIC, &random.vector(DIM))));
            let mut found = HashSet::new();
            while let Some(hit) = scan.next(&store).unwrap() {
                assert!(found.insert(hit.row), "a row is found once");
            }
            for (thread, &count) in before.iter().enumerate() {
                for n in (0..count).filter(|n| n % 2 == space && n & 4 == 0) {
                    assert!(found.contains(&((thread as u64) << 39 | n << 16 | 1)), "row {n} of {count} is missing");
                }
            }
            if before.iter().all(|&count| count == per_thread) {
                break;
            }
        }
        done.store(true, Ordering::Release);
        moved = vacuum.join().unwrap();
    });
    assert!(moved > 0 || cfg!(miri), "lists were reshaped meanwhile");
    vacuum(&store, |row| row >> 16 & 4 != 0);
    let left = (0..per_thread).filter(|n| n & 4 == 0).count() * 2;
    sound(&store, left);
}
