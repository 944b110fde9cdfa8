//! A `jsonb` as it is stored. pgrx's own type is for looking into one: it is written out as text and read on the way in,
//! and the same again on the way back.

#![allow(unsafe_code, reason = "reads and makes datums")]

use std::ffi::CString;
use std::ptr;
use std::slice;

use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::datum::{FromDatum, IntoDatum};
use pgrx::pg_sys::{self, Datum};
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::{direct_function_call_as_datum, varsize};
use serde::Serialize;

use crate::error::{Result, internal};

/// A copy of a stored `jsonb`, header and all.
pub struct StoredJsonb(Vec<u8>);

impl StoredJsonb {
    /// What a value is as `jsonb`.
    pub fn of(value: &impl Serialize) -> Result<Self> {
        let text = CString::new(serde_json::to_string(value).map_err(internal)?).map_err(internal)?;
        // SAFETY: jsonb_in takes a C string, which outlives the call, and returns a jsonb.
        unsafe {
            let stored = direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(text.as_ptr().into())]);
            StoredJsonb::from_datum(stored.unwrap_or(Datum::null()), stored.is_none())
        }
        .ok_or_else(|| internal("jsonb_in returned no value"))
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

// SAFETY: what is returned is a complete, palloc'd jsonb.
unsafe impl BoxRet for StoredJsonb {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> pgrx::datum::Datum<'fcx> {
        match self.into_datum() {
            // SAFETY: as above.
            Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
            None => fcinfo.return_null(),
        }
    }
}

// SAFETY: reads and writes exactly the varlena that this SQL type stores.
unsafe impl SqlTranslatable for StoredJsonb {
    const TYPE_IDENT: &'static str = "jsonb";
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: std::result::Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("jsonb"));
    const RETURN_SQL: std::result::Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal("jsonb")));
}
