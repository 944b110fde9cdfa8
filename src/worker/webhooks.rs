//! Sending webhooks, in a process beside those that run jobs: a receiver that takes its time holds up no learning, and
//! another webhook only when it fills its share of the requests under way.
//!
//! Deliveries are claimed in one transaction, and the outcome of each is recorded in another; while requests are under way
//! no transaction is open. `sql/61_webhooks.sql` has the rules.

use std::cell::OnceCell;

use pgrx::bgworkers::BackgroundWorker;
use pgrx::pg_sys::panic::ErrorReportable;
use pgrx::prelude::*;
use pgrx::spi::{OwnedPreparedStatement, SpiHeapTupleData};

use super::http::{Destinations, HttpError, Reply};
use super::under_way::{Call, UnderWay};
use super::{call, is_installed, is_told_to_end};
use crate::gucs;

/// Requests under way at once.
const MAX_UNDER_WAY: usize = 32;

/// Requests under way at once to one webhook.
const MAX_PER_WEBHOOK: i32 = 8;

/// Characters that are kept of what a receiver says is wrong.
const MAX_EXCERPT: usize = 200;

/// Which event goes to which webhook: the key of a delivery.
#[derive(Clone, Copy)]
struct Delivery {
    subject: uuid::Uuid,
    event: i64,
    webhook: uuid::Uuid,
}

struct Message {
    delivery: Delivery,
    url: String,
    id: String,
    sent_at: i64,
    signature: String,
    body: String,
}

/// Deliveries under way.
#[derive(Default)]
pub struct Sender {
    begun: bool,
    under_way: UnderWay<Delivery>,
}

impl Sender {
    /// Sends what is due and records what becomes of it, until nothing is due and no answer is awaited.
    pub fn work(&mut self) {
        while !is_told_to_end() && BackgroundWorker::transaction(is_installed) {
            if !self.begun {
                BackgroundWorker::transaction(|| call("select memory_profile._webhook_worker_begin()", &[]));
                self.begun = true;
            }
            let room = MAX_UNDER_WAY - self.under_way.len().min(MAX_UNDER_WAY);
            let claimed = BackgroundWorker::transaction(move || claim(room));
            for message in claimed {
                self.send(&message);
            }
            if self.under_way.is_empty() {
                return;
            }
            for (delivery, answer) in self.under_way.receive() {
                record(delivery, answer);
            }
        }
    }

    fn send(&mut self, message: &Message) {
        let timeout = gucs::webhook_timeout();
        let destinations = if gucs::webhook_private_networks() { Destinations::Any } else { Destinations::Public };
        let sent_at = message.sent_at.to_string();
        let headers = [
            ("content-type", "application/json"),
            ("webhook-id", &*message.id),
            ("webhook-timestamp", &sent_at),
            ("webhook-signature", &*message.signature),
        ];
        let body = message.body.as_bytes();
        let call = Call { url: &message.url, headers: &headers, body, timeout, destinations };
        if let Err((delivery, cause)) = self.under_way.start(message.delivery, &call) {
            record(delivery, Err(cause));
        }
    }
}

fn record(delivery: Delivery, answer: Result<Reply, HttpError>) {
    let (status, retry_after, error) = match answer {
        Ok(reply) if (200..300).contains(&reply.status) => (Some(i32::from(reply.status)), None, None),
        Ok(reply) => {
            let error = format!("the receiver answered {}{}", reply.status, excerpt(&reply.body));
            (Some(i32::from(reply.status)), reply.retry_after.map(|pause| pause.as_secs_f64()), Some(error))
        }
        Err(cause) => (None, None, Some(cause.to_string())),
    };
    BackgroundWorker::transaction(move || {
        call(
            "select memory_profile._webhook_record($1, $2, $3, $4, $5, $6)",
            &[
                pgrx::Uuid::from_bytes(*delivery.subject.as_bytes()).into(),
                delivery.event.into(),
                pgrx::Uuid::from_bytes(*delivery.webhook.as_bytes()).into(),
                status.into(),
                retry_after.into(),
                error.into(),
            ],
        );
    });
}

/// The beginning of an answer that says what is wrong.
fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * MAX_EXCERPT)]);
    let text: String = text.chars().filter(|c| !c.is_control()).take(MAX_EXCERPT).collect();
    if text.trim().is_empty() { String::new() } else { format!(": {}", text.trim()) }
}

thread_local! {
    /// The statement that is executed at every look: to plan it takes as long as to find that there is nothing to send.
    static CLAIM: OnceCell<OwnedPreparedStatement> = const { OnceCell::new() };
}

fn claim(room: usize) -> Vec<Message> {
    Spi::connect_mut(|client| {
        CLAIM.with(|claim| {
            let claim = claim.get_or_init(|| {
                let query = "select subject_key, event_id, webhook_id, url, message_id, sent_at, signature, body \
                             from memory_profile._webhook_claim($1, $2)";
                let int = PgOid::from(PgBuiltInOids::INT4OID);
                client.prepare_mut(query, &[int, int]).unwrap_or_report().keep()
            });
            let room = i32::try_from(room).unwrap_or(i32::MAX);
            let rows = client.update(claim, None, &[room.into(), MAX_PER_WEBHOOK.into()]).unwrap_or_report();
            rows.map(|row| message(&row).unwrap_or_report()).collect()
        })
    })
}

/// Reads a row of `_webhook_claim()`, none of whose columns is ever NULL.
fn message(row: &SpiHeapTupleData<'_>) -> spi::Result<Message> {
    let uuid = |at: usize| -> spi::Result<uuid::Uuid> {
        Ok(row.get::<pgrx::Uuid>(at)?.map_or(uuid::Uuid::nil(), |id| uuid::Uuid::from_bytes(*id.as_bytes())))
    };
    let number = |at: usize| -> spi::Result<i64> { Ok(row.get(at)?.unwrap_or_default()) };
    let text = |at: usize| -> spi::Result<String> { Ok(row.get(at)?.unwrap_or_default()) };
    Ok(Message {
        delivery: Delivery { subject: uuid(1)?, event: number(2)?, webhook: uuid(3)? },
        url: text(4)?,
        id: text(5)?,
        sent_at: number(6)?,
        signature: text(7)?,
        body: text(8)?,
    })
}
