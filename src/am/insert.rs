//! Adding a row.

use index::route::add;
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::checked;
use super::shape::{Coder, Shape, row_of};
use super::wal::Store;

/// Adds a row to the index.
#[pg_guard]
#[allow(clippy::too_many_arguments, reason = "PostgreSQL's signature")]
pub unsafe extern "C-unwind" fn aminsert(
    relation: pg_sys::Relation,
    values: *mut pg_sys::Datum,
    nulls: *mut bool,
    tid: pg_sys::ItemPointer,
    _table: pg_sys::Relation,
    _unique: pg_sys::IndexUniqueCheck::Type,
    _unchanged: bool,
    _info: *mut pg_sys::IndexInfo,
) -> bool {
    // SAFETY: PostgreSQL passes an open index of this access method, and a row of it.
    unsafe {
        let shape = Shape::of(relation);
        let store = Store::new(relation);
        let added = Coder::default()
            .entry(&shape, values, nulls, row_of(tid), |_, entry| add(&store, kernels::best(), shape.metric, entry));
        checked(relation, added);
    }
    false
}
