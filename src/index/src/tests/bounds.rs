//! No distance that the executor computes is below its bound, for any vectors.

use proptest::prelude::*;

use super::distance;
use crate::ahead::Ahead;
use crate::code::{Code, Metric, Query};
use crate::page::{Entry, PAGE, leaf, plant_for_tests, push};

fn bound(kernels: &'static kernels::Kernels, metric: Metric, q: &[f32], x: &[f32]) -> f32 {
    let mut code = Code::default();
    code.encode(kernels, metric, x).unwrap();
    let mut page = Box::new([0; PAGE]);
    plant_for_tests(&mut page, x.len() as u16, metric.factors());
    push(&mut page, Entry { id: 0, row: 1, factors: code.factors(), code: code.bytes() });
    let mut out = Vec::new();
    let query = Query::new(kernels, metric, q);
    query.bounds(kernels, &leaf(&page, 1).unwrap(), Ahead::unknown(), &mut Vec::new(), |bound, id, row| {
        out.push((bound, id, row))
    });
    assert_eq!(out.len(), 1);
    assert_eq!((out[0].1, out[0].2), (0, 1));
    out[0].0
}

fn check(q: &[f32], x: &[f32]) -> Result<(), TestCaseError> {
    for &coder in kernels::available() {
        for metric in [Metric::Cosine, Metric::InnerProduct, Metric::L2] {
            let bound = bound(coder, metric, q, x);
            for &kernels in kernels::available() {
                let distance = distance(kernels, metric, q, x);
                // NaN sorts after every number.
                let holds = distance.is_nan() || f64::from(bound) <= distance;
                prop_assert!(holds, "{metric:?} {}: {bound} > {distance}\n{q:?}\n{x:?}", kernels.name());
                if bound.is_nan() {
                    prop_assert!(distance.is_nan(), "{metric:?}: {distance} has a bound of NaN");
                }
            }
        }
    }
    Ok(())
}

fn element() -> impl Strategy<Value = f32> {
    prop_oneof![
        6 => -1.0_f32..1.0,
        1 => Just(0.0),
        1 => -1e-3_f32..1e-3,
        1 => -1e3_f32..1e3,
    ]
}

fn magnitude() -> impl Strategy<Value = f32> {
    prop_oneof![
        8 => Just(1.0_f32),
        1 => (-126..127).prop_map(|e| 2.0_f32.powi(e)),
        1 => (-30..30).prop_map(|e| 2.0_f32.powi(e)),
    ]
}

fn pair() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    (1_usize..if cfg!(miri) { 12 } else { 70 }, magnitude(), magnitude()).prop_flat_map(|(dim, a, b)| {
        let scaled =
            |by: f32| prop::collection::vec(element().prop_map(move |x| (x * by).clamp(f32::MIN, f32::MAX)), dim);
        (scaled(a), scaled(b))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 4000 }))]

    #[test]
    fn bounds_hold((q, x) in pair()) {
        check(&q, &x)?;
    }

    /// A vector is nearest to itself and to what is almost itself.
    #[test]
    fn bounds_hold_nearby(((x, _), noise) in (pair(), -1e-2_f32..1e-2)) {
        let q: Vec<f32> = x.iter().map(|&v| v * (1.0 + noise)).collect();
        check(&q, &x)?;
        check(&x, &x)?;
    }
}

/// A bound is of use only if it is near the distance.
#[test]
fn bounds_are_near() {
    let mut random = super::Random(7);
    let kernels = kernels::best();
    for _ in 0..if cfg!(miri) { 2 } else { 200 } {
        let (q, x) = (random.vector(384), random.vector(384));
        for (metric, unit) in [(Metric::Cosine, 1.0), (Metric::L2, kernels.norm(&q))] {
            let bound = f64::from(bound(kernels, metric, &q, &x));
            let gap = (distance(kernels, metric, &q, &x) - bound) / unit;
            assert!((0.0..0.007).contains(&gap), "{gap}");
        }
    }
}
