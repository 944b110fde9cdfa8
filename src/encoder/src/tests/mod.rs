//! Tests that need no published checkpoint: they make tiny ones.

mod damage;
mod forward;
mod packing;
mod tiny;
