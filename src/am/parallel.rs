//! Reading a table for a build by several processes at once.
//!
//! The process that builds asks PostgreSQL for workers, and how many there may be is PostgreSQL's choice: by the size of
//! the table, `max_parallel_maintenance_workers`, and 32 MB of `maintenance_work_mem` for each. All of them, the builder
//! too, take blocks of the table as they come free, code their rows, and put what they have into order in temporary
//! files. When all have ended, the builder alone merges these files, gives namespaces their lists and writes the pages.
//!
//! What they share lies in a segment of memory that ends with the build: what to read, the state of the common scan and
//! of the common sort, and what each has counted. A worker that fails ends the build with its error.

use std::ffi::{CStr, c_char, c_void};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::build::{Collector, Found};
use super::divide::memory;
use super::shape::Shape;
use super::sorter::{By, Part, Sorter};

/// What lies in the segment. PostgreSQL's own keys there have the upper bits set.
const SHARED: u64 = 1;
const SCAN: u64 = 2;
const SORT: u64 = 3;
const QUERY: u64 = 4;
const WAL_USE: u64 = 5;
const BUFFER_USE: u64 = 6;

/// The alignment of what lies in the segment, PostgreSQL's ALIGNOF_BUFFER.
const ALIGNED: usize = 32;

/// What all processes of a build have to know, and what they have found.
#[repr(C)]
struct Shared {
    table: pg_sys::Oid,
    index: pg_sys::Oid,
    /// Whether others may write to the table meanwhile.
    concurrent: bool,
    /// Bytes of memory for the sort of each process.
    memory: usize,
    read: AtomicU64,
    rows: AtomicU64,
    broken_chains: AtomicBool,
}

/// The processes of a build.
pub struct Team {
    context: *mut pg_sys::ParallelContext,
    shared: *const Shared,
    sort: *mut pg_sys::Sharedsort,
    /// What is visible, in a build beside which others write; null otherwise.
    snapshot: pg_sys::Snapshot,
}

impl Team {
    /// Starts workers, if there are to be any, and can be.
    ///
    /// # Safety
    /// Table, index and definition belong together; the index is about to be built.
    pub unsafe fn start(
        table: pg_sys::Relation,
        index: pg_sys::Relation,
        info: *mut pg_sys::IndexInfo,
    ) -> Option<Self> {
        // SAFETY: as above. Between entering and leaving the parallel mode nothing is written that a worker would miss.
        // The segment has room for what is put there, as was estimated.
        unsafe {
            let workers = workers(table, index, info);
            if workers == 0 {
                return None;
            }
            pg_sys::EnterParallelMode();
            let library = c"memory_profile".as_ptr();
            let context = pg_sys::CreateParallelContext(library, c"memory_profile_build_main".as_ptr(), workers);
            let concurrent = (*info).ii_Concurrent;
            let snapshot = if concurrent {
                pg_sys::RegisterSnapshot(pg_sys::GetTransactionSnapshot())
            } else {
                std::ptr::null_mut()
            };
            let scanned = if concurrent { snapshot } else { &raw mut pg_sys::SnapshotAnyData };
            let scan_len = pg_sys::table_parallelscan_estimate(table, scanned);
            let sort_len = pg_sys::tuplesort_estimate_shared(workers + 1);
            let query = debug_query();
            let wal_len = size_of::<pg_sys::WalUsage>() * workers as usize;
            let buffer_len = size_of::<pg_sys::BufferUsage>() * workers as usize;
            let estimator = &mut (*context).estimator;
            for len in [size_of::<Shared>(), scan_len, sort_len, query.len(), wal_len, buffer_len] {
                estimator.space_for_chunks += len.next_multiple_of(ALIGNED);
                estimator.number_of_keys += 1;
            }
            pg_sys::InitializeParallelDSM(context);
            let mut team = Self { context, shared: std::ptr::null(), sort: std::ptr::null_mut(), snapshot };
            if (*context).seg.is_null() {
                // There is no shared memory left.
                team.end();
                return None;
            }
            let shared = team.put(SHARED, size_of::<Shared>()).cast::<Shared>();
            shared.write(Shared {
                table: (*table).rd_id,
                index: (*index).rd_id,
                concurrent,
                memory: memory() / (workers as usize + 1),
                read: AtomicU64::new(0),
                rows: AtomicU64::new(0),
                broken_chains: AtomicBool::new(false),
            });
            team.shared = shared;
            pg_sys::table_parallelscan_initialize(table, team.put(SCAN, scan_len).cast(), scanned);
            team.sort = team.put(SORT, sort_len).cast();
            pg_sys::tuplesort_initialize_shared(team.sort, workers + 1, (*context).seg);
            let text = team.put(QUERY, query.len()).cast::<u8>();
            text.copy_from_nonoverlapping(query.as_ptr(), query.len());
            team.put(WAL_USE, wal_len);
            team.put(BUFFER_USE, buffer_len);
            pg_sys::LaunchParallelWorkers(context);
            if (*context).nworkers_launched == 0 {
                team.end();
                return None;
            }
            Some(team)
        }
    }

    /// Room in the segment, known there by a key.
    unsafe fn put(&self, key: u64, len: usize) -> *mut c_void {
        // SAFETY: the segment was made with this room.
        unsafe {
            let room = pg_sys::shm_toc_allocate((*self.context).toc, len);
            pg_sys::shm_toc_insert((*self.context).toc, key, room);
            room
        }
    }

    /// Reads the table together with the workers; what was found is to be sorted and read as long as the team is there.
    ///
    /// # Safety
    /// Table, index and definition are those of the start.
    pub unsafe fn collect(
        &self,
        table: pg_sys::Relation,
        index: pg_sys::Relation,
        info: *mut pg_sys::IndexInfo,
    ) -> Found {
        // SAFETY: as above; the segment is there as long as the context.
        unsafe {
            let shared = &*self.shared;
            take_part(table, index, (*self.context).toc, self.sort, true);
            pg_sys::WaitForParallelWorkersToFinish(self.context);
            if shared.broken_chains.load(Ordering::Relaxed) {
                (*info).ii_BrokenHotChain = true;
            }
            let runs = (*self.context).nworkers_launched as usize + 1;
            Found {
                read: shared.read.load(Ordering::Relaxed) as f64,
                rows: shared.rows.load(Ordering::Relaxed),
                sorter: Sorter::new(By::Namespace, memory() / 2, Part::Merge(self.sort, runs)),
            }
        }
    }

    /// Lets the workers go.
    pub fn end(self) {
        // SAFETY: the context is that of `start`, and what was shared is not used any more.
        unsafe {
            pg_sys::WaitForParallelWorkersToFinish(self.context);
            if !(*self.context).seg.is_null() {
                let toc = (*self.context).toc;
                for worker in 0..(*self.context).nworkers_launched as usize {
                    pg_sys::InstrAccumParallelQuery(usage(toc, BUFFER_USE, worker), usage(toc, WAL_USE, worker));
                }
            }
            if !self.snapshot.is_null() {
                pg_sys::UnregisterSnapshot(self.snapshot);
            }
            pg_sys::DestroyParallelContext(self.context);
            pg_sys::ExitParallelMode();
        }
    }
}

/// How many workers a build asks for.
unsafe fn workers(table: pg_sys::Relation, index: pg_sys::Relation, info: *mut pg_sys::IndexInfo) -> i32 {
    // SAFETY: the caller's relations are open. Where PostgreSQL has not made the choice itself, it is asked.
    unsafe {
        if cfg!(any(feature = "pg17", feature = "pg18")) {
            (*info).ii_ParallelWorkers
        } else {
            pg_sys::plan_create_index_workers((*table).rd_id, (*index).rd_id)
        }
    }
}

/// The statement that is being executed, with the zero byte at its end.
fn debug_query() -> Vec<u8> {
    // SAFETY: a string of PostgreSQL's, or null.
    unsafe {
        let query: *const c_char = pg_sys::debug_query_string;
        if query.is_null() { vec![0] } else { CStr::from_ptr(query).to_bytes_with_nul().to_vec() }
    }
}

/// The place where a worker counts what it uses.
unsafe fn usage<T>(toc: *mut pg_sys::shm_toc, key: u64, worker: usize) -> *mut T {
    // SAFETY: the caller knows what lies under the key, one for each worker.
    unsafe { pg_sys::shm_toc_lookup(toc, key, false).cast::<T>().add(worker) }
}

/// Reads a part of the table, and puts its rows into order.
///
/// # Safety
/// Table and index are those of the build whose segment it is.
unsafe fn take_part(
    table: pg_sys::Relation,
    index: pg_sys::Relation,
    toc: *mut pg_sys::shm_toc,
    sort: *mut pg_sys::Sharedsort,
    progress: bool,
) {
    // SAFETY: as above.
    unsafe {
        let shared = &*pg_sys::shm_toc_lookup(toc, SHARED, false).cast::<Shared>();
        let info = pg_sys::BuildIndexInfo(index);
        (*info).ii_Concurrent = shared.concurrent;
        let sorter = Sorter::new(By::Namespace, shared.memory, Part::Run(sort));
        let scan = pg_sys::table_beginscan_parallel(table, pg_sys::shm_toc_lookup(toc, SCAN, false).cast());
        let collector = Collector::new(Shape::of_new(index), sorter);
        let Found { read, rows, mut sorter } = collector.collect(table, info, progress, scan);
        sorter.sort();
        sorter.end();
        shared.read.fetch_add(read as u64, Ordering::Relaxed);
        shared.rows.fetch_add(rows, Ordering::Relaxed);
        if (*info).ii_BrokenHotChain {
            shared.broken_chains.store(true, Ordering::Relaxed);
        }
    }
}

/// The life of a worker.
#[pg_guard]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn memory_profile_build_main(
    segment: *mut pg_sys::dsm_segment,
    toc: *mut pg_sys::shm_toc,
) {
    // SAFETY: PostgreSQL passes the segment that `Team::start` has filled. The builder holds the locks that are taken here,
    // and holders of one lock group do not wait for each other.
    unsafe {
        pg_sys::debug_query_string = pg_sys::shm_toc_lookup(toc, QUERY, false).cast();
        pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, pg_sys::debug_query_string);
        let shared = &*pg_sys::shm_toc_lookup(toc, SHARED, false).cast::<Shared>();
        let (table_lock, index_lock) = if shared.concurrent {
            (pg_sys::ShareUpdateExclusiveLock, pg_sys::RowExclusiveLock)
        } else {
            (pg_sys::ShareLock, pg_sys::AccessExclusiveLock)
        };
        let (table_lock, index_lock) = (table_lock as pg_sys::LOCKMODE, index_lock as pg_sys::LOCKMODE);
        let table = pg_sys::table_open(shared.table, table_lock);
        let index = pg_sys::index_open(shared.index, index_lock);
        let sort = pg_sys::shm_toc_lookup(toc, SORT, false).cast();
        pg_sys::tuplesort_attach_shared(sort, segment);
        pg_sys::InstrStartParallelQuery();
        take_part(table, index, toc, sort, false);
        let worker = pg_sys::ParallelWorkerNumber as usize;
        pg_sys::InstrEndParallelQuery(usage(toc, BUFFER_USE, worker), usage(toc, WAL_USE, worker));
        pg_sys::index_close(index, index_lock);
        pg_sys::table_close(table, table_lock);
    }
}
