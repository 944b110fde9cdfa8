//! A glance: about the first evidence of texts of which only their digests were read.
//!
//! It tells which of very many texts are worth a first look. What weighs most in that one is here as well: words, meaning,
//! speaker, date, time, and what the nearest texts of a dialogue lend. What texts farther around lend, recency and importance
//! are not: they move a text by less than what lies between those that are chosen and those that are returned.

use super::{Census, Cues, Model, Traits};

/// What digests say of the texts, in the order of writing, an element for each.
#[derive(Debug, Clone, Copy)]
pub struct Glance<'a> {
    /// The estimated cosines; NaN without a vector.
    pub cosines: &'a [f32],
    /// The share of the question's terms that each has, weighed by rarity.
    pub covered: &'a [f32],
    /// Whether the question names who says it.
    pub named: &'a [bool],
    /// The bits of the [`Traits`].
    pub traits: &'a [u8],
    /// How well the days fit the dates that the question names; empty if it names none.
    pub date_fits: &'a [f32],
    /// Whether most texts are those of a dialogue, so that those beside each other are neighbours.
    pub in_dialogue: bool,
}

impl Glance<'_> {
    /// About how much evidence there is for each text; without what is the same for all.
    pub fn evidence(&self, cues: &Cues, census: &Census, model: &Model) -> Vec<f32> {
        let weights = &model.weights;
        let [unrelated, related] = weights.related.map(|share| share as f32);
        let [constant, by_cosine, by_coverage] = weights.maxsim_by_cosine_and_coverage.map(|weight| weight as f32);
        let [cosine, coverage, maxsim, nearby, before, date, asks, answers] = [
            weights.cosine,
            weights.share + weights.coverage,
            weights.maxsim,
            weights.coverage_nearby,
            weights.maxsim_before,
            weights.date,
            weights.asks,
            weights.answers,
        ]
        .map(|weight| weight as f32);
        let speaker = (weights.speaker * census.speaker_tells()) as f32;
        let time = if cues.asks_time { weights.time as f32 } else { 0.0 };

        let count = self.cosines.len().min(self.covered.len()).min(self.named.len()).min(self.traits.len());
        let known: Vec<(f32, f32)> = (0..count).map(|at| self.known(at, census, model)).collect();
        let matched = |at: usize| {
            let (cosine, covered) = known[at];
            constant + by_cosine * cosine + by_coverage * covered
        };
        let evidence = |at: usize| {
            let ((near, covered), matches) = (known[at], matched(at));
            let traits = Traits::from_bits(self.traits[at]);
            let mut evidence = cosine * near + coverage * covered + maxsim * matches;
            let mut circumstances = date * self.date_fits.get(at).copied().unwrap_or(0.0);
            if self.named[at] {
                circumstances += speaker;
            }
            if traits.has(Traits::TIME) {
                circumstances += time;
            }
            if traits.has(Traits::ASKS) {
                evidence -= asks;
            }
            evidence += circumstances * ((matches - unrelated) / (related - unrelated)).clamp(0.0, 1.0);
            if self.in_dialogue && at > 0 {
                let around = &self.covered[at.saturating_sub(2)..(at + 2).min(count)];
                let best = around.iter().copied().fold(0.0, f32::max);
                let of_before = matched(at - 1);
                evidence += nearby * (best - covered).max(0.0) + before * (of_before - matches).max(0.0);
                if Traits::from_bits(self.traits[at - 1]).has(Traits::ASKS) {
                    evidence += answers * of_before.max(0.0);
                }
            }
            evidence
        };
        (0..count).map(evidence).collect()
    }

    /// Cosine and coverage of a text; estimated where one of them is not known.
    fn known(&self, at: usize, census: &Census, model: &Model) -> (f32, f32) {
        let (cosine, covered) = (self.cosines[at], self.covered[at]);
        let has_terms = !census.holding.is_empty();
        match (cosine.is_nan(), has_terms) {
            (false, true) => (cosine, covered),
            (false, false) => (cosine, model.weights.coverage_by_cosine as f32 * cosine.max(0.0)),
            (true, true) => {
                let [without, with] = model.weights.cosine_by_coverage.map(|cosine| cosine as f32);
                (without + (with - without) * covered, covered)
            }
            (true, false) => (0.0, 0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CENSUS: Census = Census { texts: 100, length: 1000, named: 10, holding: Vec::new() };

    /// The evidence of texts with these cosines and shares of words.
    fn evidence(texts: &[(f32, f32)], change: impl Fn(&mut Glance<'_>), cues: &Cues) -> Vec<f32> {
        let (cosines, covered): (Vec<f32>, Vec<f32>) = texts.iter().copied().unzip();
        let (named, traits) = (vec![false; texts.len()], vec![0; texts.len()]);
        let mut glance = Glance {
            cosines: &cosines,
            covered: &covered,
            named: &named,
            traits: &traits,
            date_fits: &[],
            in_dialogue: false,
        };
        change(&mut glance);
        glance.evidence(cues, &Census { holding: vec![1], ..CENSUS }, &Model::default())
    }

    fn plain(texts: &[(f32, f32)]) -> Vec<f32> {
        evidence(texts, |_| {}, &Cues::default())
    }

    #[test]
    fn words_and_meaning_count() {
        let [neither, words, meaning, both] = plain(&[(0.1, 0.0), (0.1, 0.8), (0.5, 0.0), (0.5, 0.8)])[..] else {
            panic!("four texts")
        };
        assert!(neither < words && neither < meaning && words < both && meaning < both);
    }

    #[test]
    fn what_has_no_vector_is_estimated_by_its_words() {
        let [without, far, near] = plain(&[(f32::NAN, 1.0), (0.0, 1.0), (0.9, 1.0)])[..] else { panic!("three texts") };
        assert!(far < without && without < near);
    }

    #[test]
    fn circumstances_count_for_what_is_related() {
        let texts = [(0.5, 0.5), (0.5, 0.5), (-0.5, 0.0), (-0.5, 0.0)];
        let cues = Cues { asks_time: true, ..Cues::default() };
        for change in [(|glance| glance.named = &[true, false, true, false]) as fn(&mut Glance<'_>), |glance| {
            glance.date_fits = &[1.0, 0.0, 1.0, 0.0]
        }] {
            let found = evidence(&texts, change, &cues);
            assert!(found[0] > found[1] + 2.0);
            assert!(found[2] == found[3]);
        }
        let timed = |glance: &mut Glance<'_>| glance.traits = &[2, 0, 2, 0];
        let found = evidence(&texts, timed, &cues);
        assert!(found[0] > found[1] + 1.0 && found[2] == found[3]);
        let found = evidence(&texts, timed, &Cues::default());
        assert_eq!(found[0], found[1]);
    }

    #[test]
    fn neighbours_lend_in_a_dialogue() {
        let texts = [(0.1, 0.0), (0.6, 0.9), (0.1, 0.0), (0.1, 0.0)];
        let (alone, beside) = (plain(&texts), evidence(&texts, |glance| glance.in_dialogue = true, &Cues::default()));
        assert_eq!(alone[1], beside[1]);
        assert!(beside[2] > beside[3] && beside[3] > alone[3]);
        // Whoever answers a question is lifted by it.
        let asking = |glance: &mut Glance<'_>| {
            glance.in_dialogue = true;
            glance.traits = &[0, 1, 0, 0];
        };
        let asked = evidence(&texts, asking, &Cues::default());
        assert!(asked[1] < beside[1] && asked[2] > beside[2]);
    }

    #[test]
    fn a_question_of_stop_words_is_answered_by_meaning() {
        let glance = Glance {
            cosines: &[0.1, 0.7, f32::NAN],
            covered: &[0.0; 3],
            named: &[false; 3],
            traits: &[0; 3],
            date_fits: &[],
            in_dialogue: false,
        };
        let found = glance.evidence(&Cues::default(), &CENSUS, &Model::default());
        assert!(found[1] > found[0] && found[0] > found[2]);
    }
}
