//! The subjects that a search looks into.
//!
//! A search of one subject reads all its texts, and so does a search of a whole project of few subjects. Of many, all that is
//! read grows with the product's users, so the index of vectors is asked first whose texts come nearest to the question,
//! and these subjects are searched as if they were the project. What is given up is a subject all of whose texts are
//! farther than those of so many others, and that only words would have found.

use std::collections::HashSet;

use pgrx::spi::SpiClient;

use super::pipeline::{Request, Scope, required};
use super::queries::{self, Keys, Queries, select};
use super::stream::stream;
use crate::api::embedding::{self, Meaning};
use crate::error::Result;
use crate::gucs;

/// Subjects that are read together.
const AT_ONCE: usize = 500;

/// Texts that are asked for, for each subject that is wanted: some have more than one near the question.
const TEXTS_PER_SUBJECT: usize = 5;

/// Where to search.
pub struct Subjects {
    /// The keys, in portions.
    pub portions: Vec<Keys>,
    /// The question as it stands, if it was needed to find them.
    pub meaning: Option<Meaning>,
}

/// Decides which subjects are searched.
pub fn subjects(client: &SpiClient<'_>, request: &Request<'_>, scope: &Scope) -> Result<Subjects> {
    if let Some(key) = scope.subject {
        return Ok(Subjects { portions: vec![Keys::One(key)], meaning: None });
    }
    let (keys, meaning) = match nearest(client, request, scope)? {
        Some((keys, meaning)) => (keys, Some(meaning)),
        None => (all(client, scope, None)?, None),
    };
    let portions = keys.chunks(AT_ONCE).map(|keys| Keys::Several(keys.to_vec())).collect();
    Ok(Subjects { portions, meaning })
}

/// All subjects that the session may see, or so many of them.
fn all(client: &SpiClient<'_>, scope: &Scope, limit: Option<usize>) -> Result<Vec<pgrx::Uuid>> {
    let limit = limit.and_then(|limit| i64::try_from(limit).ok());
    let mut keys = Vec::new();
    for row in select(client, queries::SUBJECTS, &[scope.project.into(), limit.into()])? {
        keys.push(required(row.get(1))?);
    }
    Ok(keys)
}

/// Those whose texts come nearest, if there are more than a search looks into. A filter may keep any text, so with one all
/// are searched, and so they are without vectors to compare.
fn nearest(client: &SpiClient<'_>, request: &Request<'_>, scope: &Scope) -> Result<Option<(Vec<pgrx::Uuid>, Meaning)>> {
    let (Some(most), Some(model), None) = (gucs::search_subjects(), scope.vectors, &request.filter) else {
        return Ok(None);
    };
    if all(client, scope, Some(most + 1))?.len() <= most {
        return Ok(None);
    }
    let Some(meaning) = embedding::understand(request.question)? else { return Ok(None) };
    let limit = i64::try_from(most * TEXTS_PER_SUBJECT).unwrap_or(i64::MAX);
    let mut texts: Vec<(f64, [u8; 16])> = Vec::new();
    for side in request.sides {
        let arguments = [scope.project.into(), model.into(), meaning.vector.clone().into(), limit.into()];
        stream(client, Queries::of(*side).nearest, &arguments, true, |row| {
            texts.extend(row.get::<f64>(1).map(|distance| (distance, row.uuid(0))));
            Ok(())
        })?;
    }
    texts.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut seen = HashSet::new();
    let first = texts.into_iter().map(|(_, key)| key).filter(|key| seen.insert(*key));
    let mut keys: Vec<[u8; 16]> = first.take(most).collect();
    keys.sort_unstable();
    Ok(Some((keys.into_iter().map(pgrx::Uuid::from_bytes).collect(), meaning)))
}
