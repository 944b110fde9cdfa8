//! AArch64 instruction sets.

pub(crate) mod neon;
