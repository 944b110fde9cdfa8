//! Input and output: text, binary, and the declared number of dimensions.

#![allow(unsafe_code, reason = "hands the call on, for soft errors")]

use std::ffi::CStr;

use half::f16;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{PgSqlErrorCode, function_name};

use super::builtin::{Bytes, CStringBuf, Message, TypmodList};
use super::element::Element;
use super::fault::Fault;
use super::{
    Dense, DenseBuf, HalfVector, HalfVectorBuf, MAX_DIMENSIONS, Vector, VectorBuf, binary, check_declared, soft, text,
};

#[pg_extern(sql = false)]
fn vector_in(
    input: &CStr,
    _type: pg_sys::Oid,
    typmod: i32,
    call: pg_sys::FunctionCallInfo,
) -> Result<Option<VectorBuf>, ErrorReport> {
    // SAFETY: `call` is what PostgreSQL has passed to this function, which it is executing.
    unsafe { soft::accept(read_text(input, typmod), call) }
}

#[pg_extern(sql = false)]
fn halfvec_in(
    input: &CStr,
    _type: pg_sys::Oid,
    typmod: i32,
    call: pg_sys::FunctionCallInfo,
) -> Result<Option<HalfVectorBuf>, ErrorReport> {
    // SAFETY: `call` is what PostgreSQL has passed to this function, which it is executing.
    unsafe { soft::accept(read_text(input, typmod), call) }
}

#[pg_extern(sql = false)]
fn vector_out(vector: Vector) -> CStringBuf {
    write_text(&vector)
}

#[pg_extern(sql = false)]
fn halfvec_out(vector: HalfVector) -> CStringBuf {
    write_text(&vector)
}

#[pg_extern(sql = false)]
fn vector_recv(message: Message, _type: pg_sys::Oid, typmod: i32) -> Result<VectorBuf, ErrorReport> {
    read_binary(message, typmod)
}

#[pg_extern(sql = false)]
fn halfvec_recv(message: Message, _type: pg_sys::Oid, typmod: i32) -> Result<HalfVectorBuf, ErrorReport> {
    read_binary(message, typmod)
}

#[pg_extern(sql = false)]
fn vector_send(vector: Vector) -> Bytes {
    write_binary(&vector)
}

#[pg_extern(sql = false)]
fn halfvec_send(vector: HalfVector) -> Bytes {
    write_binary(&vector)
}

#[pg_extern(sql = false)]
fn vector_typmod_in(modifiers: TypmodList) -> Result<i32, ErrorReport> {
    read_typmod::<f32>(modifiers)
}

#[pg_extern(sql = false)]
fn halfvec_typmod_in(modifiers: TypmodList) -> Result<i32, ErrorReport> {
    read_typmod::<f16>(modifiers)
}

fn read_text<E: Element>(input: &CStr, typmod: i32) -> Result<DenseBuf<E>, Fault> {
    let elements = text::parse::<E>(input.to_bytes())?;
    check_declared::<E>(elements.len(), typmod)?;
    Ok(DenseBuf::from_slice(&elements))
}

fn write_text<E: Element>(vector: &Dense<E>) -> CStringBuf {
    let mut out = CStringBuf::with_room_for_numbers(vector.len());
    for (index, element) in vector.iter().enumerate() {
        out.push(if index == 0 { b'[' } else { b',' });
        out.push_shortest(element.widen());
    }
    out.push(b']');
    out
}

fn read_binary<E: Element>(mut message: Message, typmod: i32) -> Result<DenseBuf<E>, ErrorReport> {
    let (body, taken) = binary::body::<E>(message.rest(), typmod)?;
    let mut vector = DenseBuf::zeros(body.len() / E::BYTES);
    binary::decode::<E>(body, vector.elements_mut())?;
    message.advance(taken);
    Ok(vector)
}

fn write_binary<E: Element>(vector: &Dense<E>) -> Bytes {
    let mut out = Bytes::zeros(binary::encoded_len::<E>(vector));
    binary::encode::<E>(vector, out.bytes_mut());
    out
}

fn read_typmod<E: Element>(modifiers: TypmodList) -> Result<i32, ErrorReport> {
    let refuse =
        |message: String| ErrorReport::new(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, message, function_name!());
    let kind = E::KIND;
    match *modifiers {
        [dimensions] if dimensions < 1 => Err(refuse(format!("dimensions for type {kind} must be at least 1"))),
        [dimensions] if dimensions as usize > MAX_DIMENSIONS => {
            Err(refuse(format!("dimensions for type {kind} cannot exceed {MAX_DIMENSIONS}")))
        }
        [dimensions] => Ok(dimensions),
        _ => Err(refuse("invalid type modifier".to_owned())
            .set_hint(format!("{kind} takes one number, its dimensions, as in {kind}(384)."))),
    }
}
