use proptest::prelude::*;
use serde_json::json;

use super::{Calibration, Candidate, InvalidModel, Model, Query, Scored, Scorer};

const DAY: i64 = 86_400_000_000;
const NOW: i64 = 20_000 * DAY;

fn query(document_frequencies: &[u32]) -> Query<'_> {
    Query { document_frequencies, documents: 500, average_length: 12.0, now: NOW }
}

/// An ordinary candidate, as old as the half-life, so that neither boost moves it.
fn candidate<'a>(term_frequencies: &'a [u32], cosine: Option<f32>) -> Candidate<'a> {
    Candidate { id: "mem_1", term_frequencies, length: 12, cosine, updated_at: NOW - 90 * DAY, importance: 0.5 }
}

fn score(query: Query<'_>, candidate: &Candidate<'_>) -> Scored {
    let model = Model::default();
    Scorer::new(query, &model).score(0, candidate)
}

fn similarity(frequencies: &[u32], candidate: &Candidate<'_>) -> f64 {
    score(query(frequencies), candidate).similarity
}

#[test]
fn identical_text_scores_near_one() {
    for length in [1u32, 3, 12, 100, 2_000] {
        let terms = vec![1u32; length as usize];
        let same = Candidate { length, ..candidate(&terms, Some(0.99)) };
        assert!(similarity(&terms, &same) >= 0.95, "{length}");
    }
    // Nothing but stop words, and a common text without a vector.
    assert!(similarity(&[], &candidate(&[], Some(1.0))) >= 0.95);
    assert!(similarity(&[400, 400], &Candidate { length: 2, ..candidate(&[1, 1], None) }) >= 0.95);
    // The only memory of its subject.
    let alone = Query { document_frequencies: &[1, 1, 1], documents: 1, average_length: 3.0, now: NOW };
    assert!(score(alone, &Candidate { length: 3, ..candidate(&[1, 1, 1], Some(1.0)) }).similarity >= 0.95);
    assert!(score(alone, &Candidate { length: 3, ..candidate(&[1, 1, 1], None) }).similarity >= 0.95);
}

#[test]
fn right_answers_pass_the_default_threshold() {
    // Cosines of all-MiniLM-L6-v2 for a question and the memory that answers it; the terms are those in common.
    for (pair, frequencies, found, cosine) in [
        ("machine learning concepts / John prefers machine learning …", &[3, 3, 1][..], &[1, 1, 0][..], 0.393),
        ("what is broken in project Alpha? / Ada is debugging login errors in Alpha", &[0, 5, 2], &[0, 0, 1], 0.451),
        ("billing outage / The billing outage was caused by …", &[1, 1], &[1, 1], 0.802),
        ("what does the user like to eat? / User is vegetarian and loves Thai food", &[90, 10, 0], &[1, 0, 0], 0.537),
        ("where does she live? / Sarah lives in Berlin", &[4], &[1], 0.480),
        ("pets / Has a dog named Biscuit", &[0], &[0], 0.395),
        ("hobbies / Enjoys rock climbing on weekends", &[0], &[0], 0.338),
        ("when is my birthday / User was born on 4 March 1990", &[0], &[0], 0.434),
    ] {
        let similarity = similarity(frequencies, &candidate(found, Some(cosine)));
        assert!(similarity >= 0.6, "{pair}: {similarity}");
    }
}

#[test]
fn the_unrelated_stays_low() {
    for (pair, cosine) in [
        ("billing outage / Has a dog named Biscuit", 0.037),
        ("where does she live? / Allergic to peanuts", 0.060),
        ("favorite programming language / Sarah lives in Berlin", 0.128),
        ("weather in Paris / User is vegetarian and loves Thai food", -0.094),
        ("dietary restrictions / User prefers dark mode in all applications", 0.119),
    ] {
        // Even fresh and important.
        let best = Candidate { updated_at: NOW, importance: 1.0, ..candidate(&[0, 0], Some(cosine)) };
        assert!(similarity(&[1, 1], &best) <= 0.3, "{pair}: {}", similarity(&[1, 1], &best));
    }
    assert!(similarity(&[1, 1], &candidate(&[0, 0], None)) <= 0.3);
    assert!(similarity(&[], &candidate(&[], None)) <= 0.3);
}

#[test]
fn either_side_finds_alone() {
    // A keyword hit without a vector, and a hit in meaning without a common word.
    assert!(similarity(&[3, 2], &candidate(&[1, 1], None)) >= 0.6);
    assert!(similarity(&[3, 2], &candidate(&[0, 0], Some(0.45))) >= 0.6);
}

#[test]
fn rare_terms_count_more_and_repetition_saturates() {
    let common_or_rare = |found: &[u32]| similarity(&[300, 2], &candidate(found, Some(0.2)));
    assert!(common_or_rare(&[0, 1]) > common_or_rare(&[1, 0]));
    let bm25 = |tf: u32| score(query(&[5]), &candidate(&[tf], None)).parts.bm25;
    assert!(bm25(2) > bm25(1) && bm25(3) - bm25(2) < bm25(2) - bm25(1));
    let long = Candidate { length: 60, ..candidate(&[1], None) };
    assert!(score(query(&[5]), &long).parts.bm25 < bm25(1));
}

#[test]
fn bm25_is_the_textbook_formula() {
    // Two of ten memories hold the term, and no pseudo documents: idf = ln(1 + 8.5 / 2.5).
    let mut model = Model::default();
    model.weights.pseudo_documents = 0.0;
    let query = Query { document_frequencies: &[2], documents: 10, average_length: 10.0, now: NOW };
    let long = Candidate { length: 20, ..candidate(&[3], None) };
    let expected = (1.0f64 + 8.5 / 2.5).ln() * 3.0 * 1.9 / (3.0 + 0.9 * (0.6 + 0.4 * 2.0));
    let scored = Scorer::new(query, &model).score(0, &long);
    assert!((scored.parts.bm25 - expected).abs() < 1e-12);
}

#[test]
fn boosts_order_near_equals_and_no_more() {
    let plain = candidate(&[1], Some(0.4));
    let fresh = Candidate { updated_at: NOW, ..plain };
    let vital = Candidate { importance: 1.0, ..plain };
    let trivial = Candidate { importance: 0.0, ..plain };
    let evidence = |c: &Candidate<'_>| score(query(&[5]), c).evidence;
    assert!((evidence(&fresh) - evidence(&plain) - 0.025).abs() < 1e-12);
    assert!((evidence(&vital) - evidence(&trivial) - 0.1).abs() < 1e-12);
    assert_eq!(score(query(&[5]), &plain).contributions.recency, 0.0);
    // From the future is as fresh as can be.
    assert_eq!(evidence(&Candidate { updated_at: NOW + 50 * DAY, ..plain }), evidence(&fresh));
}

#[test]
fn ties_are_settled_by_age_and_id() {
    let model = Model::default();
    let base = candidate(&[1], Some(0.4));
    // Older than the recency boost can tell.
    let old = |id, days: i64| Candidate { id, updated_at: NOW - days * DAY, ..base };
    let candidates = [old("b", 2_000_000), old("c", 1_999_999), old("a", 2_000_000)];
    let order: Vec<usize> =
        Scorer::new(query(&[5]), &model).rank(&candidates).iter().map(|scored| scored.index).collect();
    assert_eq!(order, [1, 2, 0]);
}

#[test]
fn damaged_numbers_do_no_harm() {
    let odd = Candidate { cosine: Some(f32::NAN), importance: f32::NAN, length: 0, ..candidate(&[1, 1, 1, 1], None) };
    let query = Query { document_frequencies: &[9, 9], documents: 1, average_length: 0.0, now: i64::MIN };
    let scored = score(query, &odd);
    assert!(scored.evidence.is_finite() && (0.0..=1.0).contains(&scored.similarity), "{scored:?}");
    assert_eq!(scored.parts.cosine, None);
}

#[test]
fn settings_override_what_they_name() {
    assert_eq!(Model::from_json(&json!({})), Ok(Model::default()));
    let model = Model::from_json(&json!({"weights": {"recency": 0.5}})).unwrap();
    assert_eq!((model.weights.recency, model.weights.cosine), (0.5, 1.5));
    assert_eq!(Model::from_json(&serde_json::to_value(&model).unwrap()), Ok(model));
    for (settings, message) in [
        (json!({"weights": {"cosin": 1}}), "not a scoring model: unknown field `cosin`"),
        (json!({"weights": {"cosine": -1}}), "weights.cosine must be a number not below 0"),
        (json!({"weights": {"b": 1.5}}), "weights.b must be from 0 to 1"),
        (json!({"weights": {"identity_from": 1}}), "weights.identity_from must be at least 0 and below 1"),
        (json!({"weights": {"recency_half_life_days": 0}}), "weights.recency_half_life_days must be a number above 0"),
        (json!({"calibration": {"knots": [[0, 0]]}}), "calibration.knots must be two or more pairs"),
        (json!({"calibration": {"knots": [[0, 0.5], [1, 0.4]]}}), "calibration.knots must be two or more pairs"),
        (json!({"calibration": {"knots": [[0, 0.5], [0, 0.6]]}}), "calibration.knots must be two or more pairs"),
        (json!([]), "not a scoring model: must be objects by name"),
        (json!({"weights": [0.9]}), "not a scoring model: must be objects by name"),
    ] {
        let error: InvalidModel = Model::from_json(&settings).expect_err(&settings.to_string());
        assert!(error.to_string().starts_with(message), "{settings}: {error}");
    }
}

#[test]
fn the_curve_passes_its_knots() {
    let curve = Calibration { knots: vec![[0.0, 0.1], [1.0, 0.5], [2.0, 0.9]] };
    for (evidence, expected) in [(-9.0, 0.1), (0.0, 0.1), (0.5, 0.3), (1.0, 0.5), (1.5, 0.7), (2.0, 0.9), (9.0, 0.9)] {
        assert!((curve.similarity(evidence) - expected).abs() < 1e-12, "{evidence}");
    }
}

/// Term frequencies, length above their sum, cosine, age in days and importance.
type Row = (Vec<u32>, u32, Option<f32>, i64, f32);

fn row() -> impl Strategy<Value = Row> {
    let cosine = prop::option::of(-1.0f32..=1.0);
    (prop::collection::vec(0u32..4, 3), 0u32..40, cosine, 0i64..1_000, 0.0f32..=1.0)
}

fn with_row<'a>(id: &'a str, row: &'a Row) -> Candidate<'a> {
    let length = row.0.iter().sum::<u32>() + row.1;
    Candidate { id, term_frequencies: &row.0, length, cosine: row.2, updated_at: NOW - row.3 * DAY, importance: row.4 }
}

proptest! {
    #[test]
    fn similarity_follows_the_ranking(rows in prop::collection::vec(row(), 1..30), df in prop::collection::vec(0u32..300, 3)) {
        let model = Model::default();
        let ids: Vec<String> = (0..rows.len()).map(|n| format!("mem_{n:02}")).collect();
        let candidates: Vec<_> = rows.iter().zip(&ids).map(|(row, id)| with_row(id, row)).collect();
        let scorer = Scorer::new(query(&df), &model);
        let ranked = scorer.rank(&candidates);
        for pair in ranked.windows(2) {
            prop_assert!(pair[0].evidence >= pair[1].evidence && pair[0].similarity >= pair[1].similarity);
        }
        for scored in &ranked {
            prop_assert!((0.0..=1.0).contains(&scored.similarity));
            prop_assert!((scored.contributions.evidence() - scored.evidence).abs() < 1e-12);
            // Company changes nothing.
            prop_assert_eq!(*scored, scorer.score(scored.index, &candidates[scored.index]));
        }
        let reversed: Vec<_> = candidates.iter().rev().copied().collect();
        let names = |ranked: &[Scored], of: &[Candidate<'_>]| -> Vec<String> {
            ranked.iter().map(|scored| of[scored.index].id.to_owned()).collect()
        };
        prop_assert_eq!(names(&ranked, &candidates), names(&scorer.rank(&reversed), &reversed));
    }

    #[test]
    fn more_of_anything_good_never_hurts(row in row(), df in prop::collection::vec(0u32..300, 3), term in 0usize..3, up in 0.0f32..1.0) {
        let q = query(&df);
        let before = score(q, &with_row("m", &row));
        let mut closer = row.clone();
        closer.2 = closer.2.map(|cosine| (cosine + up).min(1.0));
        prop_assert!(score(q, &with_row("m", &closer)).evidence >= before.evidence);
        let mut worthier = row.clone();
        worthier.4 = (worthier.4 + up).min(1.0);
        prop_assert!(score(q, &with_row("m", &worthier)).evidence >= before.evidence);
        // One of the other words becomes a word of the query; the length stays.
        if row.1 > 0 {
            let mut fitter = row.clone();
            fitter.0[term] += 1;
            fitter.1 -= 1;
            prop_assert!(score(q, &with_row("m", &fitter)).evidence >= before.evidence);
        }
    }

    #[test]
    fn the_curve_never_falls(a in -5.0f64..6.0, b in -5.0f64..6.0) {
        let curve = Calibration::default();
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        prop_assert!(curve.similarity(low) <= curve.similarity(high));
    }
}
