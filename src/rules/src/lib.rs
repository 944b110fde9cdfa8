//! The rules of memory: what is accepted, what replaces what, what a filter means and how a search is scored.
//!
//! Nothing here knows of Postgres, a network or a clock: every function takes what it needs and returns what it decided,
//! so that the same rule answers a SQL function, a background job and a test alike.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod address;
pub mod blank;
pub mod chunk;
pub mod digest;
pub mod extract;
pub mod field;
pub mod filter;
pub mod ids;
pub mod lexemes;
pub mod model;
pub mod names;
pub mod rank;
pub mod respell;
pub mod same;
pub mod signature;
pub mod summary;
pub mod supersede;
pub mod time;
pub mod upload;
pub mod vectors;
pub mod webhook;
pub mod wording;
