//! The settings of the models that are called: the language model, and the remote embedding model.

use std::ffi::CString;
use std::path::PathBuf;
use std::time::Duration;

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

use super::{EMBEDDING_MODEL, milliseconds, number, text};

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

/// Defines the settings of both.
pub fn define() {
    define_chat();
    define_embeddings();
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
