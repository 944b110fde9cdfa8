//! Requests under way, whatever they are about: started from the main thread, answered on threads of their own, and given
//! up when their answer cannot come any more.

use std::collections::HashMap;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use super::http::{self, Destinations, HttpError, Reply};

/// How often one looks for signals and new work while requests are under way.
const STEP: Duration = Duration::from_millis(50);

/// What is sent, and where.
pub struct Call<'a> {
    /// The URL.
    pub url: &'a str,
    /// Headers.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: &'a [u8],
    /// How long the answer may take.
    pub timeout: Duration,
    /// Who may be called.
    pub destinations: Destinations,
}

type Answer = (u64, Result<Reply, HttpError>);

/// Requests under way, each with what its sender wants to know when the answer comes.
pub struct UnderWay<R> {
    requests: HashMap<u64, (R, Instant)>,
    started: u64,
    answering: Sender<Answer>,
    answers: Receiver<Answer>,
}

impl<R> Default for UnderWay<R> {
    fn default() -> Self {
        let (answering, answers) = mpsc::channel();
        UnderWay { requests: HashMap::new(), started: 0, answering, answers }
    }
}

impl<R> UnderWay<R> {
    /// Starts a request. One that cannot be started is given back with the reason.
    pub fn start(&mut self, request: R, call: &Call<'_>) -> Result<(), (R, HttpError)> {
        let (answering, number) = (self.answering.clone(), self.started);
        // Nobody is there to read an answer when the process ends before it comes.
        let done = move |answer| drop(answering.send((number, answer)));
        if let Err(cause) = http::start(call.url, call.headers, call.body, call.timeout, call.destinations, done) {
            return Err((request, cause));
        }
        self.started += 1;
        self.requests.insert(number, (request, Instant::now() + call.timeout + http::GRACE));
        Ok(())
    }

    /// Waits a step for an answer and gives all that have come, and those that are given up.
    pub fn receive(&mut self) -> Vec<(R, Result<Reply, HttpError>)> {
        let mut come: Vec<Answer> = self.answers.recv_timeout(STEP).into_iter().collect();
        come.extend(self.answers.try_iter());
        let now = Instant::now();
        let overdue = self.requests.iter().filter(|(_, (_, deadline))| *deadline < now);
        come.extend(overdue.map(|(number, _)| (*number, Err(HttpError::Timeout))).collect::<Vec<_>>());
        // What was given up as overdue may still come: then it is not there any more.
        let request = |(number, answer)| self.requests.remove(&number).map(|(request, _)| (request, answer));
        come.into_iter().filter_map(request).collect()
    }

    /// How many of a kind there are.
    pub fn count(&self, is_of_kind: impl Fn(&R) -> bool) -> usize {
        self.requests.values().filter(|(request, _)| is_of_kind(request)).count()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Forgets them all: their answers will come to nobody.
    pub fn clear(&mut self) {
        self.requests.clear();
    }
}
