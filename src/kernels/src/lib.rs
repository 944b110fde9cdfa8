//! Distance kernels for vectors of f32, f16, int8 and bits. No Postgres here.
//!
//! # Use
//! [`best`] gives the kernels for this CPU, chosen once; everything is a method of [`Kernels`]:
//!
//! ```
//! let k = kernels::best();
//! assert_eq!(k.dot(&[1.0_f32, 2.0], &[3.0, 4.0]), 11.0);
//! assert_eq!(k.l2_distance(&[0.0_f32, 0.0], &[3.0, 4.0]), 5.0);
//!
//! let mut distances = [0.0; 2];
//! k.cosine_distance_many(&[1.0, 0.0], &[0.0_f32, 2.0, 3.0, 0.0], &mut distances);
//! assert_eq!(distances, [1.0, 0.0]);
//! ```
//!
//! Slices of different lengths are a bug of the caller and panic. The forms ending in `_row` are for rows that come one by one: the
//! query is widened once, and memory is asked for the next row while the current one is computed on. They give the same bits.
//!
//! # Instruction sets
//! `scalar` (safe Rust, the reference), `avx2` (with FMA and F16C), `avx512` (F, BW, DQ and VL), `avx512+vnni`,
//! `avx512+vnni+vpopcntdq`, and `neon`. AVX-512 FP16 arithmetic is left alone on purpose: it would sum in f16, and
//! the sums here are f32, as pgvector's are.
//!
//! AVX2 runs on every machine of the project. NEON and AVX-512 have been run under emulation only: `make soak` runs the tests in a
//! machine that has AVX-512 (`tests/avx512`), and in an interpreter (Miri, the scalar kernels). Where an instruction set is missing,
//! the tests that need it say so and pass.
//!
//! # Results
//! Definitions follow pgvector: sums of f32 and of f16 are f32, roots and quotients are f64, [`Kernels::norm`] sums in f64, the
//! cosine distance is `1 - clamp(dot / √(|a|²·|b|²), -1, 1)`, NaN for a zero vector. Infinities and NaN come out as IEEE 754 has it.
//!
//! Sums of floats depend on the order of the additions, so instruction sets differ in the last bits. Let u = 2⁻²⁴ and n the
//! dimension. For every instruction set
//!
//! | sum | error at most |
//! |---|---|
//! | dot | (n + 1)·u · Σ\|aᵢ·bᵢ\| |
//! | squared L2 | (n + 3)·u · Σ(aᵢ − bᵢ)² |
//! | L1 | (n + 1)·u · Σ\|aᵢ − bᵢ\| |
//! | sign dot of f32 | n·u · Σ\|qᵢ\| |
//! | squared norm (f64) | (n + 1)·2⁻⁵³ · Σaᵢ² |
//!
//! plus n·2⁻¹⁵⁰ where products underflow, as long as no partial sum overflows. These are worst cases: all kernels keep several
//! partial sums, 4 to 64 by kernel and instruction set, and with k of them n becomes n/k + log₂k + 1. Sums over int8 and bits are
//! exact.

#![warn(missing_docs)]

#[macro_use]
mod table;
mod bytes;
mod dispatch;
mod lanes;
mod ops;
mod quant;
mod scalar;

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use dispatch::{available, best, prefetch};
pub use ops::Element;
pub use quant::{NibbleQuery, sign_code_len};
pub use table::Kernels;

/// The largest dimension of int8 and bit codes: sums of 65,536 products of int8 fit i32.
pub const MAX_CODE_DIM: usize = 65_536;
