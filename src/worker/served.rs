//! Which databases background workers serve: what the administrator named, and what has come of it.
//!
//! The setting alone does not say it. A database may not exist, and where `max_worker_processes` is used up the server starts
//! without the workers that are too many, which nobody but its log is told. Whoever leaves something to a worker asks here.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use pgrx::prelude::*;
use pgrx::{PgAtomic, pg_shmem_init};

use crate::gucs;

/// The databases that workers were registered for at the start of the server: every process inherits it from the postmaster.
/// The setting may have another list since a reload.
static NAMED: OnceLock<Vec<String>> = OnceLock::new();

/// A bit for each of them, by its place, that is set once a worker has begun to run its jobs.
#[allow(unsafe_code)]
// SAFETY: the name is that of nothing else in shared memory.
static BEGUN: PgAtomic<AtomicU64> = unsafe { PgAtomic::new(c"memory_profile databases") };

/// Notes what the setting names and has room made in shared memory. For the postmaster, while it loads the library.
#[allow(unsafe_code)]
#[allow(unexpected_cfgs, reason = "the macro also asks for versions that there is no feature for")]
pub fn define() -> &'static [String] {
    let named = NAMED.get_or_init(gucs::worker_databases);
    if !named.is_empty() {
        pg_shmem_init!(BEGUN);
    }
    named
}

/// The name of a database, by its place.
pub fn database(place: usize) -> Option<&'static str> {
    NAMED.get()?.get(place).map(String::as_str)
}

/// Says that a worker has begun to run the jobs of a database.
pub fn begin(place: usize) {
    if let Some(bit) = bit(place) {
        BEGUN.get().fetch_or(bit, Ordering::Relaxed);
    }
}

/// Whether workers run the jobs of a database: one that has failed meanwhile is started again.
fn is_served(name: &str) -> bool {
    let Some(place) = NAMED.get().and_then(|named| named.iter().position(|other| other == name)) else { return false };
    bit(place).is_some_and(|bit| BEGUN.get().load(Ordering::Relaxed) & bit != 0)
}

/// The databases behind the sixty-fourth have none, and do without what depends on it.
fn bit(place: usize) -> Option<u64> {
    u32::try_from(place).ok().and_then(|place| 1_u64.checked_shl(place))
}

/// Whether a worker serves the current database, and this process is none.
#[pg_extern(stable, parallel_safe)]
fn _worker_notifies() -> bool {
    if NAMED.get().is_none_or(Vec::is_empty) {
        return false;
    }
    #[allow(unsafe_code)]
    // SAFETY: called within a transaction of a connected backend, whose database has a name: a string that PostgreSQL allocates.
    let (is_worker, database) = unsafe {
        let name = pg_sys::get_database_name(pg_sys::MyDatabaseId);
        (!pg_sys::MyBgworkerEntry.is_null(), std::ffi::CStr::from_ptr(name).to_string_lossy().into_owned())
    };
    !is_worker && is_served(&database)
}
