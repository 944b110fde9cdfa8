//! How a statement stands to those that are known, for the rule book of sql/33_consolidation.sql.

use pgrx::prelude::*;
use rules::names;
use rules::same::{MIN_COSINE, Statement, meeting, same_value, tells_of};

/// A hash that statements share that say the same or contradict each other; NULL for what is no single statement.
#[pg_extern(immutable, parallel_safe)]
fn _gist(content: &str, subject_names: Vec<String>) -> Option<i64> {
    Some(Statement::read(content, &subject_names)?.gist())
}

/// The gists of the statements that this one may be a detail of.
#[pg_extern(immutable, parallel_safe)]
fn _gists_of_beginnings(content: &str, subject_names: Vec<String>) -> Vec<i64> {
    Statement::read(content, &subject_names).map(|statement| statement.gists_of_beginnings()).unwrap_or_default()
}

/// The places of those statements that meet another one of them: by their text, or by the gists of the places.
#[pg_extern(immutable, parallel_safe)]
fn _places_meeting(texts: Vec<String>, gists: Vec<i64>, places: Vec<i32>) -> Vec<i32> {
    meeting(&texts, &gists, &places).into_iter().collect()
}

/// How a new statement stands to a known one: `same`, `contradicts`, `extends`, or NULL.
#[pg_extern(immutable, parallel_safe)]
fn _statement_relation(content: &str, known: &str, subject_names: Vec<String>) -> Option<&'static str> {
    let (new, known) = (Statement::read(content, &subject_names)?, Statement::read(known, &subject_names)?);
    Some(new.relation_to(&known)?.as_str())
}

/// Whether two values of a slot name the same.
#[pg_extern(immutable, parallel_safe)]
fn _same_value(a: Option<&str>, b: Option<&str>) -> bool {
    a.zip(b).is_some_and(|(a, b)| same_value(a, b))
}

/// The cosine below which a paraphrase is not taken for one.
#[pg_extern(immutable, parallel_safe)]
fn _least_cosine() -> f64 {
    MIN_COSINE
}

/// Of all names that a subject ever had, the present one first, those by which texts may still call it.
#[pg_extern(immutable, parallel_safe)]
fn _known_as(names: Vec<String>) -> Vec<String> {
    names::known_as(names)
}

/// How many words for its sort a text has that tells of the plan that some words name; NULL for one that lacks any of these.
#[pg_extern(immutable, parallel_safe)]
fn _tells_of_plan(content: &str, words: Vec<String>, sorts: Vec<String>) -> Option<i32> {
    tells_of(content, &words, &sorts).and_then(|sorts| i32::try_from(sorts).ok())
}
