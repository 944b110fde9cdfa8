//! Removing what is dead, and keeping lists in shape.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::ffi::c_void;

use index::key::Space;
use index::reshape::{Settings, reshape};
use index::vacuum::{Sweep, shrink, sweep};
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::checked;
use super::divide::{pool, quarter_of_memory};
use super::options::storage;
use super::shape::{Shape, tid_of};
use super::wal::Store;

/// Removes the entries of dead rows, and gives back pages.
#[pg_guard]
pub unsafe extern "C-unwind" fn ambulkdelete(
    info: *mut pg_sys::IndexVacuumInfo,
    stats: *mut pg_sys::IndexBulkDeleteResult,
    callback: pg_sys::IndexBulkDeleteCallback,
    callback_state: *mut c_void,
) -> *mut pg_sys::IndexBulkDeleteResult {
    // SAFETY: PostgreSQL passes an open index and a callback that takes the ids of rows.
    unsafe {
        let relation = (*info).index;
        let shape = Shape::of(relation);
        let callback = callback.expect("a vacuum knows which rows are dead");
        let store = Store::for_vacuum(relation, (*info).strategy);
        let mut swept = checked(
            relation,
            sweep(&store, |row| {
                let mut tid = tid_of(row);
                pg_sys::ffi::pg_guard_ffi_boundary(|| callback(&mut tid, callback_state))
            }),
        );
        let freed = checked(relation, shrink(&store, &mut swept));
        // What a concurrent build calls to see which rows it has is no vacuum.
        if (*(*relation).rd_index).indisvalid {
            keep_in_shape(&store, &shape, &swept.listed);
        }
        let stats = if stats.is_null() { zeroed() } else { stats };
        finish(&store, stats, &swept, freed);
        stats
    }
}

/// Makes, divides and puts together lists where namespaces have grown or shrunk; `swept` are those with lists, as far as a
/// sweep has met them.
fn keep_in_shape(store: &Store, shape: &Shape, swept: &HashSet<(u16, Space)>) {
    let threads = OnceCell::new();
    // SAFETY: the shape is that of an open index.
    let lists_from = unsafe { storage(shape.relation) }.lists_from;
    let settings = Settings {
        kernels: kernels::best(),
        metric: shape.metric,
        lists_from,
        sample_bytes: quarter_of_memory(),
        round: &|training| threads.get_or_init(pool).install(|| training.round()),
    };
    // SAFETY: as above.
    unsafe { checked(shape.relation, reshape(store, &settings, swept)) };
}

/// Fills in what a vacuum reports.
unsafe fn finish(store: &Store, stats: *mut pg_sys::IndexBulkDeleteResult, swept: &Sweep, freed: u64) {
    let free = store.free_unused(|block| swept.leaves.contains(&block));
    // SAFETY: the caller's promise: `stats` is valid.
    unsafe {
        (*stats).num_pages = store.len();
        (*stats).estimated_count = false;
        (*stats).num_index_tuples = swept.kept as f64;
        (*stats).tuples_removed += swept.removed as f64;
        (*stats).pages_newly_deleted += freed as u32;
        (*stats).pages_deleted = free;
        (*stats).pages_free = free;
    }
}

fn zeroed() -> *mut pg_sys::IndexBulkDeleteResult {
    // SAFETY: all zeroes are a valid result, and `palloc0` returns memory of that size or does not return.
    unsafe { pg_sys::palloc0(size_of::<pg_sys::IndexBulkDeleteResult>()).cast() }
}

/// Ends a vacuum, also one that had no dead rows to remove.
#[pg_guard]
pub unsafe extern "C-unwind" fn amvacuumcleanup(
    info: *mut pg_sys::IndexVacuumInfo,
    stats: *mut pg_sys::IndexBulkDeleteResult,
) -> *mut pg_sys::IndexBulkDeleteResult {
    // SAFETY: PostgreSQL passes an open index, and what `ambulkdelete` returned.
    unsafe {
        if (*info).analyze_only {
            return stats;
        }
        let relation = (*info).index;
        let shape = Shape::of(relation);
        let store = Store::for_vacuum(relation, (*info).strategy);
        keep_in_shape(&store, &shape, &HashSet::new());
        if !stats.is_null() {
            (*stats).num_pages = store.len();
        }
        stats
    }
}
