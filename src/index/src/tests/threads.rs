//! Inserters, searchers and a vacuum at once: nobody waits for ever, no search misses a row that was there before it
//! began and after it ended, and in the end everything is in its place.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::{Random, add, planted, query};
use crate::check::census;
use crate::code::Metric;
use crate::key::{Space, Span};
use crate::scan::Scan;
use crate::vacuum::{shrink, sweep};

const SPACES: u64 = 5;
/// Rows with this bit are removed by the vacuum.
const DYING: u64 = 1 << 40;

#[test]
fn everybody_at_once() {
    let per_thread: u64 = if cfg!(miri) { 30 } else { 6_000 };
    let store = planted(10_000, Metric::Cosine);
    let done = AtomicBool::new(false);
    let written: Vec<AtomicU64> = (0..2).map(|_| AtomicU64::new(0)).collect();
    std::thread::scope(|scope| {
        for (thread, written) in written.iter().enumerate() {
            let store = &store;
            scope.spawn(move || {
                let mut random = Random(thread as u64 + 1);
                for n in 0..per_thread {
                    let dying = if n % 2 == 0 { DYING } else { 0 };
                    let row = dying | (thread as u64) << 39 | n << 16 | 1;
                    add(store, Metric::Cosine, n % SPACES, row, Some(&random.vector(300)));
                    written.store(n + 1, Ordering::Release);
                }
            });
        }
        let vacuum = scope.spawn(|| {
            let mut rounds = 0;
            while !done.load(Ordering::Acquire) {
                let mut swept = sweep(&store, |row| row & DYING != 0).unwrap();
                shrink(&store, &mut swept).unwrap();
                rounds += 1;
            }
            rounds
        });
        let mut random = Random(99);
        let mut searches = 0;
        loop {
            let before: Vec<u64> = written.iter().map(|written| written.load(Ordering::Acquire)).collect();
            let space = random.below(SPACES);
            let span = Span { first: Space(space), last: Space(space) };
            let mut scan = Scan::new(kernels::best(), vec![span], Some(query(Metric::Cosine, &random.vector(300))));
            let mut found = HashSet::new();
            while let Some(hit) = scan.next(&store).unwrap() {
                assert!(found.insert(hit.row), "a row is found once");
                assert_eq!((hit.row >> 16 & 0x7F_FFFF) % SPACES, space);
            }
            for (thread, &count) in before.iter().enumerate() {
                for n in (0..count).filter(|n| n % 2 == 1 && n % SPACES == space) {
                    assert!(found.contains(&((thread as u64) << 39 | n << 16 | 1)), "row {n} of {count} is missing");
                }
            }
            searches += 1;
            if before.iter().all(|&count| count == per_thread) {
                break;
            }
        }
        done.store(true, Ordering::Release);
        assert!(searches > 1 && vacuum.join().unwrap() > 0);
    });
    let mut swept = sweep(&store, |row| row & DYING != 0).unwrap();
    shrink(&store, &mut swept).unwrap();
    assert_eq!(swept.kept, per_thread);
    assert_eq!(census(&store, |_, _| {}).unwrap().rows, per_thread);
}
