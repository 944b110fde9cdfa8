//! Looking at an index: what it adds up to, and whether it is sound.

use std::collections::HashMap;
use std::ffi::c_void;
use std::hash::{DefaultHasher, Hash, Hasher};

use index::check::{Census, census};
use index::key::{CENTROIDS, FIRST_LIST, Key, LAST_LIST, PLAIN};
use pgrx::PgRelation;
use pgrx::memcxt::PgMemoryContexts;
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::build::scan_table;
use super::shape::{Coder, Shape, row_of};
use super::wal::Store;
use super::{checked, name_of};
use crate::error::{Result, report};

/// An index and its table, open and locked until the end of the transaction.
struct Opened {
    index: PgRelation,
    table: PgRelation,
}

/// Opens an index of this access method that the current role may look at.
fn open(oid: pg_sys::Oid, mode: u32) -> Result<Opened> {
    let mode = mode as pg_sys::LOCKMODE;
    // The table is locked before its index, as everywhere.
    // SAFETY: an id without an index gives an invalid id.
    let table = unsafe { pg_sys::IndexGetRelation(oid, true) };
    let not_ours = || {
        report(PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE, "this is not an index of access method \"scoped_vector\"")
            .set_hint("SELECT oid::regclass FROM pg_class WHERE relam = (SELECT oid FROM pg_am WHERE amname = 'scoped_vector') lists them.")
    };
    if table == pg_sys::InvalidOid {
        return Err(not_ours());
    }
    // SAFETY: both exist, or PostgreSQL says so.
    let (table, index) = unsafe { (PgRelation::with_lock(table, mode), PgRelation::with_lock(oid, mode)) };
    // SAFETY: the index is open, and has its access method.
    let (ours, owned, parted) = unsafe {
        let routine = (*index.as_ptr()).rd_indam;
        let ours =
            (*routine).ambuild.is_some_and(|build| build as usize == super::build::ambuild as *const () as usize);
        let parted = (*(*index.as_ptr()).rd_rel).relkind as u8 == pg_sys::RELKIND_PARTITIONED_INDEX;
        (ours, is_owner(table.oid()), parted)
    };
    if !ours {
        return Err(not_ours());
    }
    if parted {
        return Err(report(
            PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
            format!("index \"{}\" is partitioned, and holds nothing itself", index.name()),
        )
        .set_hint("pg_partition_tree() lists the indexes of its partitions."));
    }
    if !owned {
        return Err(report(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("must be owner of table {}", table.name()),
        ));
    }
    Ok(Opened { index, table })
}

/// Whether the current role owns a table.
///
/// # Safety
/// None but that this is the main thread.
unsafe fn is_owner(table: pg_sys::Oid) -> bool {
    // SAFETY: as above.
    unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15"))]
        return pg_sys::pg_class_ownercheck(table, pg_sys::GetUserId());
        #[cfg(not(any(feature = "pg14", feature = "pg15")))]
        return pg_sys::object_ownercheck(pg_sys::RelationRelationId, table, pg_sys::GetUserId());
    }
}

/// What an index adds up to.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity, reason = "pgrx reads the columns from the type")]
fn scoped_vector_stats(
    index: pg_sys::Oid,
) -> Result<
    TableIterator<
        'static,
        (
            name!(rows, i64),
            name!(namespaces, i64),
            name!(largest_namespace, i64),
            name!(lists, i64),
            name!(height, i32),
            name!(pages, i64),
            name!(leaf_pages, i64),
            name!(inner_pages, i64),
            name!(free_pages, i64),
            name!(leaf_fill, f64),
            name!(bytes_per_row, Option<f64>),
        ),
    >,
> {
    let opened = open(index, pg_sys::ShareLock)?;
    // SAFETY: the index is open and one of this access method's.
    let (store, all) = unsafe {
        let relation = opened.index.as_ptr();
        Shape::of(relation);
        let store = Store::new(relation);
        let all = checked(relation, census(&store, |_, _| {}));
        (store, all)
    };
    let pages = i64::from(store.len());
    let page = index::page::PAGE as f64;
    let row = (
        all.rows as i64,
        all.namespaces as i64,
        all.largest as i64,
        all.lists as i64,
        all.height as i32,
        pages,
        all.leaves as i64,
        all.inner as i64,
        pages - 1 - all.blocks.len() as i64,
        all.used as f64 / (all.leaves as f64 * page),
        (all.rows > 0).then(|| pages as f64 * page / all.rows as f64),
    );
    Ok(TableIterator::once(row))
}

/// Verifies that the pages fit together and, if wanted, that every row of the table is in the index as it should be.
#[pg_extern(sql = false)]
fn scoped_vector_check(index: pg_sys::Oid, heap_all_indexed: bool) -> Result<()> {
    let opened = open(index, pg_sys::ShareLock)?;
    let relation = opened.index.as_ptr();
    // SAFETY: the index is open and one of this access method's.
    let shape = unsafe { Shape::of(relation) };
    // SAFETY: as above.
    let store = unsafe { Store::new(relation) };
    let mut entries: HashMap<u64, u64> = HashMap::new();
    let mut repeated = false;
    let checked_pages = census(&store, |leaf, i| {
        if heap_all_indexed && leaf.key(i).list() != CENTROIDS {
            let digest = leaf.entry(i, |entry| fingerprint(leaf.key(i).dim, &entry));
            repeated |= entries.insert(leaf.row(i), digest).is_some();
        }
    });
    // SAFETY: as above.
    let all: Census = unsafe { checked(relation, checked_pages) };
    if let Some(block) = store.stray_page(|block| all.blocks.contains(&block)) {
        let fault = index::Fault::Inconsistent { block, what: "nothing leads to it" };
        // SAFETY: as above.
        unsafe { checked(relation, Err::<(), _>(fault)) };
    }
    if heap_all_indexed {
        if repeated {
            return Err(unsound(relation, "a row is in the index twice".to_owned()));
        }
        check_rows(&opened, shape, entries)?;
    }
    Ok(())
}

fn fingerprint(dim: u16, entry: &index::page::Entry<'_>) -> u64 {
    // Which list a row is in depends on the centroids, and on the codes' rounding alone where two are equally near.
    let key = Key { dim, id: entry.id };
    let list = if (FIRST_LIST..=LAST_LIST).contains(&key.list()) { PLAIN } else { key.list() };
    let mut hasher = DefaultHasher::new();
    (dim, key.space(), list, entry.code).hash(&mut hasher);
    entry.factors.iter().for_each(|factor| factor.to_bits().hash(&mut hasher));
    hasher.finish()
}

fn unsound(relation: pg_sys::Relation, detail: String) -> pg_sys::panic::ErrorReport {
    // SAFETY: the index is open.
    let name = unsafe { name_of(relation) };
    report(PgSqlErrorCode::ERRCODE_INDEX_CORRUPTED, format!("index \"{name}\" does not fit its table"))
        .set_detail(detail)
        .set_hint(format!("REINDEX INDEX {name} builds it again from the table, which is not concerned."))
}

struct Comparison {
    shape: Shape,
    coder: Coder,
    entries: HashMap<u64, u64>,
    wrong: Option<String>,
    memory: PgMemoryContexts,
}

/// Compares one row of the table with its entry.
#[pg_guard]
unsafe extern "C-unwind" fn compare(
    _relation: pg_sys::Relation,
    tid: pg_sys::ItemPointer,
    values: *mut pg_sys::Datum,
    nulls: *mut bool,
    _alive: bool,
    state: *mut c_void,
) {
    // SAFETY: PostgreSQL passes a row of the index, and the state that `check_rows` has given it.
    unsafe {
        let Comparison { shape, coder, entries, wrong, memory } = &mut *state.cast::<Comparison>();
        let row = row_of(tid);
        let digest =
            memory.switch_to(|_| coder.entry(shape, values, nulls, row, |key, entry| fingerprint(key.dim, &entry)));
        memory.reset();
        let place = || format!("({},{})", row >> 16, row & 0xFFFF);
        match entries.get(&row) {
            Some(&known) if known == digest => {}
            Some(_) => *wrong = Some(format!("The entry of row {} is not that of its values.", place())),
            None => *wrong = Some(format!("Row {} is not in the index.", place())),
        }
    }
}

fn check_rows(opened: &Opened, shape: Shape, entries: HashMap<u64, u64>) -> Result<()> {
    let relation = opened.index.as_ptr();
    let memory = PgMemoryContexts::new("scoped_vector check");
    let mut comparison = Comparison { shape, coder: Coder::default(), entries, wrong: None, memory };
    // SAFETY: table and index are open and belong together. With `ii_Concurrent` the rows are those that a snapshot of this
    // moment sees.
    unsafe {
        let info = pg_sys::BuildIndexInfo(relation);
        (*info).ii_Concurrent = true;
        (*info).ii_Unique = false;
        scan_table(
            opened.table.as_ptr(),
            relation,
            info,
            false,
            std::ptr::null_mut(),
            compare,
            (&raw mut comparison).cast(),
        );
    }
    match comparison.wrong {
        Some(detail) => Err(unsound(relation, detail)),
        None => Ok(()),
    }
}
