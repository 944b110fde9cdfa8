//! What a scan costs, so that the planner takes the index where it should.
//!
//! A search reads all pages of its namespaces before it returns the first row, and after that hardly anything: the cost of
//! the start is that of the namespace, and the rest grows with the rows that are fetched. The part of the index that is
//! read follows from the conditions on key columns as for any index: from the most common values when the key is known,
//! from the number of distinct keys in a generic plan.
//!
//! Beside the index on the key and a sort, the choice must not turn when a prepared statement gets its generic plan. Two
//! things would turn it. The planner takes unknown filters to leave one row in two hundred, hence believes that a LIMIT
//! ends no search early; and it reads the rows of a clustered table cheaply only through an index whose order it knows.
//! So an ordered search is charged for a part of the rows that it could fetch, and states the correlation of its key.
//!
//! The generic plan itself must not look dearer than the plan for one value, for then it is never used, and every execution
//! is planned anew: that takes longer than a search of a hundred rows. But it would, for most values: the sizes of namespaces
//! are uneven, and the mean is that of the few large ones. So where the key is a parameter, a tenth of the mean is read.

use std::collections::HashSet;

use index::lists::{list_count, typical_probes};
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::options::DEFAULT_LISTS_FROM;

/// Comparing a code takes a small part of what the planner takes an operator to cost.
const OPERATORS_PER_CODE: f64 = 0.25;
/// Putting a row into its exact place: the distance, and the executor's queue.
const OPERATORS_PER_ROW: f64 = 20.0;
/// More than a session can disable of any other plan for the same rows.
#[cfg(feature = "pg18")]
const DISABLED_FOR_GOOD: i32 = 2;

/// Pages that a search without an order is charged for besides, since it reads the whole namespace. Where there are no statistics
/// yet, that looks no dearer than to look up one row in a B-tree.
const NOT_ASKED_FOR: f64 = 50.0;

/// The part of its rows that an ordered search is charged for.
const PART_FETCHED: f64 = 0.5;
/// What further key columns leave of a correlation, as for B-trees.
const FURTHER_COLUMNS: f64 = 0.75;
/// The part of the mean that a namespace has whose key is not known.
const TYPICAL: f64 = 0.1;
/// Pages from the root to a leaf.
const HEIGHT: f64 = 3.0;

/// Estimates a scan.
#[pg_guard]
#[allow(clippy::too_many_arguments, reason = "PostgreSQL's signature")]
pub unsafe extern "C-unwind" fn amcostestimate(
    root: *mut pg_sys::PlannerInfo,
    path: *mut pg_sys::IndexPath,
    loop_count: f64,
    startup_cost: *mut pg_sys::Cost,
    total_cost: *mut pg_sys::Cost,
    selectivity: *mut pg_sys::Selectivity,
    correlation: *mut f64,
    index_pages: *mut f64,
) {
    // SAFETY: PostgreSQL passes a path of an index of this access method, and places for the results.
    unsafe {
        let index = (*path).indexinfo;
        // A query that needs no column could be answered without the table by any index, the planner thinks. But this one
        // keeps no page while its rows are counted, and a vacuum may remove them meanwhile.
        if (*path).path.pathtype == pg_sys::NodeTag::T_IndexOnlyScan {
            (*startup_cost, *total_cost) = (f64::INFINITY, f64::INFINITY);
            // From 18 on, costs decide between plans only where as much in them is disabled.
            #[cfg(feature = "pg18")]
            {
                (*path).path.disabled_nodes += DISABLED_FOR_GOOD;
            }
            (*selectivity, *correlation, *index_pages) = (1.0, 0.0, f64::from((*index).pages));
            return;
        }
        let mut generic = pg_sys::GenericCosts::default();
        pg_sys::genericcostestimate(root, path, loop_count, &mut generic);
        let (mut random_page, mut next_page) = (0.0, 0.0);
        pg_sys::get_tablespace_page_costs((*index).reltablespace, &mut random_page, &mut next_page);
        let share = generic.indexSelectivity.clamp(0.0, 1.0);
        let rows = ((*index).tuples * share).max(1.0);
        let pages = (f64::from((*index).pages) * share).ceil().max(1.0);
        let searches = generic.num_sa_scans.max(1.0);
        let ordered = !(*path).indexorderbys.is_null();
        let descent = searches * HEIGHT * random_page / 4.0 + if ordered { 0.0 } else { NOT_ASKED_FOR * random_page };
        let typical = if ordered && has_parameter(path) { TYPICAL } else { 1.0 };
        let looked_at = if ordered { part_looked_at(path, rows / searches) } else { 1.0 };
        let read = looked_at * typical * (pages * next_page + rows * OPERATORS_PER_CODE * pg_sys::cpu_operator_cost);
        *startup_cost = descent + read;
        *total_cost =
            *startup_cost + rows * (pg_sys::cpu_index_tuple_cost + OPERATORS_PER_ROW * pg_sys::cpu_operator_cost);
        *selectivity = if ordered { generic.indexSelectivity * PART_FETCHED } else { generic.indexSelectivity };
        *correlation = key_correlation(root, index);
        *index_pages = pages;
    }
}

/// The clauses of a path on key columns.
///
/// # Safety
/// The path is one of an index of this access method.
unsafe fn clauses(path: *mut pg_sys::IndexPath) -> impl Iterator<Item = *mut pg_sys::IndexClause> {
    // SAFETY: as above; the clauses of a path are index clauses.
    unsafe {
        let clauses = (*path).indexclauses;
        let count = if clauses.is_null() { 0 } else { (*clauses).length as usize };
        (0..count).map(move |i| (*(*clauses).elements.add(i)).ptr_value.cast())
    }
}

/// Whether a key is compared with a parameter whose value is not known to the planner.
///
/// # Safety
/// As for `clauses`.
unsafe fn has_parameter(path: *mut pg_sys::IndexPath) -> bool {
    // SAFETY: as above. A clause of an index is a comparison, whose arguments are two.
    unsafe {
        clauses(path).any(|clause| {
            let expression = (*(*clause).rinfo).clause.cast::<pg_sys::Node>();
            let arguments = match (*expression).type_ {
                pg_sys::NodeTag::T_OpExpr => (*expression.cast::<pg_sys::OpExpr>()).args,
                pg_sys::NodeTag::T_ScalarArrayOpExpr => (*expression.cast::<pg_sys::ScalarArrayOpExpr>()).args,
                _ => return false,
            };
            (0..(*arguments).length as usize).any(|i| {
                let argument = (*(*arguments).elements.add(i)).ptr_value.cast::<pg_sys::Param>();
                (*argument.cast::<pg_sys::Node>()).type_ == pg_sys::NodeTag::T_Param
                    && (*argument).paramkind == pg_sys::ParamKind::PARAM_EXTERN
            })
        })
    }
}

/// The part of a namespace of so many rows that a search looks at before its first row: all of it, or its centroids and
/// the nearest lists.
///
/// # Safety
/// The path is one of an index of this access method.
unsafe fn part_looked_at(path: *mut pg_sys::IndexPath, rows: f64) -> f64 {
    // SAFETY: as above.
    let (in_one_namespace, capacity) = unsafe {
        let columns: HashSet<i16> = clauses(path).map(|clause| (*clause).indexcol).collect();
        let index = (*path).indexinfo;
        (columns.len() + 1 >= (*index).nkeycolumns as usize, (*index).tuples / f64::from((*index).pages.max(1)))
    };
    if !in_one_namespace || rows < f64::from(DEFAULT_LISTS_FROM) {
        return 1.0;
    }
    let lists = list_count(rows as usize, capacity as usize);
    (typical_probes(lists) as f64 / lists as f64 + lists as f64 / rows).min(1.0)
}

/// How far the rows of the table lie in the order of the first key column, -1 to 1.
///
/// # Safety
/// The index is one of the query's.
unsafe fn key_correlation(root: *mut pg_sys::PlannerInfo, index: *mut pg_sys::IndexOptInfo) -> f64 {
    // SAFETY: as above. The statistics are released after their only number was copied.
    unsafe {
        let column = *(*index).indexkeys;
        if (*index).nkeycolumns < 2 || column <= 0 {
            return 0.0;
        }
        let table = *(*root).simple_rte_array.add((*(*index).rel).relid as usize);
        let statistics = pg_sys::SearchSysCache3(
            pg_sys::SysCacheIdentifier::STATRELATTINH as i32,
            (*table).relid.into(),
            pg_sys::Datum::from(column as i16),
            false.into(),
        );
        if statistics.is_null() {
            return 0.0;
        }
        let mut slot = pg_sys::AttStatsSlot::default();
        let found = pg_sys::get_attstatsslot(
            &mut slot,
            statistics,
            pg_sys::STATISTIC_KIND_CORRELATION as i32,
            pg_sys::InvalidOid,
            pg_sys::ATTSTATSSLOT_NUMBERS as i32,
        );
        let mut correlation = 0.0;
        if found {
            if slot.nnumbers > 0 {
                correlation = f64::from(*slot.numbers);
            }
            pg_sys::free_attstatsslot(&mut slot);
        }
        pg_sys::ReleaseSysCache(statistics);
        if (*index).nkeycolumns > 2 { correlation * FURTHER_COLUMNS } else { correlation }
    }
}
