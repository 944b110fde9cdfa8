//! How distances are called: from one place in a plan, for row after row, and mostly with one and the same query.
//!
//! Where an argument cannot change while the plan runs, it is opened and widened to f32 at the first call and kept, with its
//! product with itself, in the memory of the call site (`fn_extra`). What remains for each row is half of the conversions of
//! `halfvec` and two thirds of the multiplications of a cosine, and the results are the same to the bit.
//!
//! That an argument cannot change is not guessed. It is a constant, or a parameter from outside the query, and the other
//! argument comes from a row: then the expression belongs to a plan node, and a plan node is set up anew for each
//! execution, with parameters that stay as they are. Without a row it might be an expression of PL/pgSQL, which is
//! set up once and evaluated with ever new values at the same addresses. The address is compared all the same.

#![allow(unsafe_code, reason = "binds functions to PostgreSQL's calling convention by hand")]

use std::slice;

use kernels::Kernels;
use pgrx::pg_sys;

use super::course::Course;
use super::datum::{self, Dense, Form};
use super::element::Element;

/// The kept query begins with a cache line: a load that straddles two counts twice, and the loads are what limits the kernels.
const CACHE_LINE: usize = 64;

/// What is kept for a call site, in the memory of its `FmgrInfo`.
pub struct Site {
    /// The argument that does not change, if there is one.
    fixed: Option<Fixed>,
    kernels: &'static Kernels,
    course: Course,
}

struct Fixed {
    datum: pg_sys::Datum,
    elements: *const f32,
    /// The form of rows that it can be compared with.
    form: Form,
    squared: f32,
}

/// A query and one of the rows that it is compared with.
pub struct Row<'a, E> {
    /// What computes.
    pub kernels: &'static Kernels,
    /// The query's elements.
    pub query: &'a [f32],
    /// The query's product with itself.
    pub squared: f32,
    /// The row's elements, as many as the query's.
    pub row: &'a [E],
    /// Where the next row is expected; the row itself if that is unknown.
    pub next: *const E,
}

/// The query and the row of a call, if the query is known at its call site and the second argument, as it is usually written,
/// and the row lies plain in memory where it was expected. Neither panics nor raises an error.
///
/// # Safety
/// The function called is STRICT, declared with two arguments of the type whose elements are `E`, and leaves `fn_extra` to
/// this module.
#[inline(always)]
pub unsafe fn expected_row<'fcx, E: Element>(call: pg_sys::FunctionCallInfo) -> Option<Row<'fcx, E>> {
    // SAFETY: the caller's promise; a datum at the address of the query is the query.
    unsafe {
        let [row, query] = datum::pair(call);
        let site = known(call)?;
        let fixed = site.fixed.as_ref()?;
        if query != fixed.datum {
            return None;
        }
        let row = fixed.form.elements::<E>(row)?;
        let next = site.course.follow(row)?;
        Some(fixed.row(site.kernels, row, next))
    }
}

/// The same for a query that may be either argument, and a row that may lie anywhere.
///
/// # Safety
/// As for [`expected_row`].
pub unsafe fn any_row<'fcx, E: Element>(call: pg_sys::FunctionCallInfo) -> Option<Row<'fcx, E>> {
    // SAFETY: the caller's promise; a datum at the address of the query is the query.
    unsafe {
        let [first, second] = datum::pair(call);
        let site = known(call)?;
        let fixed = site.fixed.as_ref()?;
        let row = match fixed.datum {
            datum if datum == second => first,
            datum if datum == first => second,
            _ => return None,
        };
        let row = fixed.form.elements::<E>(row)?;
        let next = site.course.find(row);
        Some(fixed.row(site.kernels, row, next))
    }
}

/// What is kept for the site of a call, if it has been prepared.
///
/// # Safety
/// As for [`expected_row`].
#[inline(always)]
unsafe fn known<'site>(call: pg_sys::FunctionCallInfo) -> Option<&'site mut Site> {
    // SAFETY: `fn_extra` is null or was set by `prepare`, and the call has the site to itself.
    unsafe { (*call).flinfo.as_ref()?.fn_extra.cast::<Site>().as_mut() }
}

impl Fixed {
    /// The query with a row of its form.
    #[inline(always)]
    fn row<'a, E>(&self, kernels: &'static Kernels, row: &'a [E], next: *const E) -> Row<'a, E> {
        // SAFETY: so many elements were allocated with the site, and no row outlives it.
        let query = unsafe { slice::from_raw_parts(self.elements, self.form.dimensions()) };
        Row { kernels, query, squared: self.squared, row, next }
    }
}

/// Whether the call comes from a site that has not been prepared.
///
/// # Safety
/// As for [`row`].
#[inline(always)]
pub unsafe fn is_new(call: pg_sys::FunctionCallInfo) -> bool {
    // SAFETY: there is a call record, and its `flinfo` is null or points to what the call was set up with.
    unsafe { (*call).flinfo.as_ref().is_some_and(|site| site.fn_extra.is_null()) }
}

/// Finds out what stays the same at the site of a call.
///
/// # Safety
/// As for [`row`], and the site is new. May raise an error.
#[cold]
pub unsafe fn prepare<E: Element>(call: pg_sys::FunctionCallInfo) {
    // SAFETY: the memory of a call site lives as long as the site; the allocations are as large as what is written.
    unsafe {
        let flinfo = (*call).flinfo;
        let kernels = kernels::best();
        let fixed = fixed_argument(flinfo).map(|argument| {
            let datum = datum::pair(call)[argument];
            let vector = Dense::<E>::open(datum);
            let bytes = vector.len() * size_of::<f32>() + CACHE_LINE;
            let storage = pg_sys::MemoryContextAllocZero((*flinfo).fn_mcxt, bytes).cast::<u8>();
            let elements = storage.add(storage.align_offset(CACHE_LINE)).cast::<f32>();
            let query = slice::from_raw_parts_mut(elements, vector.len());
            E::widen_all(&vector, query);
            let squared = kernels.dot(query, query);
            Fixed { datum, elements, form: Form::of::<E>(query.len()), squared }
        });
        let site = pg_sys::MemoryContextAlloc((*flinfo).fn_mcxt, size_of::<Site>()).cast::<Site>();
        site.write(Site { fixed, kernels, course: Course::new() });
        (*flinfo).fn_extra = site.cast();
    }
}

/// The argument that cannot change for as long as the site lives.
///
/// # Safety
/// `flinfo` is a function of two arguments, with the expression from which it is called or none.
unsafe fn fixed_argument(flinfo: *mut pg_sys::FmgrInfo) -> Option<usize> {
    // SAFETY: as above; the expression is one of the planner's, which both functions take apart.
    unsafe {
        if (*flinfo).fn_expr.is_null() || !pg_sys::contain_var_clause((*flinfo).fn_expr) {
            return None;
        }
        (0..2).find(|&argument| pg_sys::get_fn_expr_arg_stable(flinfo, argument as i32))
    }
}
