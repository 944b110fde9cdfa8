//! What computes behind the SQL functions, one file per subject matter. Set logic stands in `sql/`; here a function
//! takes plain values, asks one of the pure crates, and turns its answer or its refusal into PostgreSQL's terms.

mod checks;
mod consolidation;
mod embedding;
mod identity;
pub mod jsonb;
pub mod learning;
mod profiles;
mod search;
mod signing;
mod upload;
mod webhooks;
