//! How functions of two vectors that give a number or a truth value are called: as cheaply as Postgres allows.
//!
//! A search calls a distance once per row and a sort calls the comparison more often still, so these are bound by hand.
//! Distances try `site` first, which knows the query already.
//! If both vectors lie plain in memory and suit each other, the answer needs no allocation and can raise no error, and
//! so no guard against panics either: what remains beside the computation is a handful of comparisons. All other calls
//! take the ordinary, guarded way.

#![allow(unsafe_code, reason = "binds functions to PostgreSQL's calling convention by hand")]

use pgrx::pg_sys;
use pgrx::pg_sys::panic::{ErrorReport, ErrorReportable};

use super::datum::{self, Dense};
use super::element::Element;
use super::fault::Fault;
use super::site;

/// Binds a computation on two vectors, once for each type: element, symbol and the symbol of its call information. The
/// computation must not panic, nor call Postgres.
macro_rules! bind_pairs {
    ($(($element:ty, $function:ident, $info:ident)),+ => $check:path, $compute:expr, $row:expr) => {
        $(
            $crate::vector::pairs::export!($function, $info, |call| {
                let compute_row: fn($crate::vector::site::Row<$element>) -> pgrx::pg_sys::Datum = $row;
                // SAFETY: the functions bound here are STRICT and declared with two arguments of the type whose elements are
                // `$element`.
                match unsafe { $crate::vector::site::expected_row::<$element>(call) } {
                    Some(row) => compute_row(row),
                    None => $crate::vector::pairs::other_call::<$element>(call, $row, $check, $compute),
                }
            });
        )+
    };
    ($(($element:ty, $function:ident, $info:ident)),+ => $check:path, $compute:expr) => {
        $(
            $crate::vector::pairs::export!($function, $info, |call| {
                $crate::vector::pairs::call::<$element>(call, $check, $compute)
            });
        )+
    };
}

/// Exports a function under the calling convention of PostgreSQL, with the record that says so.
macro_rules! export {
    ($function:ident, $info:ident, |$call:ident| $body:expr) => {
        #[unsafe(no_mangle)]
        pub extern "C-unwind" fn $function($call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
            $body
        }

        /// Tells PostgreSQL how the function of that name is called.
        #[unsafe(no_mangle)]
        pub extern "C" fn $info() -> &'static pg_sys::Pg_finfo_record {
            const VERSION_1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
            &VERSION_1
        }
    };
}

pub(super) use {bind_pairs, export};

/// Accepts any two vectors.
#[inline(always)]
pub(super) fn any<E: Element>(_: &[E], _: &[E]) -> Result<(), Fault> {
    Ok(())
}

#[inline(always)]
pub(super) fn call<E: Element>(
    call: pg_sys::FunctionCallInfo,
    check: impl Fn(&[E], &[E]) -> Result<(), Fault>,
    compute: impl Fn(&[E], &[E]) -> pg_sys::Datum,
) -> pg_sys::Datum {
    // SAFETY: the functions bound here are STRICT and declared with two arguments of the type whose elements are `E`.
    if let Some((a, b)) = unsafe { datum::plain_pair::<E>(call) }
        && check(a, b).is_ok()
    {
        return compute(a, b);
    }
    // SAFETY: this frame owns nothing that an error would have to free.
    unsafe {
        pgrx::pgrx_extern_c_guard(|| {
            let (a, b) = expand::<E>(call);
            check(&a, &b).map_err(ErrorReport::from).unwrap_or_report();
            compute(&a, &b)
        })
    }
}

/// The same at a call site that keeps its query, for a row that was not expected where it lies, and at one that [`site`] does
/// not know yet or has no use for. It stays a function of its own, so that the calls for expected rows save no registers for it.
#[inline(never)]
pub(super) fn other_call<E: Element>(
    call: pg_sys::FunctionCallInfo,
    compute_row: impl Fn(site::Row<E>) -> pg_sys::Datum,
    check: impl Fn(&[E], &[E]) -> Result<(), Fault>,
    compute: impl Fn(&[E], &[E]) -> pg_sys::Datum,
) -> pg_sys::Datum {
    // SAFETY: as in `call`, and no other function shares their call sites; the frame owns nothing that an error would have
    // to free.
    unsafe {
        if let Some(row) = site::any_row::<E>(call) {
            return compute_row(row);
        }
        if site::is_new(call) {
            pgrx::pgrx_extern_c_guard(|| site::prepare::<E>(call));
        }
    }
    self::call(call, check, compute)
}

/// Opens the two arguments of a call, wherever they lie.
///
/// # Safety
/// The function called is STRICT and declared with two arguments of the type whose elements are `E`.
#[cold]
unsafe fn expand<'a, E: Element>(call: pg_sys::FunctionCallInfo) -> (Dense<'a, E>, Dense<'a, E>) {
    // SAFETY: as above; arguments outlive the call.
    unsafe {
        let [a, b] = datum::pair(call);
        (Dense::open(a), Dense::open(b))
    }
}
