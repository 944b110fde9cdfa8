//! Reading a long text aside: on a thread of its own, while who runs jobs runs those of others. The longest text takes a
//! second to read, in which small jobs would have to wait.
//!
//! The thread knows nothing of Postgres: it gets a copy of all that it reads, no signal reaches it, and it calls nothing of
//! the server's. There is one at a time. Nothing is kept of what it finds until its job is run: with the process that it
//! belongs to goes the thread, and the text is read again.

use std::cell::RefCell;
use std::io;
use std::panic;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use pgrx::pg_sys;
use rules::extract::{self, Extraction, FieldSpec, Input};

use crate::api::learning::names;

/// Bytes of a text that is long: it takes some tens of milliseconds to read.
pub const LONG: usize = 64 << 10;

/// The stack of the thread: as much as the system gives the main one.
const STACK: usize = 8 << 20;

thread_local! {
    static READING: RefCell<Option<Reading>> = const { RefCell::new(None) };
}

/// All that decides what is found in a text: what [`Input`] borrows.
#[derive(PartialEq)]
pub struct Text {
    /// The raw text.
    pub text: String,
    /// What the sender calls it.
    pub input_type: Option<String>,
    /// The date of the text.
    pub now: i64,
    /// How many seconds the clock of that date is ahead of UTC, where that is known.
    pub utc_offset: Option<i32>,
    /// The fields of the profile.
    pub schema: Vec<FieldSpec>,
    /// The names of the subject, the present one first.
    pub subject_names: Vec<String>,
    /// The language of the text.
    pub language: Option<String>,
    /// The time zone of the subject.
    pub zone: Option<String>,
}

impl Text {
    /// Reads it here and now.
    pub fn read(&self) -> Extraction {
        let (subject_name, former_names) = names(&self.subject_names);
        extract::extract(&Input {
            text: &self.text,
            input_type: self.input_type.as_deref(),
            now: self.now,
            utc_offset: self.utc_offset,
            schema: &self.schema,
            subject_name,
            former_names,
            language: self.language.as_deref(),
            zone: self.zone.as_deref(),
        })
    }

    /// What was found in it, if it is short or has been read; else it is being read, and whoever asks has to ask again.
    pub fn read_aside(self) -> io::Result<Option<Extraction>> {
        if self.text.len() < LONG {
            return Ok(Some(self.read()));
        }
        match READING.take().filter(|reading| *reading.text == self) {
            Some(reading) if reading.thread.is_finished() => match reading.thread.join() {
                Ok(found) => Ok(Some(found)),
                Err(cause) => panic::resume_unwind(cause),
            },
            Some(reading) => {
                READING.set(Some(reading));
                Ok(None)
            }
            None => {
                READING.set(Some(Reading::start(self)?));
                Ok(None)
            }
        }
    }
}

/// A text that is being read.
struct Reading {
    text: Arc<Text>,
    thread: JoinHandle<Extraction>,
}

impl Reading {
    fn start(text: Text) -> io::Result<Self> {
        let text = Arc::new(text);
        let copy = Arc::clone(&text);
        Ok(Reading { text, thread: undisturbed("reading", move || copy.read())? })
    }
}

/// Whether a text is being read.
pub fn is_reading() -> bool {
    READING.with_borrow(|reading| reading.as_ref().is_some_and(|reading| !reading.thread.is_finished()))
}

/// Forgets the text that was being read: nobody will ask for it.
pub fn forget() {
    READING.set(None);
}

/// Runs `work` on a thread that no signal of this process reaches: a handler of Postgres must run on the main thread.
pub fn undisturbed<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    // A thread inherits the mask of signals from the one that starts it.
    #[allow(unsafe_code)]
    // SAFETY: the mask is restored before anything else happens.
    unsafe {
        pg_sys::BackgroundWorkerBlockSignals();
        let thread = thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(work);
        pg_sys::BackgroundWorkerUnblockSignals();
        thread
    }
}
