//! Asking the language model, in a process beside those that run jobs: a model that takes its time holds up no learning
//! that can do without it, and a long text no short one.
//!
//! Jobs are claimed in one transaction, and what the model answers is kept in another; while requests are under way no
//! transaction is open. `sql/63_models.sql` has the rules. The same runs in a session, under `CALL run_jobs()`, for roles
//! that may have the endpoint called.
//!
//! The key of the endpoint is read from its file for each request and goes nowhere but into its header.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use pgrx::bgworkers::BackgroundWorker;
use pgrx::pg_sys::panic::ErrorReportable;
use pgrx::prelude::*;
use pgrx::spi::SpiHeapTupleData;
use pgrx::{JsonB, PgSqlErrorCode};
use rules::extract::{FieldSpec, Input, Message};
use rules::model::{self, Piece, Question};
use serde_json::{Value, json};

use super::http::{self, Destinations, HttpError, Reply};
use super::{call, is_installed, is_told_to_end, reload_settings};
use crate::api::learning;
use crate::error::{Result, report};
use crate::gucs::{self, Chat};

/// How often one looks for signals and new jobs while requests are under way.
const STEP: Duration = Duration::from_millis(50);

/// Bytes of a key file: more is not a key.
const MAX_KEY: u64 = 8 << 10;

/// How long an endpoint is left alone that does not accept the key or does not have the model.
const REFUSED: Duration = Duration::from_secs(60);

/// How work between the calls becomes transactions.
pub trait Transactions {
    /// Runs something in a transaction of its own.
    fn run<T>(&self, work: impl FnOnce() -> T + UnwindSafe + RefUnwindSafe) -> T;

    /// Sees to signals, between transactions; false when this process has to end.
    fn go_on(&self) -> bool;
}

/// In a background worker.
pub struct InWorker;

impl Transactions for InWorker {
    fn run<T>(&self, work: impl FnOnce() -> T + UnwindSafe + RefUnwindSafe) -> T {
        BackgroundWorker::transaction(work)
    }

    fn go_on(&self) -> bool {
        reload_settings();
        !is_told_to_end()
    }
}

/// In a procedure that a client has called outside of a transaction block.
struct InSession;

impl Transactions for InSession {
    fn run<T>(&self, work: impl FnOnce() -> T + UnwindSafe + RefUnwindSafe) -> T {
        let result = work();
        #[allow(unsafe_code)]
        // SAFETY: called by _ask_models() alone, which has made sure that the procedure may end transactions; no snapshot,
        // portal or SPI connection of this library is open, since `work` has ended.
        unsafe {
            pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC as i32);
            pg_sys::SPI_commit();
            pg_sys::SPI_finish();
        }
        result
    }

    fn go_on(&self) -> bool {
        pgrx::check_for_interrupts!();
        true
    }
}

/// A job that the model is asked about: its subject and its id.
type Job = (uuid::Uuid, uuid::Uuid);

/// What a request is made from.
struct Asked {
    job: Job,
    /// Which piece of the text it is about.
    piece: usize,
    text: String,
    input_type: Option<String>,
    now: i64,
    schema: Vec<FieldSpec>,
    descriptions: Vec<Option<String>>,
    subject_name: Option<String>,
    instructions: Vec<String>,
}

impl Asked {
    fn with_question<T>(&self, model: &str, work: impl FnOnce(&Question<'_>) -> T) -> T {
        let instructions: Vec<&str> = self.instructions.iter().map(String::as_str).collect();
        work(&Question {
            model,
            input: Input {
                text: &self.text,
                input_type: self.input_type.as_deref(),
                now: self.now,
                schema: &self.schema,
                subject_name: self.subject_name.as_deref(),
                language: None,
            },
            descriptions: &self.descriptions,
            instructions: &instructions,
        })
    }
}

/// A request under way.
struct Request {
    asked: Asked,
    chat: Chat,
    piece: Piece,
    pieces: usize,
    messages: Vec<Message>,
    deadline: Instant,
}

/// What came of a request.
enum Outcome {
    /// Something was found, by the model or instead of it.
    Found(Value),
    /// The request failed.
    Failed(Failure),
}

struct Failure {
    cause: String,
    /// Whether it may be the text's fault.
    counts: bool,
    /// Whether the endpoint is to be left alone at once.
    at_once: bool,
    retry_after: Option<Duration>,
}

/// Requests under way, and where their answers arrive.
pub struct Asker<T> {
    transactions: T,
    begun: bool,
    under_way: HashMap<Job, Request>,
    answering: Sender<(Job, Result<Reply, HttpError>)>,
    answers: Receiver<(Job, Result<Reply, HttpError>)>,
}

impl<T: Transactions> Asker<T> {
    /// One that has asked nothing yet.
    pub fn new(transactions: T) -> Self {
        let (answering, answers) = mpsc::channel();
        Asker { transactions, begun: false, under_way: HashMap::new(), answering, answers }
    }

    /// Asks about what is due and keeps what is answered, until nothing is due and no answer is awaited.
    pub fn work(&mut self) {
        while self.transactions.go_on() {
            let chat = gucs::chat();
            if !self.begun || chat.is_none() {
                self.begin(chat.is_some());
            }
            if let Some(chat) = &chat.filter(|_| self.begun) {
                let (room, timeout) = (chat.concurrency.saturating_sub(self.under_way.len()), chat.timeout);
                for asked in self.transactions.run(move || claim(room, timeout)) {
                    self.ask(chat, asked);
                }
            }
            if self.under_way.is_empty() {
                return;
            }
            self.receive();
        }
        self.release();
    }

    /// Gives back what an earlier process of this number has claimed; where there is no model, tells the jobs.
    fn begin(&mut self, configured: bool) {
        if configured || self.begun {
            self.begun = self.transactions.run(move || {
                is_installed() && {
                    call("select memory_profile._ask_release(), memory_profile._ask_nobody()", &[]);
                    configured
                }
            });
        }
    }

    /// Gives back what is being asked: the answers will come to nobody.
    fn release(&mut self) {
        // Where the server itself is gone, there is nobody to tell.
        if !self.under_way.is_empty() && http::is_shutting_down() {
            self.transactions.run(|| call("select memory_profile._ask_release()", &[]));
            self.under_way.clear();
        }
    }

    fn ask(&mut self, chat: &Chat, asked: Asked) {
        let (mut pieces, messages) = asked.with_question(&chat.model, |question| model::pieces(&question.input));
        let count = pieces.len();
        let job = asked.job;
        if asked.piece >= count {
            return self.record(job, chat, count, Outcome::Found(found(&chat.model, json!({}), (0, 0))));
        }
        let piece = pieces.swap_remove(asked.piece);
        let body = asked.with_question(&chat.model, |question| model::request(question, &piece)).to_string();
        let deadline = Instant::now() + chat.timeout + http::GRACE;
        let answering = self.answering.clone();
        // Nobody is there to read an answer when the process ends before it comes.
        let done = move |answer| drop(answering.send((job, answer)));
        let started = send(chat, body.as_bytes(), done);
        let request = Request { asked, chat: chat.clone(), piece, pieces: count, messages, deadline };
        match started {
            Ok(()) => drop(self.under_way.insert(job, request)),
            Err(failure) => self.record(job, chat, count, Outcome::Failed(failure)),
        }
    }

    /// Waits a step for an answer and keeps all that have come, and gives up those that cannot come any more.
    fn receive(&mut self) {
        let mut come: Vec<_> = self.answers.recv_timeout(STEP).into_iter().collect();
        come.extend(self.answers.try_iter());
        let now = Instant::now();
        let overdue = self.under_way.iter().filter(|(_, request)| request.deadline < now);
        come.extend(overdue.map(|(job, _)| (*job, Err(HttpError::Timeout))).collect::<Vec<_>>());
        for (job, answer) in come {
            // What was given up as overdue may still come.
            if let Some(request) = self.under_way.remove(&job) {
                let outcome = request.outcome(answer);
                self.record(job, &request.chat, request.pieces, outcome);
            }
        }
    }

    fn record(&mut self, (subject, job): Job, chat: &Chat, pieces: usize, outcome: Outcome) {
        let [subject, job, endpoint] = [subject, job, endpoint(chat)].map(|id| pgrx::Uuid::from_bytes(*id.as_bytes()));
        match outcome {
            Outcome::Found(found) => {
                let pieces = i32::try_from(pieces).unwrap_or(i32::MAX);
                self.transactions.run(move || {
                    call(
                        "select memory_profile._ask_answered($1, $2, $3, $4, $5)",
                        &[subject.into(), job.into(), endpoint.into(), pieces.into(), JsonB(found).into()],
                    );
                });
            }
            Outcome::Failed(Failure { cause, counts, at_once, retry_after }) => {
                let retry_after = retry_after.map(|pause| pause.as_secs_f64());
                self.transactions.run(move || {
                    call(
                        "select memory_profile._ask_failed($1, $2, $3, $4, $5, $6, $7)",
                        &[
                            subject.into(),
                            job.into(),
                            endpoint.into(),
                            cause.as_str().into(),
                            counts.into(),
                            at_once.into(),
                            retry_after.into(),
                        ],
                    );
                });
            }
        }
    }
}

fn send(chat: &Chat, body: &[u8], done: impl FnOnce(Result<Reply, HttpError>) + Send + 'static) -> Result<(), Failure> {
    let authorization = chat.key_file.as_deref().map(read_key).transpose()?.map(|key| format!("Bearer {key}"));
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
    let url = format!("{}/chat/completions", chat.url);
    http::start(&url, &headers, body, chat.timeout, Destinations::Any, done).map_err(|cause| Failure::of(&cause))
}

/// The key in a file. Where it lies is for the server's log alone.
fn read_key(path: &Path) -> Result<String, Failure> {
    let mut key = String::new();
    let read = File::open(path)
        .and_then(|file| if file.metadata()?.is_file() { file.take(MAX_KEY).read_to_string(&mut key) } else { Ok(0) });
    let key = key.trim();
    if read.is_ok() && !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(key.to_owned());
    }
    let cause = read.err().map_or("it holds no key".to_owned(), |cause| cause.kind().to_string());
    pgrx::log!("memory_profile: cannot use the key file {}: {cause}", path.display());
    let cause = format!("the key file of the language model cannot be used: {cause}");
    Err(Failure { cause, counts: false, at_once: true, retry_after: Some(REFUSED) })
}

/// The id of an endpoint, which says nothing about its URL.
fn endpoint(chat: &Chat) -> uuid::Uuid {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, chat.url.as_bytes())
}

impl Failure {
    fn of(cause: &HttpError) -> Self {
        let may_be_the_texts_fault = matches!(cause, HttpError::Timeout | HttpError::TooLarge | HttpError::Protocol);
        Failure {
            cause: format!("the language model could not be asked: {cause}"),
            counts: may_be_the_texts_fault,
            at_once: !may_be_the_texts_fault,
            retry_after: None,
        }
    }

    fn of_status(status: u16, retry_after: Option<Duration>) -> Self {
        let cause = format!("the endpoint of the language model answered {status}");
        match status {
            429 => Failure { cause, counts: false, at_once: true, retry_after },
            408 | 500.. => Failure { cause, counts: true, at_once: false, retry_after },
            _ => Failure { cause, counts: false, at_once: true, retry_after: Some(retry_after.unwrap_or(REFUSED)) },
        }
    }
}

impl Request {
    fn outcome(&self, answer: Result<Reply, HttpError>) -> Outcome {
        let reply = match answer {
            Ok(reply) => reply,
            Err(cause) => return Outcome::Failed(Failure::of(&cause)),
        };
        match reply.status {
            200..=299 => {
                let model = &self.chat.model;
                let read = |question: &Question<'_>| model::read(&reply.body, question, &self.piece, &self.messages);
                Outcome::Found(match self.asked.with_question(model, read) {
                    Ok(answer) => found(
                        model,
                        json!({"fields": answer.fields, "memories": answer.memories, "notes": answer.notes}),
                        answer.tokens,
                    ),
                    Err(cause) => self.without_model(&cause.to_string()),
                })
            }
            // What it will not take however often it is asked.
            400 | 413 | 422 => Outcome::Found(self.without_model(&format!("the endpoint answered {}", reply.status))),
            status => Outcome::Failed(Failure::of_status(status, reply.retry_after)),
        }
    }

    fn without_model(&self, cause: &str) -> Value {
        let model = &self.chat.model;
        let read = |question: &Question<'_>| model::without_model(question, &self.piece, &self.messages);
        let mut extraction =
            learning::extraction_json(&self.asked.with_question(model, read), &self.asked.schema, None);
        let note = format!("the language model was of no use ({cause}): the built-in extractor read this instead");
        if let Some(notes) = extraction["notes"].as_array_mut() {
            notes.insert(0, note.into());
        }
        found(model, extraction, (0, 0))
    }
}

/// What was found, with who found it at what cost.
fn found(model: &str, mut extraction: Value, (prompt, completion): (u64, u64)) -> Value {
    for list in ["fields", "memories", "notes"] {
        if !extraction[list].is_array() {
            extraction[list] = json!([]);
        }
    }
    extraction["model"] = model.into();
    extraction["tokens"] = json!({"prompt": prompt, "completion": completion});
    extraction
}

fn claim(room: usize, timeout: Duration) -> Vec<Asked> {
    if room == 0 || !is_installed() {
        return Vec::new();
    }
    Spi::connect_mut(|client| {
        let query = "select subject_key, job_id, piece, data, input_type, moment, fields, subject_name, instructions \
                     from memory_profile._ask_claim($1, $2 * interval '1 second')";
        let room = i32::try_from(room).unwrap_or(i32::MAX);
        let rows = client.update(query, None, &[room.into(), timeout.as_secs_f64().into()]).unwrap_or_report();
        rows.map(|row| asked(&row).unwrap_or_report()).collect()
    })
}

/// Reads a row of `_ask_claim()`.
fn asked(row: &SpiHeapTupleData<'_>) -> spi::Result<Asked> {
    let uuid = |at: usize| -> spi::Result<uuid::Uuid> {
        Ok(row.get::<pgrx::Uuid>(at)?.map_or(uuid::Uuid::nil(), |id| uuid::Uuid::from_bytes(*id.as_bytes())))
    };
    let fields = row.get::<JsonB>(7)?.map_or(Value::Null, |fields| fields.0);
    let descriptions = fields.as_array().into_iter().flatten();
    Ok(Asked {
        job: (uuid(1)?, uuid(2)?),
        piece: row.get::<i32>(3)?.and_then(|piece| usize::try_from(piece).ok()).unwrap_or_default(),
        text: row.get(4)?.unwrap_or_default(),
        input_type: row.get(5)?,
        now: row.get::<TimestampWithTimeZone>(6)?.map(learning::unix_micros).unwrap_or_default(),
        schema: learning::schema(&fields),
        descriptions: descriptions.map(|field| field["description"].as_str().map(str::to_owned)).collect(),
        subject_name: row.get(8)?,
        instructions: row.get::<Vec<Option<String>>>(9)?.unwrap_or_default().into_iter().flatten().collect(),
    })
}

/// The id of the language model's endpoint; NULL where none is set up.
#[pg_extern(stable, parallel_restricted)]
fn _chat_endpoint() -> Option<pgrx::Uuid> {
    gucs::chat().map(|chat| pgrx::Uuid::from_bytes(*endpoint(&chat).as_bytes()))
}

/// Asks the language model about all that is due, in transactions of its own.
#[pg_extern(sql = false)]
fn _ask_models(call: pg_sys::FunctionCallInfo) -> Result<()> {
    if !may_end_transactions(call) {
        return Err(report(
            PgSqlErrorCode::ERRCODE_INVALID_TRANSACTION_TERMINATION,
            "the language model cannot be asked within a transaction block",
        ));
    }
    Asker::new(InSession).work();
    Ok(())
}

/// Whether the procedure was called where it may end the transaction and begin another.
fn may_end_transactions(call: pg_sys::FunctionCallInfo) -> bool {
    #[allow(unsafe_code)]
    // SAFETY: Postgres hands in a call whose context is a node or NULL, and a CallContext where it was a CALL.
    unsafe {
        let context = (*call).context;
        !context.is_null()
            && pgrx::is_a(context, pg_sys::NodeTag::T_CallContext)
            && !(*context.cast::<pg_sys::CallContext>()).atomic
    }
}
