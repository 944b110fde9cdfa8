//! The first page, which says what the index is.

use super::{BODY, KIND, LOWER, META, META_KIND, Page, init, is_new, put, put_u16, u16_at, u32_at};
use crate::fault::{Fault, Result};

/// What the index is, from its first page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// What the distance is.
    pub metric: u8,
    /// Number of key columns.
    pub columns: u8,
    /// Dimensions that the column declares, or zero.
    pub dimensions: u16,
}

const META_MAGIC: u32 = 0x7363_7665;
/// The version of the format that is written.
pub const FORMAT: u32 = 1;

/// Makes the first page.
pub fn init_meta(page: &mut Page, meta: Meta) {
    init(page, META_KIND, 0);
    put(page, BODY, META_MAGIC.to_ne_bytes());
    put(page, BODY + 4, FORMAT.to_ne_bytes());
    page[BODY + 8] = meta.metric;
    page[BODY + 9] = meta.columns;
    put_u16(page, BODY + 10, usize::from(meta.dimensions));
    put_u16(page, LOWER, GENERATION + 4);
}

/// Where the first page counts the changes of lists.
const GENERATION: usize = BODY + 12;

/// How often lists were closed.
pub fn generation(meta: &Page) -> u32 {
    u32_at(meta, GENERATION)
}

/// Counts that lists were closed.
pub fn next_generation(meta: &mut Page) {
    let next = generation(meta).wrapping_add(1);
    put(meta, GENERATION, next.to_ne_bytes());
    put_u16(meta, LOWER, GENERATION + 4);
}

/// Reads the first page.
pub fn read_meta(page: &Page) -> Result<Meta> {
    if is_new(page) || page[KIND] != META_KIND || u32_at(page, BODY) != META_MAGIC {
        return Err(Fault::Damaged { block: META, what: "it is not the first page of a scoped_vector index" });
    }
    let found = u32_at(page, BODY + 4);
    if found != FORMAT {
        return Err(Fault::Version { found });
    }
    Ok(Meta { metric: page[BODY + 8], columns: page[BODY + 9], dimensions: u16_at(page, BODY + 10) })
}
