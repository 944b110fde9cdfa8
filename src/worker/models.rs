//! Asking models, in a process beside those that run jobs: a model that takes its time holds up no learning that can do
//! without it, and a long text no short one.
//!
//! Jobs are claimed in one transaction, and what a model answers is kept in another; while requests are under way no
//! transaction is open. The same runs in a session, under `CALL run_jobs()`, for roles that may have the endpoints called.

use std::collections::VecDeque;
use std::panic::{RefUnwindSafe, UnwindSafe};

use pgrx::PgSqlErrorCode;
use pgrx::bgworkers::BackgroundWorker;
use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::spi::SpiHeapTupleData;

use super::chat::{self, Next};
use super::embeddings::{self, Pending};
use super::endpoint::{self, Failure, Service};
use super::under_way::UnderWay;
use super::{call, http, is_installed, is_told_to_end, reload_settings};
use crate::error::{Result, report};
use crate::gucs::{self, Embeddings, Endpoint};

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

/// A job that waits for a model: its subject and its id.
pub type Job = (pgrx::Uuid, pgrx::Uuid);

/// The job that a row is about, whose first two columns are never NULL.
pub fn job_of(row: &SpiHeapTupleData<'_>) -> spi::Result<Job> {
    let id = |at: usize| -> spi::Result<pgrx::Uuid> { Ok(row.get(at)?.unwrap_or(pgrx::Uuid::from_bytes([0; 16]))) };
    Ok((id(1)?, id(2)?))
}

/// A request under way.
enum Request {
    Chat(Box<chat::Request>),
    Embeddings(embeddings::Request),
}

/// What is asked, and of whom.
pub struct Asker<T> {
    transactions: T,
    /// Whether there are a language model and a remote embedding model, as the jobs were last told.
    told: Option<(bool, bool)>,
    under_way: UnderWay<Request>,
    /// Texts that have been claimed and not been sent, and the jobs whose texts are with the model.
    queue: VecDeque<embeddings::Request>,
    pending: Pending,
}

impl<T: Transactions> Asker<T> {
    /// One that has asked nothing yet.
    pub fn new(transactions: T) -> Self {
        Asker {
            transactions,
            told: None,
            under_way: UnderWay::default(),
            queue: VecDeque::new(),
            pending: Pending::default(),
        }
    }

    /// Asks about what is due and keeps what is answered, until nothing is due and no answer is awaited.
    pub fn work(&mut self) {
        while self.transactions.go_on() {
            let (chat, model) = (gucs::chat(), gucs::embeddings());
            self.tell((chat.is_some(), model.is_some()));
            if self.told.is_some() {
                if let Some(chat) = &chat {
                    self.ask(chat);
                }
                if let Some(model) = &model {
                    self.embed(model);
                }
            }
            if self.under_way.is_empty() {
                return;
            }
            for (request, answer) in self.under_way.receive() {
                match request {
                    Request::Chat(request) => {
                        let outcome = request.outcome(answer);
                        self.record(request.asked.job, &request.endpoint, request.pieces, outcome);
                    }
                    Request::Embeddings(request) => {
                        let outcome = request.outcome(answer);
                        self.record_vectors(request, outcome);
                    }
                }
            }
        }
        self.release();
    }

    /// Gives back, at first, what an earlier process of this number has claimed; where a model is not there any more, tells
    /// the jobs that wait for it.
    fn tell(&mut self, configured: (bool, bool)) {
        if self.told != Some(configured) {
            let first = self.told.is_none();
            let told = self.transactions.run(move || {
                is_installed() && {
                    if first {
                        call("select memory_profile._ask_release()", &[]);
                    }
                    call("select memory_profile._ask_nobody()", &[]);
                    true
                }
            });
            self.told = told.then_some(configured);
        }
    }

    /// Gives back what is being asked: the answers will come to nobody.
    fn release(&mut self) {
        // Where the server itself is gone, there is nobody to tell.
        if !self.under_way.is_empty() && http::is_shutting_down() {
            self.transactions.run(|| call("select memory_profile._ask_release()", &[]));
            self.under_way.clear();
            self.queue.clear();
            self.pending.clear();
        }
    }

    /// Asks the language model.
    fn ask(&mut self, chat: &Endpoint) {
        let under_way = self.under_way.count(|request| matches!(request, Request::Chat(_)));
        let (room, timeout) = (chat.concurrency.saturating_sub(under_way), chat.timeout);
        for asked in self.claim(room, move || chat::claim(room, timeout)) {
            match asked.prepare(chat) {
                Next::Nothing(job, pieces, found) => self.record(job, chat, pieces, chat::Outcome::Found(found)),
                Next::Ask(request, body) => {
                    let sent = endpoint::send(&mut self.under_way, Service::Chat, chat, &body, Request::Chat(request));
                    if let Err((Request::Chat(request), failure)) = sent {
                        self.record(request.asked.job, chat, request.pieces, chat::Outcome::Failed(failure));
                    }
                }
            }
        }
    }

    /// Asks the embedding model.
    fn embed(&mut self, model: &Embeddings) {
        if self.queue.is_empty() {
            let room = self.room(model);
            let asked = {
                let model = model.clone();
                self.claim(room, move || embeddings::claim(&model, room))
            };
            // All of them before any is sent: a job is through when the last one is.
            self.queue.extend(embeddings::requests(model, asked));
            self.queue.iter().for_each(|request| self.pending.add(request));
        }
        while self.room(model) > 0
            && let Some(request) = self.queue.pop_front()
        {
            self.send_texts(request);
        }
    }

    /// How many more requests the embedding model is sent now.
    fn room(&self, model: &Embeddings) -> usize {
        let under_way = self.under_way.count(|request| matches!(request, Request::Embeddings(_)));
        model.endpoint.concurrency.saturating_sub(under_way)
    }

    fn claim<R>(&self, room: usize, claim: impl FnOnce() -> Vec<R> + UnwindSafe + RefUnwindSafe) -> Vec<R> {
        if room == 0 {
            return Vec::new();
        }
        self.transactions.run(move || if is_installed() { claim() } else { Vec::new() })
    }

    fn send_texts(&mut self, request: embeddings::Request) {
        let (endpoint, body) = (request.model.endpoint.clone(), request.body());
        let request = Request::Embeddings(request);
        let sent = endpoint::send(&mut self.under_way, Service::Embeddings, &endpoint, &body, request);
        if let Err((Request::Embeddings(request), failure)) = sent {
            self.record_vectors(request, embeddings::Outcome::Failed(failure));
        }
    }

    fn record(&mut self, job: Job, endpoint: &Endpoint, pieces: usize, outcome: chat::Outcome) {
        let endpoint = Service::Chat.id(endpoint);
        match outcome {
            chat::Outcome::Found(found) => self.transactions.run(move || chat::keep(job, endpoint, pieces, found)),
            chat::Outcome::Failed(failure) => self.fail(job, endpoint, failure, None),
        }
    }

    fn record_vectors(&mut self, request: embeddings::Request, outcome: embeddings::Outcome) {
        let mut failed = None;
        match outcome {
            embeddings::Outcome::Found(found) => {
                request.keep(&found, |portion| self.transactions.run(move || portion.store()));
            }
            embeddings::Outcome::Split(first, second) => {
                for half in [first, second] {
                    self.pending.add(&half);
                    self.queue.push_back(half);
                }
            }
            embeddings::Outcome::Refused(cause) => {
                if let Some(note) = request.blame(&cause, true) {
                    self.transactions.run(note);
                }
            }
            embeddings::Outcome::Failed(failure) => {
                if let Some(note) = request.blame(&failure.cause, false).filter(|_| failure.counts) {
                    self.transactions.run(note);
                }
                failed = Some(failure);
            }
        }
        let endpoint = Service::Embeddings.id(&request.model.endpoint);
        for (job, progress) in self.pending.remove(&request, failed.as_ref()) {
            match progress.failure {
                Some(failure) => self.fail(job, endpoint, failure, Some(progress.partly)),
                None => self.transactions.run(move || {
                    call("select memory_profile._embed_asked($1, $2)", &[job.0.into(), job.1.into()]);
                }),
            }
        }
    }

    /// Records that a job was asked about in vain; of one with texts to embed, whether that is true of some of them only.
    fn fail(&self, (subject, job): Job, endpoint: pgrx::Uuid, failure: Failure, partly: Option<bool>) {
        self.transactions.run(move || {
            let mut arguments: Vec<DatumWithOid<'_>> = vec![
                subject.into(),
                job.into(),
                endpoint.into(),
                failure.cause.as_str().into(),
                failure.counts.into(),
                failure.at_once.into(),
                failure.retry_after.map(|pause| pause.as_secs_f64()).into(),
            ];
            match partly {
                None => call("select memory_profile._ask_failed($1, $2, $3, $4, $5, $6, $7)", &arguments),
                Some(partly) => {
                    arguments.push(partly.into());
                    call("select memory_profile._embed_failed($1, $2, $3, $4, $5, $6, $7, $8)", &arguments);
                }
            }
        });
    }
}

/// The id of the language model's endpoint; NULL where none is set up.
#[pg_extern(stable, parallel_restricted)]
fn _chat_endpoint() -> Option<pgrx::Uuid> {
    gucs::chat().map(|chat| Service::Chat.id(&chat))
}

/// The id of the remote embedding model's endpoint; NULL where the session's embedding model is not a remote one.
#[pg_extern(stable, parallel_restricted)]
fn _embeddings_endpoint() -> Option<pgrx::Uuid> {
    gucs::embeddings().map(|model| Service::Embeddings.id(&model.endpoint))
}

/// Asks the models about all that is due, in transactions of its own.
#[pg_extern(sql = false)]
fn _ask_models(call: pg_sys::FunctionCallInfo) -> Result<()> {
    if !may_end_transactions(call) {
        return Err(report(
            PgSqlErrorCode::ERRCODE_INVALID_TRANSACTION_TERMINATION,
            "models cannot be asked within a transaction block",
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
