//! Giving large namespaces lists while an index is built, and threads for the arithmetic of it.

use std::collections::HashMap;

use index::key::{FIRST_LIST, Key, PLAIN, list_of};
use index::lists::{Centroids, ROUNDS, SAMPLES_PER_LIST, SCALE, Training, assign, list_count};
use index::page::{Entry, as_codes, leaf_capacity};
use index::sample::Sample;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReportable;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::build::Sorter;
use super::checked;
use super::shape::Shape;
use crate::error::internal;

/// Rows whose lists are found at once, by all threads.
const BATCH: usize = 8192;

/// The large namespaces of an index with their centroids, and the one whose rows are on their way.
pub struct Lists {
    shape: Shape,
    pool: ThreadPool,
    centroids: HashMap<Key, Centroids>,
    current: Option<Division>,
}

/// The rows of a namespace on their way into lists.
struct Division {
    key: Key,
    sorter: Sorter,
    rows: Vec<u64>,
    factors: Vec<f32>,
    codes: Vec<i8>,
}

impl Lists {
    /// Finds the centroids of all namespaces that have a size.
    pub fn train(shape: &Shape, sizes: &HashMap<Key, usize>, sorted: &mut Sorter) -> Self {
        let pool = pool();
        let mut centroids = HashMap::new();
        let mut sample: Option<(Key, usize, Sample)> = None;
        let mut end = |sample: &mut Option<(Key, usize, Sample)>| {
            if let Some((key, lists, Sample { codes, scales, .. })) = sample.take() {
                let mut training =
                    Training::new(kernels::best(), shape.metric, usize::from(key.dim), codes, scales, lists);
                for _ in 0..ROUNDS {
                    pgrx::check_for_interrupts!();
                    pool.install(|| training.round());
                }
                centroids.insert(key, training.finish());
            }
        };
        sorted.read(shape.metric.factors(), |entry| {
            let key = Key { dim: entry.code.len() as u16, id: entry.id };
            if sample.as_ref().is_none_or(|&(current, ..)| current != key) {
                end(&mut sample);
                sample = sizes.get(&key).map(|&size| {
                    let lists = list_count(size, leaf_capacity(usize::from(key.dim), shape.metric.factors()));
                    let fits = Sample::fitting(sample_bytes(), key.dim);
                    (key, lists, Sample::new((lists * SAMPLES_PER_LIST).min(fits).max(lists)))
                });
            }
            if let Some((.., sample)) = &mut sample {
                sample.offer(&entry);
            }
        });
        end(&mut sample);
        Self { shape: *shape, pool, centroids, current: None }
    }

    /// Hands an entry on to `add`, or keeps it until its namespace is complete.
    pub fn sort_out(&mut self, entry: Entry<'_>, add: &mut impl FnMut(Entry<'_>)) {
        let key = Key { dim: entry.code.len() as u16, id: entry.id };
        if self.current.as_ref().is_none_or(|division| division.key != key) {
            self.finish(add);
            if list_of(entry.id) != PLAIN || !self.centroids.contains_key(&key) {
                return add(entry);
            }
            self.current = Some(Division {
                key,
                sorter: Sorter::new(false),
                rows: Vec::new(),
                factors: Vec::new(),
                codes: Vec::new(),
            });
        }
        if let Some(division) = &mut self.current {
            division.rows.push(entry.row);
            division.factors.extend(entry.factors);
            division.codes.extend(as_codes(entry.code));
            if division.rows.len() == BATCH {
                division.divide(&self.pool, &self.centroids[&key], self.shape.metric.factors());
            }
        }
    }

    /// Hands the entries of the namespace that is complete to `add`, centroids first.
    pub fn finish(&mut self, add: &mut impl FnMut(Entry<'_>)) {
        let Some(mut division) = self.current.take() else { return };
        let (centroids, factors) = (&self.centroids[&division.key], self.shape.metric.factors());
        division.divide(&self.pool, centroids, factors);
        let written = centroids.entries(kernels::best(), division.key, FIRST_LIST, &mut *add);
        // SAFETY: the index that is built is open.
        unsafe { checked(self.shape.relation, written) };
        division.sorter.sort();
        division.sorter.read(factors, add);
        division.sorter.end();
    }
}

impl Division {
    /// Finds the lists of the rows that have come together, and passes them to the sort.
    fn divide(&mut self, pool: &ThreadPool, centroids: &Centroids, factors: usize) {
        pgrx::check_for_interrupts!();
        let Self { key, sorter, rows, factors: known, codes } = self;
        let scales: Vec<f32> = known.chunks_exact(factors).map(|factors| factors[SCALE]).collect();
        let lists = pool.install(|| assign(kernels::best(), centroids, codes, &scales));
        let dim = usize::from(key.dim);
        let code = zerocopy::IntoBytes::as_bytes(codes.as_slice());
        for (i, (&row, &list)) in rows.iter().zip(&lists).enumerate() {
            let key = Key::new(key.dim, key.space(), list);
            let entry =
                Entry { id: key.id, row, factors: &known[i * factors..][..factors], code: &code[i * dim..][..dim] };
            sorter.put(key, entry);
        }
        rows.clear();
        known.clear();
        codes.clear();
    }
}

/// Memory that a sample may take.
pub fn sample_bytes() -> usize {
    // SAFETY: a setting, read on the main thread.
    usize::try_from(unsafe { pg_sys::maintenance_work_mem }).unwrap_or(0) * 1024 / 4
}

/// Threads for arithmetic, which signals to this process do not reach.
pub fn pool() -> ThreadPool {
    // SAFETY: a setting, read on the main thread.
    let helpers = usize::try_from(unsafe { pg_sys::max_parallel_maintenance_workers }).unwrap_or(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(helpers + 1);
    // A thread inherits the mask of signals from the one that starts it.
    // SAFETY: the mask is restored before anything else happens.
    let pool = unsafe {
        pg_sys::BackgroundWorkerBlockSignals();
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        pg_sys::BackgroundWorkerUnblockSignals();
        pool
    };
    pool.map_err(internal).unwrap_or_report()
}
