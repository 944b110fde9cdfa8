//! The background worker: for each database that the administrator named, processes that run the job queue after commit,
//! one that sends webhooks, and one that asks models.
//!
//! It is a convenience. The same jobs run by `CALL memory_profile.run_jobs()` from any client, so that the product is
//! whole where nobody may preload a library.

mod chat;
pub mod embeddings;
mod endpoint;
mod http;
mod models;
mod under_way;
mod webhooks;

use std::time::{Duration, Instant};

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, SignalWakeFlags};
use pgrx::pg_sys::panic::ErrorReportable;
use pgrx::prelude::*;

use crate::gucs;

/// How long the postmaster waits before it starts a worker again that failed.
const RESTART: Duration = Duration::from_secs(5);

/// How often a worker that has nothing else to do expires and purges memories. Nothing depends on when.
const MAINTENANCE: Duration = Duration::from_secs(60);

/// Registers the workers, if the library is being preloaded.
pub fn register() {
    #[allow(unsafe_code)]
    // SAFETY: a plain read of a flag that the postmaster sets before it loads libraries.
    let preloading = unsafe { pg_sys::process_shared_preload_libraries_in_progress };
    if !preloading {
        return;
    }
    for (index, database) in gucs::worker_databases().iter().enumerate() {
        for _ in 0..gucs::workers_per_database() {
            start("jobs", database, index, "memory_profile_worker_main");
        }
        start("webhooks", database, index, "memory_profile_webhooks_main");
        start("models", database, index, "memory_profile_models_main");
    }
}

/// Has the postmaster start a process; its argument is the place of its database in the setting.
fn start(task: &str, database: &str, index: usize, function: &str) {
    BackgroundWorkerBuilder::new(&format!("memory_profile {task} of {database}"))
        .set_type(&format!("memory_profile {task}"))
        .set_library("memory_profile")
        .set_function(function)
        .set_argument((index as i32).into_datum())
        .set_restart_time(Some(RESTART))
        .enable_spi_access()
        .load();
}

/// The life of a process that runs jobs.
#[pg_guard]
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
pub extern "C-unwind" fn memory_profile_worker_main(index: pg_sys::Datum) {
    let mut begun = false;
    let mut maintained: Option<Instant> = None;
    live(index, || {
        while !is_told_to_end() && run_next_job(&mut begun) {}
        if !is_told_to_end() && maintained.is_none_or(|at| at.elapsed() >= MAINTENANCE) {
            BackgroundWorker::transaction(maintain);
            maintained = Some(Instant::now());
        }
    });
}

/// The life of the process that sends webhooks.
#[pg_guard]
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
pub extern "C-unwind" fn memory_profile_webhooks_main(index: pg_sys::Datum) {
    let mut sender = webhooks::Sender::default();
    live(index, || sender.work());
}

/// The life of the process that asks models.
#[pg_guard]
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
pub extern "C-unwind" fn memory_profile_models_main(index: pg_sys::Datum) {
    let mut asker = models::Asker::new(models::InWorker);
    live(index, || asker.work());
}

/// Whether this process has to end, because it was told to or because the server is gone: one that goes on keeps the server
/// from starting again.
fn is_told_to_end() -> bool {
    !BackgroundWorker::wait_latch(Some(Duration::ZERO)) || http::is_shutting_down()
}

/// Connects to a database and does its work, again and again until the process is told to end.
fn live(index: pg_sys::Datum, mut work: impl FnMut()) {
    let databases = gucs::worker_databases();
    let Some(database) = databases.get(index.value()) else { return };
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP | SignalWakeFlags::SIGTERM);
    BackgroundWorker::connect_worker_to_spi(Some(database), None);
    while BackgroundWorker::wait_latch(Some(gucs::worker_naptime())) && !http::is_shutting_down() {
        reload_settings();
        work();
    }
    // Told to end, by a shutdown or because its database is being dropped. The postmaster starts only those again that
    // end with an error, and during a shutdown it starts none.
    #[allow(unsafe_code)]
    // SAFETY: no transaction is open and nothing is held whose destructor matters; proc_exit does not return.
    unsafe {
        pg_sys::proc_exit(1);
    }
}

/// Reads the configuration again, if the postmaster says so. For the time between transactions.
fn reload_settings() {
    if BackgroundWorker::sighup_received() {
        #[allow(unsafe_code)]
        // SAFETY: called between transactions on the worker's main thread, as every backend does on SIGHUP.
        unsafe {
            pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
        }
    }
}

/// Claims a job in one transaction and runs it in the next; false when there is none.
fn run_next_job(begun: &mut bool) -> bool {
    let begin = !*begun;
    let Some((key, job)) = BackgroundWorker::transaction(move || claim(begin)) else { return false };
    *begun = true;
    BackgroundWorker::transaction(move || call("select memory_profile._job_run($1, $2)", &[key.into(), job.into()]));
    true
}

fn is_installed() -> bool {
    Spi::connect(|client| {
        let query = "select 1 from pg_catalog.pg_extension where extname = 'memory_profile'";
        !client.select(query, Some(1), &[]).unwrap_or_report().is_empty()
    })
}

fn maintain() {
    if is_installed() {
        call("select memory_profile._maintain()", &[]);
    }
}

fn claim(begin: bool) -> Option<(pgrx::Uuid, pgrx::Uuid)> {
    if !is_installed() {
        return None;
    }
    if begin {
        call("select memory_profile._job_worker_begin()", &[]);
    }
    Spi::connect_mut(|client| {
        let claimed = client
            .update("select key, job_id from memory_profile._job_claim() where job_id is not null", Some(1), &[])
            .unwrap_or_report();
        let (key, job) = claimed.first().get_two::<pgrx::Uuid, pgrx::Uuid>().ok()?;
        Some((key?, job?))
    })
}

/// Runs a statement whose result does not matter.
fn call(query: &str, arguments: &[pgrx::datum::DatumWithOid<'_>]) {
    Spi::connect_mut(|client| {
        client.update(query, Some(1), arguments).unwrap_or_report();
    });
}
