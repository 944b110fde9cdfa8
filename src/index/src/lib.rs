//! The index behind the access method `scoped_vector`: quantized vectors by namespace, on pages. No Postgres here.
//!
//! One tree holds everything, in the order dimension, namespace, list ([`key`]). A namespace is a run of neighbouring
//! leaves, however small or large it is: ten thousand namespaces of one row fill five hundred pages, one of a million rows
//! fills fifty thousand. On a leaf the codes lie one after the other ([`page`]), so a search compares a page with one call
//! of a kernel. Codes give bounds that no distance is below ([`code`]); with them the nearest rows are found exactly
//! ([`scan`], [`band`]). Large namespaces are divided into lists, and a search then begins with the likeliest ([`lists`]), as many
//! as it takes (`reach`); a vacuum keeps them in shape ([`reshape`]).
//!
//! Reading order: `page`, `key`, `code`; then `pages` for what a store of pages must do, `tree` for the locks, `insert`,
//! `vacuum`, `load`, and `scan`; `lists`, `route` and `reshape`. `check` verifies all of it.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod ahead;
pub mod band;
pub mod check;
pub mod code;
pub mod fault;
mod frontier;
pub mod insert;
pub mod key;
pub mod lists;
pub mod load;
pub mod page;
pub mod pages;
mod reach;
pub mod reshape;
pub mod route;
pub mod sample;
pub mod scan;
pub mod tree;
pub mod vacuum;

#[cfg(test)]
mod tests;

pub use code::{Code, Metric, Query};
pub use fault::{Fault, Result};
pub use page::MAX_DIMENSIONS;
