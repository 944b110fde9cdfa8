//! A `jsonb` to look into, and one as it is stored, which goes through unread.
//!
//! Not every `jsonb` can be read here: it may be nested as deep as the stack allows, and its numbers know no bounds. What
//! serde_json does not take is the caller's mistake, and is answered as one; pgrx's own type panics.

#![allow(unsafe_code, reason = "reads and makes datums")]

use std::ffi::{CStr, CString};
use std::panic::panic_any;
use std::ptr;
use std::slice;

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::{FromDatum, IntoDatum};
use pgrx::nullable::Nullable;
use pgrx::pg_sys::{self, Datum};
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::{direct_function_call, direct_function_call_as_datum, varsize};
use serde::Serialize;
use serde_json::Value;

use crate::error::{Result, internal, invalid_parameter};

/// A `jsonb` as a value.
pub struct JsonB(pub Value);

/// A copy of a stored `jsonb`, header and all.
pub struct StoredJsonb(Vec<u8>);

/// What a `jsonb` says.
///
/// # Safety
/// The datum is a `jsonb`.
unsafe fn read(datum: Datum) -> Result<Value> {
    // SAFETY: jsonb_out takes a jsonb and returns a C string of its own, which is freed when it has been read.
    unsafe {
        let text = direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(datum)])
            .ok_or_else(|| internal("jsonb_out returned no text"))?;
        let value = serde_json::from_slice(text.to_bytes());
        pg_sys::pfree(text.as_ptr().cast_mut().cast());
        value.map_err(|_| {
            invalid_parameter("this JSON cannot be read").set_detail(
                "It may be nested at most 127 levels deep, and its numbers must lie between -1.8e308 and 1.8e308.",
            )
        })
    }
}

/// What a value is as `jsonb`.
fn write(value: &impl Serialize) -> Result<Datum> {
    let text = CString::new(serde_json::to_string(value).map_err(internal)?).map_err(internal)?;
    // SAFETY: jsonb_in takes a C string, which outlives the call, and returns a jsonb.
    unsafe { direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(text.as_ptr().into())]) }
        .ok_or_else(|| internal("jsonb_in returned no value"))
}

impl StoredJsonb {
    /// What a value is as `jsonb`.
    pub fn of(value: &impl Serialize) -> Result<Self> {
        // SAFETY: what is written is a jsonb.
        unsafe { StoredJsonb::from_datum(write(value)?, false) }.ok_or_else(|| internal("jsonb_in returned no value"))
    }
}

impl FromDatum for JsonB {
    unsafe fn from_polymorphic_datum(datum: Datum, is_null: bool, _: pg_sys::Oid) -> Option<Self> {
        if is_null {
            return None;
        }
        // SAFETY: the caller passes a jsonb.
        Some(Self(unsafe { read(datum) }.unwrap_or_else(|report| panic_any(report))))
    }
}

impl IntoDatum for JsonB {
    fn into_datum(self) -> Option<Datum> {
        Some(write(&self.0).unwrap_or_else(|report| panic_any(report)))
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

impl FromDatum for StoredJsonb {
    unsafe fn from_polymorphic_datum(datum: Datum, is_null: bool, _: pg_sys::Oid) -> Option<Self> {
        if is_null {
            return None;
        }
        // SAFETY: the caller passes a jsonb. Detoasted it has a plain header, which tells how many bytes there are.
        unsafe {
            let plain = pg_sys::pg_detoast_datum(datum.cast_mut_ptr());
            Some(Self(slice::from_raw_parts(plain.cast(), varsize(plain)).to_vec()))
        }
    }
}

impl IntoDatum for StoredJsonb {
    fn into_datum(self) -> Option<Datum> {
        // SAFETY: as many bytes are written as were allocated; palloc raises an error instead of returning null.
        unsafe {
            let copy = pg_sys::palloc(self.0.len()).cast::<u8>();
            ptr::copy_nonoverlapping(self.0.as_ptr(), copy, self.0.len());
            Some(copy.into())
        }
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

// SAFETY: `from_datum` is given datums of the SQL type that `SqlTranslatable` below names.
unsafe impl<'fcx> ArgAbi<'fcx> for JsonB {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        let index = arg.index();
        // SAFETY: an argument is of the type that it was declared with.
        unsafe { arg.unbox_arg_using_from_datum() }.unwrap_or_else(|| panic!("argument {index} must not be null"))
    }

    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        // SAFETY: as above.
        unsafe { arg.unbox_arg_using_from_datum() }.into()
    }
}

macro_rules! returned_as_jsonb {
    ($($type:ty),*) => {$(
        // SAFETY: what is returned is a complete, palloc'd jsonb.
        unsafe impl BoxRet for $type {
            unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> pgrx::datum::Datum<'fcx> {
                match self.into_datum() {
                    // SAFETY: as above.
                    Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
                    None => fcinfo.return_null(),
                }
            }
        }

        // SAFETY: reads and writes exactly the varlena that this SQL type stores.
        unsafe impl SqlTranslatable for $type {
            const TYPE_IDENT: &'static str = "jsonb";
            const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
            const ARGUMENT_SQL: std::result::Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("jsonb"));
            const RETURN_SQL: std::result::Result<ReturnsRef, ReturnsError> =
                Ok(ReturnsRef::One(SqlMappingRef::literal("jsonb")));
        }
    )*};
}

returned_as_jsonb!(JsonB, StoredJsonb);
