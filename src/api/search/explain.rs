//! Why a text came, and why another did not.

use std::time::Duration;

use pgrx::prelude::*;
use serde_json::{Value, json};

use super::pipeline::{Answers, Request, Stages, answer};
use super::{Arguments, Side};
use crate::api::jsonb::JsonB;
use crate::error::{Result, internal};

/// How a search came to its answers, and what it made of one text, whether or not that was among them.
#[pg_extern(stable, parallel_restricted, cost = 10000)]
#[search_path(pg_catalog, memory_profile, pg_temp)]
#[allow(clippy::too_many_arguments, reason = "they are those of memory_search and one more")]
fn memory_search_explain(
    subject: Option<&str>,
    q: Option<&str>,
    id: default!(Option<&str>, "NULL"),
    threshold: default!(Option<f64>, "0.6"),
    filters: default!(Option<JsonB>, "NULL"),
    max_results: default!(Option<i32>, "10"),
    search_mode: default!(Option<&str>, "'memories'"),
    include_forgotten: default!(Option<bool>, "false"),
    rerank: default!(Option<bool>, "false"),
    rewrite_query: default!(Option<bool>, "false"),
    embedding: default!(Option<Vec<f32>>, "NULL"),
) -> Result<JsonB> {
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
    let (threshold, limit) = (request.threshold, request.limit);
    // What stays below the threshold has its place as well.
    let request = Request { threshold: 0.0, explained: id, ..request };
    let answers = Spi::connect(|client| answer(client, &request))?;
    let text = id.map(|id| explain(&answers, id, threshold, limit)).transpose()?;
    let good = answers.hits.iter().filter(|hit| hit.left_out.is_none() && hit.scored.similarity >= threshold);
    let returned = good.take(limit).count();
    Ok(JsonB(json!({
        "subjects": answers.subjects,
        "searched": answers.searched,
        "part_of": answers.part_of,
        "returned": returned,
        "milliseconds": stages(&answers.stages),
        "text": text,
    })))
}

/// Where a text stands, and what decided it.
fn explain(answers: &Answers, id: &str, threshold: f64, limit: usize) -> Result<Value> {
    let Some(at) = answers.hits.iter().position(|hit| hit.id == id) else {
        return Ok(json!({
            "id": id,
            "returned": false,
            "because": "it was not searched: there is no current text with this id, or it is forgotten",
        }));
    };
    let hit = &answers.hits[at];
    let because = if hit.left_out.is_some() {
        hit.left_out
    } else if hit.scored.similarity < threshold {
        Some("its similarity is below the threshold")
    } else if at >= limit {
        Some("max_results others are more similar")
    } else {
        None
    };
    Ok(json!({
        "id": id,
        "kind": match hit.side { Side::Memories => "memory", Side::Chunks => "chunk" },
        "returned": because.is_none(),
        "because": because,
        "place": at + 1,
        "score": serde_json::to_value(hit.scored).map_err(internal)?,
    }))
}

fn stages(stages: &Stages) -> Value {
    let milliseconds = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
    json!({
        "subjects": milliseconds(stages.subjects),
        "signatures": milliseconds(stages.signatures),
        "meaning": milliseconds(stages.meaning),
        "filter": milliseconds(stages.filter),
        "shortlist": milliseconds(stages.shortlist),
        "late": milliseconds(stages.late),
    })
}
