//! The queries of `sql/search/` and how their open places are filled.
//!
//! A text has two kinds of open places, written as comments: `/* subjects s */`, which becomes the restriction to one
//! subject or to several, and `/* filter d */`, which becomes the compiled filter. What is put in is fixed text and
//! placeholders; everything that a caller wrote is a parameter.

use std::cell::RefCell;
use std::collections::HashMap;

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::spi::{OwnedPreparedStatement, SpiClient, SpiTupleTable};
use rules::filter::{Filter, Param, Target};

use super::Side;
use crate::error::{Result, internal};

pub const SCOPE: &str = include_str!("../../../sql/search/scope.sql");
pub const SUBJECTS: &str = include_str!("../../../sql/search/subjects.sql");
pub const LEXEMES: &str = include_str!("../../../sql/search/lexemes.sql");
pub const DIGESTS: &str = include_str!("../../../sql/search/digests.sql");
pub const DIGEST_CODES: &str = include_str!("../../../sql/search/digest_codes.sql");
pub const DIGEST_WORDS: &str = include_str!("../../../sql/search/digest_words.sql");
pub const MEMORY_TAIL: &str = include_str!("../../../sql/search/memory_tail.sql");
pub const MEMORY_BLOCKS: &str = include_str!("../../../sql/search/memory_blocks.sql");
pub const MEMORY_BLOCK: &str = include_str!("../../../sql/search/memory_block.sql");

/// The queries of one side of a search.
pub struct Queries {
    pub nearest: &'static str,
    pub signatures: &'static str,
    pub codes: &'static str,
    pub filter: &'static str,
    pub passing: &'static str,
    pub tokens: &'static str,
    pub rows: &'static str,
}

impl Queries {
    /// Those of a side.
    pub fn of(side: Side) -> &'static Queries {
        match side {
            Side::Memories => &Queries {
                nearest: include_str!("../../../sql/search/memory_nearest.sql"),
                signatures: include_str!("../../../sql/search/memory_signatures.sql"),
                codes: include_str!("../../../sql/search/memory_codes.sql"),
                filter: include_str!("../../../sql/search/memory_filter.sql"),
                passing: include_str!("../../../sql/search/memory_passing.sql"),
                tokens: include_str!("../../../sql/search/memory_tokens.sql"),
                rows: include_str!("../../../sql/search/memory_rows.sql"),
            },
            Side::Chunks => &Queries {
                nearest: include_str!("../../../sql/search/chunk_nearest.sql"),
                signatures: include_str!("../../../sql/search/chunk_signatures.sql"),
                codes: include_str!("../../../sql/search/chunk_codes.sql"),
                filter: include_str!("../../../sql/search/chunk_filter.sql"),
                passing: include_str!("../../../sql/search/chunk_passing.sql"),
                tokens: include_str!("../../../sql/search/chunk_tokens.sql"),
                rows: include_str!("../../../sql/search/chunk_rows.sql"),
            },
        }
    }
}

/// The aliases under which a text may restrict the subject: to one, which keeps the order of the index, or to several.
const RESTRICTIONS: [(&str, &str, &str); 4] = [
    ("/* subjects s */", "s.subject_key = $1", "s.subject_key = any ($1)"),
    ("/* subjects e */", "e.subject_key = $1", "e.subject_key = any ($1)"),
    ("/* subjects m */", "m.subject_key = $1", "m.subject_key = any ($1)"),
    ("/* subjects d */", "d.subject_key = $1", "d.subject_key = any ($1)"),
];

/// The places for a filter, and the metadata that it speaks of there.
const FILTERS: [(&str, &str); 2] = [("/* filter told */", "told.metadata"), ("/* filter d */", "d.metadata")];

/// The subjects that are read together.
pub enum Keys {
    One(pgrx::Uuid),
    Several(Vec<pgrx::Uuid>),
}

impl Keys {
    /// How many they are.
    pub fn len(&self) -> usize {
        match self {
            Keys::One(_) => 1,
            Keys::Several(keys) => keys.len(),
        }
    }

    /// As the parameter `$1`.
    pub fn argument(&self) -> DatumWithOid<'static> {
        match self {
            Keys::One(key) => (*key).into(),
            Keys::Several(keys) => keys.clone().into(),
        }
    }

    /// A text restricted to these subjects.
    pub fn restrict(&self, text: &str) -> String {
        RESTRICTIONS.iter().fold(text.to_owned(), |text, (place, one, several)| {
            text.replace(place, if matches!(self, Keys::One(_)) { one } else { several })
        })
    }
}

/// A text with its filter in place, and the filter's parameters, which are numbered from `first`.
pub fn filtered(text: &str, filter: &Filter, first: usize) -> (String, Vec<Param>) {
    let mut text = text.to_owned();
    let mut parameters = Vec::new();
    for (place, metadata) in FILTERS {
        if text.contains(place) {
            let compiled = filter.compile(Target { metadata, fold_case: "memory_profile._fold_case" }, first);
            parameters = compiled.params;
            text = text.replace(place, &compiled.sql);
        }
    }
    (text, parameters)
}

thread_local! {
    /// The plans live as long as the session: freeing them while it ends would be too late. Those of the queries with many
    /// rows are kept by `stream`, which hands them to PostgreSQL itself.
    static PREPARED: RefCell<HashMap<&'static str, &'static OwnedPreparedStatement>> = RefCell::default();
}

/// Runs a query that only reads, so that it also runs on a standby, and keeps its plan.
pub fn select<'conn>(
    client: &SpiClient<'conn>,
    sql: &'static str,
    arguments: &[DatumWithOid<'_>],
) -> Result<SpiTupleTable<'conn>> {
    let prepared = match PREPARED.with_borrow(|plans| plans.get(sql).copied()) {
        Some(prepared) => prepared,
        None => {
            let types: Vec<PgOid> = arguments.iter().map(|argument| PgOid::from(argument.oid())).collect();
            let prepared = client.prepare(sql, &types).map_err(internal)?.keep();
            let prepared: &'static OwnedPreparedStatement = Box::leak(Box::new(prepared));
            PREPARED.with_borrow_mut(|plans| plans.insert(sql, prepared));
            prepared
        }
    };
    client.select(prepared, None, arguments).map_err(internal)
}
