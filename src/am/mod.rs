//! The access method `scoped_vector`: an index whose every search begins inside one namespace.
//!
//! `CREATE INDEX … USING scoped_vector (subject_key, embedding scoped_vector_cosine_ops)` has up to two key columns and the
//! vector last. What is on the pages, and how they are searched and changed, is in crate `index`; this module binds it to
//! PostgreSQL: `wal` is the only code that touches the index's buffers and the write-ahead log, `shape` knows columns and types, and
//! there is one file for each phase of an index's life; `divide` gives large namespaces their lists while it is built.
//!
//! Every row of the table is in the index, also one whose key or vector is null. So a scan never gives fewer rows than
//! there are, whatever a filter discards: the executor takes them one by one, and stops when it has enough. The index
//! knows for each row a number that its distance is not below; `exact` and `rows` find the distances in the table.

#![allow(unsafe_code, reason = "binds callbacks of PostgreSQL")]

mod build;
mod cost;
mod direct;
mod divide;
mod exact;
mod functions;
mod insert;
mod options;
mod parallel;
mod recent;
mod rows;
mod scan;
mod shape;
mod sorter;
mod spool;
mod vacuum;
mod wal;

pub use options::define;

use std::ffi::CStr;

use index::Fault;
use pgrx::datum::Internal;
use pgrx::pg_sys::panic::{ErrorReport, ErrorReportable};
use pgrx::prelude::*;

use crate::error::{report, too_large};

/// The strategy of `=` in the operator classes of key columns.
const EQUAL: u16 = 1;
/// The support function that hashes a key value.
const HASH: u16 = 1;
/// The support function that names metric and element of a vector class.
const METRIC: u16 = 2;

/// The handler function: what PostgreSQL is told about the access method.
#[pg_extern(sql = false)]
fn scoped_vector_handler(_call: pg_sys::FunctionCallInfo) -> Internal {
    let mut routine = bare_routine();
    routine.amstrategies = 2;
    routine.amsupport = 2;
    routine.amcanorderbyop = true;
    routine.amcanmulticol = true;
    routine.amoptionalkey = true;
    routine.amsearcharray = true;
    routine.amparallelvacuumoptions = pg_sys::VACUUM_OPTION_PARALLEL_BULKDEL as u8;
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    {
        routine.amcanbuildparallel = true;
    }
    routine.amkeytype = pg_sys::InvalidOid;
    routine.ambuild = Some(build::ambuild);
    routine.ambuildempty = Some(build::ambuildempty);
    routine.ambuildphasename = Some(build::ambuildphasename);
    routine.aminsert = Some(insert::aminsert);
    routine.ambulkdelete = Some(vacuum::ambulkdelete);
    routine.amvacuumcleanup = Some(vacuum::amvacuumcleanup);
    routine.amcostestimate = Some(cost::amcostestimate);
    routine.amoptions = Some(options::amoptions);
    routine.amvalidate = Some(shape::amvalidate);
    routine.ambeginscan = Some(scan::ambeginscan);
    routine.amrescan = Some(scan::amrescan);
    routine.amgettuple = Some(scan::amgettuple);
    routine.amendscan = Some(scan::amendscan);
    Internal::from(Some(pg_sys::Datum::from(routine.into_pg())))
}

/// A routine without any ability.
fn bare_routine() -> PgBox<pg_sys::IndexAmRoutine, AllocatedByRust> {
    // SAFETY: IndexAmRoutine is a node, and its tag is the one given.
    unsafe { PgBox::<pg_sys::IndexAmRoutine>::alloc_node(pg_sys::NodeTag::T_IndexAmRoutine) }
}

/// The name of an index.
///
/// # Safety
/// `relation` is open.
unsafe fn name_of(relation: pg_sys::Relation) -> String {
    // SAFETY: an open relation has its row of pg_class, whose name ends with a zero byte.
    unsafe { CStr::from_ptr((*(*relation).rd_rel).relname.data.as_ptr()) }.to_string_lossy().into_owned()
}

/// Turns what is wrong with an index into an error that says what to do.
///
/// # Safety
/// `relation` is open.
#[cold]
unsafe fn fail(relation: pg_sys::Relation, fault: &Fault) -> ErrorReport {
    // SAFETY: as above.
    let name = unsafe { name_of(relation) };
    match fault {
        Fault::TooLong { .. } => too_large(fault.to_string())
            .set_hint("Use a shorter vector for the index, for example subvector(embedding, 1, 4096)::vector(4096)."),
        Fault::Version { .. } => report(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("index \"{name}\" was built by another version of memory_profile"),
        )
        .set_detail(fault.to_string())
        .set_hint(format!("REINDEX INDEX {name} builds it again.")),
        Fault::Damaged { .. } | Fault::Inconsistent { .. } => {
            report(PgSqlErrorCode::ERRCODE_INDEX_CORRUPTED, format!("index \"{name}\" is damaged"))
                .set_detail(fault.to_string())
                .set_hint(format!("REINDEX INDEX {name} builds it again from the table, which is not concerned."))
        }
    }
}

/// The value, or the error as PostgreSQL reports it.
///
/// # Safety
/// `relation` is open.
unsafe fn checked<T>(relation: pg_sys::Relation, result: index::Result<T>) -> T {
    // SAFETY: as above.
    result.map_err(|fault| unsafe { fail(relation, &fault) }).unwrap_or_report()
}
