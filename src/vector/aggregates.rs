//! `sum` and `avg`.
//!
//! The state of `sum` is the vector so far; that of `avg` is pgvector's, an array of the number of rows and the sum of
//! each dimension in double precision. Called by an aggregate, the transition functions write to their first argument
//! instead of making a new one: PostgreSQL keeps it in the aggregate's memory and nobody else sees it, so that a row
//! costs one addition per dimension and no allocation. Called as ordinary functions, they leave their arguments alone.

#![allow(unsafe_code, reason = "writes to transition values")]

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{PgSqlErrorCode, function_name};

use super::builtin::{ArrayArg, ArrayBuf};
use super::element::Element;
use super::fault::Fault;
use super::{Dense, DenseBuf, HalfVector, HalfVectorBuf, Vector, VectorBuf, check_dimensions, check_same};

#[pg_extern(sql = false)]
fn vector_add(a: Vector, b: Vector, call: pg_sys::FunctionCallInfo) -> Result<VectorBuf, ErrorReport> {
    add(a, b, call)
}

#[pg_extern(sql = false)]
fn halfvec_add(a: HalfVector, b: HalfVector, call: pg_sys::FunctionCallInfo) -> Result<HalfVectorBuf, ErrorReport> {
    add(a, b, call)
}

#[pg_extern(sql = false)]
fn vector_accum(state: ArrayArg, row: Vector, call: pg_sys::FunctionCallInfo) -> Result<ArrayBuf, ErrorReport> {
    accumulate(state, row, call, "vector_accum")
}

#[pg_extern(sql = false)]
fn halfvec_accum(state: ArrayArg, row: HalfVector, call: pg_sys::FunctionCallInfo) -> Result<ArrayBuf, ErrorReport> {
    accumulate(state, row, call, "halfvec_accum")
}

#[pg_extern(sql = false)]
fn vector_combine(a: ArrayArg, b: ArrayArg, call: pg_sys::FunctionCallInfo) -> Result<ArrayBuf, ErrorReport> {
    combine(a, b, call)
}

#[pg_extern(sql = false)]
fn vector_avg(state: ArrayArg) -> Result<Option<VectorBuf>, ErrorReport> {
    average(state, "vector_avg")
}

#[pg_extern(sql = false)]
fn halfvec_avg(state: ArrayArg) -> Result<Option<HalfVectorBuf>, ErrorReport> {
    average(state, "halfvec_avg")
}

fn add<E: Element>(a: Dense<E>, b: Dense<E>, call: pg_sys::FunctionCallInfo) -> Result<DenseBuf<E>, ErrorReport> {
    check_same(&a, &b)?;
    let mut sum = match own_vector(a, call) {
        Ok(state) => state,
        Err(a) => DenseBuf::from_slice(&a),
    };
    E::update(sum.elements_mut(), &b, |a, b| a + b)?;
    Ok(sum)
}

fn accumulate<E: Element>(
    state: ArrayArg,
    row: Dense<E>,
    call: pg_sys::FunctionCallInfo,
    caller: &str,
) -> Result<ArrayBuf, ErrorReport> {
    let so_far = state_values(&state, caller)?;
    let dimensions = so_far.len() - 1;
    if dimensions == 0 {
        return Ok(first_state(so_far[0] + 1.0, row.iter().map(|element| f64::from(element.widen()))));
    }
    check_even(dimensions, row.len())?;

    let mut total = own_array(state, call);
    let values = total.elements_mut::<f64>();
    values[0] += 1.0;
    for (sum, element) in values[1..].iter_mut().zip(row.iter()) {
        *sum += f64::from(element.widen());
    }
    check_sums(&values[1..])?;
    Ok(total)
}

fn combine(a: ArrayArg, b: ArrayArg, call: pg_sys::FunctionCallInfo) -> Result<ArrayBuf, ErrorReport> {
    let [count_a, sums_a @ ..] = state_values(&a, "vector_combine")? else { unreachable!("checked by state_values") };
    let [count_b, sums_b @ ..] = state_values(&b, "vector_combine")? else { unreachable!("checked by state_values") };

    if sums_a.is_empty() || sums_b.is_empty() {
        let sums = if sums_a.is_empty() { sums_b } else { sums_a };
        if !sums.is_empty() {
            check_dimensions::<f32>(sums.len(), -1)?;
        }
        return Ok(first_state(count_a + count_b, sums.iter().copied()));
    }
    check_dimensions::<f32>(sums_a.len(), -1)?;
    check_even(sums_a.len(), sums_b.len())?;

    let mut total = own_array(a, call);
    let values = total.elements_mut::<f64>();
    values[0] += count_b;
    for (sum, other) in values[1..].iter_mut().zip(sums_b) {
        *sum += other;
    }
    check_sums(&values[1..])?;
    Ok(total)
}

fn average<E: Element>(state: ArrayArg, caller: &str) -> Result<Option<DenseBuf<E>>, ErrorReport> {
    let values = state_values(&state, caller)?;
    let (rows, sums) = (values[0], &values[1..]);
    if rows == 0.0 {
        return Ok(None);
    }
    check_dimensions::<E>(sums.len(), -1)?;
    let means: Vec<f32> = sums.iter().map(|sum| (sum / rows) as f32).collect();
    Ok(Some(DenseBuf::convert(&means)?))
}

/// The state after the first row: the number of rows, then the sums.
fn first_state(rows: f64, sums: impl ExactSizeIterator<Item = f64>) -> ArrayBuf {
    let mut state = ArrayBuf::zeros::<f64>(1 + sums.len());
    let values = state.elements_mut();
    values[0] = rows;
    for (value, sum) in values[1..].iter_mut().zip(sums) {
        *value = sum;
    }
    state
}

/// The numbers of an `avg` state, of which there is at least one: these functions can be called with any array.
fn state_values<'a>(state: &'a ArrayArg, caller: &str) -> Result<&'a [f64], ErrorReport> {
    let valid = state.rank() == 1 && !state.has_null_bitmap() && state.len() > 0;
    match state.elements::<f64>() {
        Some(values) if valid => Ok(values),
        _ => Err(ErrorReport::new(
            PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
            format!("{caller}: expected state array"),
            function_name!(),
        )),
    }
}

fn check_even(expected: usize, actual: usize) -> Result<(), Fault> {
    if expected == actual { Ok(()) } else { Err(Fault::UnevenRows { expected, actual }) }
}

fn check_sums(sums: &[f64]) -> Result<(), Fault> {
    let overflown = sums.iter().fold(false, |found, sum| found | sum.is_infinite());
    if overflown { Err(Fault::Overflow) } else { Ok(()) }
}

/// The transition value itself when an aggregate calls, else the argument back.
fn own_vector<'a, E: Element>(a: Dense<'a, E>, call: pg_sys::FunctionCallInfo) -> Result<DenseBuf<E>, Dense<'a, E>> {
    // SAFETY: to an aggregate the first argument is its own transition value.
    if in_aggregate(call) { unsafe { a.into_state() } } else { Err(a) }
}

/// The transition value itself when an aggregate calls, else a copy of the argument.
fn own_array(state: ArrayArg, call: pg_sys::FunctionCallInfo) -> ArrayBuf {
    let state = if in_aggregate(call) {
        // SAFETY: to an aggregate the first argument is its own transition value.
        match unsafe { state.into_state() } {
            Ok(own) => return own,
            Err(state) => state,
        }
    } else {
        state
    };
    let values = state.elements::<f64>().unwrap_or_default();
    let mut copy = ArrayBuf::zeros::<f64>(values.len());
    copy.elements_mut().copy_from_slice(values);
    copy
}

fn in_aggregate(call: pg_sys::FunctionCallInfo) -> bool {
    // SAFETY: PostgreSQL passes a complete call record; without a context node no aggregate is calling.
    unsafe { !(*call).context.is_null() && pg_sys::AggCheckCallContext(call, std::ptr::null_mut()) != 0 }
}
