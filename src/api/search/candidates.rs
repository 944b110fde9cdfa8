//! Between the queries of `sql/search/` and the scoring: what a search reads.

use pgrx::JsonB;
use pgrx::datum::{DatumWithOid, FromDatum};
use pgrx::prelude::*;
use pgrx::spi::{self, SpiClient};
use rules::filter::Filter;
use rules::rank::{Candidate, Model, Query, Scored, Scorer};

use super::queries::{self, Text, select};
use crate::error::{Result, internal};
use crate::gucs;

/// Candidates by meaning: past this place the words decide, or nothing does.
const NEAREST: i32 = 200;

/// What kind of text is searched.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Memories,
    Chunks,
}

/// Where a search looks, and by which settings of the project.
pub struct Scope {
    project: pgrx::Uuid,
    subject: Option<pgrx::Uuid>,
    text_search_config: String,
    /// What the project has changed of the scoring.
    pub scoring: JsonB,
}

/// A query and all that selects candidates for it.
pub struct Question<'a> {
    pub scope: &'a Scope,
    pub lexemes: Vec<String>,
    pub vector: Option<Vec<f32>>,
    pub filter: Option<Filter>,
    pub include_forgotten: bool,
}

/// A text that a search found, with its score.
pub struct Hit {
    pub side: Side,
    pub subject: pgrx::Uuid,
    pub id: String,
    pub updated_at: i64,
    pub scored: Scored,
}

/// What the scores need to know of one candidate.
struct Found {
    subject: pgrx::Uuid,
    id: String,
    term_frequencies: Vec<u32>,
    length: u32,
    cosine: Option<f32>,
    importance: f32,
    updated_at: i64,
}

/// Reads where to look. Fails where no project is established.
pub fn scope(client: &SpiClient<'_>, subject: Option<&str>) -> Result<Scope> {
    let rows = select(client, queries::SCOPE, &[subject.into()])?;
    let rows = rows.first();
    Ok(Scope {
        project: required(rows.get(1))?,
        subject: optional(rows.get(2))?,
        text_search_config: required(rows.get(3))?,
        scoring: required(rows.get(4))?,
    })
}

/// The words of the query as the project's text search configuration sees them.
pub fn lexemes(client: &SpiClient<'_>, query: &str, scope: &Scope) -> Result<Vec<String>> {
    let arguments = [query.into(), scope.text_search_config.as_str().into()];
    let rows = select(client, queries::LEXEMES, &arguments)?;
    required(rows.first().get(1))
}

/// The model whose vectors are compared: the configured one, if this database holds any of its vectors.
fn model_id(client: &SpiClient<'_>) -> Result<Option<i16>> {
    let Some(name) = gucs::embedding_model() else { return Ok(None) };
    let rows = select(client, queries::MODEL, &[name.into()])?;
    if rows.is_empty() { Ok(None) } else { optional(rows.first().get(1)) }
}

/// Finds what one side has to offer, and scores it.
pub fn find(client: &SpiClient<'_>, question: &Question<'_>, side: Side, model: &Model) -> Result<Vec<Hit>> {
    let Scope { project, subject, .. } = *question.scope;
    let model_id = if question.vector.is_some() { model_id(client)? } else { None };

    // What both queries of a side begin with, and what the one for candidates goes on with.
    let mut arguments: Vec<DatumWithOid<'_>> = vec![project.into(), subject.into()];
    if side == Side::Memories {
        arguments.push(question.include_forgotten.into());
    }
    arguments.push(question.lexemes.clone().into());
    let (statistics, candidates) = match side {
        Side::Memories => (queries::MEMORY_SCOPE, queries::MEMORY_CANDIDATES),
        Side::Chunks => (queries::CHUNK_SCOPE, queries::CHUNK_CANDIDATES),
    };
    let statistics = Text::new(statistics).of_subject(subject.is_some()).run(client, &mut arguments)?.first();
    let documents = u32::try_from(required::<i64>(statistics.get(1))?).unwrap_or(u32::MAX);
    let document_frequencies: Vec<u32> = required::<Vec<i64>>(statistics.get(3))?
        .into_iter()
        .map(|count| u32::try_from(count).unwrap_or(u32::MAX))
        .collect();
    let query = Query {
        document_frequencies: &document_frequencies,
        documents,
        average_length: required(statistics.get(2))?,
        now: required(statistics.get(4))?,
    };

    arguments.extend([model_id.into(), question.vector.clone().into(), NEAREST.into()]);
    let rows = Text::new(candidates)
        .of_subject(subject.is_some())
        .planned_for(documents)
        .filtered(question.filter.as_ref(), arguments.len() + 1)
        .run(client, &mut arguments)?;

    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        found.push(Found {
            subject: required(row.get(1))?,
            id: required(row.get(2))?,
            term_frequencies: counts(required::<Vec<i32>>(row.get(3))?),
            length: required::<i32>(row.get(4))?.unsigned_abs(),
            cosine: optional::<f64>(row.get(5))?.map(|cosine| cosine as f32),
            importance: required(row.get(6))?,
            updated_at: required(row.get(7))?,
        });
    }
    Ok(score(found, side, query, model))
}

fn score(found: Vec<Found>, side: Side, query: Query<'_>, model: &Model) -> Vec<Hit> {
    let candidates: Vec<Candidate<'_>> = found
        .iter()
        .map(|found| Candidate {
            id: &found.id,
            term_frequencies: &found.term_frequencies,
            length: found.length,
            cosine: found.cosine,
            updated_at: found.updated_at,
            importance: found.importance,
        })
        .collect();
    let scored = Scorer::new(query, model).rank(&candidates);
    drop(candidates);
    let mut found: Vec<Option<Found>> = found.into_iter().map(Some).collect();
    scored
        .into_iter()
        .filter_map(|scored| {
            let Found { subject, id, updated_at, .. } = found[scored.index].take()?;
            Some(Hit { side, subject, id, updated_at, scored })
        })
        .collect()
}

fn counts(frequencies: Vec<i32>) -> Vec<u32> {
    frequencies.into_iter().map(i32::unsigned_abs).collect()
}

/// A column that may be null.
pub fn optional<T: FromDatum + IntoDatum>(value: spi::Result<Option<T>>) -> Result<Option<T>> {
    value.map_err(internal)
}

/// A column that is never null.
pub fn required<T: FromDatum + IntoDatum>(value: spi::Result<Option<T>>) -> Result<T> {
    optional(value)?.ok_or_else(|| internal("a column that is never null is null"))
}
