//! Casts: to a declared number of dimensions, between the two types, and from and to arrays.

use half::f16;
use pgrx::PgSqlErrorCode;
use pgrx::function_name;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::builtin::{ArrayArg, ArrayBuf, Bits};
use super::element::Element;
use super::{Dense, DenseBuf, HalfVector, HalfVectorBuf, Vector, VectorBuf, check_declared, check_dimensions};

#[pg_extern(sql = false)]
fn vector_to_vector(vector: Vector, typmod: i32, _explicit: bool) -> Result<VectorBuf, ErrorReport> {
    declare(vector, typmod)
}

#[pg_extern(sql = false)]
fn halfvec_to_halfvec(vector: HalfVector, typmod: i32, _explicit: bool) -> Result<HalfVectorBuf, ErrorReport> {
    declare(vector, typmod)
}

#[pg_extern(sql = false)]
fn vector_to_halfvec(vector: Vector, typmod: i32, _explicit: bool) -> Result<HalfVectorBuf, ErrorReport> {
    check_declared::<f16>(vector.len(), typmod)?;
    Ok(DenseBuf::convert(&vector)?)
}

#[pg_extern(sql = false)]
fn halfvec_to_vector(vector: HalfVector, typmod: i32, _explicit: bool) -> Result<VectorBuf, ErrorReport> {
    check_declared::<f32>(vector.len(), typmod)?;
    let mut result = VectorBuf::zeros(vector.len());
    f16::widen_all(&vector, result.elements_mut());
    Ok(result)
}

#[pg_extern(sql = false)]
fn array_to_vector(array: ArrayArg, typmod: i32, _explicit: bool) -> Result<VectorBuf, ErrorReport> {
    from_array(array, typmod)
}

#[pg_extern(sql = false)]
fn array_to_halfvec(array: ArrayArg, typmod: i32, _explicit: bool) -> Result<HalfVectorBuf, ErrorReport> {
    from_array(array, typmod)
}

#[pg_extern(sql = false)]
fn vector_to_float4(vector: Vector, _typmod: i32, _explicit: bool) -> ArrayBuf {
    to_array(vector)
}

#[pg_extern(sql = false)]
fn halfvec_to_float4(vector: HalfVector, _typmod: i32, _explicit: bool) -> ArrayBuf {
    to_array(vector)
}

#[pg_extern(sql = false)]
fn vector_binary_quantize(vector: Vector) -> Bits {
    signs(vector)
}

#[pg_extern(sql = false)]
fn halfvec_binary_quantize(vector: HalfVector) -> Bits {
    signs(vector)
}

fn declare<E: Element>(vector: Dense<E>, typmod: i32) -> Result<DenseBuf<E>, ErrorReport> {
    check_declared::<E>(vector.len(), typmod)?;
    Ok(vector.into_result())
}

fn from_array<E: Element>(array: ArrayArg, typmod: i32) -> Result<DenseBuf<E>, ErrorReport> {
    let refuse = |code, message: &'static str| ErrorReport::new(code, message, function_name!());
    if array.rank() > 1 {
        return Err(refuse(PgSqlErrorCode::ERRCODE_DATA_EXCEPTION, "array must be 1-D"));
    }
    if array.contains_nulls() {
        return Err(refuse(PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED, "array must not contain nulls"));
    }
    check_dimensions::<E>(array.len(), typmod)?;

    let result = if let Some(numbers) = array.elements::<f32>() {
        DenseBuf::convert(numbers)
    } else if let Some(numbers) = array.elements::<f64>() {
        DenseBuf::convert(&numbers.iter().map(|&number| number as f32).collect::<Vec<_>>())
    } else if let Some(numbers) = array.elements::<i32>() {
        DenseBuf::convert(&numbers.iter().map(|&number| number as f32).collect::<Vec<_>>())
    } else if array.element_type() == pg_sys::NUMERICOID {
        DenseBuf::convert(&array.numerics())
    } else {
        return Err(refuse(PgSqlErrorCode::ERRCODE_DATA_EXCEPTION, "unsupported array type"));
    };
    Ok(result?)
}

fn to_array<E: Element>(vector: Dense<E>) -> ArrayBuf {
    let mut array = ArrayBuf::zeros::<f32>(vector.len());
    E::widen_all(&vector, array.elements_mut());
    array
}

/// One bit per element: whether it is greater than zero.
fn signs<E: Element>(vector: Dense<E>) -> Bits {
    let mut bits = Bits::zeros(vector.len());
    let (eights, rest) = vector.as_chunks::<8>();
    let (bytes, last) = bits.bytes_mut().split_at_mut(eights.len());
    for (byte, eight) in bytes.iter_mut().zip(eights) {
        *byte = pack(eight);
    }
    if let [last] = last {
        *last = pack(rest);
    }
    bits
}

/// Packs up to eight signs into a byte, the first on top.
#[inline(always)]
fn pack<E: Element>(elements: &[E]) -> u8 {
    let sign = |(index, element): (usize, &E)| u8::from(*element > E::default()) << (7 - index);
    elements.iter().enumerate().map(sign).fold(0, |byte, bit| byte | bit)
}
