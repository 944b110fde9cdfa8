//! Building an index: the table is read, its rows are coded and sorted by namespace, and the pages are written one after
//! the other.
//!
//! The sort is PostgreSQL's own and keeps to `maintenance_work_mem`. What it sorts are strings of bytes that compare as
//! the rows should: the key first, then the row id, so that the rows of a namespace lie in the order of the table.
//!
//! Namespaces that are large enough get lists. Then the sorted rows are read twice: once to find centroids on a sample of
//! each such namespace, and once to write pages, on the way to which its rows pass a second sort, by list. The arithmetic
//! runs on a pool of threads that know nothing of PostgreSQL, while this process waits for them.

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_void};

use index::key::{Key, PLAIN};
use index::load::Loader;
use index::page::{Entry, MAX_FACTORS};
use pgrx::memcxt::PgMemoryContexts;
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::divide::Lists;
use super::shape::{Coder, Shape, row_of};
use super::wal::Writer;
use super::{checked, options};
use crate::error::report;
use pgrx::pg_sys::panic::ErrorReportable;

const SORTING: i64 = 2;
const TRAINING: i64 = 3;
const WRITING: i64 = 4;

/// PostgreSQL's TUPLESORT_RANDOMACCESS.
#[cfg(not(feature = "pg14"))]
const RANDOM_ACCESS: i32 = 1;

/// Bytes before the factors: dimension, id, row.
const HEAD: usize = 18;

/// The name of a phase, for the view of progress.
#[pg_guard]
pub unsafe extern "C-unwind" fn ambuildphasename(phase: i64) -> *mut c_char {
    let name: &CStr = match phase {
        1 => c"reading the table",
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

/// Codes of rows on their way into order.
pub struct Sorter {
    state: *mut pg_sys::Tuplesortstate,
    /// A varlena, again and again: `tuplesort` copies it.
    buffer: Vec<u8>,
}

impl Sorter {
    /// A new sort; `again` says that its result is read more than once.
    pub fn new(again: bool) -> Self {
        // SAFETY: the type is `bytea`, and the operator its order.
        let state = unsafe {
            pg_sys::tuplesort_begin_datum(
                pg_sys::BYTEAOID,
                pg_sys::Oid::from(pg_sys::ByteaLessOperator),
                pg_sys::InvalidOid,
                false,
                pg_sys::maintenance_work_mem,
                std::ptr::null_mut(),
                #[cfg(feature = "pg14")]
                again,
                #[cfg(not(feature = "pg14"))]
                {
                    if again { RANDOM_ACCESS } else { pg_sys::TUPLESORT_NONE as i32 }
                },
            )
        };
        Self { state, buffer: Vec::new() }
    }

    /// Takes an entry.
    pub fn put(&mut self, key: Key, entry: Entry<'_>) {
        self.buffer.clear();
        self.buffer.extend([0; 4]);
        self.buffer.extend(key.dim.to_be_bytes());
        self.buffer.extend(key.id.to_be_bytes());
        self.buffer.extend(entry.row.to_be_bytes());
        entry.factors.iter().for_each(|factor| self.buffer.extend(factor.to_ne_bytes()));
        self.buffer.extend(entry.code);
        // SAFETY: the buffer begins with room for the header of a varlena of its length.
        unsafe {
            pgrx::set_varsize_4b(self.buffer.as_mut_ptr().cast(), self.buffer.len() as i32);
            pg_sys::tuplesort_putdatum(self.state, self.buffer.as_ptr().into(), false);
        }
    }

    /// Puts what was taken into order.
    pub fn sort(&mut self) {
        // SAFETY: the state is that of `new`.
        unsafe { pg_sys::tuplesort_performsort(self.state) };
    }

    /// Goes back to the first entry.
    pub fn rewind(&mut self) {
        // SAFETY: the state is sorted, and was made to be read again.
        unsafe { pg_sys::tuplesort_rescan(self.state) };
    }

    /// Ends the sort.
    pub fn end(self) {
        // SAFETY: nothing of the state is used any more.
        unsafe { pg_sys::tuplesort_end(self.state) };
    }

    /// Hands all entries to `take`, in order.
    pub fn read(&mut self, factors: usize, mut take: impl FnMut(Entry<'_>)) {
        let mut value = pg_sys::Datum::from(0);
        let mut null = false;
        let mut memory = PgMemoryContexts::new("scoped_vector build");
        loop {
            // SAFETY: the state is sorted; the value that is returned lies in the short-lived context.
            let more = unsafe {
                memory.reset();
                memory.switch_to(|_| {
                    pg_sys::tuplesort_getdatum(
                        self.state,
                        true,
                        #[cfg(not(any(feature = "pg14", feature = "pg15")))]
                        true,
                        &mut value,
                        &mut null,
                        std::ptr::null_mut(),
                    )
                })
            };
            if !more {
                break;
            }
            // SAFETY: the value is a varlena that `put` has made.
            let bytes = unsafe { pgrx::varlena_to_byte_slice(value.cast_mut_ptr()) };
            let (head, rest) = bytes.split_at(HEAD);
            let (known, code) = rest.split_at(4 * factors);
            let mut list = [0.0; MAX_FACTORS];
            for (factor, bytes) in list.iter_mut().zip(known.chunks_exact(4)) {
                *factor = f32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
            take(Entry { id: number(&head[2..10]), row: number(&head[10..18]), factors: &list[..factors], code });
        }
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

struct Builder {
    shape: Shape,
    coder: Coder,
    sorter: Sorter,
    rows: f64,
    /// Rows of each namespace.
    sizes: HashMap<Key, usize>,
    memory: PgMemoryContexts,
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
    // SAFETY: PostgreSQL passes a row of the index, and the builder that `ambuild` has given it.
    unsafe {
        let Builder { shape, coder, sorter, rows, sizes, memory } = &mut *state.cast::<Builder>();
        let take = |key: Key, entry: Entry<'_>| {
            if key.list() == PLAIN {
                *sizes.entry(key).or_default() += 1;
            }
            sorter.put(key, entry);
        };
        memory.switch_to(|_| coder.entry(shape, values, nulls, row_of(tid), take));
        memory.reset();
        *rows += 1.0;
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
        let memory = PgMemoryContexts::new("scoped_vector row");
        let (coder, sizes) = (Coder::default(), HashMap::new());
        let mut builder = Builder { shape, coder, sorter: Sorter::new(true), rows: 0.0, sizes, memory };
        progress(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, 1);
        let read = scan_table(table, relation, info, true, collect, (&raw mut builder).cast());
        let Builder { mut sorter, rows, mut sizes, .. } = builder;
        progress(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, SORTING);
        sorter.sort();
        let storage = options::storage(relation);
        sizes.retain(|_, size| *size >= storage.lists_from);
        let factors = shape.metric.factors();
        let lists = if sizes.is_empty() {
            None
        } else {
            progress(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, TRAINING);
            let lists = Lists::train(&shape, &sizes, &mut sorter);
            sorter.rewind();
            Some(lists)
        };
        progress(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, WRITING);
        progress(pg_sys::PROGRESS_CREATEIDX_TUPLES_TOTAL, rows as i64);
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
        match lists {
            None => sorter.read(factors, add),
            Some(mut lists) => {
                sorter.read(factors, |entry| lists.sort_out(entry, &mut add));
                lists.finish(&mut add);
            }
        }
        sorter.end();
        loader.finish().finish();
        progress(pg_sys::PROGRESS_CREATEIDX_TUPLES_DONE, rows as i64);
        let result = pg_sys::palloc0(size_of::<pg_sys::IndexBuildResult>()).cast::<pg_sys::IndexBuildResult>();
        (*result).heap_tuples = read;
        (*result).index_tuples = rows;
        result
    }
}

/// Reads a table for one of its indexes; returns how many rows it has.
///
/// # Safety
/// Table, index and definition belong together; `callback` takes `state`.
pub unsafe fn scan_table(
    table: pg_sys::Relation,
    relation: pg_sys::Relation,
    info: *mut pg_sys::IndexInfo,
    progress: bool,
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
                std::ptr::null_mut(),
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
