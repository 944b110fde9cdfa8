//! Building an index: the table is read, its rows are coded and sorted by namespace, and the pages are written one after
//! the other.
//!
//! The sort is PostgreSQL's own and keeps to `maintenance_work_mem`. What it sorts are strings of bytes that compare as
//! the rows should: the key first, then the row id, so that the rows of a namespace lie in the order of the table.

use std::ffi::{CStr, c_char, c_void};

use index::key::Key;
use index::load::Loader;
use index::page::{Entry, MAX_FACTORS};
use pgrx::memcxt::PgMemoryContexts;
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::shape::{Coder, Shape, row_of};
use super::wal::Writer;
use super::{checked, options};
use crate::error::report;
use pgrx::pg_sys::panic::ErrorReportable;

const SORTING: i64 = 2;
const WRITING: i64 = 3;

/// Bytes before the factors: dimension, id, row.
const HEAD: usize = 18;

/// The name of a phase, for the view of progress.
#[pg_guard]
pub unsafe extern "C-unwind" fn ambuildphasename(phase: i64) -> *mut c_char {
    let name: &CStr = match phase {
        1 => c"reading the table",
        SORTING => c"sorting",
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
struct Sorter {
    state: *mut pg_sys::Tuplesortstate,
    /// A varlena, again and again: `tuplesort` copies it.
    buffer: Vec<u8>,
}

impl Sorter {
    fn new() -> Self {
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
                false,
                #[cfg(not(feature = "pg14"))]
                {
                    pg_sys::TUPLESORT_NONE as i32
                },
            )
        };
        Self { state, buffer: Vec::new() }
    }

    fn put(&mut self, key: Key, entry: Entry<'_>) {
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

    fn sort(&mut self) {
        // SAFETY: the state is that of `new`.
        unsafe { pg_sys::tuplesort_performsort(self.state) };
    }

    /// Hands all entries to `take`, in order.
    fn drain(self, factors: usize, mut take: impl FnMut(Entry<'_>)) {
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
        // SAFETY: nothing of the state is used any more.
        unsafe { pg_sys::tuplesort_end(self.state) };
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
        let Builder { shape, coder, sorter, rows, memory } = &mut *state.cast::<Builder>();
        memory.switch_to(|_| coder.entry(shape, values, nulls, row_of(tid), |key, entry| sorter.put(key, entry)));
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
        let mut builder = Builder { shape, coder: Coder::default(), sorter: Sorter::new(), rows: 0.0, memory };
        progress(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, 1);
        let read = scan_table(table, relation, info, true, collect, (&raw mut builder).cast());
        let Builder { mut sorter, rows, .. } = builder;
        progress(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, SORTING);
        sorter.sort();
        progress(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, WRITING);
        progress(pg_sys::PROGRESS_CREATEIDX_TUPLES_TOTAL, rows as i64);
        let writer = Writer::create(relation, pg_sys::ForkNumber::MAIN_FORKNUM, shape.meta());
        let factors = shape.metric.factors();
        let mut loader = Loader::new(writer, factors, options::fillfactor(relation));
        let mut done = 0_i64;
        sorter.drain(factors, |entry| {
            checked(relation, loader.add(entry));
            done += 1;
            if done % 1024 == 0 {
                progress(pg_sys::PROGRESS_CREATEIDX_TUPLES_DONE, done);
            }
        });
        loader.finish().finish();
        progress(pg_sys::PROGRESS_CREATEIDX_TUPLES_DONE, done);
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
