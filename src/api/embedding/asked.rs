//! The vectors of questions, asked for by the session that searches: only where an administrator has allowed it.
//!
//! A search is called several times with one question, for memories and for passages, or for many users; it is asked about
//! once. An endpoint that fails is left alone for a while, so that searches go on by words without waiting for it each time.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::gucs::Embeddings;
use crate::worker::embeddings::of_question;

/// Questions whose vectors a session keeps.
const KEPT: usize = 32;

/// How long an endpoint is left alone at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The model and the question, and the vector.
type Known = ((String, String), Vec<f32>);

thread_local! {
    static KNOWN: RefCell<VecDeque<Known>> = const { RefCell::new(VecDeque::new()) };
    /// How often in a row it failed, and until when it is left alone.
    static FAILED: Cell<Option<(u32, Instant)>> = const { Cell::new(None) };
}

/// The vector of a question; `None` where the endpoint does not give it, which is said as a warning.
pub fn vector(remote: &Embeddings, question: &str, timeout: Duration) -> Option<Vec<f32>> {
    let key =
        (format!("{}\n{}\n{}", remote.endpoint.url, remote.endpoint.model, remote.dimension), question.to_owned());
    let known =
        KNOWN.with_borrow(|known| known.iter().find(|(known, _)| *known == key).map(|(_, vector)| vector.clone()));
    if known.is_some() {
        return known;
    }
    let failures = match FAILED.get() {
        Some((_, until)) if Instant::now() < until => return None,
        Some((failures, _)) => failures,
        None => 0,
    };
    match of_question(remote, question, timeout) {
        Ok(vector) => {
            FAILED.set(None);
            KNOWN.with_borrow_mut(|known| {
                known.truncate(KEPT - 1);
                known.push_front((key, vector.clone()));
            });
            Some(vector)
        }
        Err(cause) => {
            let pause = Duration::from_secs(1 << failures.min(5)).min(LONGEST_PAUSE);
            FAILED.set(Some((failures + 1, Instant::now() + pause)));
            ErrorReport::new(
                PgSqlErrorCode::ERRCODE_WARNING,
                "the question could not be embedded: searching by words alone",
                "memory_profile",
            )
            .set_detail(format!("{cause}."))
            .report(PgLogLevel::WARNING);
            None
        }
    }
}
