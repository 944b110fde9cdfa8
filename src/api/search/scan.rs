//! What a search reads before it knows where to look closer: the signatures of all texts.

use std::collections::{HashMap, HashSet};

use pgrx::datum::DatumWithOid;
use pgrx::spi::SpiClient;
use rules::filter::Filter;
use rules::signature;

use super::Side;
use super::pool::{ById, Looked, Pool};
use super::queries::{Keys, Queries, filtered};
use super::stream::stream;
use crate::api::embedding::Meaning;
use crate::api::signing::damaged;
use crate::error::Result;

/// Reads the signatures of one side. The hashes of all words go to `vocabulary`.
pub fn signatures(
    client: &SpiClient<'_>,
    side: Side,
    keys: &Keys,
    looked: &Looked<'_>,
    mut vocabulary: Option<&mut HashSet<u32>>,
) -> Result<Vec<Pool>> {
    let mut pools: Vec<Pool> = Vec::new();
    stream(client, &keys.restrict(Queries::of(side).signatures), &[keys.argument()], true, |row| {
        let subject = row.uuid(0);
        if pools.last().is_none_or(|pool| pool.subject != subject) {
            pools.push(Pool::new(subject, looked.terms.len()));
        }
        let Some(pool) = pools.last_mut() else { return Ok(()) };
        for record in signature::records(row.bytes(1)) {
            let record = record.map_err(damaged)?;
            if pool.take(&record, looked)?
                && let Some(vocabulary) = &mut vocabulary
            {
                vocabulary.extend(record.terms().map(|(hash, _)| hash));
            }
        }
        Ok(())
    })?;
    pools.retain(|pool| pool.len() > 0);
    Ok(pools)
}

/// Estimates how near in meaning every text of one side is. Signatures hold the codes of one model; where they are those
/// of another, while texts get new vectors, the codes are looked up beside the vectors.
pub fn estimate(
    client: &SpiClient<'_>,
    side: Side,
    keys: &Keys,
    model: i16,
    meaning: &Meaning,
    pools: &mut [Pool],
) -> Result<()> {
    if pools.iter().any(Pool::lacks_codes) {
        let codes = with_rows(pools, |places, codes: &mut Vec<(usize, usize, Vec<u8>)>| {
            stream(client, &keys.restrict(Queries::of(side).codes), &[keys.argument(), model.into()], true, |row| {
                if let Some((pool, text)) = places.find(row.uuid(0), row.bytes(1)) {
                    codes.push((pool, text, row.bytes(2).to_vec()));
                }
                Ok(())
            })
        })?;
        for (pool, text, code) in codes {
            pools[pool].add_code(text, model, &code)?;
        }
    }
    pools.iter_mut().try_for_each(|pool| pool.estimate(meaning))
}

/// Lets only those texts of one side be returned that pass a filter, which all are tried on. The others still tell what is around
/// them.
pub fn select_eligible(client: &SpiClient<'_>, side: Side, keys: &Keys, filter: &Filter, pools: &[Pool]) -> Result<()> {
    let (sql, parameters) = filtered(Queries::of(side).filter, filter, 2);
    let mut arguments = vec![keys.argument()];
    arguments.extend(parameters.iter().map(|parameter| DatumWithOid::from(parameter.as_str().to_owned())));
    let passed = with_rows(pools, |places, passed: &mut Vec<(usize, usize)>| {
        // Callers shape filters as they like: their texts must not pile up among the kept plans.
        stream(client, &keys.restrict(&sql), &arguments, false, |row| {
            passed.extend(places.find(row.uuid(0), row.bytes(1)));
            Ok(())
        })
    })?;
    for pool in pools {
        pool.forbid_all();
    }
    for (pool, text) in passed {
        pools[pool].allow(text);
    }
    Ok(())
}

/// Texts by subject and id.
struct Places<'a>(HashMap<[u8; 16], (usize, ById<'a>)>);

impl Places<'_> {
    /// The pool and the place in it of the text that a row is about.
    fn find(&self, subject: [u8; 16], id: &[u8]) -> Option<(usize, usize)> {
        let (pool, texts) = self.0.get(&subject)?;
        Some((*pool, *texts.get(id)?))
    }
}

/// Collects what `read` finds in rows about the texts of some pools.
fn with_rows<T>(pools: &[Pool], read: impl FnOnce(&Places<'_>, &mut Vec<T>) -> Result<()>) -> Result<Vec<T>> {
    let places = Places(pools.iter().enumerate().map(|(at, pool)| (pool.subject, (at, pool.by_id()))).collect());
    let mut found = Vec::new();
    read(&places, &mut found)?;
    Ok(found)
}
