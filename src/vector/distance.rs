//! Distances, inner product and norm: the arithmetic is in crate `kernels`, the rounding rules are pgvector's.

#![allow(unsafe_code, reason = "bind_pairs names symbols")]

use half::f16;
use pgrx::prelude::*;

use super::pairs::bind_pairs;
use super::{HalfVector, Vector, check_same};

#[pg_extern(sql = false)]
fn vector_norm(a: Vector) -> f64 {
    kernels::best().norm(&a)
}

#[pg_extern(sql = false)]
fn halfvec_norm(a: HalfVector) -> f64 {
    kernels::best().norm(&a)
}

bind_pairs! {
    (f32, vector_l2_distance_wrapper, pg_finfo_vector_l2_distance_wrapper),
    (f16, halfvec_l2_distance_wrapper, pg_finfo_halfvec_l2_distance_wrapper) =>
    check_same, |a, b| double(kernels::best().l2_distance(a, b)),
    |r| double(r.kernels.l2_distance_row(r.query, r.row, r.next))
}

bind_pairs! {
    (f32, vector_l2_squared_distance_wrapper, pg_finfo_vector_l2_squared_distance_wrapper),
    (f16, halfvec_l2_squared_distance_wrapper, pg_finfo_halfvec_l2_squared_distance_wrapper) =>
    check_same, |a, b| double(kernels::best().l2_squared(a, b)),
    |r| double(r.kernels.l2_squared_row(r.query, r.row, r.next))
}

bind_pairs! {
    (f32, vector_inner_product_wrapper, pg_finfo_vector_inner_product_wrapper),
    (f16, halfvec_inner_product_wrapper, pg_finfo_halfvec_inner_product_wrapper) =>
    check_same, |a, b| double(kernels::best().dot(a, b)),
    |r| double(r.kernels.dot_row(r.query, r.row, r.next))
}

bind_pairs! {
    (f32, vector_negative_inner_product_wrapper, pg_finfo_vector_negative_inner_product_wrapper),
    (f16, halfvec_negative_inner_product_wrapper, pg_finfo_halfvec_negative_inner_product_wrapper) =>
    check_same, |a, b| double(-kernels::best().dot(a, b)),
    |r| double(-r.kernels.dot_row(r.query, r.row, r.next))
}

// NaN if a vector has no length, so that such rows sort last.
bind_pairs! {
    (f32, vector_cosine_distance_wrapper, pg_finfo_vector_cosine_distance_wrapper),
    (f16, halfvec_cosine_distance_wrapper, pg_finfo_halfvec_cosine_distance_wrapper) =>
    check_same, |a, b| double(kernels::best().cosine_distance(a, b)),
    |r| double(r.kernels.cosine_distance_row(r.query, r.squared, r.row, r.next))
}

// The angle between vectors of norm one, in half turns; unlike the cosine distance it obeys the triangle inequality.
bind_pairs! {
    (f32, vector_spherical_distance_wrapper, pg_finfo_vector_spherical_distance_wrapper),
    (f16, halfvec_spherical_distance_wrapper, pg_finfo_halfvec_spherical_distance_wrapper) =>
    check_same, |a, b| double(half_turns(kernels::best().dot(a, b))),
    |r| double(half_turns(r.kernels.dot_row(r.query, r.row, r.next)))
}

bind_pairs! {
    (f32, vector_l1_distance_wrapper, pg_finfo_vector_l1_distance_wrapper),
    (f16, halfvec_l1_distance_wrapper, pg_finfo_halfvec_l1_distance_wrapper) =>
    check_same, |a, b| double(kernels::best().l1(a, b)),
    |r| double(r.kernels.l1_row(r.query, r.row, r.next))
}

fn half_turns(cosine: f32) -> f64 {
    f64::from(cosine).clamp(-1.0, 1.0).acos() / std::f64::consts::PI
}

#[inline(always)]
fn double(value: impl Into<f64>) -> pg_sys::Datum {
    value.into().to_bits().into()
}
