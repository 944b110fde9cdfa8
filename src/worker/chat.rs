//! What the language model is asked, and what becomes of its answers: texts to learn from, and profiles to sum up.
//!
//! `sql/63_models.sql` and `sql/65_summaries.sql` have the rules.

use pgrx::pg_sys::panic::ErrorReportable;
use pgrx::prelude::*;
use pgrx::spi::SpiHeapTupleData;
use rules::extract::{FieldSpec, Input, Message};
use rules::model::summary::{self, Profile};
use rules::model::{self, Piece, Question};
use serde_json::{Value, json};

use super::call;
use super::endpoint::{Failure, Service, is_final};
use super::http::{HttpError, Reply};
use super::models::{Job, job_of};
use crate::api::jsonb::JsonB;
use crate::api::learning;
use crate::gucs::Endpoint;

/// A job that the model is asked about.
pub struct Asked {
    /// Its subject and its id.
    pub job: Job,
    task: Task,
}

enum Task {
    /// Learning from a text.
    Extraction {
        /// Which piece of the text it is about.
        piece: usize,
        text: String,
        input_type: Option<String>,
        now: i64,
        utc_offset: Option<i32>,
        schema: Vec<FieldSpec>,
        descriptions: Vec<Option<String>>,
        subject_names: Vec<String>,
        zone: Option<String>,
        instructions: Vec<String>,
        /// Whose built-in rules read the text where the model is of no use.
        language: Option<String>,
    },
    /// Summing up a profile.
    Summary { facts: Vec<String>, now: i64, subject_name: Option<String> },
}

/// A request under way.
pub struct Request {
    /// What it is about.
    pub asked: Asked,
    /// Who is asked.
    pub endpoint: Endpoint,
    /// How many requests the job takes.
    pub pieces: usize,
    piece: Piece,
    messages: Vec<Message>,
}

/// What came of a request.
pub enum Outcome {
    /// Something was found, by the model or instead of it.
    Found(Value),
    /// The request failed.
    Failed(Failure),
}

/// The next step about a job.
pub enum Next {
    /// The model is asked, with this body.
    Ask(Box<Request>, Value),
    /// There is nothing to ask, and this is what was found in so many pieces.
    Nothing(Job, usize, Value),
}

impl Asked {
    /// Makes the request.
    pub fn prepare(self, endpoint: &Endpoint) -> Next {
        let model = &endpoint.model;
        let endpoint = endpoint.clone();
        match &self.task {
            Task::Extraction { piece, .. } => {
                let (mut pieces, messages) = self.with_question(model, |question| model::pieces(&question.input));
                let (at, count) = (*piece, pieces.len());
                if at >= count {
                    return Next::Nothing(self.job, count, found(model, json!({}), (0, 0)));
                }
                let piece = pieces.swap_remove(at);
                let body = self.with_question(model, |question| model::request(question, &piece));
                Next::Ask(Box::new(Request { asked: self, endpoint, pieces: count, piece, messages }), body)
            }
            Task::Summary { .. } => {
                let body = self.with_profile(model, summary::request);
                let piece = Piece { text: String::new(), turns: 0..0 };
                Next::Ask(Box::new(Request { asked: self, endpoint, pieces: 1, piece, messages: Vec::new() }), body)
            }
        }
    }

    fn with_question<T>(&self, model: &str, work: impl FnOnce(&Question<'_>) -> T) -> T {
        let (text, input_type, now, utc_offset, schema, descriptions, names, zone, instructions) = match &self.task {
            Task::Extraction {
                text,
                input_type,
                now,
                utc_offset,
                schema,
                descriptions,
                subject_names,
                zone,
                instructions,
                ..
            } => (
                text.as_str(),
                input_type.as_deref(),
                *now,
                *utc_offset,
                schema.as_slice(),
                descriptions.as_slice(),
                subject_names.as_slice(),
                zone.as_deref(),
                instructions.as_slice(),
            ),
            Task::Summary { now, .. } => ("", None, *now, None, &[][..], &[][..], &[][..], None, &[][..]),
        };
        let instructions: Vec<&str> = instructions.iter().map(String::as_str).collect();
        let (subject_name, former_names) = learning::names(names);
        let language = self.language();
        let input = Input { text, input_type, now, utc_offset, schema, subject_name, former_names, language, zone };
        work(&Question { model, input, descriptions, instructions: &instructions })
    }

    fn language(&self) -> Option<&str> {
        match &self.task {
            Task::Extraction { language, .. } => language.as_deref(),
            Task::Summary { .. } => None,
        }
    }

    fn with_profile<T>(&self, model: &str, work: impl FnOnce(&Profile<'_>) -> T) -> T {
        let (facts, name, now) = match &self.task {
            Task::Summary { facts, now, subject_name } => (facts.as_slice(), subject_name.as_deref(), *now),
            Task::Extraction { now, .. } => (&[][..], None, *now),
        };
        work(&Profile { model, facts, name, now })
    }
}

impl Request {
    /// Reads the answer.
    pub fn outcome(&self, answer: Result<Reply, HttpError>) -> Outcome {
        match answer {
            Err(cause) => Outcome::Failed(Failure::of(Service::Chat, &cause)),
            Ok(reply) if (200..300).contains(&reply.status) => Outcome::Found(self.read(&reply.body)),
            Ok(reply) if is_final(reply.status) => {
                Outcome::Found(self.without_model(&format!("the endpoint answered {}", reply.status)))
            }
            Ok(reply) => Outcome::Failed(Failure::of_status(Service::Chat, reply.status, reply.retry_after)),
        }
    }

    fn read(&self, body: &[u8]) -> Value {
        let model = &self.endpoint.model;
        match &self.asked.task {
            Task::Extraction { .. } => {
                let read = |question: &Question<'_>| model::read(body, question, &self.piece, &self.messages);
                match self.asked.with_question(model, read) {
                    Ok(answer) => found(
                        model,
                        json!({"fields": answer.fields, "memories": answer.memories, "notes": answer.notes}),
                        answer.tokens,
                    ),
                    Err(cause) => self.without_model(&cause.to_string()),
                }
            }
            Task::Summary { .. } => match self.asked.with_profile(model, |profile| summary::read(body, profile)) {
                Ok(read) => found(model, json!({"summary": read.text}), read.tokens),
                Err(cause) => self.without_model(&cause.to_string()),
            },
        }
    }

    /// What is found where the model was of no use.
    fn without_model(&self, cause: &str) -> Value {
        let model = &self.endpoint.model;
        let Task::Extraction { schema, .. } = &self.asked.task else {
            let note = format!("the language model was of no use ({cause}): the built-in summary stands");
            return found(model, json!({"notes": [note]}), (0, 0));
        };
        let read = |question: &Question<'_>| model::without_model(question, &self.piece, &self.messages);
        let mut extraction =
            learning::extraction_json(&self.asked.with_question(model, read), schema, self.asked.language());
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

/// Claims jobs to ask about.
pub fn claim(room: usize, timeout: std::time::Duration) -> Vec<Asked> {
    Spi::connect_mut(|client| {
        let query = "select subject_key, job_id, piece, data, input_type, moment, fields, subject_names, instructions, facts, language, zone, utc_offset \
                     from memory_profile._ask_claim($1, $2 * interval '1 second')";
        let room = i32::try_from(room).unwrap_or(i32::MAX);
        let rows = client.update(query, None, &[room.into(), timeout.as_secs_f64().into()]).unwrap_or_report();
        rows.map(|row| asked(&row).unwrap_or_report()).collect()
    })
}

/// Reads a row of `_ask_claim()`.
fn asked(row: &SpiHeapTupleData<'_>) -> spi::Result<Asked> {
    let texts = |at: usize| -> spi::Result<Option<Vec<String>>> {
        Ok(row.get::<Vec<Option<String>>>(at)?.map(|texts| texts.into_iter().flatten().collect()))
    };
    let now = row.get::<TimestampWithTimeZone>(6)?.map(learning::unix_micros).unwrap_or_default();
    let subject_names = texts(8)?.unwrap_or_default();
    let task = match texts(10)? {
        Some(facts) => Task::Summary { facts, now, subject_name: subject_names.into_iter().next() },
        None => {
            let fields = row.get::<JsonB>(7)?.map_or(Value::Null, |fields| fields.0);
            let descriptions = fields.as_array().into_iter().flatten();
            Task::Extraction {
                piece: row.get::<i32>(3)?.and_then(|piece| usize::try_from(piece).ok()).unwrap_or_default(),
                text: row.get(4)?.unwrap_or_default(),
                input_type: row.get(5)?,
                now,
                utc_offset: row.get(13)?,
                schema: learning::schema(&fields),
                descriptions: descriptions.map(|field| field["description"].as_str().map(str::to_owned)).collect(),
                subject_names,
                zone: row.get(12)?,
                instructions: texts(9)?.unwrap_or_default(),
                language: row.get(11)?,
            }
        }
    };
    Ok(Asked { job: job_of(row)?, task })
}

/// Keeps what was found in a piece of a job's text.
pub fn keep((subject, job): Job, endpoint: pgrx::Uuid, pieces: usize, found: Value) {
    let pieces = i32::try_from(pieces).unwrap_or(i32::MAX);
    call(
        "select memory_profile._ask_answered($1, $2, $3, $4, $5)",
        &[subject.into(), job.into(), endpoint.into(), pieces.into(), JsonB(found).into()],
    );
}
