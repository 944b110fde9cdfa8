//! The texts of the hits that a search returns.

use pgrx::prelude::*;
use pgrx::spi::SpiClient;

use super::Side;
use super::pipeline::{Hit, optional, required};
use super::queries::{Queries, select};
use crate::api::jsonb::StoredJsonb;
use crate::error::{Result, internal};

/// A row of `memory_search`, in the order of its columns.
pub type Row = (
    String,
    Option<String>,
    Option<String>,
    f64,
    StoredJsonb,
    i32,
    TimestampWithTimeZone,
    String,
    String,
    bool,
    Option<String>,
    Option<String>,
    TimestampWithTimeZone,
    StoredJsonb,
);

/// Reads the rows of the hits, in their order.
pub fn read(client: &SpiClient<'_>, hits: &[Hit]) -> Result<Vec<Row>> {
    let mut rows: Vec<Option<Row>> = hits.iter().map(|_| None).collect();
    for side in [Side::Memories, Side::Chunks] {
        let places: Vec<usize> = (0..hits.len()).filter(|place| hits[*place].side == side).collect();
        if places.is_empty() {
            continue;
        }
        let keys: Vec<pgrx::Uuid> = places.iter().map(|place| hits[*place].subject).collect();
        let ids: Vec<String> = places.iter().map(|place| hits[*place].id.clone()).collect();
        for row in select(client, Queries::of(side).rows, &[keys.into(), ids.into()])? {
            let nth = usize::try_from(required::<i64>(row.get(1))?).map_err(internal)?;
            let place = places[nth - 1];
            let hit = &hits[place];
            let text: String = required(row.get(3))?;
            let (memory, chunk) = match side {
                Side::Memories => (Some(text), None),
                Side::Chunks => (None, Some(text)),
            };
            rows[place] = Some((
                required(row.get(2))?,
                memory,
                chunk,
                hit.scored.similarity,
                required(row.get(4))?,
                required(row.get(5))?,
                required(row.get(6))?,
                required(row.get(7))?,
                required(row.get(8))?,
                required(row.get(9))?,
                optional(row.get(10))?,
                optional(row.get(11))?,
                required(row.get(12))?,
                StoredJsonb::of(&hit.scored)?,
            ));
        }
    }
    Ok(rows.into_iter().flatten().collect())
}
