//! Soft errors: from PostgreSQL 16 on, the caller of an input function may ask to be told of a refused value instead of having
//! its statement ended, as `pg_input_is_valid` and `COPY … ON_ERROR` do. Older versions never ask.

#![allow(unsafe_code, reason = "reads and fills the caller's ErrorSaveContext")]

use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;

use super::fault::Fault;

/// The value of an input function; nothing if it was refused and the caller has been told.
///
/// # Safety
/// `call` is the call record of an input function that is being executed.
pub unsafe fn accept<T>(value: Result<T, Fault>, call: pg_sys::FunctionCallInfo) -> Result<Option<T>, ErrorReport> {
    match value {
        Ok(value) => Ok(Some(value)),
        // SAFETY: the caller's promise.
        Err(fault) if unsafe { save(&fault, call) } => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}

#[cfg(any(feature = "pg14", feature = "pg15"))]
unsafe fn save(_: &Fault, _: pg_sys::FunctionCallInfo) -> bool {
    false
}

/// Tells the caller, if it asked for that.
///
/// # Safety
/// As for [`accept`].
#[cfg(not(any(feature = "pg14", feature = "pg15")))]
unsafe fn save(fault: &Fault, call: pg_sys::FunctionCallInfo) -> bool {
    use pgrx::memcxt::PgMemoryContexts;

    use super::errors;

    // SAFETY: the context of a call is null or a node, and a node of that tag is an `ErrorSaveContext`. The caller reads the
    // `ErrorData` in the memory context of the call.
    unsafe {
        let context = (*call).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_ErrorSaveContext {
            return false;
        }
        let context = context.cast::<pg_sys::ErrorSaveContext>();
        (*context).error_occurred = true;
        if (*context).details_wanted {
            let copy = |text: &str| PgMemoryContexts::CurrentMemoryContext.pstrdup(text);
            let data = pg_sys::palloc0(size_of::<pg_sys::ErrorData>()).cast::<pg_sys::ErrorData>();
            (*data).elevel = pgrx::PgLogLevel::ERROR as i32;
            (*data).sqlerrcode = errors::sqlstate(fault) as i32;
            (*data).message = copy(&fault.to_string());
            (*data).detail = errors::detail(fault).map_or(std::ptr::null_mut(), copy);
            (*data).hint = errors::hint(fault).map_or(std::ptr::null_mut(), |hint| copy(&hint));
            (*data).assoc_context = pg_sys::CurrentMemoryContext;
            (*context).error_data = data;
        }
        true
    }
}
