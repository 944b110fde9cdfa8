//! Every setting of the library. A setting is private to its file; its getter is the interface.

mod models;

use std::ffi::CString;
use std::path::PathBuf;
use std::time::Duration;

use pgrx::pg_sys;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};
use uuid::Uuid;

pub use models::{Embeddings, Endpoint, chat, embeddings, is_embedding_model_remote};

/// The project of the session. Superuser context, so that only the functions which check a right can write it: row
/// security rests on this.
static PROJECT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

/// The subjects that the session's API key is limited to, as a comma-separated list of keys; empty means no limit.
static SUBJECTS: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

/// The embedding model of new memories and queries. Settable by administrators only: two sessions that embed with
/// different models would not find each other's memories.
static EMBEDDING_MODEL: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c"all-MiniLM-L6-v2"));

/// Where packed models lie; empty means `extension/memory_profile` below PostgreSQL's share directory.
static MODEL_DIRECTORY: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

/// Databases whose jobs the background worker runs. Empty by default: a preloaded library must not open connections
/// to databases that nobody named.
static WORKER_DATABASES: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

/// How long an idle worker sleeps. Half a second keeps a waiting reader's delay below what a person notices, at two
/// index probes a second.
static WORKER_NAPTIME: GucSetting<i32> = GucSetting::<i32>::new(500);

/// Certificates that are trusted besides those of the system.
static CA_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

/// How many processes run the jobs of each of these databases. One is enough until learning keeps a processor busy.
static WORKERS_PER_DATABASE: GucSetting<i32> = GucSetting::<i32>::new(1);

/// Whether webhooks may lead to this machine and its networks. Off by default: who may create a webhook could otherwise
/// have the server call what only the server reaches. In the configuration alone, since the worker obeys it.
static WEBHOOK_PRIVATE_NETWORKS: GucSetting<bool> = GucSetting::<bool>::new(false);

/// How long the receiver of a webhook may take. Ten seconds are what most senders allow.
static WEBHOOK_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(10_000);

/// How many lists of a large namespace a search of a `scoped_vector` index reads at first; 0 leaves it to the index, which
/// aims at a recall of 0.99 for the ten nearest.
static PROBES: GucSetting<i32> = GucSetting::<i32>::new(0);

/// Whether a search of a `scoped_vector` index reads all lists of its namespace before it gives the first row.
static EXACT: GucSetting<bool> = GucSetting::<bool>::new(false);

/// How many subjects a search of a whole project looks into. A hundred of some hundred texts each are read in about the
/// time of one with ten thousand.
static SEARCH_SUBJECTS: GucSetting<i32> = GucSetting::<i32>::new(100);

/// From how many memories of a subject on a search reads only those that come into question.
static SEARCH_TEXTS: GucSetting<i32> = GucSetting::<i32>::new(30_000);

/// Defines the settings; called once per process, before anything reads them.
pub fn define() {
    define_session();
    define_encoder();
    define_worker();
    models::define();
    define_calls();
    define_searches();
    reserve_prefix();
}

/// Defines what the library itself sets, when somebody has proved a right.
fn define_session() {
    let hidden = GucFlags::NO_SHOW_ALL | GucFlags::DISALLOW_IN_FILE;
    GucRegistry::define_string_guc(
        c"memory_profile.project",
        c"The project that this session works in.",
        c"Set by memory_profile.use_project() and by the check of an API key; ordinary roles cannot SET it.",
        &PROJECT,
        GucContext::Suset,
        hidden,
    );
    GucRegistry::define_string_guc(
        c"memory_profile.subjects",
        c"The subjects that this session is limited to.",
        c"Set by the check of an API key; ordinary roles cannot SET it.",
        &SUBJECTS,
        GucContext::Suset,
        hidden,
    );
}

/// Defines the settings of the embedding model, wherever it is.
fn define_encoder() {
    GucRegistry::define_string_guc(
        c"memory_profile.embedding_model",
        c"The embedding model of new memories and of queries.",
        c"The name of a packed model, without .mpm, in memory_profile.model_directory, or of the remote one; empty turns embeddings off.",
        &EMBEDDING_MODEL,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"memory_profile.model_directory",
        c"The directory of packed embedding models.",
        c"Empty means extension/memory_profile below the share directory of PostgreSQL.",
        &MODEL_DIRECTORY,
        GucContext::Suset,
        GucFlags::SUPERUSER_ONLY,
    );
}

/// Defines the settings of the background workers.
fn define_worker() {
    GucRegistry::define_string_guc(
        c"memory_profile.worker_databases",
        c"Databases whose jobs the background worker runs, separated by commas.",
        c"Read at server start, where the library is in shared_preload_libraries.",
        &WORKER_DATABASES,
        // Not Postmaster: such a setting cannot be defined by a session that loads the library later.
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"memory_profile.worker_naptime",
        c"How long an idle background worker sleeps between two looks at the job queue.",
        c"",
        &WORKER_NAPTIME,
        10,
        3_600_000,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"memory_profile.workers_per_database",
        c"How many background workers run the jobs of each database of memory_profile.worker_databases.",
        c"Read at server start, where the library is in shared_preload_libraries.",
        &WORKERS_PER_DATABASE,
        1,
        64,
        GucContext::Sighup,
        GucFlags::default(),
    );
}

/// Defines what holds for whoever is called over HTTP.
fn define_calls() {
    GucRegistry::define_string_guc(
        c"memory_profile.ca_file",
        c"A file of certificates, in PEM, of authorities that are trusted besides those of the system.",
        c"Of every HTTPS connection of this library: to models and to the receivers of webhooks.",
        &CA_FILE,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_bool_guc(
        c"memory_profile.webhook_private_networks",
        c"Whether webhooks may be sent to this machine, to private networks and to reserved addresses.",
        c"",
        &WEBHOOK_PRIVATE_NETWORKS,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_int_guc(
        c"memory_profile.webhook_timeout",
        c"How long the receiver of a webhook may take to answer.",
        c"",
        &WEBHOOK_TIMEOUT,
        100,
        120_000,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
}

/// Defines the settings of searches, which are everybody's.
fn define_searches() {
    GucRegistry::define_int_guc(
        c"memory_profile.scoped_vector_probes",
        c"How many lists of a large namespace a search of a scoped_vector index reads at first.",
        c"0 leaves it to the index.",
        &PROBES,
        0,
        65_533,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"memory_profile.scoped_vector_exact",
        c"Whether a search of a scoped_vector index reads all lists of a large namespace before it gives the first row.",
        c"The rows are then the nearest ones, in exact order.",
        &EXACT,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"memory_profile.search_subjects",
        c"How many subjects a search of a whole project looks into: those whose texts come nearest to the question.",
        c"0 looks into all of them, however many there are.",
        &SEARCH_SUBJECTS,
        0,
        10_000,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"memory_profile.search_texts",
        c"From how many memories of a subject on a search reads only those that come into question.",
        c"They are found by digests of their vectors and words. 0 reads all memories, however many there are.",
        &SEARCH_TEXTS,
        0,
        i32::MAX,
        GucContext::Userset,
        GucFlags::default(),
    );
}

/// Makes every other `memory_profile.*` name an error instead of a silent placeholder.
fn reserve_prefix() {
    #[cfg(feature = "pg14")]
    #[allow(unsafe_code)]
    // SAFETY: the argument is a NUL-terminated string with static lifetime.
    unsafe {
        pg_sys::EmitWarningsOnPlaceholders(c"memory_profile".as_ptr());
    }
    #[cfg(not(feature = "pg14"))]
    #[allow(unsafe_code)]
    // SAFETY: the argument is a NUL-terminated string with static lifetime.
    unsafe {
        pg_sys::MarkGUCPrefixReserved(c"memory_profile".as_ptr());
    }
}

/// The project that was established for the session, if any.
pub fn project() -> Option<Uuid> {
    Uuid::parse_str(&text(&PROJECT)).ok()
}

/// The keys of the subjects that the session is limited to; `None` means no limit.
///
/// What cannot be read limits to nothing at all: the list fails closed.
pub fn subjects() -> Option<Vec<Uuid>> {
    let list = text(&SUBJECTS);
    (!list.is_empty()).then(|| list.split(',').filter_map(|key| Uuid::parse_str(key).ok()).collect())
}

/// The name of the embedding model; `None` when embeddings are turned off.
pub fn embedding_model() -> Option<String> {
    Some(text(&EMBEDDING_MODEL)).filter(|name| !name.is_empty())
}

/// The directory of packed models; `None` means the default one.
pub fn model_directory() -> Option<String> {
    Some(text(&MODEL_DIRECTORY)).filter(|path| !path.is_empty())
}

/// The databases that background workers serve.
pub fn worker_databases() -> Vec<String> {
    text(&WORKER_DATABASES).split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// How long an idle worker sleeps.
pub fn worker_naptime() -> Duration {
    milliseconds(WORKER_NAPTIME.get())
}

/// The file of certificates that are trusted besides those of the system, if there is one.
pub fn ca_file() -> Option<PathBuf> {
    Some(text(&CA_FILE)).filter(|path| !path.is_empty()).map(Into::into)
}

/// How many processes run the jobs of each database.
pub fn workers_per_database() -> usize {
    number(WORKERS_PER_DATABASE.get())
}

/// Whether webhooks may lead to this machine and its networks.
pub fn webhook_private_networks() -> bool {
    WEBHOOK_PRIVATE_NETWORKS.get()
}

/// How long the receiver of a webhook may take.
pub fn webhook_timeout() -> Duration {
    milliseconds(WEBHOOK_TIMEOUT.get())
}

/// How many lists a search reads at first, if the session wants a certain number.
pub fn probes() -> Option<usize> {
    usize::try_from(PROBES.get()).ok().filter(|&probes| probes > 0)
}

/// Whether a search reads all lists first.
pub fn exact() -> bool {
    EXACT.get()
}

/// How many subjects a search of a whole project looks into, if not into all.
pub fn search_subjects() -> Option<usize> {
    usize::try_from(SEARCH_SUBJECTS.get()).ok().filter(|&most| most > 0)
}

/// From how many memories of a subject on a search reads only some, if it ever does.
pub fn search_texts() -> Option<u64> {
    u64::try_from(SEARCH_TEXTS.get()).ok().filter(|&texts| texts > 0)
}

/// A setting that cannot be negative.
fn number(setting: i32) -> usize {
    setting.unsigned_abs() as usize
}

fn milliseconds(setting: i32) -> Duration {
    Duration::from_millis(setting.unsigned_abs().into())
}

fn text(setting: &GucSetting<Option<CString>>) -> String {
    setting.get().map(|value| value.to_string_lossy().into_owned()).unwrap_or_default()
}
