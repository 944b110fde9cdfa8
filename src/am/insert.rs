//! Adding a row.

use index::insert::insert;
use index::key::{Key, PLAIN};
use index::lists::{SCALE, list_for};
use index::page::{Entry, as_codes};
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
        let added = Coder::default().entry(&shape, values, nulls, row_of(tid), |key, entry| {
            let id = id_with_list(&shape, &store, key, &entry)?;
            insert(&store, Entry { id, ..entry })
        });
        checked(relation, added);
    }
    false
}

/// The namespace of a row and, if that has lists, the one whose centroid is nearest.
fn id_with_list(shape: &Shape, store: &Store, key: Key, entry: &Entry<'_>) -> index::Result<u64> {
    if key.list() != PLAIN {
        return Ok(entry.id);
    }
    let (codes, scale) = (as_codes(entry.code), entry.factors[SCALE]);
    let list = list_for(store, kernels::best(), shape.metric, key, codes, scale)?;
    Ok(list.map_or(entry.id, |list| Key::new(key.dim, key.space(), list).id))
}
