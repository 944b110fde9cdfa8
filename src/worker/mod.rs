//! The background worker: for each database that the administrator named, processes that run the job queue after commit,
//! one that sends webhooks, and one that asks models.
//!
//! It is a convenience. The same jobs run by `CALL memory_profile.run_jobs()` from any client, so that the product is
//! whole where nobody may preload a library.

pub mod aside;
mod chat;
pub mod embeddings;
mod endpoint;
mod http;
mod models;
mod served;
mod under_way;
mod webhooks;

use std::cell::OnceCell;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::{Duration, Instant};

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, SignalWakeFlags};
use pgrx::pg_sys::panic::ErrorReportable;
use pgrx::prelude::*;
use pgrx::spi::{OwnedPreparedStatement, SpiClient};

use crate::api::jsonb::StoredJsonb;
use crate::gucs;

/// How long the postmaster waits before it starts a worker again that failed.
const RESTART: Duration = Duration::from_secs(5);

/// How often a worker that has nothing else to do expires and purges memories. Nothing depends on when.
const MAINTENANCE: Duration = Duration::from_secs(60);

/// The most jobs that a worker claims at once. The encoder leaves nothing else in the processor's caches, so with all of their
/// texts encoded together everything else is fetched again once for all of them; another worker can have none of them meanwhile.
const MAX_CLAIMED: usize = 8;

/// How long a job worker that is busy lets those wait who listen.
const TELLING: Duration = Duration::from_millis(100);

/// How often a job worker that has nothing else to do looks for jobs while a long text is being read.
const READING: Duration = Duration::from_millis(20);

/// Registers the workers, if the library is being preloaded.
pub fn register() {
    #[allow(unsafe_code)]
    // SAFETY: a plain read of a flag that the postmaster sets before it loads libraries.
    let preloading = unsafe { pg_sys::process_shared_preload_libraries_in_progress };
    if !preloading {
        return;
    }
    let databases = served::define();
    // Those that are too many for max_worker_processes are not started. Nobody else runs jobs, so these come first.
    for (index, database) in databases.iter().enumerate() {
        start("jobs", database, index, "memory_profile_worker_main");
    }
    for (index, database) in databases.iter().enumerate() {
        start("models", database, index, "memory_profile_models_main");
        start("webhooks", database, index, "memory_profile_webhooks_main");
        for _ in 1..gucs::workers_per_database() {
            start("jobs", database, index, "memory_profile_worker_main");
        }
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
        served::begin(index.value());
        run_jobs(&mut begun);
        if !is_told_to_end() && maintained.is_none_or(|at| at.elapsed() >= MAINTENANCE) {
            transaction(maintain);
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
    let Some(database) = served::database(index.value()) else { return };
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP | SignalWakeFlags::SIGTERM);
    BackgroundWorker::connect_worker_to_spi(Some(database), None);
    while BackgroundWorker::wait_latch(Some(gucs::worker_naptime())) && !http::is_shutting_down() {
        reload_settings();
        work();
        report_statistics();
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

/// Executes in a transaction, and counts it.
fn transaction<T>(work: impl FnOnce() -> T + UnwindSafe + RefUnwindSafe) -> T {
    let result = BackgroundWorker::transaction(work);
    report_statistics();
    result
}

/// Has what was written counted, about once a second: PostgreSQL does so for sessions of clients only, and autovacuum goes by
/// these counts. For the time between transactions.
fn report_statistics() {
    #[allow(unsafe_code)]
    // SAFETY: called between transactions on the worker's main thread, as every backend does when it waits for its client.
    let _ = unsafe { pg_sys::pgstat_report_stat(false) };
}

/// A job that was claimed, with its subject.
#[derive(Clone, Copy)]
struct Claimed {
    key: pgrx::Uuid,
    job: pgrx::Uuid,
}

thread_local! {
    /// The statements that are executed for every job: to plan one takes longer than to claim a job.
    static STATEMENTS: OnceCell<Statements> = const { OnceCell::new() };
}

struct Statements {
    claim: OwnedPreparedStatement,
    read: OwnedPreparedStatement,
    run: OwnedPreparedStatement,
}

impl Statements {
    fn prepare(client: &SpiClient<'_>) -> Self {
        let prepare = |query: &str, types: &[PgBuiltInOids]| {
            let types: Vec<PgOid> = types.iter().map(|oid| (*oid).into()).collect();
            client.prepare_mut(query, &types).unwrap_or_report().keep()
        };
        use pg_sys::BuiltinOid::{BOOLOID, INT4OID, JSONBOID, UUIDARRAYOID, UUIDOID};
        Statements {
            claim: prepare("select key, job_id from memory_profile._job_claim($1, $2)", &[INT4OID, BOOLOID]),
            read: prepare(
                "select found_in_text from memory_profile._job_read($1, $2, $3)",
                &[UUIDARRAYOID, UUIDARRAYOID, BOOLOID],
            ),
            run: prepare("select memory_profile._job_run($1, $2, $3)", &[UUIDOID, UUIDOID, JSONBOID]),
        }
    }
}

/// Executes within a transaction, with the statements at hand.
fn with_statements<T>(work: impl FnOnce(&mut SpiClient<'_>, &Statements) -> T) -> T {
    Spi::connect_mut(|client| {
        STATEMENTS.with(|statements| {
            let statements = statements.get_or_init(|| Statements::prepare(client));
            work(client, statements)
        })
    })
}

/// Tells those who listen what other sessions have written, if it is time.
fn notify(notified: &mut Option<Instant>) {
    if notified.is_none_or(|at| at.elapsed() >= TELLING) {
        transaction(|| {
            if is_installed() {
                call("select memory_profile._notify_noted()", &[]);
            }
        });
        *notified = Some(Instant::now());
    }
}

/// Runs the jobs that are due, until there is none or the process is told to end: what it has claimed by then, it runs.
/// It claims few at first and more as long as there are more, so that several workers share what is little. A job whose text
/// is long is put aside until it is read, and others are run meanwhile; if the process has to end before that, it is given back.
fn run_jobs(begun: &mut bool) {
    let mut notified = None;
    let mut room = 1;
    let mut put_aside: Option<Claimed> = None;
    while !is_told_to_end() {
        notify(&mut notified);
        if let Some(job) = put_aside.take_if(|_| !aside::is_reading()) {
            put_aside = run_claimed(vec![job], true, &mut notified);
        }
        let (begins, short) = (!*begun, put_aside.is_some());
        let Some(claimed) = transaction(move || is_installed().then(|| claim(begins, room, short))) else {
            aside::forget();
            return;
        };
        *begun = true;
        if !claimed.is_empty() {
            room = if claimed.len() == room { (room * 2).min(MAX_CLAIMED) } else { claimed.len() };
            put_aside = run_claimed(claimed, put_aside.is_none(), &mut notified).or(put_aside);
        } else if put_aside.is_some() {
            BackgroundWorker::wait_latch(Some(READING));
        } else {
            return;
        }
    }
    if put_aside.is_some() {
        aside::forget();
        transaction(|| {
            if is_installed() {
                call("select memory_profile._job_release()", &[]);
            }
        });
    }
}

/// Reads what claimed jobs say, and runs them one after the other. One whose text is long, which is claimed by itself, may be
/// read aside: then it is given back, to be read again when that is done.
fn run_claimed(claimed: Vec<Claimed>, aside: bool, notified: &mut Option<Instant>) -> Option<Claimed> {
    let jobs = claimed.clone();
    let found = transaction(move || is_installed().then(|| read(&jobs, aside)));
    for (job, found) in claimed.into_iter().zip(found.into_iter().flatten()) {
        if aside && found.is_none() && aside::is_reading() {
            return Some(job);
        }
        notify(notified);
        transaction(move || {
            if is_installed() {
                run(job, found);
            }
        });
    }
    None
}

/// Claims jobs, at most so many, and on demand none whose text is long.
fn claim(begins: bool, room: usize, short: bool) -> Vec<Claimed> {
    if begins {
        call("select memory_profile._job_worker_begin()", &[]);
        // What a crash of the machine takes back of a job is done again, whole: nobody has to wait for the disk, and while
        // one waited, the subject would be locked.
        call("select pg_catalog.set_config('synchronous_commit', 'off', false)", &[]);
    }
    with_statements(|client, statements| {
        let rows = client.update(&statements.claim, None, &[(room as i32).into(), short.into()]).unwrap_or_report();
        rows.filter_map(|row| {
            let (key, job) = (row.get(1).unwrap_or_report(), row.get(2).unwrap_or_report());
            Some(Claimed { key: key?, job: job? })
        })
        .collect()
    })
}

/// What the texts of claimed jobs say, in their order; what is new of it is encoded. Nothing of a long text that is being read
/// aside.
fn read(claimed: &[Claimed], aside: bool) -> Vec<Option<StoredJsonb>> {
    let (keys, jobs): (Vec<_>, Vec<_>) = claimed.iter().map(|claimed| (claimed.key, claimed.job)).unzip();
    with_statements(|client, statements| {
        let arguments = [keys.into(), jobs.into(), aside.into()];
        let rows = client.update(&statements.read, None, &arguments).unwrap_or_report();
        rows.map(|row| row.get(1).unwrap_or_report()).collect()
    })
}

/// Runs a claimed job, of which this was found in its text.
fn run(claimed: Claimed, found: Option<StoredJsonb>) {
    with_statements(|client, statements| {
        let arguments = [claimed.key.into(), claimed.job.into(), found.into()];
        client.update(&statements.run, Some(1), &arguments).unwrap_or_report();
    });
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
