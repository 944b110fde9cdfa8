//! Every setting of the library. A setting is private to this file; its getter is the interface.

use std::ffi::CString;
use std::path::PathBuf;
use std::time::Duration;

use pgrx::pg_sys;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};
use uuid::Uuid;

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

/// Where the language model is: the base URL of an OpenAI-compatible API. Empty by default: nothing is sent anywhere
/// unless an administrator says where. In the configuration alone, like the others of the model: no session decides whom the
/// server calls, and all processes agree on it.
static CHAT_URL: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

/// The name of the language model.
static CHAT_MODEL: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

/// The file that holds the key of the endpoint. A file, so that the key is in no setting, no dump and no log.
static CHAT_KEY_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

/// How long the language model may take. A full answer of 4,096 tokens at 50 tokens a second takes 82 seconds.
static CHAT_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(120_000);

/// How many requests to the language model are under way at once; its latency is waiting, not work.
static CHAT_CONCURRENCY: GucSetting<i32> = GucSetting::<i32>::new(4);

/// Where the remote embedding model is: the base URL of an OpenAI-compatible API. Empty by default, as for the language
/// model, and in the configuration alone for the same reasons.
static EMBEDDINGS_URL: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

/// The name of the remote embedding model. The databases whose `embedding_model` this is use it; the others are not touched
/// by an endpoint that somebody set up for another one.
static EMBEDDINGS_MODEL: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

/// The file that holds the key of its endpoint.
static EMBEDDINGS_KEY_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

/// The most dimensions of a remote model's vectors: what the index of vectors takes.
const MAX_DIMENSIONS: i32 = 8_000;

/// How many dimensions its vectors have. A setting, since room is left for a vector before the first one has come.
static EMBEDDINGS_DIMENSIONS: GucSetting<i32> = GucSetting::<i32>::new(0);

/// Whether the endpoint is asked for vectors of that many dimensions. Off by default: many servers refuse the member.
static EMBEDDINGS_SHORTEN: GucSetting<bool> = GucSetting::<bool>::new(false);

/// How long a request of many texts may take.
static EMBEDDINGS_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(30_000);

/// How many requests are under way at once.
static EMBEDDINGS_CONCURRENCY: GucSetting<i32> = GucSetting::<i32>::new(4);

/// How many texts one request has at most: what the smaller ones of the usual servers take.
static EMBEDDINGS_BATCH: GucSetting<i32> = GucSetting::<i32>::new(32);

/// How many tokens one request has at most, as estimated: what fits into the batch of the usual servers.
static EMBEDDINGS_BATCH_TOKENS: GucSetting<i32> = GucSetting::<i32>::new(16_384);

/// What is put before a text that is to be found, for models that were trained so.
static EMBEDDINGS_TEXT_PREFIX: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

/// What is put before a question.
static EMBEDDINGS_QUERY_PREFIX: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

/// How long a search waits for the vector of its question; 0 asks for none. Off by default: no session makes a network
/// connection unless an administrator wants it.
static EMBEDDINGS_QUERY_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(0);

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
    define_chat();
    define_embeddings();
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

/// Defines the settings of the language model.
fn define_chat() {
    for (name, short, long, setting) in [
        (
            c"memory_profile.chat_url",
            c"The base URL of an OpenAI-compatible API with the language model that learns from texts.",
            c"For example https://api.example.com/v1; empty leaves learning to the built-in extractor.",
            &CHAT_URL,
        ),
        (c"memory_profile.chat_model", c"The name of the language model that learns from texts.", c"", &CHAT_MODEL),
        (
            c"memory_profile.chat_key_file",
            c"The file that holds the API key of memory_profile.chat_url.",
            c"Read at each request by the process that makes it; empty sends no key.",
            &CHAT_KEY_FILE,
        ),
    ] {
        GucRegistry::define_string_guc(name, short, long, setting, GucContext::Sighup, GucFlags::SUPERUSER_ONLY);
    }
    GucRegistry::define_int_guc(
        c"memory_profile.chat_timeout",
        c"How long the language model may take to answer a request.",
        c"",
        &CHAT_TIMEOUT,
        100,
        600_000,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"memory_profile.chat_concurrency",
        c"How many requests to the language model one process has under way at once.",
        c"",
        &CHAT_CONCURRENCY,
        1,
        64,
        GucContext::Sighup,
        GucFlags::default(),
    );
}

/// Defines the settings of the remote embedding model.
fn define_embeddings() {
    for (name, short, long, setting) in [
        (
            c"memory_profile.embeddings_url",
            c"The base URL of an OpenAI-compatible API with an embedding model.",
            c"For example https://api.example.com/v1.",
            &EMBEDDINGS_URL,
        ),
        (
            c"memory_profile.embeddings_model",
            c"The name of the remote embedding model.",
            c"It is used where memory_profile.embedding_model has the same name.",
            &EMBEDDINGS_MODEL,
        ),
        (
            c"memory_profile.embeddings_key_file",
            c"The file that holds the API key of memory_profile.embeddings_url.",
            c"Read at each request by the process that makes it; empty sends no key.",
            &EMBEDDINGS_KEY_FILE,
        ),
        (
            c"memory_profile.embeddings_text_prefix",
            c"What the remote embedding model wants before a text that is to be found.",
            c"",
            &EMBEDDINGS_TEXT_PREFIX,
        ),
        (
            c"memory_profile.embeddings_query_prefix",
            c"What the remote embedding model wants before a question.",
            c"",
            &EMBEDDINGS_QUERY_PREFIX,
        ),
    ] {
        GucRegistry::define_string_guc(name, short, long, setting, GucContext::Sighup, GucFlags::SUPERUSER_ONLY);
    }
    GucRegistry::define_bool_guc(
        c"memory_profile.embeddings_shorten",
        c"Whether the remote embedding model is asked for vectors of memory_profile.embeddings_dimensions.",
        c"For models that can shorten their vectors, at endpoints that know the member \"dimensions\".",
        &EMBEDDINGS_SHORTEN,
        GucContext::Sighup,
        GucFlags::default(),
    );
    for (name, short, long, setting, least, most, flags) in [
        (
            c"memory_profile.embeddings_dimensions",
            c"How many dimensions the vectors of the remote embedding model have.",
            c"0 leaves the model unused.",
            &EMBEDDINGS_DIMENSIONS,
            0,
            MAX_DIMENSIONS,
            GucFlags::default(),
        ),
        (
            c"memory_profile.embeddings_timeout",
            c"How long the remote embedding model may take to answer a request of many texts.",
            c"",
            &EMBEDDINGS_TIMEOUT,
            100,
            600_000,
            GucFlags::UNIT_MS,
        ),
        (
            c"memory_profile.embeddings_concurrency",
            c"How many requests to the remote embedding model one process has under way at once.",
            c"",
            &EMBEDDINGS_CONCURRENCY,
            1,
            64,
            GucFlags::default(),
        ),
        (
            c"memory_profile.embeddings_batch",
            c"How many texts one request to the remote embedding model has at most.",
            c"",
            &EMBEDDINGS_BATCH,
            1,
            2048,
            GucFlags::default(),
        ),
        (
            c"memory_profile.embeddings_batch_tokens",
            c"About how many tokens one request to the remote embedding model has at most.",
            c"A text that has more by itself goes into a request of its own.",
            &EMBEDDINGS_BATCH_TOKENS,
            1,
            1_000_000,
            GucFlags::default(),
        ),
        (
            c"memory_profile.embeddings_query_timeout",
            c"How long a search waits for the remote embedding model to embed its question.",
            c"0 has no session ask: without a vector given, questions are answered by their words.",
            &EMBEDDINGS_QUERY_TIMEOUT,
            0,
            60_000,
            GucFlags::UNIT_MS,
        ),
    ] {
        GucRegistry::define_int_guc(name, short, long, setting, least, most, GucContext::Sighup, flags);
    }
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

/// An endpoint of a model.
#[derive(Clone)]
pub struct Endpoint {
    /// The base URL of the API.
    pub url: String,
    /// The name of the model.
    pub model: String,
    /// The file that holds the key, if there is one.
    pub key_file: Option<PathBuf>,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How many requests are under way at once.
    pub concurrency: usize,
}

impl Endpoint {
    fn new(url: &str, model: &str, key_file: &str, timeout: i32, concurrency: i32) -> Option<Self> {
        let url = url.trim().trim_end_matches('/');
        let complete = !url.is_empty() && !model.is_empty();
        complete.then(|| Endpoint {
            url: url.to_owned(),
            model: model.to_owned(),
            key_file: Some(key_file).filter(|path| !path.is_empty()).map(Into::into),
            timeout: milliseconds(timeout),
            concurrency: number(concurrency),
        })
    }
}

/// The language model, if there is one.
pub fn chat() -> Option<Endpoint> {
    Endpoint::new(
        &text(&CHAT_URL),
        &text(&CHAT_MODEL),
        &text(&CHAT_KEY_FILE),
        CHAT_TIMEOUT.get(),
        CHAT_CONCURRENCY.get(),
    )
}

/// A remote embedding model.
#[derive(Clone)]
pub struct Embeddings {
    /// Where it is.
    pub endpoint: Endpoint,
    /// How many dimensions its vectors have.
    pub dimension: usize,
    /// Whether it is asked for that many.
    pub shorten: bool,
    /// How many texts a request has at most.
    pub batch: usize,
    /// How many tokens a request has at most, as estimated.
    pub batch_tokens: usize,
    /// What is put before a text.
    pub text_prefix: String,
    /// What is put before a question.
    pub query_prefix: String,
    /// How long a search waits for the vector of its question, if sessions ask for it at all.
    pub query_timeout: Option<Duration>,
}

/// Whether the embedding model of the session is the remote one, set up or not.
pub fn is_embedding_model_remote() -> bool {
    let remote = text(&EMBEDDINGS_MODEL);
    !remote.is_empty() && text(&EMBEDDING_MODEL) == remote
}

/// The remote embedding model, if it is the one of the session and set up.
pub fn embeddings() -> Option<Embeddings> {
    let dimension = number(EMBEDDINGS_DIMENSIONS.get());
    if dimension == 0 || !is_embedding_model_remote() {
        return None;
    }
    let endpoint = Endpoint::new(
        &text(&EMBEDDINGS_URL),
        &text(&EMBEDDINGS_MODEL),
        &text(&EMBEDDINGS_KEY_FILE),
        EMBEDDINGS_TIMEOUT.get(),
        EMBEDDINGS_CONCURRENCY.get(),
    )?;
    Some(Embeddings {
        endpoint,
        dimension,
        shorten: EMBEDDINGS_SHORTEN.get(),
        batch: number(EMBEDDINGS_BATCH.get()),
        batch_tokens: number(EMBEDDINGS_BATCH_TOKENS.get()),
        text_prefix: text(&EMBEDDINGS_TEXT_PREFIX),
        query_prefix: text(&EMBEDDINGS_QUERY_PREFIX),
        query_timeout: Some(milliseconds(EMBEDDINGS_QUERY_TIMEOUT.get())).filter(|timeout| !timeout.is_zero()),
    })
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
