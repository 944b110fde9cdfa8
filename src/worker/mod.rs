//! The background worker: one process per database that the administrator named, running the job queue after commit.
//!
//! It is a convenience. The same jobs run by `CALL memory_profile.run_jobs()` from any client, so that the product is
//! whole where nobody may preload a library.

pub mod http;

use std::time::Duration;

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, SignalWakeFlags};
use pgrx::pg_sys::panic::ErrorReportable;
use pgrx::prelude::*;

use crate::gucs;

/// How long the postmaster waits before it starts a worker again that failed.
const RESTART: Duration = Duration::from_secs(5);

/// Registers the workers, if the library is being preloaded.
pub fn register() {
    #[allow(unsafe_code)]
    // SAFETY: a plain read of a flag that the postmaster sets before it loads libraries.
    let preloading = unsafe { pg_sys::process_shared_preload_libraries_in_progress };
    if !preloading {
        return;
    }
    for (index, database) in gucs::worker_databases().iter().enumerate() {
        BackgroundWorkerBuilder::new(&format!("memory_profile jobs of {database}"))
            .set_type("memory_profile jobs")
            .set_library("memory_profile")
            .set_function("memory_profile_worker_main")
            .set_argument((index as i32).into_datum())
            .set_restart_time(Some(RESTART))
            .enable_spi_access()
            .load();
    }
}

/// The life of one worker; its argument is the place of its database in the setting.
#[pg_guard]
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
pub extern "C-unwind" fn memory_profile_worker_main(index: pg_sys::Datum) {
    let databases = gucs::worker_databases();
    let Some(database) = databases.get(index.value()) else { return };
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP | SignalWakeFlags::SIGTERM);
    BackgroundWorker::connect_worker_to_spi(Some(database), None);
    while BackgroundWorker::wait_latch(Some(gucs::worker_naptime())) && !http::is_shutting_down() {
        if BackgroundWorker::sighup_received() {
            #[allow(unsafe_code)]
            // SAFETY: called between transactions on the worker's main thread, as every backend does on SIGHUP.
            unsafe {
                pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
            }
        }
        while !http::is_shutting_down() && run_next_job() {}
    }
    // Told to end, by a shutdown or because its database is being dropped. The postmaster starts only those again that
    // end with an error, and during a shutdown it starts none.
    #[allow(unsafe_code)]
    // SAFETY: no transaction is open and nothing is held whose destructor matters; proc_exit does not return.
    unsafe {
        pg_sys::proc_exit(1);
    }
}

/// Claims a job in one transaction and runs it in the next; false when there is none.
fn run_next_job() -> bool {
    let Some((key, job)) = BackgroundWorker::transaction(claim) else { return false };
    BackgroundWorker::transaction(move || run(key, job));
    true
}

fn claim() -> Option<(pgrx::Uuid, pgrx::Uuid)> {
    Spi::connect_mut(|client| {
        let installed = client
            .select("select 1 from pg_catalog.pg_extension where extname = 'memory_profile'", Some(1), &[])
            .unwrap_or_report();
        if installed.is_empty() {
            return None;
        }
        let claimed = client
            .update("select key, job_id from memory_profile._job_claim() where job_id is not null", Some(1), &[])
            .unwrap_or_report();
        let (key, job) = claimed.first().get_two::<pgrx::Uuid, pgrx::Uuid>().ok()?;
        Some((key?, job?))
    })
}

fn run(key: pgrx::Uuid, job: pgrx::Uuid) {
    Spi::connect_mut(|client| {
        client.update("select memory_profile._job_run($1, $2)", Some(1), &[key.into(), job.into()]).unwrap_or_report();
    });
}
