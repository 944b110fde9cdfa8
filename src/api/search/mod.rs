//! Search: what the SQL functions take and return. The way of a question to its answers is in [`pipeline`].
//!
//! The set logic stands in `sql/search/`, the scoring in the crate `rules`; this module carries the one to the other.

mod explain;
mod late;
mod part;
mod pipeline;
mod pool;
mod queries;
mod rows;
mod scan;
mod sieve;
mod stream;
mod subjects;

use pgrx::prelude::*;

use self::pipeline::{Request, answer, scoring};
use crate::api::checks;
use crate::api::embedding;
use crate::api::jsonb::{JsonB, StoredJsonb};
use crate::error::{Result, invalid_parameter};

/// What kind of text is searched.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Memories,
    Chunks,
}

/// Rows of one answer.
const MAX_RESULTS: i32 = 1000;

/// Bytes of a query that are read; a longer one is no question any more.
const MAX_QUERY: usize = 10_000;

/// What `search_mode` chooses.
fn sides(mode: &str) -> Result<&'static [Side]> {
    match mode {
        "memories" => Ok(&[Side::Memories]),
        "documents" => Ok(&[Side::Chunks]),
        "hybrid" => Ok(&[Side::Memories, Side::Chunks]),
        other => Err(invalid_parameter(format!("invalid search_mode \"{other}\""))
            .set_hint("search_mode is memories, documents or hybrid.")),
    }
}

/// The memories of a subject that answer a query, best first.
#[pg_extern(stable, parallel_restricted, cost = 10000)]
#[search_path(pg_catalog, memory_profile, pg_temp)]
#[allow(clippy::too_many_arguments, reason = "they are the SQL function's, and its callers name them")]
#[allow(clippy::type_complexity, reason = "pgrx reads the row type from the signature")]
fn memory_search(
    subject: Option<&str>,
    q: Option<&str>,
    threshold: default!(Option<f64>, "0.6"),
    filters: default!(Option<JsonB>, "NULL"),
    max_results: default!(Option<i32>, "10"),
    search_mode: default!(Option<&str>, "'memories'"),
    include_forgotten: default!(Option<bool>, "false"),
    rerank: default!(Option<bool>, "false"),
    rewrite_query: default!(Option<bool>, "false"),
    embedding: default!(Option<Vec<f32>>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(id, String),
            name!(memory, Option<String>),
            name!(chunk, Option<String>),
            name!(similarity, f64),
            name!(metadata, StoredJsonb),
            name!(version, i32),
            name!(updated_at, TimestampWithTimeZone),
            name!(subject, String),
            name!(kind, String),
            name!(is_static, bool),
            name!(root_id, Option<String>),
            name!(document_id, Option<String>),
            name!(created_at, TimestampWithTimeZone),
            name!(score, StoredJsonb),
        ),
    >,
> {
    let arguments = Arguments {
        subject,
        q,
        threshold,
        filters,
        max_results,
        search_mode,
        include_forgotten,
        rerank,
        rewrite_query,
        embedding,
    };
    let request = arguments.check()?;
    Spi::connect(|client| {
        let mut hits = answer(client, &request)?.hits;
        hits.truncate(request.limit);
        rows::read(client, &hits).map(TableIterator::new)
    })
}

/// The arguments of a search, as SQL gives them.
struct Arguments<'a> {
    subject: Option<&'a str>,
    q: Option<&'a str>,
    threshold: Option<f64>,
    filters: Option<JsonB>,
    max_results: Option<i32>,
    search_mode: Option<&'a str>,
    include_forgotten: Option<bool>,
    rerank: Option<bool>,
    rewrite_query: Option<bool>,
    embedding: Option<Vec<f32>>,
}

impl<'a> Arguments<'a> {
    /// What they ask for, with the defaults in place of those that are null.
    fn check(self) -> Result<Request<'a>> {
        let filter = self.filters.map(|filters| checks::parse_filters(&filters)).transpose()?;
        Ok(Request {
            subject: self.subject,
            question: check_query(self.q)?,
            sides: sides(self.search_mode.unwrap_or("memories"))?,
            filter: filter.filter(|filter| !filter.is_empty()),
            include_forgotten: self.include_forgotten.unwrap_or(false),
            rerank: self.rerank.unwrap_or(false),
            rewrite: self.rewrite_query.unwrap_or(false),
            threshold: check_threshold(self.threshold.unwrap_or(0.6))?,
            limit: check_limit(self.max_results.unwrap_or(10))?,
            embedding: self.embedding.map(|vector| embedding::given(&vector)).transpose()?,
            explained: None,
        })
    }
}

/// Raises an error when the setting `scoring` is not one; always true otherwise.
#[pg_extern(immutable, parallel_safe)]
fn _check_scoring(settings: JsonB) -> Result<bool> {
    scoring(&settings).map(|_| true)
}

fn check_query(q: Option<&str>) -> Result<&str> {
    let q = q.unwrap_or_default().trim();
    if q.is_empty() {
        return Err(invalid_parameter("the query must not be empty"));
    }
    let end = (0..=MAX_QUERY.min(q.len())).rev().find(|end| q.is_char_boundary(*end)).unwrap_or(0);
    Ok(&q[..end])
}

fn check_threshold(threshold: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&threshold) {
        Ok(threshold)
    } else {
        Err(invalid_parameter(format!("threshold must be from 0 to 1, not {threshold}")))
    }
}

fn check_limit(max_results: i32) -> Result<usize> {
    if (1..=MAX_RESULTS).contains(&max_results) {
        Ok(max_results.unsigned_abs() as usize)
    } else {
        Err(invalid_parameter(format!("max_results must be from 1 to {MAX_RESULTS}, not {max_results}")))
    }
}
