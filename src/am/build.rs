//! Building an index: the table is read, its rows are coded and sorted by namespace, and the pages are written one after
//! the other.
//!
//! Several processes read a large table, each of which sorts what it has read (`parallel`). The sort is PostgreSQL's own.
//! Its result is read once: namespaces that are large enough get lists on the way (`divide`), whose arithmetic runs on a
//! pool of threads that know nothing of PostgreSQL, while this process waits for them.
//!
//! All of it keeps to `maintenance_work_mem`: while the table is read the sorts have it to themselves, and the result of a
//! sort in one process half of it; afterwards a quarter is for the rows of the current namespace, and a quarter for the
//! sample or the second sort that give it lists.

use std::ffi::{CStr, c_char, c_void};

use index::load::Loader;
use index::page::Entry;
use pgrx::memcxt::PgMemoryContexts;
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::divide::{Lists, memory};
use super::parallel::Team;
use super::shape::{Coder, Shape, row_of};
use super::sorter::{By, Part, Sorter};
use super::wal::Writer;
use super::{checked, options};
use crate::error::report;
use pgrx::pg_sys::panic::ErrorReportable;

const READING: i64 = 1;
const SORTING: i64 = 2;
/// The phase in which a namespace gets its lists.
pub const TRAINING: i64 = 3;
/// The phase in which pages are written.
pub const WRITING: i64 = 4;

/// The name of a phase, for the view of progress.
#[pg_guard]
pub unsafe extern "C-unwind" fn ambuildphasename(phase: i64) -> *mut c_char {
    let name: &CStr = match phase {
        READING => c"reading the table",
        SORTING => c"sorting",
        TRAINING => c"finding lists",
        WRITING => c"writing pages",
        _ => return std::ptr::null_mut(),
    };
    name.as_ptr().cast_mut()
}

fn progress(what: u32, value: i64) {
    // SAFETY: the parameter is one of those of CREATE INDEX.
    unsafe { pg_sys::pgstat_progress_update_param(what as i32, value) };
}

/// Says in which phase the build is.
pub fn phase(phase: i64) {
    progress(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, phase);
}

/// What was found in a table.
pub struct Found {
    /// Rows of the table.
    pub read: f64,
    /// Rows of the index: fewer, if it is a partial one.
    pub rows: u64,
    /// Their entries, before they are in order.
    pub sorter: Sorter,
}

/// What takes the rows of a table.
pub struct Collector {
    shape: Shape,
    coder: Coder,
    sorter: Sorter,
    rows: u64,
    memory: PgMemoryContexts,
}

impl Collector {
    /// Has taken no row yet.
    pub fn new(shape: Shape, sorter: Sorter) -> Self {
        let memory = PgMemoryContexts::new("scoped_vector row");
        Self { shape, coder: Coder::default(), sorter, rows: 0, memory }
    }

    /// Takes the rows of a table, or what a scan that others share leaves for this process.
    ///
    /// # Safety
    /// Table and definition belong to the index of the shape; the scan, if there is one, is of that table.
    pub unsafe fn collect(
        mut self,
        table: pg_sys::Relation,
        info: *mut pg_sys::IndexInfo,
        progress: bool,
        scan: pg_sys::TableScanDesc,
    ) -> Found {
        let (relation, state) = (self.shape.relation, (&raw mut self).cast());
        // SAFETY: as above; `collect` takes a collector.
        let read = unsafe { scan_table(table, relation, info, progress, scan, collect, state) };
        Found { read, rows: self.rows, sorter: self.sorter }
    }
}

/// Takes one row of the table.
#[pg_guard]
unsafe extern "C-unwind" fn collect(
    _relation: pg_sys::Relation,
    tid: pg_sys::ItemPointer,
    values: *mut pg_sys::Datum,
    nulls: *mut bool,
    _alive: bool,
    state: *mut c_void,
) {
    // SAFETY: PostgreSQL passes a row of the index, and the collector that `Collector::collect` has given it.
    unsafe {
        let Collector { shape, coder, sorter, rows, memory } = &mut *state.cast::<Collector>();
        memory.switch_to(|_| coder.entry(shape, values, nulls, row_of(tid), |_, entry| sorter.put(entry)));
        memory.reset();
        *rows += 1;
    }
}

/// Builds the index of a table.
#[pg_guard]
pub unsafe extern "C-unwind" fn ambuild(
    table: pg_sys::Relation,
    relation: pg_sys::Relation,
    info: *mut pg_sys::IndexInfo,
) -> *mut pg_sys::IndexBuildResult {
    // SAFETY: PostgreSQL passes an open table, a new index of it whose file is empty, and its definition.
    unsafe {
        if !(*info).ii_ExclusionOps.is_null() {
            let error = report(
                PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                "access method \"scoped_vector\" does not support exclusion constraints",
            );
            Err::<(), _>(error).unwrap_or_report();
        }
        let shape = Shape::of_new(relation);
        phase(READING);
        let team = Team::start(table, relation, info);
        let Found { read, rows, mut sorter } = match &team {
            Some(team) => team.collect(table, relation, info),
            None => {
                let sorter = Sorter::new(By::Namespace, memory() / 2, Part::Whole);
                Collector::new(shape, sorter).collect(table, info, true, std::ptr::null_mut())
            }
        };
        phase(SORTING);
        sorter.sort();
        phase(WRITING);
        progress(pg_sys::PROGRESS_CREATEIDX_TUPLES_TOTAL, rows as i64);
        let storage = options::storage(relation);
        let factors = shape.metric.factors();
        let writer = Writer::create(relation, pg_sys::ForkNumber::MAIN_FORKNUM, shape.meta());
        let mut loader = Loader::new(writer, factors, storage.fillfactor);
        let mut done = 0_i64;
        let mut add = |entry: Entry<'_>| {
            checked(relation, loader.add(entry));
            done += 1;
            if done % 1024 == 0 {
                progress(pg_sys::PROGRESS_CREATEIDX_TUPLES_DONE, done);
            }
        };
        if rows < storage.lists_from as u64 {
            sorter.read(factors, add);
        } else {
            let mut lists = Lists::new(shape, storage.lists_from);
            sorter.read(factors, |entry| lists.sort_out(entry, &mut add));
            lists.finish(&mut add);
        }
        sorter.end();
        loader.finish().finish();
        if let Some(team) = team {
            team.end();
        }
        progress(pg_sys::PROGRESS_CREATEIDX_TUPLES_DONE, rows as i64);
        let result = pg_sys::palloc0(size_of::<pg_sys::IndexBuildResult>()).cast::<pg_sys::IndexBuildResult>();
        (*result).heap_tuples = read;
        (*result).index_tuples = rows as f64;
        result
    }
}

/// Reads a table for one of its indexes, or what a scan of it gives that others share; returns how many rows that is.
///
/// # Safety
/// Table, index and definition belong together, and the scan to the table if it is not null; `callback` takes `state`.
pub unsafe fn scan_table(
    table: pg_sys::Relation,
    relation: pg_sys::Relation,
    info: *mut pg_sys::IndexInfo,
    progress: bool,
    scan: pg_sys::TableScanDesc,
    callback: unsafe extern "C-unwind" fn(
        pg_sys::Relation,
        pg_sys::ItemPointer,
        *mut pg_sys::Datum,
        *mut bool,
        bool,
        *mut c_void,
    ),
    state: *mut c_void,
) -> f64 {
    // SAFETY: a table has its access method, whose function is called behind a guard as every function of PostgreSQL's.
    // No value on this frame needs to be dropped.
    unsafe {
        let read = (*(*table).rd_tableam).index_build_range_scan.expect("every table access method has it");
        pg_sys::ffi::pg_guard_ffi_boundary(|| {
            read(
                table,
                relation,
                info,
                true,
                false,
                progress,
                0,
                pg_sys::InvalidBlockNumber,
                Some(callback),
                state,
                scan,
            )
        })
    }
}

/// Writes the file that an unlogged index starts from again after a crash.
#[pg_guard]
pub unsafe extern "C-unwind" fn ambuildempty(relation: pg_sys::Relation) {
    // SAFETY: PostgreSQL passes an open index whose init fork is empty.
    unsafe {
        let shape = Shape::of_new(relation);
        let writer = Writer::create(relation, pg_sys::ForkNumber::INIT_FORKNUM, shape.meta());
        Loader::new(writer, shape.metric.factors(), 100).finish().finish();
    }
}
