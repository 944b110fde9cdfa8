//! Functions of PostgreSQL that are called several times for each page or row, without the guard that pgrx puts around each
//! call: it takes longer than most of them.
//!
//! Whoever calls them does so inside a closure that is guarded as a whole (`pg_guard_ffi_boundary`). An error leaves it as a
//! jump, so nothing in it may own anything: it consists of calls, of plain values on the stack, and of arithmetic that
//! cannot panic.

use pgrx::pg_sys;

/// What names the file of a relation.
#[cfg(any(feature = "pg14", feature = "pg15"))]
pub type File = pg_sys::RelFileNode;
/// What names the file of a relation.
#[cfg(not(any(feature = "pg14", feature = "pg15")))]
pub type File = pg_sys::RelFileLocator;

unsafe extern "C-unwind" {
    pub fn PrefetchBuffer(
        relation: pg_sys::Relation,
        fork: pg_sys::ForkNumber::Type,
        block: pg_sys::BlockNumber,
    ) -> pg_sys::PrefetchBufferResult;
    pub fn ReadRecentBuffer(
        file: File,
        fork: pg_sys::ForkNumber::Type,
        block: pg_sys::BlockNumber,
        buffer: pg_sys::Buffer,
    ) -> bool;
    pub fn ReadBuffer(relation: pg_sys::Relation, block: pg_sys::BlockNumber) -> pg_sys::Buffer;
    pub fn LockBuffer(buffer: pg_sys::Buffer, mode: std::ffi::c_int);
    pub fn ReleaseBuffer(buffer: pg_sys::Buffer);
    pub fn heap_hot_search_buffer(
        tid: pg_sys::ItemPointer,
        relation: pg_sys::Relation,
        buffer: pg_sys::Buffer,
        snapshot: pg_sys::Snapshot,
        tuple: pg_sys::HeapTuple,
        all_dead: *mut bool,
        first_call: bool,
    ) -> bool;
    pub fn nocachegetattr(tuple: pg_sys::HeapTuple, column: std::ffi::c_int, desc: pg_sys::TupleDesc) -> pg_sys::Datum;
    pub fn index_getprocinfo(
        relation: pg_sys::Relation,
        column: pg_sys::AttrNumber,
        number: u16,
    ) -> *mut pg_sys::FmgrInfo;
    pub fn FunctionCall2Coll(
        function: *mut pg_sys::FmgrInfo,
        collation: pg_sys::Oid,
        first: pg_sys::Datum,
        second: pg_sys::Datum,
    ) -> pg_sys::Datum;
}
