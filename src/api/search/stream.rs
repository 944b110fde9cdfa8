//! Reading many small rows: each is handed to a closure where it lies, none is copied or kept.
//!
//! SPI collects the rows of a result before its caller sees the first, which for the twenty thousand signatures of a
//! large subject takes longer than to score them. Its callers may instead name a destination of their own (since
//! PostgreSQL 14), and that is all that this module does.

#![allow(unsafe_code, reason = "implements PostgreSQL's DestReceiver")]

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{CString, c_int};
use std::slice;

use pgrx::datum::{DatumWithOid, FromDatum};
use pgrx::pg_sys::{self, Datum, TupleTableSlot};
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use pgrx::{vardata_any, varsize_any_exhdr};

use crate::error::{Result, internal};

/// A row of the result, valid as long as the closure that it is given to runs.
pub struct Row<'row> {
    values: &'row [Datum],
    nulls: &'row [bool],
    /// What was expanded for it, to be freed behind it: the codes of a large subject are many megabytes.
    expanded: RefCell<Vec<*mut pg_sys::varlena>>,
}

impl<'row> Row<'row> {
    /// A column, counted from 0, whose type is fixed in size.
    pub fn get<T: FromDatum>(&self, column: usize) -> Option<T> {
        // SAFETY: the value and its null flag belong together, and T is what the query says it selects.
        unsafe { T::from_datum(self.values[column], self.nulls[column]) }
    }

    /// The bytes of a uuid.
    pub fn uuid(&self, column: usize) -> [u8; 16] {
        assert!(!self.nulls[column], "a key is never null");
        // SAFETY: a uuid is sixteen bytes, passed by reference.
        unsafe { *self.values[column].cast_mut_ptr::<[u8; 16]>() }
    }

    /// The bytes of a text or bytea; empty for null.
    pub fn bytes(&self, column: usize) -> &'row [u8] {
        if self.nulls[column] {
            return &[];
        }
        // SAFETY: the query selects a varlena here. What is compressed or out of line is expanded into memory that lasts
        // until the row is done with, everything else is read where it lies; the length is that in its header.
        unsafe {
            let stored = self.values[column].cast_mut_ptr();
            let varlena = pg_sys::pg_detoast_datum_packed(stored);
            if varlena != stored {
                self.expanded.borrow_mut().push(varlena);
            }
            slice::from_raw_parts(vardata_any(varlena).cast(), varsize_any_exhdr(varlena))
        }
    }
}

/// A destination of rows. PostgreSQL knows it by its first member.
#[repr(C)]
struct Receiver<'each> {
    base: pg_sys::DestReceiver,
    each: &'each mut dyn FnMut(&Row<'_>) -> Result<()>,
    failure: Option<Box<pg_sys::panic::ErrorReport>>,
}

#[pg_guard]
unsafe extern "C-unwind" fn start(
    _receiver: *mut pg_sys::DestReceiver,
    _operation: c_int,
    _columns: pg_sys::TupleDesc,
) {
}

#[pg_guard]
unsafe extern "C-unwind" fn finish(_receiver: *mut pg_sys::DestReceiver) {}

#[pg_guard]
unsafe extern "C-unwind" fn receive(slot: *mut TupleTableSlot, receiver: *mut pg_sys::DestReceiver) -> bool {
    // SAFETY: the executor hands back the receiver that it was given, whose base is its first member, and a slot that
    // holds a row. Once all its attributes are taken apart, it has that many values and null flags. What was expanded was
    // allocated by detoasting and is freed once; nothing of a row outlives the closure that it was given to.
    unsafe {
        let receiver = &mut *receiver.cast::<Receiver<'_>>();
        let count = (*(*slot).tts_tupleDescriptor).natts;
        if i32::from((*slot).tts_nvalid) < count {
            pg_sys::slot_getsomeattrs_int(slot, count);
        }
        let row = Row {
            values: slice::from_raw_parts((*slot).tts_values, count as usize),
            nulls: slice::from_raw_parts((*slot).tts_isnull, count as usize),
            expanded: RefCell::default(),
        };
        let outcome = (receiver.each)(&row);
        for expanded in row.expanded.into_inner() {
            pg_sys::pfree(expanded.cast());
        }
        match outcome {
            Ok(()) => true,
            Err(report) => {
                receiver.failure = Some(Box::new(report));
                false
            }
        }
    }
}

thread_local! {
    /// Plans that live as long as the session, by their text.
    static PLANS: RefCell<HashMap<String, pg_sys::SPIPlanPtr>> = RefCell::default();
}

fn plan(sql: &str, arguments: &[DatumWithOid<'_>], keep: bool) -> Result<pg_sys::SPIPlanPtr> {
    if let Some(plan) = PLANS.with_borrow(|plans| plans.get(sql).copied()) {
        return Ok(plan);
    }
    let text = CString::new(sql).map_err(internal)?;
    let mut types: Vec<pg_sys::Oid> = arguments.iter().map(DatumWithOid::oid).collect();
    // One plan for every subject: what is read always lies in the same index.
    let options = if keep { pg_sys::CURSOR_OPT_GENERIC_PLAN } else { pg_sys::CURSOR_OPT_CUSTOM_PLAN };
    // SAFETY: SPI is connected, as the caller's client shows; text and types live through the call. A kept plan is never
    // freed, so what the map holds stays valid.
    unsafe {
        let plan =
            pg_sys::SPI_prepare_cursor(text.as_ptr(), types.len() as c_int, types.as_mut_ptr(), options as c_int);
        if plan.is_null() {
            return Err(internal(format!("cannot prepare a query of the search: {sql}")));
        }
        if keep {
            pg_sys::SPI_keepplan(plan);
            PLANS.with_borrow_mut(|plans| plans.insert(sql.to_owned(), plan));
        }
        Ok(plan)
    }
}

/// Runs a query that only reads and gives each of its rows to `each`, which ends it early by failing. `keep` says
/// whether the query is one of a few and its plan is kept.
pub fn stream(
    _: &SpiClient<'_>,
    sql: &str,
    arguments: &[DatumWithOid<'_>],
    keep: bool,
    mut each: impl FnMut(&Row<'_>) -> Result<()>,
) -> Result<()> {
    let plan = plan(sql, arguments, keep)?;
    let mut receiver = Receiver {
        base: pg_sys::DestReceiver {
            receiveSlot: Some(receive),
            rStartup: Some(start),
            rShutdown: Some(finish),
            rDestroy: Some(finish),
            mydest: pg_sys::CommandDest::DestNone,
        },
        each: &mut each,
        failure: None,
    };
    // SAFETY: the parameters are as many and of the types that the plan was made with; the receiver outlives the call,
    // and nobody else uses it meanwhile.
    let code = unsafe {
        let parameters = pg_sys::makeParamList(arguments.len() as c_int);
        let slots = (*parameters).params.as_mut_slice(arguments.len());
        for (slot, argument) in slots.iter_mut().zip(arguments) {
            let datum = argument.datum();
            slot.isnull = datum.is_none();
            slot.value = datum.map_or(Datum::null(), |datum| datum.sans_lifetime());
            slot.pflags = pg_sys::PARAM_FLAG_CONST as u16;
            slot.ptype = argument.oid();
        }
        let options = pg_sys::SPIExecuteOptions {
            params: parameters,
            read_only: true,
            dest: (&raw mut receiver).cast(),
            ..Default::default()
        };
        pg_sys::SPI_execute_plan_extended(plan, &options)
    };
    match receiver.failure {
        Some(report) => Err(*report),
        None if code < 0 => Err(internal(format!("a query of the search failed with {code}"))),
        None => Ok(()),
    }
}
