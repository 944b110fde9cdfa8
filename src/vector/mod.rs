//! The types `vector` (f32) and `halfvec` (f16): pgvector's formats, names and results over this extension's kernels.
//!
//! Everything is written once over `Element` and bound twice, under pgvector's names. `fault`, `text` and `binary` are
//! plain Rust and know nothing of Postgres; `datum` alone touches memory that Postgres owns; the other files are the
//! SQL functions, declared in `sql/10_vector.sql` and `sql/11_halfvec.sql`. Their wrappers' symbols, on which those
//! declarations rely, are the functions' names here followed by `_wrapper`.
//!
//! pgvector's regression tests for these types give the same output, but for the HINT lines that are added here. What
//! differs on purpose: hexadecimal numbers, which the C library accepts in text, are refused; `l2_norm` takes a `vector`
//! too; `<>` is estimated by `neqsel`, and `=` may be used for merge joins. Sums of products may differ in the last bits,
//! as they do between pgvector's own builds.

#![allow(clippy::result_large_err, reason = "pgrx raises its own ErrorReport with SQLSTATE and HINT, and no other")]

mod aggregates;
mod arithmetic;
mod binary;
mod builtin;
mod casts;
mod compare;
mod course;
mod datum;
mod distance;
mod element;
mod errors;
mod fault;
mod io;
mod pairs;
mod site;
mod soft;
mod text;

use half::f16;

pub use datum::{Dense, DenseBuf, plain};
pub use element::Element;
use fault::Fault;

/// The most dimensions a vector can have, as in pgvector.
pub const MAX_DIMENSIONS: usize = 16_000;

/// A `vector` argument.
pub type Vector<'fcx> = Dense<'fcx, f32>;

/// A `halfvec` argument.
pub type HalfVector<'fcx> = Dense<'fcx, f16>;

/// A `vector` to return.
pub type VectorBuf = DenseBuf<f32>;

/// A `halfvec` to return.
pub type HalfVectorBuf = DenseBuf<f16>;

/// Refuses a number of dimensions that no vector can have, or that differs from the declared one (-1: any).
fn check_dimensions<E: Element>(dimensions: usize, typmod: i32) -> Result<(), Fault> {
    if dimensions == 0 {
        return Err(Fault::NoDimensions { kind: E::KIND });
    }
    if dimensions > MAX_DIMENSIONS {
        return Err(Fault::TooManyDimensions { kind: E::KIND });
    }
    check_declared::<E>(dimensions, typmod)
}

/// Refuses a number of dimensions that differs from the declared one (-1: any).
fn check_declared<E: Element>(dimensions: usize, typmod: i32) -> Result<(), Fault> {
    if typmod == -1 || usize::try_from(typmod) == Ok(dimensions) {
        return Ok(());
    }
    Err(Fault::UndeclaredDimensions { kind: E::KIND, declared: typmod, actual: dimensions })
}

/// Refuses operands of different lengths.
#[inline]
fn check_same<E: Element>(a: &[E], b: &[E]) -> Result<(), Fault> {
    if a.len() == b.len() {
        return Ok(());
    }
    Err(Fault::DifferentDimensions { kind: E::KIND, left: a.len(), right: b.len() })
}

/// The cases that a test of random input tries: `PROPTEST_CASES`, or as many as are usual.
#[cfg(test)]
fn cases(usual: u32) -> proptest::test_runner::Config {
    use proptest::test_runner::Config;
    if std::env::var_os("PROPTEST_CASES").is_some() { Config::default() } else { Config::with_cases(usual) }
}
