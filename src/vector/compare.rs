//! Comparison, element by element and then by length, like arrays: for B-tree indexes, `ORDER BY` and `DISTINCT`.

#![allow(unsafe_code, reason = "bind_pairs names symbols")]

use std::cmp::Ordering;

use half::f16;
use pgrx::prelude::*;

use super::element::Element;
use super::pairs::{any, bind_pairs};

bind_pairs! {
    (f32, vector_lt_wrapper, pg_finfo_vector_lt_wrapper),
    (f16, halfvec_lt_wrapper, pg_finfo_halfvec_lt_wrapper) => any, |a, b| compare(a, b).is_lt().into()
}

bind_pairs! {
    (f32, vector_le_wrapper, pg_finfo_vector_le_wrapper),
    (f16, halfvec_le_wrapper, pg_finfo_halfvec_le_wrapper) => any, |a, b| compare(a, b).is_le().into()
}

bind_pairs! {
    (f32, vector_eq_wrapper, pg_finfo_vector_eq_wrapper),
    (f16, halfvec_eq_wrapper, pg_finfo_halfvec_eq_wrapper) => any, |a, b| compare(a, b).is_eq().into()
}

bind_pairs! {
    (f32, vector_ne_wrapper, pg_finfo_vector_ne_wrapper),
    (f16, halfvec_ne_wrapper, pg_finfo_halfvec_ne_wrapper) => any, |a, b| compare(a, b).is_ne().into()
}

bind_pairs! {
    (f32, vector_ge_wrapper, pg_finfo_vector_ge_wrapper),
    (f16, halfvec_ge_wrapper, pg_finfo_halfvec_ge_wrapper) => any, |a, b| compare(a, b).is_ge().into()
}

bind_pairs! {
    (f32, vector_gt_wrapper, pg_finfo_vector_gt_wrapper),
    (f16, halfvec_gt_wrapper, pg_finfo_halfvec_gt_wrapper) => any, |a, b| compare(a, b).is_gt().into()
}

bind_pairs! {
    (f32, vector_cmp_wrapper, pg_finfo_vector_cmp_wrapper),
    (f16, halfvec_cmp_wrapper, pg_finfo_halfvec_cmp_wrapper) => any, |a, b| (compare(a, b) as i32).into()
}

/// A total order, since no vector holds NaN; the two zeros are equal.
#[inline]
fn compare<E: Element>(a: &[E], b: &[E]) -> Ordering {
    for (x, y) in a.iter().zip(b) {
        if x != y {
            return x.partial_cmp(y).unwrap_or(Ordering::Equal);
        }
    }
    a.len().cmp(&b.len())
}
