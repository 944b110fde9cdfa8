//! Ids, keys and the project of the session.

use pgrx::prelude::*;
use rules::ids::{self, IdKind};

use crate::error::{Result, invalid_parameter};
use crate::gucs;

/// The project that was established for the session; NULL when none was.
#[pg_extern(stable, parallel_safe)]
fn _session_project() -> Option<pgrx::Uuid> {
    gucs::project().map(to_datum)
}

/// The subjects that the session is limited to; NULL when it is not.
#[pg_extern(stable, parallel_safe)]
fn _session_subjects() -> Option<Vec<pgrx::Uuid>> {
    gucs::subjects().map(|keys| keys.into_iter().map(to_datum).collect())
}

/// The key of a subject: UUID v5 of project and external id.
#[pg_extern(immutable, parallel_safe)]
fn _subject_key(project: pgrx::Uuid, external_id: &str) -> pgrx::Uuid {
    to_datum(ids::subject_key(uuid::Uuid::from_bytes(*project.as_bytes()), external_id))
}

/// A new id of a memory (`mem`) or document (`doc`); ids made later sort later under the collation "C".
#[pg_extern(volatile, parallel_safe)]
fn _new_id(prefix: &str) -> Result<String> {
    match prefix {
        "mem" => Ok(ids::new_id(IdKind::Memory)),
        "doc" => Ok(ids::new_id(IdKind::Document)),
        other => Err(invalid_parameter(format!("unknown kind of id \"{other}\""))),
    }
}

fn to_datum(key: uuid::Uuid) -> pgrx::Uuid {
    pgrx::Uuid::from_bytes(*key.as_bytes())
}
