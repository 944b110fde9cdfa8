//! The endpoints of models: how they are called, and what it means when they fail.
//!
//! The key of an endpoint is read from its file for each request and goes nowhere but into its header.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::http::{Destinations, HttpError};
use super::under_way::{Call, UnderWay};
use crate::gucs::Endpoint;

/// Bytes of a key file: more is not a key.
const MAX_KEY: u64 = 8 << 10;

/// How long an endpoint is left alone that does not accept the key or does not have the model.
const REFUSED: Duration = Duration::from_secs(60);

/// What an endpoint is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// A language model's answer.
    Chat,
    /// Vectors of texts.
    Embeddings,
}

impl Service {
    fn path(self) -> &'static str {
        match self {
            Service::Chat => "chat/completions",
            Service::Embeddings => "embeddings",
        }
    }

    /// What messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Service::Chat => "language model",
            Service::Embeddings => "embedding model",
        }
    }

    /// The id of an endpoint, which says nothing about its URL.
    pub fn id(self, endpoint: &Endpoint) -> pgrx::Uuid {
        let url = format!("{}/{}", endpoint.url, self.path());
        pgrx::Uuid::from_bytes(*uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, url.as_bytes()).as_bytes())
    }
}

/// Why a request came to nothing, and whose fault that may be.
#[derive(Clone)]
pub struct Failure {
    /// What a job says about it. Neither the URL nor the key is ever part of it.
    pub cause: String,
    /// Whether it may be the text's fault.
    pub counts: bool,
    /// Whether the endpoint is to be left alone at once.
    pub at_once: bool,
    /// For how long, if it said so.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// There is no answer.
    pub fn of(service: Service, cause: &HttpError) -> Self {
        let may_be_the_texts_fault = matches!(cause, HttpError::Timeout | HttpError::TooLarge | HttpError::Protocol);
        Failure {
            cause: format!("the {} could not be asked: {cause}", service.name()),
            counts: may_be_the_texts_fault,
            at_once: !may_be_the_texts_fault,
            retry_after: None,
        }
    }

    /// The answer has a status that is none of success.
    pub fn of_status(service: Service, status: u16, retry_after: Option<Duration>) -> Self {
        let cause = format!("the endpoint of the {} answered {status}", service.name());
        match status {
            429 => Failure { cause, counts: false, at_once: true, retry_after },
            408 | 500.. => Failure { cause, counts: true, at_once: false, retry_after },
            _ => Failure { cause, counts: false, at_once: true, retry_after: Some(retry_after.unwrap_or(REFUSED)) },
        }
    }

    /// The endpoint is not set up as it should be.
    pub fn of_setup(cause: String) -> Self {
        Failure { cause, counts: false, at_once: true, retry_after: Some(REFUSED) }
    }
}

/// Whether a status says that this request will not be taken however often it is made.
pub fn is_final(status: u16) -> bool {
    matches!(status, 400 | 413 | 422)
}

/// Calls an endpoint; a request that cannot be sent is given back with the reason.
pub fn send<R>(
    under_way: &mut UnderWay<R>,
    service: Service,
    endpoint: &Endpoint,
    body: &Value,
    request: R,
) -> Result<(), (R, Failure)> {
    with_call(service, endpoint, body, endpoint.timeout, |call| match call {
        Ok(call) => under_way.start(request, call).map_err(|(request, cause)| (request, Failure::of(service, &cause))),
        Err(failure) => Err((request, failure)),
    })
}

/// Runs something with the call of an endpoint.
pub fn with_call<T>(
    service: Service,
    endpoint: &Endpoint,
    body: &Value,
    timeout: Duration,
    work: impl FnOnce(Result<&Call<'_>, Failure>) -> T,
) -> T {
    let key = match endpoint.key_file.as_deref().map(|file| read_key(service, file)).transpose() {
        Ok(key) => key.map(|key| format!("Bearer {key}")),
        Err(failure) => return work(Err(failure)),
    };
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(key.as_deref().map(|value| ("authorization", value)));
    work(Ok(&Call {
        url: &format!("{}/{}", endpoint.url, service.path()),
        headers: &headers,
        body: body.to_string().as_bytes(),
        timeout,
        destinations: Destinations::Any,
    }))
}

/// The key in a file. Where it lies is for the server's log alone.
fn read_key(service: Service, path: &Path) -> Result<String, Failure> {
    let mut key = String::new();
    let read = File::open(path)
        .and_then(|file| if file.metadata()?.is_file() { file.take(MAX_KEY).read_to_string(&mut key) } else { Ok(0) });
    let key = key.trim();
    if read.is_ok() && !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(key.to_owned());
    }
    let cause = read.err().map_or("it holds no key".to_owned(), |cause| cause.kind().to_string());
    pgrx::log!("memory_profile: cannot use the key file {}: {cause}", path.display());
    Err(Failure::of_setup(format!("the key file of the {} cannot be used: {cause}", service.name())))
}
