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

use std::cell::OnceCell;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, SignalWakeFlags};
use pgrx::pg_sys::panic::ErrorReportable;
use pgrx::prelude::*;
use pgrx::spi::OwnedPreparedStatement;

use crate::gucs;

/// How long the postmaster waits before it starts a worker again that failed.
const RESTART: Duration = Duration::from_secs(5);

/// How often a worker that has nothing else to do expires and purges memories. Nothing depends on when.
const MAINTENANCE: Duration = Duration::from_secs(60);

/// How long a job worker that is busy lets those wait who listen.
const TELLING: Duration = Duration::from_millis(100);

/// The databases that workers were started for: every process inherits it from the postmaster.
static SERVED: OnceLock<Vec<String>> = OnceLock::new();

/// Registers the workers, if the library is being preloaded.
pub fn register() {
    #[allow(unsafe_code)]
    // SAFETY: a plain read of a flag that the postmaster sets before it loads libraries.
    let preloading = unsafe { pg_sys::process_shared_preload_libraries_in_progress };
    if !preloading {
        return;
    }
    for (index, database) in SERVED.get_or_init(gucs::worker_databases).iter().enumerate() {
        for _ in 0..gucs::workers_per_database() {
            start("jobs", database, index, "memory_profile_worker_main");
        }
        start("webhooks", database, index, "memory_profile_webhooks_main");
        start("models", database, index, "memory_profile_models_main");
    }
}

/// Whether a worker serves the current database, and this process is none.
#[pg_extern(stable, parallel_safe)]
fn _worker_notifies() -> bool {
    let Some(served) = SERVED.get().filter(|served| !served.is_empty()) else { return false };
    #[allow(unsafe_code)]
    // SAFETY: called within a transaction of a connected backend, whose database has a name: a string that PostgreSQL allocates.
    let (is_worker, database) = unsafe {
        let name = pg_sys::get_database_name(pg_sys::MyDatabaseId);
        (!pg_sys::MyBgworkerEntry.is_null(), std::ffi::CStr::from_ptr(name).to_string_lossy().into_owned())
    };
    !is_worker && served.contains(&database)
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
        run_jobs(&mut begun);
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

/// The subject of a job, and the job.
type Job = (pgrx::Uuid, pgrx::Uuid);

thread_local! {
    /// The statement that is executed for every job: to plan it takes longer than to claim one.
    static NEXT_JOB: OnceCell<OwnedPreparedStatement> = const { OnceCell::new() };
}

/// Tells those who listen what other sessions have written, if it is time.
fn notify(notified: &mut Option<Instant>) {
    if notified.is_none_or(|at| at.elapsed() >= TELLING) {
        BackgroundWorker::transaction(|| {
            if is_installed() {
                call("select memory_profile._notify_noted()", &[]);
            }
        });
        *notified = Some(Instant::now());
    }
}

/// Runs the jobs that are due, until there is none or the process is told to end: what it has claimed by then, it runs.
fn run_jobs(begun: &mut bool) {
    let mut claimed = None;
    let mut notified = None;
    loop {
        notify(&mut notified);
        let (begins, claims) = (!*begun, !is_told_to_end());
        if claimed.is_none() && !claims {
            return;
        }
        let next = BackgroundWorker::transaction(move || is_installed().then(|| next_job(begins, claimed, claims)));
        *begun |= next.is_some();
        claimed = next.flatten();
        if claimed.is_none() {
            return;
        }
    }
}

/// Runs the job that was claimed last, and claims another one.
fn next_job(begins: bool, claimed: Option<Job>, claims: bool) -> Option<Job> {
    if begins {
        call("select memory_profile._job_worker_begin()", &[]);
        // What a crash of the machine takes back of a job is done again, whole: nobody has to wait for the disk, and while
        // one waited, the subject would be locked.
        call("select pg_catalog.set_config('synchronous_commit', 'off', false)", &[]);
    }
    Spi::connect_mut(|client| {
        NEXT_JOB.with(|statement| {
            let statement = statement.get_or_init(|| {
                let query = "select key, job_id from memory_profile._job_next($1, $2, $3)";
                let (uuid, bool) = (PgBuiltInOids::UUIDOID.into(), PgBuiltInOids::BOOLOID.into());
                client.prepare_mut(query, &[uuid, uuid, bool]).unwrap_or_report().keep()
            });
            let (key, job) = claimed.unzip();
            let next = client.update(statement, Some(1), &[key.into(), job.into(), claims.into()]).unwrap_or_report();
            let (key, job) = next.first().get_two::<pgrx::Uuid, pgrx::Uuid>().unwrap_or_report();
            key.zip(job)
        })
    })
}

/// Whether the database has the extension, by a probe that costs no plan.
fn is_installed() -> bool {
    #[allow(unsafe_code)]
    // SAFETY: called within a transaction, with a NUL-terminated name; what is missing is no error.
    let extension = unsafe { pg_sys::get_extension_oid(c"memory_profile".as_ptr(), true) };
    extension != pg_sys::InvalidOid
}

fn maintain() {
    if is_installed() {
        call("select memory_profile._maintain()", &[]);
    }
}

/// Runs a statement whose result does not matter.
fn call(query: &str, arguments: &[pgrx::datum::DatumWithOid<'_>]) {
    Spi::connect_mut(|client| {
        client.update(query, Some(1), arguments).unwrap_or_report();
    });
}
