use proptest::prelude::*;
use serde_json::json;

use super::cues::{Cues, Traits, When};
use super::{
    Calibration, Container, HEARD, InvalidModel, Late, Model, Parts, Question, Scored, Text, Weights, speaker_hashes,
};

const DAY: i64 = 86_400_000_000;
const NOW: i64 = 20_000 * DAY;
const ADA: &str = "Ada";
const BEN: &str = "Ben";

/// An ordinary text, as old as the half-life, so that neither boost moves it.
fn text<'a>(id: &'a str, frequencies: &'a [u8], cosine: Option<f32>) -> Text<'a> {
    Text {
        id,
        frequencies,
        length: 12,
        cosine,
        updated_at: NOW - 90 * DAY,
        ordinal: 0,
        importance: 0.5,
        speaker: [0, 0],
        conversation: 0,
        sequence: None,
        day: None,
        traits: Traits::default(),
        same_text: false,
        eligible: true,
    }
}

/// Other texts, about anything else, that hold the terms as often as `document_frequencies` says.
fn others(document_frequencies: &[u8], count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|at| document_frequencies.iter().map(|&df| u8::from(at < usize::from(df))).collect()).collect()
}

fn question<'a>(terms: usize, cues: &'a Cues) -> Question<'a> {
    Question { terms, speakers: &[], cues, now: NOW }
}

/// Ranks all texts, with MaxSim given for each token of the question where there is any.
fn rank(question: Question<'_>, texts: &[Text<'_>], late: impl Fn(usize) -> Late<'static>) -> Vec<Scored> {
    let model = Model::default();
    let container = Container::new(question, texts, &model);
    let shortlist = container.shortlist(texts.len());
    let late: Vec<Late<'_>> = shortlist.iter().map(|&index| late(index)).collect();
    container.rank(&shortlist, &late)
}

/// The score of a text among a hundred others.
fn score(document_frequencies: &[u8], candidate: Text<'_>, maxima: &'static [f32]) -> Scored {
    let cues = Cues::default();
    let others = others(document_frequencies, 100);
    let mut texts = vec![candidate];
    texts.extend(others.iter().map(|frequencies| text("other", frequencies, Some(0.0))));
    let terms = candidate.frequencies.len();
    let late = |index: usize| Late { cosine: texts[index].cosine, maxima: if index == 0 { maxima } else { &[] } };
    rank(question(terms, &cues), &texts, late).into_iter().find(|scored| scored.index == 0).expect("it is eligible")
}

fn similarity(document_frequencies: &[u8], candidate: Text<'_>, maxima: &'static [f32]) -> f64 {
    score(document_frequencies, candidate, maxima).similarity
}

#[test]
fn identical_text_scores_near_one() {
    for length in [1u32, 3, 12, 100, 2_000] {
        let terms = vec![1u8; length as usize];
        let same = Text { length, ..text("m", &terms, Some(0.99)) };
        assert!(similarity(&terms, same, &[0.8, 0.8]) >= 0.95, "{length}");
        assert!(similarity(&terms, Text { same_text: true, ..same }, &[0.8]) >= 0.95, "{length}");
        // Before it has a vector.
        assert!(similarity(&terms, Text { cosine: None, ..same }, &[]) >= 0.95, "{length}");
    }
    // Nothing but stop words.
    assert!(similarity(&[], text("m", &[], Some(1.0)), &[0.8]) >= 0.95);
    // Common words, and the only memory of its subject.
    assert!(similarity(&[90, 90], Text { length: 2, ..text("m", &[1, 1], None) }, &[]) >= 0.95);
    let cues = Cues::default();
    for cosine in [Some(1.0), None] {
        let alone = [Text { length: 3, ..text("m", &[1, 1, 1], cosine) }];
        assert!(rank(question(3, &cues), &alone, |_| Late::default())[0].similarity >= 0.95);
    }
}

#[test]
fn right_answers_pass_the_default_threshold() {
    // What all-MiniLM-L6-v2 says of a question and the memory that answers it; the terms are those in common.
    for (pair, frequencies, found, cosine, maxima) in [
        (
            "machine learning concepts / John prefers machine …",
            &[3, 3, 1][..],
            &[1, 1, 0][..],
            0.600,
            &[0.66, 0.63, 0.45][..],
        ),
        (
            "what is broken in project Alpha? / … errors in Alpha",
            &[0, 5, 2],
            &[0, 0, 1],
            0.451,
            &[0.36, 0.44, 0.32, 0.43, 0.18, 0.72],
        ),
        ("billing outage / The billing outage was …", &[1, 1], &[1, 1], 0.807, &[0.75, 0.75, 0.73]),
        (
            "what does the user like to eat? / … loves Thai food",
            &[90, 10, 0],
            &[1, 0, 0],
            0.537,
            &[0.29, 0.37, 0.44, 0.68, 0.45, 0.35, 0.49],
        ),
        ("where does she live? / Sarah lives in Berlin", &[4], &[1], 0.480, &[0.33, 0.39, 0.34, 0.51]),
        ("pets / Has a dog named Biscuit", &[0], &[0], 0.394, &[0.52]),
        ("when is my birthday / User was born on 4 March 1990", &[0], &[0], 0.433, &[0.37, 0.37, 0.24, 0.39]),
        ("coffee / User drinks espresso every morning", &[0], &[0], 0.474, &[0.40]),
        ("sports / User plays tennis twice a week", &[0], &[0], 0.312, &[0.36]),
    ] {
        let similarity = similarity(frequencies, text("m", found, Some(cosine)), maxima);
        assert!(similarity >= 0.6, "{pair}: {similarity}");
    }
    // A weak one passes among few.
    let cues = Cues::default();
    let texts = [text("a", &[0], Some(0.338)), text("b", &[0], Some(0.1))];
    let maxima = |index: usize| Late {
        cosine: texts[index].cosine,
        maxima: if index == 0 { &[0.26, 0.38] } else { &[0.08, 0.1] },
    };
    let ranked = rank(question(1, &cues), &texts, maxima);
    assert!(ranked[0].similarity >= 0.6 && ranked[1].similarity <= 0.3, "hobbies / Enjoys rock climbing: {ranked:?}");
}

#[test]
fn the_unrelated_stays_low() {
    for (pair, cosine, maxima) in [
        ("billing outage / Has a dog named Biscuit", 0.038, &[0.07, 0.06, 0.05][..]),
        ("where does she live? / Allergic to peanuts", 0.060, &[0.04, 0.03, 0.0, 0.08]),
        ("favorite programming language / Sarah lives in Berlin", 0.133, &[0.05, 0.07, 0.13]),
        ("weather in Paris / User is vegetarian and loves Thai food", -0.089, &[0.06, 0.02, 0.04]),
        ("dietary restrictions / User prefers dark mode in all applications", 0.119, &[0.13, 0.13]),
        (
            "how tall is the Eiffel tower? / Enjoys rock climbing",
            0.178,
            &[0.13, 0.15, 0.13, 0.14, 0.14, 0.04, 0.06, 0.24],
        ),
    ] {
        // Even fresh and important, and among few.
        let best = Text { updated_at: NOW, importance: 1.0, ..text("m", &[0, 0], Some(cosine)) };
        assert!(similarity(&[1, 1], best, maxima) <= 0.3, "{pair}: {}", similarity(&[1, 1], best, maxima));
        let cues = Cues { dates: vec![When::Days(9, 9)], asks_time: true };
        let best = Text { day: Some(9), traits: Traits::TIME, ..best };
        let scored = rank(question(2, &cues), &[best], |_| Late { cosine: Some(cosine), maxima })[0];
        assert!(scored.similarity <= 0.3 || scored.parts.maxsim > 0.12, "{pair}: {scored:?}");
    }
    assert!(similarity(&[1, 1], text("m", &[0, 0], None), &[]) <= 0.3);
    assert!(similarity(&[], text("m", &[], None), &[]) <= 0.3);
}

#[test]
fn either_side_finds_alone() {
    // A keyword hit without a vector, and a hit in meaning without a common word or token codes.
    assert!(similarity(&[3, 2], text("m", &[1, 1], None), &[]) >= 0.6);
    assert!(similarity(&[3, 2], text("m", &[0, 0], Some(0.6)), &[]) >= 0.6);
}

#[test]
fn rare_terms_count_more_and_repetition_saturates() {
    let common_or_rare = |found: &[u8]| score(&[90, 2], text("m", found, Some(0.2)), &[]).evidence;
    assert!(common_or_rare(&[0, 1]) > common_or_rare(&[1, 0]));
    let bm25 = |tf: u8| score(&[5], text("m", &[tf], None), &[]).parts.bm25;
    assert!(bm25(2) > bm25(1) && bm25(3) - bm25(2) < bm25(2) - bm25(1));
    let long = Text { length: 60, ..text("m", &[1], None) };
    assert!(score(&[5], long, &[]).parts.bm25 < bm25(1));
}

#[test]
fn bm25_is_the_textbook_formula() {
    // Two of ten texts hold the term, and no pseudo documents: idf = ln(1 + 8.5 / 2.5). The lengths average 10.
    let mut model = Model::default();
    model.weights.pseudo_documents = 0.0;
    let cues = Cues::default();
    let mut texts = vec![Text { length: 20, ..text("m", &[3], None) }, Text { length: 0, ..text("n", &[1], None) }];
    texts.extend((0..8).map(|_| Text { length: 10, ..text("o", &[0], None) }));
    let container = Container::new(question(1, &cues), &texts[..], &model);
    let expected = (1.0f64 + 8.5 / 2.5).ln() * 3.0 * 1.9 / (3.0 + 0.9 * (0.6 + 0.4 * 2.0));
    let bm25 = container.rank(&[0], &[Late::default()])[0].parts.bm25;
    assert!((bm25 - expected).abs() < 1e-6, "{bm25} {expected}");
}

#[test]
fn boosts_order_near_equals_and_no_more() {
    let plain = text("m", &[1], Some(0.4));
    let fresh = Text { updated_at: NOW, ..plain };
    let vital = Text { importance: 1.0, ..plain };
    let trivial = Text { importance: 0.0, ..plain };
    let evidence = |candidate| score(&[5], candidate, &[0.4]).evidence;
    assert!((evidence(fresh) - evidence(plain) - 0.15).abs() < 1e-9);
    assert!((evidence(vital) - evidence(trivial) - 0.6).abs() < 1e-9);
    assert_eq!(score(&[5], plain, &[0.4]).contributions.recency, 0.0);
    // From the future is as fresh as can be.
    assert_eq!(evidence(Text { updated_at: NOW + 50 * DAY, ..plain }), evidence(fresh));
}

/// A dialogue of which nothing but who speaks is known.
fn dialogue<'a>(terms: &'a [Vec<u8>], ids: &'a [String]) -> Vec<Text<'a>> {
    let line = |(at, frequencies): (usize, &'a Vec<u8>)| Text {
        ordinal: at as i64,
        speaker: speaker_hashes(if at % 2 == 0 { ADA } else { BEN }),
        ..text(&ids[at], frequencies, Some(0.1))
    };
    terms.iter().enumerate().map(line).collect()
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("mem_{at:03}")).collect()
}

#[test]
fn an_answer_is_found_by_the_question_before_it() {
    let (mut terms, ids, cues) = (vec![vec![0u8, 0]; 40], ids(40), Cues::default());
    terms[20] = vec![1, 1];
    let mut texts = dialogue(&terms, &ids);
    texts[20].traits = Traits::ASKS;
    let maxima = |index| Late { cosine: Some(0.1), maxima: if index == 20 { &[0.6, 0.7] } else { &[0.15, 0.1] } };
    let ranked = rank(question(2, &cues), &texts, maxima);
    assert_eq!([ranked[0].index, ranked[1].index], [20, 21]);
    assert!(ranked[1].similarity > ranked[2].similarity + 0.1, "{:?}", &ranked[..3]);
    let around = |index: usize| {
        ranked
            .iter()
            .find(|scored| scored.index == index)
            .map(|scored| scored.parts.maxsim_around)
            .expect("it is eligible")
    };
    assert!([16, 19, 21, 24].map(around).iter().all(|gain| (gain - 0.525).abs() < 1e-6));
    assert_eq!([15, 20, 25].map(around), [0.0; 3]);
    // Neither a conversation of their own nor the day before, nor texts that nobody speaks, lend anything.
    let cut = |change: fn(&mut Text<'_>)| {
        let mut texts = texts.clone();
        texts[21..].iter_mut().for_each(change);
        let ranked = rank(question(2, &cues), &texts, maxima);
        let parts = ranked.iter().find(|scored| scored.index == 21).expect("it is eligible").parts;
        (parts.coverage_nearby, parts.coverage_around, parts.maxsim_before, parts.answers, parts.maxsim_around)
    };
    assert_eq!(cut(|text| text.conversation = 7), (0.0, 0.0, 0.0, 0.0, 0.0));
    assert_eq!(cut(|text| text.speaker = [0, 0]), (0.0, 0.0, 0.0, 0.0, 0.0));
    assert!(cut(|text| text.day = Some(5)).3 > 0.5);
    texts[..21].iter_mut().for_each(|text| text.day = Some(4));
    let ranked = rank(question(2, &cues), &texts, maxima);
    assert!(ranked.iter().find(|scored| scored.index == 21).is_some_and(|scored| scored.parts.answers > 0.5));
}

#[test]
fn a_conversation_is_ordered_by_its_sequence() {
    let (mut terms, ids, cues) = (vec![vec![0u8]; 6], ids(6), Cues::default());
    terms[0] = vec![1];
    let mut texts = dialogue(&terms, &ids);
    for (text, sequence) in texts.iter_mut().zip([30, 10, 40, 20, 31, 0]) {
        text.conversation = 1;
        text.sequence = Some(sequence);
    }
    let ranked = rank(question(1, &cues), &texts, |_| Late::default());
    let nearby = |index| ranked.iter().find(|scored| scored.index == index).expect("eligible").parts.coverage_nearby;
    // 0, 10, [20], 30, [31], [40]: the one before and the two after.
    assert_eq!([5, 1, 3, 0, 4, 2].map(|index| nearby(index) > 0.0), [false, false, true, false, true, true]);
}

/// Texts of one conversation, by their numbers in it.
fn numbered<'a>(terms: &'a [Vec<u8>], ids: &'a [String], sequences: &[i32]) -> Vec<Text<'a>> {
    let mut texts = dialogue(terms, ids);
    for (text, sequence) in texts.iter_mut().zip(sequences) {
        (text.conversation, text.sequence) = (1, Some(*sequence));
    }
    texts
}

#[test]
fn texts_of_one_place_speak_for_each_other() {
    let (mut terms, ids, cues) = (vec![vec![0u8, 0]; 6], ids(6), Cues::default());
    terms[1] = vec![1, 0];
    terms[2] = vec![0, 1];
    // 0, [1, 2], 3, 4, 5: the second and the third were drawn from one turn.
    let texts = numbered(&terms, &ids, &[0, 1, 1, 2, 3, 4]);
    let maxima = |index| match index {
        1 => Late { cosine: Some(0.1), maxima: &[0.7, 0.1] },
        2 => Late { cosine: Some(0.1), maxima: &[0.2, 0.5] },
        _ => Late { cosine: Some(0.1), maxima: &[0.1, 0.1] },
    };
    let ranked = rank(question(2, &cues), &texts, maxima);
    let parts = |index| ranked.iter().find(|scored| scored.index == index).expect("it is eligible").parts;
    assert!((parts(1).maxsim_together - 0.2).abs() < 1e-6 && (parts(2).maxsim_together - 0.25).abs() < 1e-6);
    assert!((parts(1).coverage + parts(1).coverage_together - 1.0).abs() < 1e-6);
    // The place after theirs has both before it, and so has none of them the other.
    assert!((parts(3).maxsim_before - 0.5).abs() < 1e-6 && (parts(3).coverage_nearby - 1.0).abs() < 1e-6);
    assert_eq!((parts(1).maxsim_before, parts(2).maxsim_before), (0.0, 0.0));
    assert_eq!((parts(3).maxsim_together, parts(3).coverage_together), (0.0, 0.0));
    // Two places after is nearby as well, three is not.
    assert!(parts(4).coverage_nearby > 0.9 && parts(5).coverage_nearby == 0.0 && parts(5).coverage_around > 0.9);
    // The better of them is first, and the other steps back.
    assert_eq!((parts(1).repeats, parts(2).repeats, parts(3).repeats), (0.0, 1.0, 0.0));
    assert!(ranked.windows(2).all(|pair| pair[0].evidence >= pair[1].evidence));
    let weights = Model::default().weights;
    let second = ranked.iter().find(|scored| scored.index == 2).expect("it is eligible");
    let not_stepped_back = Parts { repeats: 0.0, ..second.parts };
    assert!((second.contributions.context + weights.repeats - context_of(&not_stepped_back, &weights)).abs() < 1e-9);
    // Apart from each other they are neighbours, and without a number nobody's.
    let apart = numbered(&terms, &ids, &[0, 1, 2, 3, 4, 5]);
    let ranked = rank(question(2, &cues), &apart, maxima);
    assert!(ranked.iter().all(|scored| scored.parts.maxsim_together == 0.0 && scored.parts.repeats == 0.0));
}

fn context_of(parts: &Parts, weights: &Weights) -> f64 {
    weights.coverage_together * parts.coverage_together
        + weights.maxsim_together * parts.maxsim_together
        + weights.coverage_nearby * parts.coverage_nearby
        + weights.coverage_around * parts.coverage_around
        + weights.maxsim_before * parts.maxsim_before
        + weights.maxsim_around * parts.maxsim_around
        + weights.answers * parts.answers
}

#[test]
fn what_was_heard_around_a_text_is_nearby_and_not_its_own() {
    let cues = Cues::default();
    let terms = [vec![0u8, 1], vec![HEARD, 1], vec![0, 0]];
    let texts: Vec<Text<'_>> =
        ["a", "b", "c"].iter().zip(&terms).map(|(id, terms)| text(id, terms, Some(0.1))).collect();
    let ranked = rank(question(2, &cues), &texts, |_| Late::default());
    let parts = |index| ranked.iter().find(|scored| scored.index == index).expect("it is eligible").parts;
    assert_eq!((parts(1).coverage, parts(1).bm25), (parts(0).coverage, parts(0).bm25));
    assert!(parts(1).coverage_nearby > 0.4 && parts(0).coverage_nearby == 0.0);
    assert_eq!(ranked[0].index, 1);
}

#[test]
fn circumstances_speak_for_what_is_related() {
    let (terms, ids) = (vec![vec![0u8]; 10], ids(10));
    let mut texts = dialogue(&terms, &ids);
    texts[4].day = Some(100);
    texts[6].traits = Traits::TIME;
    let cues = Cues { dates: vec![When::Days(100, 100)], asks_time: true };
    let ada = speaker_hashes(ADA);
    let asked = Question { speakers: &ada[..1], ..question(1, &cues) };
    let of = |maxima: &'static [f32], index: usize| {
        let ranked = rank(asked, &texts, |_| Late { cosine: Some(0.2), maxima });
        ranked.into_iter().find(|scored| scored.index == index).expect("eligible").contributions
    };
    let weights = Model::default().weights;
    assert_eq!((of(&[0.5], 4).speaker, of(&[0.5], 5).speaker), (weights.speaker, 0.0));
    assert_eq!((of(&[0.5], 4).date, of(&[0.5], 6).date), (weights.date, 0.0));
    assert_eq!((of(&[0.5], 4).time, of(&[0.5], 6).time), (0.0, weights.time));
    let unrelated = of(&[0.02], 4);
    assert_eq!((unrelated.speaker, unrelated.date, unrelated.time), (0.0, 0.0, 0.0));
    // That everything is by the one who is named tells nothing.
    texts.iter_mut().for_each(|text| text.speaker = ada);
    assert!(rank(asked, &texts, |_| Late::default()).iter().all(|scored| scored.parts.speaker == 0.0));
}

#[test]
fn what_was_filtered_out_lends_context_and_is_no_result() {
    let (mut terms, ids, cues) = (vec![vec![0u8]; 6], ids(6), Cues::default());
    terms[2] = vec![1];
    let mut texts = dialogue(&terms, &ids);
    texts[2].eligible = false;
    let ranked = rank(question(1, &cues), &texts, |_| Late::default());
    assert_eq!(ranked.len(), 5);
    assert!(ranked.iter().all(|scored| scored.index != 2));
    assert!(ranked.iter().find(|scored| scored.index == 3).is_some_and(|scored| scored.parts.coverage_nearby > 0.0));
}

#[test]
fn ties_are_settled_by_age_and_id() {
    let cues = Cues::default();
    // Older than the recency boost can tell.
    let old = |id, days: i64| Text { updated_at: NOW - days * DAY, ..text(id, &[1], Some(0.4)) };
    let texts = [old("b", 2_000_000), old("c", 1_999_999), old("a", 2_000_000)];
    let order: Vec<usize> =
        rank(question(1, &cues), &texts, |_| Late::default()).iter().map(|scored| scored.index).collect();
    assert_eq!(order, [1, 2, 0]);
}

#[test]
fn damaged_numbers_do_no_harm() {
    let cues = Cues::default();
    let odd = Text {
        cosine: Some(f32::NAN),
        importance: f32::NAN,
        length: 0,
        updated_at: i64::MAX,
        day: Some(i32::MIN),
        sequence: Some(i32::MAX),
        ..text("m", &[255, 1, 1, 1, 1], None)
    };
    let asked = Question { now: i64::MIN, ..question(2, &cues) };
    let late = |_| Late { cosine: Some(f32::INFINITY), maxima: &[f32::NAN, 0.2] };
    for texts in [vec![odd], vec![odd, text("n", &[], Some(9.0))]] {
        for scored in rank(asked, &texts, late) {
            assert!(scored.evidence.is_finite() && (0.0..=1.0).contains(&scored.similarity), "{scored:?}");
        }
    }
    assert!(rank(question(0, &cues), &[], |_| Late::default()).is_empty());
    let many = vec![1u8; 300];
    assert!(similarity(&many, text("m", &many, None), &[]) > 0.6, "more terms than neighbours can share");
}

#[test]
fn the_shortlist_is_the_head_of_the_first_look() {
    let (terms, ids, cues) = (others(&[3, 9], 60), ids(60), Cues::default());
    let texts = dialogue(&terms, &ids);
    let model = Model::default();
    let container = Container::new(question(2, &cues), &texts[..], &model);
    let all = container.shortlist(60);
    for depth in [0, 1, 7, 59, 60, 1000] {
        assert_eq!(container.shortlist(depth), all[..depth.min(60)]);
    }
}

#[test]
fn settings_override_what_they_name() {
    assert_eq!(Model::from_json(&json!({})), Ok(Model::default()));
    let model = Model::from_json(&json!({"weights": {"recency": 0.5}})).unwrap();
    assert_eq!((model.weights.recency, model.weights.maxsim), (0.5, 18.0));
    assert_eq!(Model::from_json(&serde_json::to_value(&model).unwrap()), Ok(model));
    for (settings, message) in [
        (json!({"weights": {"cosin": 1}}), "not a scoring model: unknown field `cosin`"),
        (json!({"weights": {"cosine": -1}}), "weights.cosine must be a number not below 0"),
        (json!({"weights": {"b": 1.5}}), "weights.b must be from 0 to 1"),
        (json!({"weights": {"identity_from": 1}}), "weights.identity_from must be at least 0 and below 1"),
        (json!({"weights": {"recency_half_life_days": 0}}), "weights.recency_half_life_days must be a number above 0"),
        (json!({"weights": {"related": [0.3, 0.3]}}), "weights.related must be two numbers, the second above"),
        (json!({"weights": {"cosine_by_coverage": [0.3, 0.1]}}), "weights.cosine_by_coverage must be two numbers"),
        (
            json!({"weights": {"maxsim_by_cosine_and_coverage": [0.3, -0.1, 0]}}),
            "weights.maxsim_by_cosine_and_coverage must",
        ),
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
    assert!((Calibration::default().similarity(9.0) - 0.6).abs() < 1e-12);
}

#[derive(Debug, Clone)]
struct Row {
    frequencies: Vec<u8>,
    other_terms: u32,
    cosine: Option<f32>,
    maxima: Vec<f32>,
    age: i64,
    importance: f32,
    /// Speaker, conversation, sequence, day, traits.
    place: (u8, u64, Option<i32>, Option<i32>, u8),
}

fn row() -> impl Strategy<Value = Row> {
    let maxima = prop_oneof![Just(Vec::new()), prop::collection::vec(-0.2f32..1.0, 4)];
    let place = (0u8..3, 0u64..3, prop::option::of(0i32..9), prop::option::of(98i32..103), 0u8..4);
    let words = (prop::collection::vec(0u8..4, 3), 0u32..40);
    (words, prop::option::of(-1.0f32..=1.0), maxima, 0i64..1_000, 0.0f32..=1.0, place).prop_map(
        |((frequencies, other_terms), cosine, maxima, age, importance, place)| Row {
            frequencies,
            other_terms,
            cosine,
            maxima,
            age,
            importance,
            place,
        },
    )
}

fn with_row<'a>(id: &'a str, row: &'a Row) -> Text<'a> {
    let (speaker, conversation, sequence, day, traits) = row.place;
    Text {
        length: row.frequencies.iter().map(|f| u32::from(*f)).sum::<u32>() + row.other_terms,
        updated_at: NOW - row.age * DAY,
        // Distinct, and not in the order of the rows.
        ordinal: id.bytes().rev().fold(0, |sum, byte| sum * 256 + i64::from(byte)),
        importance: row.importance,
        speaker: [[0, 0], speaker_hashes(ADA), speaker_hashes(BEN)][usize::from(speaker)],
        conversation,
        sequence,
        day,
        traits: Traits::from_bits(traits),
        ..text(id, &row.frequencies, row.cosine)
    }
}

/// Ranks rows, of which the first `depth` get a closer look.
fn rank_rows(rows: &[(&Row, &str)], depth: usize) -> Vec<Scored> {
    let cues = Cues { dates: vec![When::Days(100, 100)], asks_time: true };
    let speakers = speaker_hashes(ADA);
    let asked = Question { speakers: &speakers[..1], ..question(3, &cues) };
    let texts: Vec<Text<'_>> = rows.iter().map(|(row, id)| with_row(id, row)).collect();
    let model = Model::default();
    let container = Container::new(asked, &texts[..], &model);
    let shortlist = container.shortlist(depth);
    let late: Vec<Late<'_>> =
        shortlist.iter().map(|&index| Late { cosine: rows[index].0.cosine, maxima: &rows[index].0.maxima }).collect();
    container.rank(&shortlist, &late)
}

proptest! {
    #[test]
    fn similarity_follows_the_ranking(rows in prop::collection::vec(row(), 1..30), depth in 1usize..30) {
        let ids = ids(rows.len());
        let rows: Vec<(&Row, &str)> = rows.iter().zip(ids.iter().map(String::as_str)).collect();
        let ranked = rank_rows(&rows, depth);
        prop_assert_eq!(ranked.len(), depth.min(rows.len()));
        for pair in ranked.windows(2) {
            prop_assert!(pair[0].evidence >= pair[1].evidence && pair[0].similarity >= pair[1].similarity);
        }
        for scored in &ranked {
            prop_assert!((0.0..=1.0).contains(&scored.similarity));
            prop_assert!((scored.contributions.evidence() - scored.evidence).abs() < 1e-12);
        }
        // Neither does the order of the texts matter, nor what was on the shortlist and lent nothing.
        let reversed: Vec<(&Row, &str)> = rows.iter().rev().copied().collect();
        let named = |ranked: &[Scored], rows: &[(&Row, &str)]| -> Vec<(String, u64)> {
            ranked.iter().map(|scored| (rows[scored.index].1.to_owned(), scored.evidence.to_bits())).collect()
        };
        prop_assert_eq!(named(&ranked, &rows), named(&rank_rows(&reversed, depth), &reversed));
    }

    #[test]
    fn more_of_anything_good_never_hurts(row in row(), term in 0usize..3, token in 0usize..4, up in 0.0f32..1.0) {
        let evidence = |row: &Row| rank_rows(&[(row, "m")], 1)[0].evidence;
        let before = evidence(&row);
        let mut closer = row.clone();
        closer.cosine = closer.cosine.map(|cosine| (cosine + up).min(1.0));
        prop_assert!(evidence(&closer) >= before - 1e-9);
        let mut nearer = row.clone();
        if let Some(maximum) = nearer.maxima.get_mut(token) {
            *maximum += up;
        }
        prop_assert!(evidence(&nearer) >= before - 1e-9);
        let mut worthier = row.clone();
        worthier.importance = (worthier.importance + up).min(1.0);
        prop_assert!(evidence(&worthier) >= before - 1e-9);
        // One of the other words becomes a word of the query; the length stays. (A term that only now occurs at all
        // changes its rarity, too.)
        if row.other_terms > 0 && row.frequencies[term] > 0 {
            let mut fitter = row.clone();
            fitter.frequencies[term] += 1;
            fitter.other_terms -= 1;
            prop_assert!(evidence(&fitter) >= before - 1e-9);
        }
    }

    #[test]
    fn the_curve_never_falls(a in -15.0f64..40.0, b in -15.0f64..40.0) {
        let curve = Calibration::default();
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        prop_assert!(curve.similarity(low) <= curve.similarity(high));
    }
}
