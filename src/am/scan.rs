//! Searching.

use std::cell::Cell;

use index::Query;
use index::key::{Span, span};
use index::scan::{Distance, Scan};
use pgrx::PgRelation;
use pgrx::memcxt::PgMemoryContexts;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReportable;
use pgrx::prelude::*;

use super::checked;
use super::exact::{Next, Order};
use super::rows::{Looks, Rows, Target};
use super::shape::{Shape, tid_of};
use super::wal::Store;
use crate::error::{internal, report};
use crate::gucs;

/// What is kept of a scan between two calls: no page, no lock, no pin.
#[derive(Default)]
struct State {
    scan: Option<Scan>,
    /// The query for a look at the rows, where the index can do that.
    target: Option<Target>,
    looks: Cell<Looks>,
    order: Order,
    counted: bool,
}

/// Prepares a scan.
#[pg_guard]
pub unsafe extern "C-unwind" fn ambeginscan(
    relation: pg_sys::Relation,
    keys: std::ffi::c_int,
    orders: std::ffi::c_int,
) -> pg_sys::IndexScanDesc {
    // SAFETY: PostgreSQL passes an open index; the scan and its arrays live in the current context, with which the state
    // is dropped.
    unsafe {
        let scan = pg_sys::RelationGetIndexScan(relation, keys, orders);
        if orders > 0 {
            let count = orders as usize;
            (*scan).xs_orderbyvals = pg_sys::palloc0(count * size_of::<pg_sys::Datum>()).cast();
            (*scan).xs_orderbynulls = pg_sys::palloc0(count).cast();
        }
        (*scan).opaque = PgMemoryContexts::CurrentMemoryContext.leak_and_drop_on_delete(State::default()).cast();
        scan
    }
}

/// Starts or restarts a scan with other values.
#[pg_guard]
pub unsafe extern "C-unwind" fn amrescan(
    scan: pg_sys::IndexScanDesc,
    keys: pg_sys::ScanKey,
    _key_count: std::ffi::c_int,
    orders: pg_sys::ScanKey,
    _order_count: std::ffi::c_int,
) {
    // SAFETY: PostgreSQL passes a scan of `ambeginscan` with as many keys as it was begun with, or none to keep them.
    unsafe {
        copy(keys, (*scan).keyData, (*scan).numberOfKeys);
        copy(orders, (*scan).orderByData, (*scan).numberOfOrderBys);
        let state = &mut *(*scan).opaque.cast::<State>();
        let shape = Shape::of((*scan).indexRelation);
        let orders = std::slice::from_raw_parts((*scan).orderByData, order_count(scan));
        let query = orders.first().filter(|order| order.sk_flags as u32 & pg_sys::SK_ISNULL == 0);
        (state.target, state.order) = (None, Order::default());
        state.looks.set(Looks::default());
        let query = query.map(|order| {
            shape.elements(order.sk_argument, &mut Vec::new(), |elements| {
                check_dimensions(&shape, elements.len());
                // Of further orders the executor has to compute everything.
                if orders.len() == 1 {
                    state.target = Target::new(&shape, (*scan).heapRelation, elements);
                }
                Query::new(kernels::best(), shape.metric, elements)
            })
        });
        let search = Scan::new(kernels::best(), spans(&shape, scan), query);
        state.scan = Some(match gucs::probes() {
            _ if gucs::exact() => search.exactly(),
            Some(probes) => search.with_probes(probes),
            None => search,
        });
        state.counted = false;
    }
}

unsafe fn copy(from: pg_sys::ScanKey, to: pg_sys::ScanKey, count: i32) {
    if !from.is_null() && count > 0 {
        // SAFETY: both arrays have `count` keys; PostgreSQL may pass the scan's own.
        unsafe { std::ptr::copy(from, to, count as usize) };
    }
}

unsafe fn order_count(scan: pg_sys::IndexScanDesc) -> usize {
    // SAFETY: the scan is valid.
    unsafe { usize::try_from((*scan).numberOfOrderBys).unwrap_or(0) }
}

fn check_dimensions(shape: &Shape, actual: usize) {
    let declared = usize::from(shape.dimensions);
    if (declared != 0 && declared != actual) || actual > index::MAX_DIMENSIONS {
        let error = report(
            PgSqlErrorCode::ERRCODE_DATA_EXCEPTION,
            format!("different vector dimensions {declared} and {actual}"),
        )
        .set_hint("Both vectors must have the same number of dimensions; vector_dims() counts them.");
        Err::<(), _>(error).unwrap_or_report();
    }
}

/// The namespaces that the conditions of a scan leave. Conditions that cannot be used are left to the executor, which
/// compares all of them again in any case.
unsafe fn spans(shape: &Shape, scan: pg_sys::IndexScanDesc) -> Vec<Span> {
    let mut hashes: Vec<Option<Vec<u64>>> = vec![None; shape.columns];
    // SAFETY: the scan has as many keys as it says.
    let keys =
        unsafe { std::slice::from_raw_parts((*scan).keyData, usize::try_from((*scan).numberOfKeys).unwrap_or(0)) };
    for key in keys {
        if key.sk_flags as u32 & pg_sys::SK_ISNULL != 0 {
            return Vec::new();
        }
        let column = usize::try_from(key.sk_attno - 1).unwrap_or(usize::MAX);
        let Some(place) = hashes.get_mut(column) else { continue };
        if place.is_none() {
            // SAFETY: the argument is of the type that the key names, and not null.
            *place = Some(unsafe { key_hashes(shape, column, key) });
        }
    }
    let first = match hashes.first() {
        None => return vec![span(&[], 0)],
        Some(None) => return vec![Span::ALL],
        Some(Some(first)) => first,
    };
    match hashes.get(1) {
        Some(Some(second)) => {
            first.iter().flat_map(|&a| second.iter().map(move |&b| span(&[Some(a), Some(b)], 2))).collect()
        }
        _ => first.iter().map(|&a| span(&[Some(a)], shape.columns)).collect(),
    }
}

/// The hashes of the values that a condition allows: of one, or of each of an array.
unsafe fn key_hashes(shape: &Shape, column: usize, key: &pg_sys::ScanKeyData) -> Vec<u64> {
    // SAFETY: the argument is of the type that the key names, and not null. With SK_SEARCHARRAY it is an array of it.
    unsafe {
        if key.sk_flags as u32 & pg_sys::SK_SEARCHARRAY == 0 {
            return vec![shape.hash(column, key.sk_argument, key.sk_subtype)];
        }
        let array = pg_sys::pg_detoast_datum(key.sk_argument.cast_mut_ptr()).cast::<pg_sys::ArrayType>();
        let element = (*array).elemtype;
        let (mut length, mut by_value, mut align) = (0, false, 0);
        pg_sys::get_typlenbyvalalign(element, &mut length, &mut by_value, &mut align);
        let (mut values, mut nulls, mut count) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
        pg_sys::deconstruct_array(
            array,
            element,
            i32::from(length),
            by_value,
            align,
            &mut values,
            &mut nulls,
            &mut count,
        );
        (0..usize::try_from(count).unwrap_or(0))
            .filter(|&i| !*nulls.add(i))
            .map(|i| shape.hash(column, *values.add(i), key.sk_subtype))
            .collect()
    }
}

/// The next row.
#[pg_guard]
pub unsafe extern "C-unwind" fn amgettuple(
    scan: pg_sys::IndexScanDesc,
    direction: pg_sys::ScanDirection::Type,
) -> bool {
    // SAFETY: PostgreSQL passes a scan of `ambeginscan` that `amrescan` has started.
    unsafe {
        if direction != pg_sys::ScanDirection::ForwardScanDirection {
            Err::<(), _>(internal("scoped_vector indexes are read forward only")).unwrap_or_report();
        }
        let relation = (*scan).indexRelation;
        let state = &mut *(*scan).opaque.cast::<State>();
        if !state.counted {
            state.counted = true;
            check_snapshot(scan);
            PgRelation::from_pg(relation).count_index_scan();
        }
        let Some(search) = state.scan.as_mut() else { return false };
        let rows = Rows::new(scan, state.target.as_ref(), &state.looks);
        let store = Store::for_search(relation, &rows);
        let mut search = || checked(relation, search.next(&store));
        let next = match &state.target {
            Some(_) => state.order.next(search, |row| {
                // Many rows may be hidden.
                pgrx::check_for_interrupts!();
                rows.look(row)
            }),
            None => search().map(Next::Found),
        };
        (*scan).xs_recheck = (*scan).numberOfKeys > 0;
        let hit = match next {
            None => return false,
            Some(Next::Found(hit)) => hit,
            Some(Next::At(row, distance)) => {
                (*scan).xs_heaptid = tid_of(row);
                (*scan).xs_recheckorderby = false;
                *(*scan).xs_orderbyvals = pg_sys::Datum::from(distance.to_bits());
                *(*scan).xs_orderbynulls = false;
                return true;
            }
        };
        (*scan).xs_heaptid = tid_of(hit.row);
        let orders = order_count(scan);
        (*scan).xs_recheckorderby = orders > 0;
        for i in 0..orders {
            let (bound, null) = match hit.distance {
                Distance::Null => (0.0, true),
                // Of further orders nothing is known.
                Distance::AtLeast(_) | Distance::NotANumber if i > 0 => (f64::NEG_INFINITY, false),
                Distance::AtLeast(bound) => (f64::from(bound), false),
                Distance::NotANumber => (f64::NAN, false),
            };
            *(*scan).xs_orderbyvals.add(i) = pg_sys::Datum::from(bound.to_bits());
            *(*scan).xs_orderbynulls.add(i) = null;
        }
        true
    }
}

/// Refuses a snapshot under which a row that has taken the place of a removed one could be seen.
unsafe fn check_snapshot(scan: pg_sys::IndexScanDesc) {
    // SAFETY: the scan has a snapshot when it is read.
    let kind = unsafe { (*(*scan).xs_snapshot).snapshot_type };
    if kind != pg_sys::SnapshotType::SNAPSHOT_MVCC && kind != pg_sys::SnapshotType::SNAPSHOT_HISTORIC_MVCC {
        let error = report(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            "scoped_vector indexes are read under an MVCC snapshot only",
        );
        Err::<(), _>(error).unwrap_or_report();
    }
}

/// Ends a scan; what it kept goes with its memory.
#[pg_guard]
pub unsafe extern "C-unwind" fn amendscan(scan: pg_sys::IndexScanDesc) {
    // SAFETY: PostgreSQL passes a scan of `ambeginscan`.
    unsafe { *(*scan).opaque.cast::<State>() = State::default() };
}
