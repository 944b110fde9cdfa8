//! User memory and profiles inside PostgreSQL.
//!
//! Reading order: `install` lists the SQL files in the order in which they are installed; `vector` is the vector type; `am`
//! is the index access method; `api` is what computes behind the SQL functions; `worker` runs the job queue after commit. The
//! pure crates `kernels`, `encoder`, `index` and `rules` hold the thinking and know nothing of Postgres.
//! docs/architecture.md follows a request through all of it.

mod am;
mod api;
mod error;
mod gucs;
mod install;
mod vector;
mod worker;

pgrx::pg_module_magic!();

/// Called once by every process that loads the library.
#[allow(non_snake_case)]
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    am::define();
    gucs::define();
    worker::register();
}
