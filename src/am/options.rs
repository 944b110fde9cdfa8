//! Storage parameters of an index.

use pgrx::pg_sys;
use pgrx::prelude::*;

/// Per cent of a page that a build fills. Not all: otherwise the first row that each namespace gets afterwards would split
/// a page.
const DEFAULT_FILLFACTOR: i32 = 95;

#[repr(C)]
struct Options {
    vl_len_: i32,
    fillfactor: i32,
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
        KIND.get_or_init(|| kind);
    }
}

/// Reads the parameters.
#[pg_guard]
pub unsafe extern "C-unwind" fn amoptions(options: pg_sys::Datum, validate: bool) -> *mut pg_sys::bytea {
    let Some(&kind) = KIND.get() else { return std::ptr::null_mut() };
    let table = [pg_sys::relopt_parse_elt {
        optname: c"fillfactor".as_ptr(),
        opttype: pg_sys::relopt_type::RELOPT_TYPE_INT,
        offset: std::mem::offset_of!(Options, fillfactor) as i32,
        #[cfg(feature = "pg18")]
        isset_offset: 0,
    }];
    // SAFETY: the table describes `Options`.
    unsafe {
        pg_sys::build_reloptions(options, validate, kind, size_of::<Options>(), table.as_ptr(), table.len() as i32)
            .cast()
    }
}

/// Per cent of a page that a build of this index fills.
///
/// # Safety
/// `relation` is an open index of this access method.
pub unsafe fn fillfactor(relation: pg_sys::Relation) -> usize {
    // SAFETY: the options of such an index were made by `amoptions`.
    let fill = unsafe {
        let options = (*relation).rd_options.cast::<Options>();
        if options.is_null() { DEFAULT_FILLFACTOR } else { (*options).fillfactor }
    };
    usize::try_from(fill).unwrap_or(100)
}
