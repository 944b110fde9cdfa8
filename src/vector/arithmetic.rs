//! Vectors made from vectors: sums, products, parts.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::element::{Element, check_overflow};
use super::fault::Fault;
use super::{Dense, DenseBuf, HalfVector, HalfVectorBuf, Vector, VectorBuf, check_dimensions, check_same};

#[pg_extern(sql = false)]
fn vector_sub(a: Vector, b: Vector) -> Result<VectorBuf, ErrorReport> {
    subtract(a, b)
}

#[pg_extern(sql = false)]
fn halfvec_sub(a: HalfVector, b: HalfVector) -> Result<HalfVectorBuf, ErrorReport> {
    subtract(a, b)
}

#[pg_extern(sql = false)]
fn vector_mul(a: Vector, b: Vector) -> Result<VectorBuf, ErrorReport> {
    multiply(a, b)
}

#[pg_extern(sql = false)]
fn halfvec_mul(a: HalfVector, b: HalfVector) -> Result<HalfVectorBuf, ErrorReport> {
    multiply(a, b)
}

#[pg_extern(sql = false)]
fn vector_concat(a: Vector, b: Vector) -> Result<VectorBuf, ErrorReport> {
    concatenate(a, b)
}

#[pg_extern(sql = false)]
fn halfvec_concat(a: HalfVector, b: HalfVector) -> Result<HalfVectorBuf, ErrorReport> {
    concatenate(a, b)
}

#[pg_extern(sql = false)]
fn vector_l2_normalize(a: Vector) -> Result<VectorBuf, ErrorReport> {
    normalize(a)
}

#[pg_extern(sql = false)]
fn halfvec_l2_normalize(a: HalfVector) -> Result<HalfVectorBuf, ErrorReport> {
    normalize(a)
}

#[pg_extern(sql = false)]
fn vector_subvector(a: Vector, start: i32, count: i32) -> Result<VectorBuf, ErrorReport> {
    subvector(a, start, count)
}

#[pg_extern(sql = false)]
fn halfvec_subvector(a: HalfVector, start: i32, count: i32) -> Result<HalfVectorBuf, ErrorReport> {
    subvector(a, start, count)
}

#[pg_extern(sql = false)]
fn vector_dims(a: Vector) -> i32 {
    a.len() as i32
}

#[pg_extern(sql = false)]
fn halfvec_dims(a: HalfVector) -> i32 {
    a.len() as i32
}

fn subtract<E: Element>(a: Dense<E>, b: Dense<E>) -> Result<DenseBuf<E>, ErrorReport> {
    check_same(&a, &b)?;
    let mut difference = DenseBuf::from_slice(&a);
    E::update(difference.elements_mut(), &b, |a, b| a - b)?;
    Ok(difference)
}

fn multiply<E: Element>(a: Dense<E>, b: Dense<E>) -> Result<DenseBuf<E>, ErrorReport> {
    check_same(&a, &b)?;
    let mut product = DenseBuf::from_slice(&a);
    E::update(product.elements_mut(), &b, |a, b| a * b)?;

    let zero = E::default();
    let factors = a.iter().zip(b.iter());
    let lost = |(product, (a, b)): (&E, (&E, &E))| *product == zero && *a != zero && *b != zero;
    if product.elements().iter().zip(factors).any(lost) {
        return Err(Fault::Underflow.into());
    }
    Ok(product)
}

fn concatenate<E: Element>(a: Dense<E>, b: Dense<E>) -> Result<DenseBuf<E>, ErrorReport> {
    check_dimensions::<E>(a.len() + b.len(), -1)?;
    let mut result = DenseBuf::zeros(a.len() + b.len());
    let (left, right) = result.elements_mut().split_at_mut(a.len());
    left.copy_from_slice(&a);
    right.copy_from_slice(&b);
    Ok(result)
}

/// The vector of length one in the same direction; the zero vector stays what it is.
fn normalize<E: Element>(a: Dense<E>) -> Result<DenseBuf<E>, ErrorReport> {
    let length = kernels::best().norm(&a);
    if length == 0.0 {
        return Ok(DenseBuf::zeros(a.len()));
    }
    let mut unit = DenseBuf::zeros(a.len());
    for (unit, element) in unit.elements_mut().iter_mut().zip(a.iter()) {
        *unit = E::round((f64::from(element.widen()) / length) as f32);
    }
    check_overflow(unit.elements())?;
    Ok(unit)
}

/// `count` elements from `start`, counted from one; what lies outside the vector is left out, as in `substring`.
fn subvector<E: Element>(a: Dense<E>, start: i32, count: i32) -> Result<DenseBuf<E>, ErrorReport> {
    let length = a.len() as i64;
    let first = (i64::from(start) - 1).clamp(0, length);
    let end = (i64::from(start) - 1 + i64::from(count)).clamp(first, length);
    let part = &a[first as usize..end as usize];
    check_dimensions::<E>(part.len(), -1)?;
    Ok(DenseBuf::from_slice(part))
}
