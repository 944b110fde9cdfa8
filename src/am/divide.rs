//! Giving large namespaces lists while an index is built, and threads for the arithmetic of it.
//!
//! Rows come namespace by namespace. They are kept until it is known how many there are: those of a small namespace go on
//! as they are; of a large one a sample gives the centroids, and its rows pass a second sort, by list.

use index::key::{FIRST_LIST, Key, PLAIN};
use index::lists::{Centroids, ROUNDS, SAMPLES_PER_LIST, SCALE, Training, assign, list_count};
use index::page::{Entry, leaf_capacity};
use index::sample::Sample;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReportable;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::build::{TRAINING, WRITING, phase};
use super::checked;
use super::shape::Shape;
use super::sorter::{By, Part, Sorter};
use super::spool::Spool;
use crate::error::internal;

/// What gives large namespaces their lists.
pub struct Lists {
    shape: Shape,
    /// Rows from which a namespace gets lists.
    from: usize,
    /// The namespace whose rows are on their way.
    spool: Option<Spool>,
    pool: Option<ThreadPool>,
}

impl Lists {
    /// Lists for namespaces of at least `from` rows.
    pub fn new(shape: Shape, from: usize) -> Self {
        Self { shape, from, spool: None, pool: None }
    }

    /// Hands an entry on to `add`, or keeps it until its namespace is complete.
    pub fn sort_out(&mut self, entry: Entry<'_>, add: &mut impl FnMut(Entry<'_>)) {
        let key = Key { dim: entry.code.len() as u16, id: entry.id };
        if self.spool.as_ref().is_none_or(|spool| spool.key != key) {
            self.finish(add);
            if key.list() != PLAIN {
                return add(entry);
            }
            match &mut self.spool {
                Some(spool) if spool.key.dim == key.dim => spool.restart(key),
                spool => *spool = Some(Spool::new(key, self.shape.metric.factors(), quarter_of_memory())),
            }
        }
        if let Some(spool) = &mut self.spool {
            spool.put(entry);
        }
    }

    /// Hands the entries of the namespace that is complete to `add`, in the order of the index.
    pub fn finish(&mut self, add: &mut impl FnMut(Entry<'_>)) {
        let Some(spool) = &mut self.spool else { return };
        let key = spool.key;
        if spool.len() < self.from {
            spool.read(|chunk| chunk.entries(key.id).for_each(&mut *add));
        } else {
            phase(TRAINING);
            let pool = self.pool.get_or_insert_with(pool);
            let centroids = train(&self.shape, pool, spool);
            let mut sorter = divide(pool, &centroids, spool);
            sorter.sort();
            phase(WRITING);
            let written = centroids.entries(kernels::best(), key, FIRST_LIST, &mut *add);
            // SAFETY: the index that is built is open.
            unsafe { checked(self.shape.relation, written) };
            sorter.read(self.shape.metric.factors(), add);
            sorter.end();
        }
        let empty = Key { dim: key.dim, ..Key::MAX };
        spool.restart(empty);
    }
}

/// Finds the centroids of a namespace.
fn train(shape: &Shape, pool: &ThreadPool, spool: &mut Spool) -> Centroids {
    let dim = spool.key.dim;
    let lists = list_count(spool.len(), leaf_capacity(usize::from(dim), shape.metric.factors()));
    let fits = Sample::fitting(quarter_of_memory(), dim);
    let mut sample = Sample::new((lists * SAMPLES_PER_LIST).min(fits).max(lists));
    spool.read(|chunk| {
        pgrx::check_for_interrupts!();
        chunk.entries(0).for_each(|entry| sample.offer(&entry));
    });
    let Sample { codes, scales, .. } = sample;
    let mut training = Training::new(kernels::best(), shape.metric, usize::from(dim), codes, scales, lists);
    for _ in 0..ROUNDS {
        pgrx::check_for_interrupts!();
        pool.install(|| training.round());
    }
    training.finish()
}

/// Passes the rows of a namespace to a sort by list.
fn divide(pool: &ThreadPool, centroids: &Centroids, spool: &mut Spool) -> Sorter {
    let mut sorter = Sorter::new(By::List, quarter_of_memory(), Part::Whole);
    let (dim, space) = (spool.key.dim, spool.key.space());
    spool.read(|chunk| {
        pgrx::check_for_interrupts!();
        let lists = pool.install(|| assign(kernels::best(), centroids, &chunk.codes, &chunk.factor(SCALE)));
        for (entry, list) in chunk.entries(0).zip(lists) {
            sorter.put(Entry { id: Key::new(dim, space, list).id, ..entry });
        }
    });
    sorter
}

/// What a build or a vacuum may take of memory, in bytes.
pub fn memory() -> usize {
    // SAFETY: a setting, read on the main thread.
    usize::try_from(unsafe { pg_sys::maintenance_work_mem }).unwrap_or(0) * 1024
}

/// A sample may take so much, and so may rows that are kept, or that are sorted by list.
pub fn quarter_of_memory() -> usize {
    memory() / 4
}

/// Threads for arithmetic, which signals to this process do not reach.
pub fn pool() -> ThreadPool {
    // SAFETY: a setting, read on the main thread.
    let workers = usize::try_from(unsafe { pg_sys::max_parallel_maintenance_workers }).unwrap_or(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(workers + 1);
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
