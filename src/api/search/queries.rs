//! The queries of `sql/search/` and how they are run.
//!
//! A text has two kinds of open places, written as comments: `/* subject s */`, which becomes the restriction to one
//! subject where there is one, and `/* filter m */`, which becomes the compiled filter. What is put in is fixed text and
//! placeholders; everything that a caller wrote is a parameter.
//!
//! A text without a filter is prepared once per session, as long as there is little to search: planning anew takes longer
//! than searching a hundred memories.

use std::cell::RefCell;
use std::collections::HashMap;

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::spi::{OwnedPreparedStatement, SpiClient, SpiTupleTable};
use rules::filter::{Filter, Param, Target};

use crate::error::{Result, internal};

pub const SCOPE: &str = include_str!("../../../sql/search/scope.sql");
pub const LEXEMES: &str = include_str!("../../../sql/search/lexemes.sql");
pub const MODEL: &str = include_str!("../../../sql/search/model.sql");
pub const MEMORY_SCOPE: &str = include_str!("../../../sql/search/memory_scope.sql");
pub const MEMORY_CANDIDATES: &str = include_str!("../../../sql/search/memory_candidates.sql");
pub const MEMORY_ROWS: &str = include_str!("../../../sql/search/memory_rows.sql");
pub const CHUNK_SCOPE: &str = include_str!("../../../sql/search/chunk_scope.sql");
pub const CHUNK_CANDIDATES: &str = include_str!("../../../sql/search/chunk_candidates.sql");
pub const CHUNK_ROWS: &str = include_str!("../../../sql/search/chunk_rows.sql");

/// The aliases under which a text may restrict the subject.
const SUBJECTS: [(&str, &str); 4] = [
    ("/* subject s */", "s.subject_key = $2"),
    ("/* subject m */", "m.subject_key = $2"),
    ("/* subject e */", "e.subject_key = $2"),
    ("/* subject c */", "c.subject_key = $2"),
];

/// The places for a filter, and the metadata that it speaks of there.
const FILTERS: [(&str, &str); 2] = [("/* filter m */", "m.metadata"), ("/* filter d */", "d.metadata")];

/// Up to this many texts a kept plan is the faster one: measured, 1.1 ms of planning saved at 100 memories and 0.8 ms at
/// 1,000, against 20 ms lost at 10,000.
const KEPT_PLAN_DOCUMENTS: u32 = 2_000;

thread_local! {
    /// The plans live as long as the session: freeing them while it ends would be too late.
    static PREPARED: RefCell<HashMap<String, &'static OwnedPreparedStatement>> = RefCell::default();
}

/// A query with its open places filled.
pub struct Text {
    sql: String,
    parameters: Vec<Param>,
    plan_anew: bool,
}

impl Text {
    /// A query of `sql/search/`.
    pub fn new(template: &str) -> Self {
        Text { sql: template.to_owned(), parameters: Vec::new(), plan_anew: false }
    }

    /// Plans it for these very arguments if what it searches is large: there a plan for the average subject costs more
    /// than planning does.
    pub fn planned_for(mut self, documents: u32) -> Self {
        self.plan_anew |= documents > KEPT_PLAN_DOCUMENTS;
        self
    }

    /// Restricts it to the subject `$2`, or to none.
    pub fn of_subject(mut self, one: bool) -> Self {
        for (place, restriction) in SUBJECTS {
            self.sql = self.sql.replace(place, if one { restriction } else { "true" });
        }
        self
    }

    /// Filters it, with the filter's parameters numbered from `first`.
    pub fn filtered(mut self, filter: Option<&Filter>, first: usize) -> Self {
        // Callers shape filters as they like: their texts must not pile up among the kept plans.
        self.plan_anew |= filter.is_some();
        for (place, metadata) in FILTERS {
            if !self.sql.contains(place) {
                continue;
            }
            let condition = filter.map(|filter| {
                let compiled = filter.compile(Target { metadata, fold_case: "memory_profile._fold_case" }, first);
                self.parameters = compiled.params;
                compiled.sql
            });
            self.sql = self.sql.replace(place, condition.as_deref().unwrap_or("true"));
        }
        self
    }

    /// Runs it. The filter's parameters are put behind the arguments.
    pub fn run<'conn>(
        &self,
        client: &SpiClient<'conn>,
        arguments: &mut Vec<DatumWithOid<'_>>,
    ) -> Result<SpiTupleTable<'conn>> {
        if !self.plan_anew {
            return select(client, &self.sql, arguments);
        }
        arguments.extend(self.parameters.iter().map(|parameter| DatumWithOid::from(parameter.as_str().to_owned())));
        client.select(self.sql.as_str(), None, arguments).map_err(internal)
    }
}

/// Runs a query that only reads, so that it also runs on a standby, and keeps its plan.
pub fn select<'conn>(
    client: &SpiClient<'conn>,
    sql: &str,
    arguments: &[DatumWithOid<'_>],
) -> Result<SpiTupleTable<'conn>> {
    let prepared = match PREPARED.with_borrow(|plans| plans.get(sql).copied()) {
        Some(prepared) => prepared,
        None => {
            let types: Vec<PgOid> = arguments.iter().map(|argument| PgOid::from(argument.oid())).collect();
            let prepared = client.prepare(sql, &types).map_err(internal)?.keep();
            let prepared: &'static OwnedPreparedStatement = Box::leak(Box::new(prepared));
            PREPARED.with_borrow_mut(|plans| plans.insert(sql.to_owned(), prepared));
            prepared
        }
    };
    client.select(prepared, None, arguments).map_err(internal)
}
