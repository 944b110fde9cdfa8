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
        while let Some(next) = band.pop(|_| {}) {
            out.push(next);
        }
        if !band.widen() {
            return out;
        }
    }
}

/// Offered in parts, with a look at the nearest after each, as a search with lists does; what an earlier band has given out is
/// offered again, if `later`.
fn drain_all(rows: &[(f32, u64)], parts: usize, wanted: usize, later: bool) -> Vec<(f32, u64)> {
    let mut band = Band::new();
    let mut out = Vec::new();
    if later {
        rows.iter().for_each(|&(bound, row)| band.offer(bound, row));
        out.extend(std::iter::from_fn(|| band.pop(|_| {})));
        if !band.widen() {
            return out;
        }
    }
    band.keep_all();
    for part in rows.chunks(rows.len() / parts + 1) {
        band.reopen();
        part.iter().for_each(|&(bound, row)| band.offer(bound, row));
        let mut near = Vec::new();
        if let Some(last) = band.nearest(wanted, |bound, row| near.push((bound, row))) {
            assert_eq!(near.len(), wanted);
            assert!(near.iter().all(|&(bound, _)| last.is_nan() || bound <= last));
        }
    }
    out.extend(std::iter::from_fn(|| band.pop(|_| {})));
    out
}

fn bounds() -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(
        prop_oneof![
            4 => (0_u8..20).prop_map(f32::from),
            4 => -5.0_f32..5.0,
            1 => Just(f32::NEG_INFINITY),
            1 => Just(f32::NAN),
        ],
        0..if cfg!(miri) { 50 } else { 30_000 },
    )
}

fn numbered(bounds: &[f32]) -> Vec<(f32, u64)> {
    bounds.iter().enumerate().map(|(i, &b)| (b, (i as u64) << 14 | 1)).collect()
}

fn check(rows: &[(f32, u64)], found: &[(f32, u64)]) -> Result<(), TestCaseError> {
    let mut expected = rows.to_vec();
    expected.sort_by(|a, b| match (a.0.is_nan(), b.0.is_nan()) {
        (false, false) => a.0.partial_cmp(&b.0).unwrap().then(a.1.cmp(&b.1)),
        (a_nan, b_nan) => a_nan.cmp(&b_nan).then(a.1.cmp(&b.1)),
    });
    prop_assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        prop_assert_eq!(found.1, expected.1);
        prop_assert!(found.0 == expected.0 || (found.0.is_nan() && expected.0.is_nan()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]

    #[test]
    fn every_row_once(bounds in bounds(), twice: bool) {
        let rows = numbered(&bounds);
        check(&rows, &drain(&rows, twice))?;
    }

    #[test]
    fn every_row_once_where_nothing_is_dropped(
        bounds in bounds(),
        parts in 1_usize..6,
        wanted in 0_usize..2_000,
        later: bool,
    ) {
        let rows = numbered(&bounds);
        check(&rows, &drain_all(&rows, parts, wanted, later))?;
    }
}
