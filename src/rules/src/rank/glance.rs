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

/// Texts that are looked at together: as many as have their numbers in the processor's cache.
const AT_ONCE: usize = 4096;

impl Glance<'_> {
    /// About how much evidence there is for each text; without what is the same for all.
    pub fn evidence(&self, cues: &Cues, census: &Census, model: &Model) -> Vec<f32> {
        let count = self.cosines.len().min(self.covered.len()).min(self.named.len()).min(self.traits.len());
        let mut evidence = Vec::with_capacity(count);
        for first in (0..count).step_by(AT_ONCE) {
            let end = (first + AT_ONCE).min(count);
            // With those beside them, which lend them something.
            let (from, to) = (first.saturating_sub(2), (end + 1).min(count));
            let some = Glance {
                cosines: &self.cosines[from..to],
                covered: &self.covered[from..to],
                named: &self.named[from..to],
                traits: &self.traits[from..to],
                date_fits: self.date_fits.get(from..to).unwrap_or_default(),
                in_dialogue: self.in_dialogue,
            };
            evidence.extend_from_slice(&some.together(cues, census, model)[first - from..end - from]);
        }
        evidence
    }

    /// The same, of as many texts of each kind, all at once.
    fn together(&self, cues: &Cues, census: &Census, model: &Model) -> Vec<f32> {
        let weights = &model.weights;
        let [unrelated, related] = weights.related.map(|share| share as f32);
        let [constant, by_cosine, by_coverage] = weights.maxsim_by_cosine_and_coverage.map(|weight| weight as f32);
        let [cosine, coverage, maxsim, nearby, lent, date, asks, answers] = [
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

        let Glance { cosines, covered, named, traits, date_fits, in_dialogue } = *self;
        // One step after the other, each over all texts and without branches: so the compiler takes several texts at a time.
        let [without, with] = weights.cosine_by_coverage.map(|cosine| cosine as f32);
        let has_terms = !census.holding.is_empty();
        let expected = |covered: f32| if has_terms { without + (with - without) * covered } else { 0.0 };
        let known = |(near, covered): (&f32, &f32)| if near.is_nan() { expected(*covered) } else { *near };
        let near: Vec<f32> = cosines.iter().zip(covered).map(known).collect();
        // A question of nothing but stop words has the coverage that the cosine lets expect.
        let by_cosine_alone = weights.coverage_by_cosine as f32;
        let of_stop_words: Vec<f32>;
        let words = if has_terms {
            covered
        } else {
            of_stop_words = near.iter().map(|near| by_cosine_alone * near.max(0.0)).collect();
            &of_stop_words
        };
        let matched: Vec<f32> =
            near.iter().zip(words).map(|(near, words)| constant + by_cosine * near + by_coverage * words).collect();

        let bit = |traits: u8, of: Traits| f32::from(u8::from(Traits::from_bits(traits).has(of)));
        let each = near.iter().zip(words).zip(&matched).zip(named.iter().zip(traits));
        let mut evidence: Vec<f32> = each
            .map(|(((near, words), matches), (named, traits))| {
                let circumstances = speaker * f32::from(u8::from(*named)) + time * bit(*traits, Traits::TIME);
                let relation = ((matches - unrelated) / (related - unrelated)).clamp(0.0, 1.0);
                cosine * near + coverage * words + maxsim * matches - asks * bit(*traits, Traits::ASKS)
                    + circumstances * relation
            })
            .collect();
        for ((evidence, fit), matches) in evidence.iter_mut().zip(date_fits).zip(&matched) {
            *evidence += date * fit * ((matches - unrelated) / (related - unrelated)).clamp(0.0, 1.0);
        }
        if in_dialogue && covered.len() > 1 {
            let last = covered.len() - 1;
            // The most that one of two texts has that follow each other, the first and the last of these once more.
            let mut either = Vec::with_capacity(last + 2);
            either.push(covered[0].max(covered[1]));
            either.extend(covered.windows(2).map(|two| two[0].max(two[1])));
            either.push(covered[last - 1].max(covered[last]));
            let around = either.windows(3).map(|three| three[0].max(three[1]).max(three[2]));
            let pairs = matched.windows(2).zip(&words[1..]).zip(traits).zip(around);
            for (evidence, (((two, words), traits_before), around)) in evidence[1..].iter_mut().zip(pairs) {
                *evidence += nearby * (around - words).max(0.0)
                    + lent * (two[0] - two[1]).max(0.0)
                    + answers * bit(*traits_before, Traits::ASKS) * two[0].max(0.0);
            }
        }
        evidence
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
    fn many_are_looked_at_as_few_are() {
        let texts: Vec<(f32, f32)> =
            (0..2 * AT_ONCE + 9).map(|at| ((at * 7 % 11) as f32 / 11.0, (at * 5 % 13) as f32 / 13.0)).collect();
        let in_dialogue = |glance: &mut Glance<'_>| glance.in_dialogue = true;
        let all = evidence(&texts, in_dialogue, &Cues::default());
        assert_eq!(all.len(), texts.len());
        for first in [0, AT_ONCE - 20, texts.len() - 40] {
            let few = evidence(&texts[first..first + 40], in_dialogue, &Cues::default());
            assert_eq!(few[2..39], all[first + 2..first + 39]);
        }
        // What is not known of all is looked at as far as it is.
        let cut = evidence(&texts, |glance| glance.traits = &[0; 10], &Cues::default());
        assert_eq!(cut.len(), 10);
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
