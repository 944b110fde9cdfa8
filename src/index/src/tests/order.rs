//! Bands give every row once, in order, however narrow they are.

use proptest::prelude::*;

use crate::band::Band;

fn drain(rows: &[(f32, u64)], twice: bool) -> Vec<(f32, u64)> {
    let mut band = Band::new();
    let mut out = Vec::new();
    loop {
        for _ in 0..=usize::from(twice) {
            for &(bound, row) in rows {
                band.offer(bound, row);
            }
        }
        band.seal();
        while let Some(next) = band.pop(|_| {}) {
            out.push(next);
        }
        if !band.widen() {
            return out;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]

    #[test]
    fn every_row_once(
        bounds in prop::collection::vec(prop_oneof![
            4 => (0_u8..20).prop_map(f32::from),
            4 => -5.0_f32..5.0,
            1 => Just(f32::NEG_INFINITY),
            1 => Just(f32::NAN),
        ], 0..if cfg!(miri) { 50 } else { 30_000 }),
        twice: bool,
    ) {
        let rows: Vec<(f32, u64)> = bounds.iter().enumerate().map(|(i, &b)| (b, (i as u64) << 14 | 1)).collect();
        let mut expected = rows.clone();
        expected.sort_by(|a, b| match (a.0.is_nan(), b.0.is_nan()) {
            (false, false) => a.0.partial_cmp(&b.0).unwrap().then(a.1.cmp(&b.1)),
            (a_nan, b_nan) => a_nan.cmp(&b_nan).then(a.1.cmp(&b.1)),
        });
        let found = drain(&rows, twice);
        prop_assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert_eq!(found.1, expected.1);
            prop_assert!(found.0 == expected.0 || (found.0.is_nan() && expected.0.is_nan()));
        }
    }
}
