//! What a scan costs, so that the planner takes the index where it should.
//!
//! A search reads all pages of its namespaces before it returns the first row, and after that hardly anything: the cost of
//! the start is that of the namespace, and the rest grows with the rows that are fetched. The part of the index that is
//! read follows from the conditions on key columns as for any index: from the most common values when the key is known,
//! from the number of distinct keys in a generic plan. In both cases it is far below that of fetching and sorting the
//! whole namespace, so the choice does not turn when a prepared statement gets its generic plan.

use pgrx::pg_sys;
use pgrx::prelude::*;

/// Comparing a code takes a small part of what the planner takes an operator to cost.
const OPERATORS_PER_CODE: f64 = 0.25;
/// Putting a row into its exact place: the distance, and the executor's queue.
const OPERATORS_PER_ROW: f64 = 20.0;
/// Pages from the root to a leaf.
const HEIGHT: f64 = 3.0;

/// Estimates a scan.
#[pg_guard]
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
        let mut generic = pg_sys::GenericCosts::default();
        pg_sys::genericcostestimate(root, path, loop_count, &mut generic);
        let (mut random_page, mut next_page) = (0.0, 0.0);
        pg_sys::get_tablespace_page_costs((*index).reltablespace, &mut random_page, &mut next_page);
        let share = generic.indexSelectivity.clamp(0.0, 1.0);
        let rows = ((*index).tuples * share).max(1.0);
        let pages = (f64::from((*index).pages) * share).ceil().max(1.0);
        let searches = generic.num_sa_scans.max(1.0);
        let descent = searches * HEIGHT * random_page / 4.0;
        let read = pages * next_page + rows * OPERATORS_PER_CODE * pg_sys::cpu_operator_cost;
        *startup_cost = descent + read;
        *total_cost =
            *startup_cost + rows * (pg_sys::cpu_index_tuple_cost + OPERATORS_PER_ROW * pg_sys::cpu_operator_cost);
        *selectivity = generic.indexSelectivity;
        *correlation = 0.0;
        *index_pages = pages;
    }
}
