//! Vectors from the remote embedding model: of texts, for jobs, and of a question, for the session that asks it.
//!
//! Jobs bring their texts, and texts of several jobs share a request as far as it has room. A job is through when all
//! requests with texts of it are answered; what one of them gave is kept at once. A job that is tried again has requests of
//! its own, of ever fewer texts, so that a text which the endpoint cannot take keeps the vectors from fewer and fewer others,
//! and in the end from none. `sql/64_embeddings.sql` has the rules.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use pgrx::pg_sys::panic::ErrorReportable;
use pgrx::prelude::*;
use pgrx::spi::SpiHeapTupleData;
use rules::vectors::{self, BadVectors, Vectors};

use super::call;
use super::endpoint::{self, Failure, Service, is_final};
use super::http::{self, HttpError, MAX_BODY, Reply};
use super::models::{Job, job_of};
use crate::gucs::Embeddings;

/// Bytes of an element of a vector in an answer, at most.
const ELEMENT: u64 = 24;

/// How often a session that waits for the vector of its question sees to interrupts.
const STEP: Duration = Duration::from_millis(10);

/// A text that needs a vector.
#[derive(Clone)]
pub struct Text {
    job: Job,
    id: String,
    is_chunk: bool,
    /// Of the content: under the id of a passage another one may stand when the answer comes.
    digest: String,
    content: String,
}

/// A job with its texts.
pub struct Asked {
    /// How many texts a request of its own may have, if it has failed before.
    portion: Option<usize>,
    texts: Vec<Text>,
}

/// A request under way, or to be sent.
pub struct Request {
    /// Who is asked.
    pub model: Rc<Embeddings>,
    texts: Vec<Text>,
}

/// What came of a request.
pub enum Outcome {
    /// The vectors of its texts.
    Found(Vectors),
    /// The endpoint will not take these texts together: they are asked about in two halves.
    Split(Request, Request),
    /// It will not take this text at all.
    Refused(String),
    /// The request failed.
    Failed(Failure),
}

/// Jobs of which requests are under way.
#[derive(Default)]
pub struct Pending(HashMap<Job, Progress>);

/// How far a job is.
#[derive(Default)]
pub struct Progress {
    requests: usize,
    /// What went wrong first, if anything did.
    pub failure: Option<Failure>,
    /// Whether anything went well.
    pub partly: bool,
}

impl Pending {
    /// Notes a further request with texts of these jobs.
    pub fn add(&mut self, request: &Request) {
        for job in request.jobs() {
            self.0.entry(job).or_default().requests += 1;
        }
    }

    /// Notes that a request is through, and gives the jobs that wait for no other one.
    pub fn remove(&mut self, request: &Request, failure: Option<&Failure>) -> Vec<(Job, Progress)> {
        let mut through = Vec::new();
        for job in request.jobs() {
            let Some(progress) = self.0.get_mut(&job) else { continue };
            progress.requests -= 1;
            progress.partly |= failure.is_none();
            if progress.failure.is_none() {
                progress.failure = failure.cloned();
            }
            if progress.requests == 0 {
                through.extend(self.0.remove(&job).map(|progress| (job, progress)));
            }
        }
        through
    }

    /// Forgets them all.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// Puts the texts of some jobs into requests.
pub fn requests(model: &Embeddings, asked: Vec<Asked>) -> Vec<Request> {
    let model = &Rc::new(model.clone());
    let mut requests = Vec::new();
    let mut together = Vec::new();
    for asked in asked {
        match asked.portion {
            Some(portion) => cut(model, asked.texts, portion, &mut requests),
            None => together.extend(asked.texts),
        }
    }
    cut(model, together, batch(model), &mut requests);
    requests
}

fn cut(model: &Rc<Embeddings>, texts: Vec<Text>, batch: usize, requests: &mut Vec<Request>) {
    let contents = texts.iter().map(|text| text.content.as_str());
    let portions = vectors::portions(contents, batch.max(1), model.batch_tokens);
    let mut texts = texts.into_iter();
    requests.extend(
        portions
            .into_iter()
            .map(|portion| Request { model: Rc::clone(model), texts: texts.by_ref().take(portion.len()).collect() }),
    );
}

/// How many texts go into a request: no more than the answer has room for.
pub fn batch(model: &Embeddings) -> usize {
    let vector = ELEMENT * model.dimension as u64;
    model.batch.min((MAX_BODY / vector) as usize).max(1)
}

impl Request {
    /// The body.
    pub fn body(&self) -> serde_json::Value {
        let texts: Vec<String> =
            self.texts.iter().map(|text| format!("{}{}", self.model.text_prefix, text.content)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        body(&self.model, &texts)
    }

    fn jobs(&self) -> Vec<Job> {
        let mut jobs: Vec<Job> = Vec::new();
        for text in &self.texts {
            if !jobs.contains(&text.job) {
                jobs.push(text.job);
            }
        }
        jobs
    }

    /// Reads the answer.
    pub fn outcome(&self, answer: Result<Reply, HttpError>) -> Outcome {
        match answer {
            Err(cause) => Outcome::Failed(Failure::of(Service::Embeddings, &cause)),
            Ok(reply) if (200..300).contains(&reply.status) => {
                match vectors::read(&reply.body, self.texts.len(), self.model.dimension) {
                    Ok(vectors) => Outcome::Found(vectors),
                    Err(cause) => Outcome::Failed(unusable(&cause)),
                }
            }
            Ok(reply) if is_final(reply.status) => self.refused(reply.status),
            Ok(reply) => Outcome::Failed(Failure::of_status(Service::Embeddings, reply.status, reply.retry_after)),
        }
    }

    fn refused(&self, status: u16) -> Outcome {
        let half = self.texts.len() / 2;
        if half == 0 {
            return Outcome::Refused(format!("the endpoint of the embedding model answered {status}"));
        }
        let (first, second) = self.texts.split_at(half);
        let part = |texts: &[Text]| Request { model: Rc::clone(&self.model), texts: texts.to_vec() };
        Outcome::Split(part(first), part(second))
    }

    /// Keeps the vectors, job by job; for the transactions of their own that `run` makes.
    pub fn keep(&self, found: &Vectors, mut run: impl FnMut(Portion)) {
        for job in self.jobs() {
            let places: Vec<usize> = (0..self.texts.len()).filter(|at| self.texts[*at].job == job).collect();
            let of_all = |part: usize| part as u64 * found.tokens / self.texts.len() as u64;
            run(Portion {
                job,
                endpoint: Service::Embeddings.id(&self.model.endpoint),
                ids: places.iter().map(|at| self.texts[*at].id.clone()).collect(),
                are_chunks: places.iter().map(|at| self.texts[*at].is_chunk).collect(),
                digests: places.iter().map(|at| self.texts[*at].digest.clone()).collect(),
                vectors: places
                    .iter()
                    .flat_map(|at| &found.vectors[*at])
                    .flat_map(|value| value.to_le_bytes())
                    .collect(),
                tokens: i64::try_from(of_all(places.len())).unwrap_or(i64::MAX),
            });
        }
    }

    /// What there is to note of its text, if it has only one: that the endpoint will not take it, or that it may be the cause
    /// of a failure.
    pub fn blame(&self, cause: &str, for_good: bool) -> Option<impl FnOnce() + use<>> {
        let [text] = self.texts.as_slice() else { return None };
        let (text, cause) = (text.clone(), cause.to_owned());
        let endpoint = Service::Embeddings.id(&self.model.endpoint);
        Some(move || {
            let (subject, job) = text.job;
            if for_good {
                call(
                    "select memory_profile._embed_refused($1, $2, $3, $4, $5, $6)",
                    &[subject.into(), job.into(), endpoint.into(), text.id.into(), text.digest.into(), cause.into()],
                );
            } else {
                call(
                    "select memory_profile._embed_blamed($1, $2, $3, $4, $5)",
                    &[subject.into(), job.into(), text.id.into(), text.digest.into(), cause.into()],
                );
            }
        })
    }
}

/// The vectors of some texts of one job.
pub struct Portion {
    job: Job,
    endpoint: pgrx::Uuid,
    ids: Vec<String>,
    are_chunks: Vec<bool>,
    digests: Vec<String>,
    vectors: Vec<u8>,
    tokens: i64,
}

impl Portion {
    /// Stores them.
    pub fn store(self) {
        let (subject, job) = self.job;
        call(
            "select memory_profile._embed_answered($1, $2, $3, $4, $5, $6, $7, $8)",
            &[
                subject.into(),
                job.into(),
                self.endpoint.into(),
                self.ids.into(),
                self.are_chunks.into(),
                self.digests.into(),
                self.vectors.into(),
                self.tokens.into(),
            ],
        );
    }
}

/// What an answer that cannot be used says about the endpoint.
fn unusable(cause: &BadVectors) -> Failure {
    let message = format!("the embedding model was of no use: {cause}");
    match cause {
        // Not the fault of any text, and not over soon.
        BadVectors::Dimension { .. } => Failure::of_setup(message),
        _ => Failure { cause: message, counts: true, at_once: false, retry_after: None },
    }
}

fn body(model: &Embeddings, texts: &[&str]) -> serde_json::Value {
    vectors::request(&model.endpoint.model, texts, model.shorten.then_some(model.dimension))
}

/// Claims jobs with texts for so many requests.
pub fn claim(model: &Embeddings, room: usize) -> Vec<Asked> {
    // What does not fit under way waits for its turn.
    let timeout = 4 * model.endpoint.timeout;
    Spi::connect_mut(|client| {
        let query = "select subject_key, job_id, portion, ids, are_chunks, digests, contents \
                     from memory_profile._embed_claim($1, $2, $3 * interval '1 second')";
        let [room, batch] = [room, batch(model)].map(|count| i32::try_from(count).unwrap_or(i32::MAX));
        let rows =
            client.update(query, None, &[room.into(), batch.into(), timeout.as_secs_f64().into()]).unwrap_or_report();
        rows.map(|row| asked(&row).unwrap_or_report()).collect()
    })
}

/// Reads a row of `_embed_claim()`; only the portion may be NULL.
fn asked(row: &SpiHeapTupleData<'_>) -> spi::Result<Asked> {
    let job = job_of(row)?;
    let column = |at: usize| -> spi::Result<Vec<String>> { Ok(row.get(at)?.unwrap_or_default()) };
    let are_chunks: Vec<bool> = row.get(5)?.unwrap_or_default();
    let columns = column(4)?.into_iter().zip(are_chunks).zip(column(6)?).zip(column(7)?);
    let texts =
        columns.map(|(((id, is_chunk), digest), content)| Text { job, id, is_chunk, digest, content }).collect();
    let portion = row.get::<i32>(3)?.and_then(|portion| usize::try_from(portion).ok());
    Ok(Asked { portion, texts })
}

/// The vector of a question, asked for by the session itself, which waits for it no longer than the administrator allows and
/// can be cancelled meanwhile.
pub fn of_question(model: &Embeddings, question: &str, timeout: Duration) -> Result<Vec<f32>, String> {
    let text = format!("{}{question}", model.query_prefix);
    let (answering, answers) = mpsc::channel();
    endpoint::with_call(Service::Embeddings, &model.endpoint, &body(model, &[&text]), timeout, |call| {
        let call = call.map_err(|failure| failure.cause)?;
        // Nobody is there to read the answer when the session is cancelled.
        let done = move |answer| drop(answering.send(answer));
        http::start(call.url, call.headers, call.body, call.timeout, call.destinations, done)
            .map_err(|cause| Failure::of(Service::Embeddings, &cause).cause)
    })?;
    let deadline = Instant::now() + timeout + http::GRACE;
    let answer = loop {
        pgrx::check_for_interrupts!();
        match answers.recv_timeout(STEP) {
            Ok(answer) => break answer,
            Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => (),
            Err(_) => break Err(HttpError::Timeout),
        }
    };
    let reply = answer.map_err(|cause| Failure::of(Service::Embeddings, &cause).cause)?;
    if !(200..300).contains(&reply.status) {
        return Err(Failure::of_status(Service::Embeddings, reply.status, None).cause);
    }
    let read = vectors::read(&reply.body, 1, model.dimension).map_err(|cause| unusable(&cause).cause)?;
    read.vectors.into_iter().next().ok_or_else(|| unusable(&BadVectors::NotEmbeddings).cause)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::gucs::Endpoint;

    fn model() -> Embeddings {
        let endpoint = Endpoint {
            url: "http://localhost/v1".into(),
            model: "some-model".into(),
            key_file: None,
            timeout: Duration::from_secs(1),
            concurrency: 2,
        };
        Embeddings {
            endpoint,
            dimension: 2,
            shorten: false,
            batch: 4,
            batch_tokens: 1000,
            text_prefix: "passage: ".into(),
            query_prefix: String::new(),
            query_timeout: None,
        }
    }

    fn job(number: u8) -> Job {
        (pgrx::Uuid::from_bytes([number; 16]), pgrx::Uuid::from_bytes([0; 16]))
    }

    fn asked(number: u8, count: usize, portion: Option<usize>) -> Asked {
        let text = |at| Text {
            job: job(number),
            id: format!("mem_{number}_{at}"),
            is_chunk: false,
            digest: String::new(),
            content: format!("text {at} of {number}"),
        };
        Asked { portion, texts: (0..count).map(text).collect() }
    }

    fn sizes(requests: &[Request]) -> Vec<usize> {
        requests.iter().map(|request| request.texts.len()).collect()
    }

    fn reply(status: u16, body: &str) -> Result<Reply, HttpError> {
        Ok(Reply { status, retry_after: None, body: body.as_bytes().to_vec() })
    }

    #[test]
    fn jobs_share_requests_until_they_fail() {
        let model = model();
        assert_eq!(sizes(&requests(&model, vec![asked(1, 3, None), asked(2, 3, None)])), [4, 2]);
        assert_eq!(
            sizes(&requests(&model, vec![asked(1, 3, None), asked(2, 3, Some(2)), asked(3, 1, None)])),
            [2, 1, 4]
        );
        let shared = &requests(&model, vec![asked(1, 1, None), asked(2, 1, None)])[0];
        assert_eq!(shared.jobs(), [job(1), job(2)]);
        assert_eq!(shared.body()["input"], json!(["passage: text 0 of 1", "passage: text 0 of 2"]));
    }

    #[test]
    fn an_answer_has_to_fit_into_memory() {
        let large = Embeddings { dimension: 8000, batch: 2048, ..model() };
        assert!((batch(&large) * large.dimension) as u64 * ELEMENT <= MAX_BODY);
        assert_eq!(batch(&model()), 4);
    }

    #[test]
    fn a_job_is_through_with_its_last_request() {
        let requests = requests(&model(), vec![asked(1, 6, None), asked(2, 1, None)]);
        let mut pending = Pending::default();
        requests.iter().for_each(|request| pending.add(request));
        assert!(pending.remove(&requests[0], None).is_empty());
        let failure = Failure::of(Service::Embeddings, &HttpError::Timeout);
        let through = pending.remove(&requests[1], Some(&failure));
        let seen: Vec<_> =
            through.iter().map(|(job, progress)| (*job, progress.partly, progress.failure.is_some())).collect();
        assert_eq!(seen, [(job(1), true, true), (job(2), false, true)]);
    }

    #[test]
    fn what_is_refused_is_halved_until_it_is_one_text() {
        let all = requests(&model(), vec![asked(1, 3, None)]).remove(0);
        let Outcome::Split(first, second) = all.outcome(reply(413, "")) else { panic!("it is not split") };
        assert_eq!((first.texts.len(), second.texts.len()), (1, 2));
        let Outcome::Refused(cause) = first.outcome(reply(400, "")) else { panic!("it is not refused") };
        assert_eq!(cause, "the endpoint of the embedding model answered 400");
    }

    #[test]
    fn whose_fault_a_failure_is() {
        let request = requests(&model(), vec![asked(1, 1, None)]).remove(0);
        let failure = |answer| match request.outcome(answer) {
            Outcome::Failed(failure) => (failure.counts, failure.at_once),
            _ => panic!("it has not failed"),
        };
        let vectors =
            |embedding: serde_json::Value| json!({"data": [{"index": 0, "embedding": embedding}]}).to_string();
        assert_eq!(failure(reply(500, "")), (true, false));
        assert_eq!(failure(reply(200, "<html>")), (true, false));
        assert_eq!(failure(reply(200, &vectors(json!([0, 0])))), (true, false));
        assert_eq!(failure(reply(200, &vectors(json!([1, 2, 3])))), (false, true));
        assert_eq!(failure(reply(429, "")), (false, true));
        assert_eq!(failure(reply(401, "")), (false, true));
        assert_eq!(failure(Err(HttpError::Tls("UnknownIssuer".into()))), (false, true));
        let found = request.outcome(reply(200, &vectors(json!([0, 2]))));
        assert!(matches!(found, Outcome::Found(found) if found.vectors == [[0.0, 1.0]]));
    }
}
