//! Storage parameters of an index.

use std::ffi::CStr;

use pgrx::pg_sys;
use pgrx::prelude::*;

/// Per cent of a page that a build fills. Not all: otherwise the first row that each namespace gets afterwards would split
/// a page.
const DEFAULT_FILLFACTOR: i32 = 95;

/// Rows from which a build gives a namespace lists. Up to here exact answers, in a third of a millisecond, are worth more.
pub const DEFAULT_LISTS_FROM: i32 = 10_000;

#[repr(C)]
struct Options {
    vl_len_: i32,
    fillfactor: i32,
    lists_from: i32,
}

static KIND: std::sync::OnceLock<pg_sys::relopt_kind::Type> = std::sync::OnceLock::new();

/// Makes the parameters known; called once per process.
pub fn define() {
    // SAFETY: the names are static; the parameters are added once, before any index of this access method is opened.
    unsafe {
        let kind = pg_sys::add_reloption_kind();
        pg_sys::add_int_reloption(
            kind,
            c"fillfactor".as_ptr(),
            c"per cent of a page that a build fills".as_ptr(),
            DEFAULT_FILLFACTOR,
            50,
            100,
            pg_sys::AccessExclusiveLock as pg_sys::LOCKMODE,
        );
        pg_sys::add_int_reloption(
            kind,
            c"lists_from".as_ptr(),
            c"rows from which a build gives a namespace lists".as_ptr(),
            DEFAULT_LISTS_FROM,
            2000,
            i32::MAX,
            pg_sys::AccessExclusiveLock as pg_sys::LOCKMODE,
        );
        KIND.get_or_init(|| kind);
    }
}

/// Reads the parameters.
#[pg_guard]
pub unsafe extern "C-unwind" fn amoptions(options: pg_sys::Datum, validate: bool) -> *mut pg_sys::bytea {
    let Some(&kind) = KIND.get() else { return std::ptr::null_mut() };
    let table = [
        integer(c"fillfactor", std::mem::offset_of!(Options, fillfactor)),
        integer(c"lists_from", std::mem::offset_of!(Options, lists_from)),
    ];
    // SAFETY: the table describes `Options`.
    unsafe {
        pg_sys::build_reloptions(options, validate, kind, size_of::<Options>(), table.as_ptr(), table.len() as i32)
            .cast()
    }
}

fn integer(name: &'static CStr, offset: usize) -> pg_sys::relopt_parse_elt {
    pg_sys::relopt_parse_elt {
        optname: name.as_ptr(),
        opttype: pg_sys::relopt_type::RELOPT_TYPE_INT,
        offset: offset as i32,
        #[cfg(feature = "pg18")]
        isset_offset: 0,
    }
}

/// The parameters of an index.
#[derive(Debug, Clone, Copy)]
pub struct Storage {
    /// Per cent of a page that a build fills.
    pub fillfactor: usize,
    /// Rows from which a build gives a namespace lists.
    pub lists_from: usize,
}

/// Reads the parameters of an index.
///
/// # Safety
/// `relation` is an open index of this access method.
pub unsafe fn storage(relation: pg_sys::Relation) -> Storage {
    // SAFETY: the options of such an index were made by `amoptions`.
    let (fillfactor, lists_from) = unsafe {
        let options = (*relation).rd_options.cast::<Options>();
        if options.is_null() {
            (DEFAULT_FILLFACTOR, DEFAULT_LISTS_FROM)
        } else {
            ((*options).fillfactor, (*options).lists_from)
        }
    };
    Storage { fillfactor: fillfactor as usize, lists_from: lists_from as usize }
}
