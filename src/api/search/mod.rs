//! Search: candidates by word and by meaning, united and scored.
//!
//! The set logic stands in `sql/search/`, the scoring in the crate `rules`; this module carries the one to the other. A
//! search reads in two steps: what the score needs of every candidate first, then the texts of those that are returned.
//! It writes nothing, so it runs on a standby.

mod candidates;
mod queries;
mod rows;

use std::cmp::Ordering;

use pgrx::JsonB;
use pgrx::prelude::*;
use rules::rank::Model;

use self::candidates::{Hit, Question, Side};
use crate::api::{checks, embedding};
use crate::error::{Result, invalid_parameter, invalid_parameter_because};

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
) -> Result<
    TableIterator<
        'static,
        (
            name!(id, String),
            name!(memory, Option<String>),
            name!(chunk, Option<String>),
            name!(similarity, f64),
            name!(metadata, JsonB),
            name!(version, i32),
            name!(updated_at, TimestampWithTimeZone),
            name!(subject, String),
            name!(kind, String),
            name!(is_static, bool),
            name!(root_id, Option<String>),
            name!(document_id, Option<String>),
            name!(created_at, TimestampWithTimeZone),
            name!(score, JsonB),
        ),
    >,
> {
    let q = check_query(q)?;
    let threshold = check_threshold(threshold.unwrap_or(0.6))?;
    let limit = check_limit(max_results.unwrap_or(10))?;
    let sides = sides(search_mode.unwrap_or("memories"))?;
    let filter = filters.map(|filters| checks::parse_filters(&filters)).transpose()?;
    // Part of the contract; until they change the ranking, the one ranking there is answers both.
    let _ = (rerank, rewrite_query);
    let vector = embedding::embed_query(q)?;

    Spi::connect(|client| {
        let scope = candidates::scope(client, subject)?;
        let model = scoring(&scope.scoring)?;
        let question = Question {
            lexemes: candidates::lexemes(client, q, &scope)?,
            scope: &scope,
            vector,
            filter: filter.filter(|filter| !filter.is_empty()),
            include_forgotten: include_forgotten.unwrap_or(false),
        };
        let mut hits = Vec::new();
        for side in sides {
            hits.extend(candidates::find(client, &question, *side, &model)?);
        }
        hits.retain(|hit| hit.scored.similarity >= threshold);
        hits.sort_by(best_first);
        hits.truncate(limit);
        rows::read(client, &hits).map(TableIterator::new)
    })
}

/// The order of results: a total one, so that the same question gets the same answer.
fn best_first(a: &Hit, b: &Hit) -> Ordering {
    let evidence = b.scored.evidence.total_cmp(&a.scored.evidence);
    evidence.then(b.updated_at.cmp(&a.updated_at)).then_with(|| a.id.cmp(&b.id)).then(a.side.cmp(&b.side))
}

/// The scoring model of a project.
fn scoring(settings: &JsonB) -> Result<Model> {
    Model::from_json(&settings.0).map_err(|cause| invalid_parameter_because("invalid setting \"scoring\"", cause))
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
