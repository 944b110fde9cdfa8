//! The sum itself: from what is known of a text to its parts, their contributions and its evidence.

use std::collections::HashSet;
use std::mem::take;

use super::container::Container;
use super::{Contributions, Late, Parts, Scored, Texts, Traits, Weights};

const MICROS_PER_DAY: f64 = 86_400.0 * 1e6;
const MICROS_PER_HOUR: i64 = 3_600_000_000;
/// How many places on either side lend their tokens.
const AROUND: usize = 4;

/// How well the tokens of the question are matched.
#[derive(Debug, Clone, Copy)]
struct Matched {
    maxsim: f64,
    together: f64,
    before: f64,
    around: f64,
    /// MaxSim of the place before, where there is one.
    of_before: Option<f64>,
}

impl<T: Texts + ?Sized> Container<'_, T> {
    /// The texts of a shortlist, best first, with what was found about each of them in `late`, in the order of the shortlist.
    ///
    /// The order is total and does not depend on the order of the texts given.
    pub fn rank(&self, shortlist: &[usize], late: &[Late<'_>]) -> Vec<Scored> {
        // Which line of the shortlist a text stands in, for the neighbours' tokens.
        let mut line: Vec<(usize, usize)> = shortlist.iter().copied().zip(0..).collect();
        line.sort_unstable();
        let maxima = |index: usize| -> &[f32] {
            let at = line.binary_search_by_key(&index, |(text, _)| *text).ok();
            at.and_then(|at| late.get(line[at].1)).map_or(&[], |late| late.maxima)
        };
        let mut scored: Vec<Scored> = shortlist
            .iter()
            .zip(0..)
            .map(|(&index, at)| {
                let exact = late.get(at).and_then(|late| finite(late.cosine));
                let cosine = self.cosine_of(index, exact);
                let matched = match maxima(index) {
                    [] => self.estimated_match(index),
                    own => self.exact_match(index, own, &maxima),
                };
                self.score(index, cosine, matched)
            })
            .collect();
        let best_first = |a: &Scored, b: &Scored| self.best_first((a.index, a.evidence), (b.index, b.evidence));
        scored.sort_unstable_by(best_first);
        if self.step_back_from_better(&mut scored) {
            scored.sort_unstable_by(best_first);
        }
        scored
    }

    /// Of texts at one place, which mostly match what their best one matches, lets the others step back, so that they do
    /// not crowd out other places; says whether there are any. The texts come best first.
    fn step_back_from_better(&self, scored: &mut [Scored]) -> bool {
        let mut seen = HashSet::new();
        let mut any = false;
        for scored in scored {
            let place = self.notes.together(scored.index);
            if place.len() > 1 && !seen.insert(place[0]) {
                scored.parts.repeats = 1.0;
                self.weigh_anew(scored);
                any = true;
            }
        }
        any
    }

    /// Weighs the parts of a text that have changed.
    fn weigh_anew(&self, scored: &mut Scored) {
        scored.contributions = weigh(&scored.parts, &self.model.weights);
        scored.evidence = scored.contributions.evidence();
        scored.similarity = self.model.calibration.similarity(scored.evidence);
    }

    /// Notes the evidence of all texts before late interaction.
    pub(super) fn look(&mut self) {
        let (mut maxsim, mut early) = (take(&mut self.notes.maxsim), take(&mut self.notes.early));
        maxsim.extend((0..self.texts.len()).map(|index| self.estimated_maxsim(index) as f32));
        self.notes.maxsim = maxsim;
        self.notes.weigh_places();
        // To the hour will do for a first look: texts of one hour stand together.
        let (mut hour, mut freshness) = (i64::MIN..i64::MIN, 0.0);
        early.extend((0..self.texts.len()).map(|index| {
            let updated_at = self.texts.text(index).updated_at;
            if !hour.contains(&updated_at) {
                let start = updated_at.saturating_sub(updated_at.rem_euclid(MICROS_PER_HOUR));
                hour = start..start.saturating_add(MICROS_PER_HOUR);
                freshness = self.freshness(start);
            }
            let matched = self.estimated_match(index);
            let parts = self.parts(index, self.cosine_of(index, None), matched, freshness);
            weigh(&parts, &self.model.weights).evidence()
        }));
        self.notes.early = early;
    }

    fn score(&self, index: usize, cosine: Cosine, matched: Matched) -> Scored {
        let parts = self.parts(index, cosine, matched, self.freshness(self.texts.text(index).updated_at));
        let contributions = weigh(&parts, &self.model.weights);
        let evidence = contributions.evidence();
        Scored { index, similarity: self.model.calibration.similarity(evidence), evidence, parts, contributions }
    }

    #[inline(always)]
    fn parts(&self, index: usize, cosine: Cosine, matched: Matched, freshness: f64) -> Parts {
        let (text, words) = (self.texts.text(index), &self.notes.words[index]);
        let weights = &self.model.weights;
        let question = &self.question;
        let [unrelated, related] = weights.related;
        let coverage = self.coverage_of(index, cosine);
        let flag = |holds: bool| f64::from(u8::from(holds));
        let previous_asks = self.notes.before(index).is_some_and(|at| self.notes.asks_at(at));
        Parts {
            bm25: words.bm25.into(),
            share: if self.has_terms { words.share.into() } else { coverage },
            coverage,
            coverage_together: words.together.into(),
            coverage_nearby: words.nearby.into(),
            coverage_around: words.around.into(),
            cosine: cosine.value,
            maxsim: matched.maxsim,
            maxsim_together: matched.together,
            maxsim_before: matched.before,
            maxsim_around: matched.around,
            answers: if previous_asks { matched.of_before.unwrap_or(0.0).max(0.0) } else { 0.0 },
            alone: flag(self.notes.is_alone(index)),
            few: self.few,
            repeats: 0.0,
            related: share_of(matched.maxsim, unrelated, related),
            speaker: flag(words.named) * self.speaker_tells,
            date: self.notes.date_fits.get(index).copied().unwrap_or(0.0).into(),
            time: flag(question.cues.asks_time && text.traits.has(Traits::TIME)),
            asks: flag(words.asks),
            identity: if text.same_text { 1.0 } else { self.identity(index, cosine) },
            freshness,
            importance: if text.importance.is_finite() { f64::from(text.importance).clamp(0.0, 1.0) } else { 0.5 },
        }
    }

    /// 1 for a text of this moment, halved with every half-life.
    fn freshness(&self, updated_at: i64) -> f64 {
        let age_days = (self.question.now as f64 - updated_at as f64).max(0.0) / MICROS_PER_DAY;
        (-age_days / self.model.weights.recency_half_life_days).exp2()
    }

    /// How near a text is to being the question: by the cosine, or without vectors by having the same words and no others.
    #[inline(always)]
    fn identity(&self, index: usize, cosine: Cosine) -> f64 {
        let (text, words) = (self.texts.text(index), &self.notes.words[index]);
        let sameness = if cosine.known {
            cosine.value
        } else if self.has_terms && words.distinct as usize == self.question.terms {
            (f64::from(words.occurrences) / f64::from(text.length.max(1))).min(1.0)
        } else {
            0.0
        };
        share_of(sameness, self.model.weights.identity_from, 1.0)
    }

    #[inline(always)]
    fn cosine_of(&self, index: usize, exact: Option<f64>) -> Cosine {
        match exact.or_else(|| finite(self.texts.text(index).cosine)) {
            Some(value) => Cosine { value, known: true },
            None => {
                let [without, with] = self.model.weights.cosine_by_coverage;
                let coverage = f64::from(self.notes.words[index].coverage);
                // Nothing is known of a text without a vector when the question has no terms either.
                let value = if self.has_terms { without + (with - without) * coverage } else { 0.0 };
                Cosine { value, known: false }
            }
        }
    }

    /// The coverage; estimated for a question that has no terms.
    #[inline(always)]
    fn coverage_of(&self, index: usize, cosine: Cosine) -> f64 {
        if self.has_terms {
            self.notes.words[index].coverage.into()
        } else {
            self.model.weights.coverage_by_cosine * cosine.value.max(0.0)
        }
    }

    #[inline(always)]
    fn estimated_maxsim(&self, index: usize) -> f64 {
        let cosine = self.cosine_of(index, None);
        if !cosine.known && !self.has_terms {
            return 0.0;
        }
        let [constant, by_cosine, by_coverage] = self.model.weights.maxsim_by_cosine_and_coverage;
        constant + by_cosine * cosine.value + by_coverage * self.coverage_of(index, cosine)
    }

    #[inline(always)]
    fn estimated_match(&self, index: usize) -> Matched {
        let (own, together) = (f64::from(self.notes.maxsim[index]), self.notes.maxsim_together(index));
        let of_before = self.notes.before(index).map(|place| self.notes.maxsim_at(place));
        let before = of_before.map_or(0.0, |before| (before - together).max(0.0));
        Matched { maxsim: own, together: (together - own).max(0.0), before, around: 0.0, of_before }
    }

    /// How well each token of the question is matched by a text, or else by others of its place, by the place before, or by
    /// those around.
    fn exact_match<'l>(&self, index: usize, own: &[f32], maxima: &dyn Fn(usize) -> &'l [f32]) -> Matched {
        let tokens = own.len() as f64;
        let mean = |maxima: &[f32]| maxima.iter().copied().map(number).sum::<f64>() / tokens;
        let best_of = |best: &mut [f32], texts: &mut dyn Iterator<Item = usize>| {
            for theirs in texts.map(maxima) {
                best.iter_mut().zip(theirs).for_each(|(best, match_)| *best = best.max(*match_));
            }
        };
        let mut together = own.to_vec();
        best_of(&mut together, &mut self.notes.together(index).iter().map(|text| *text as usize));
        let previous = self.notes.before(index);
        let mut before = vec![f32::NEG_INFINITY; own.len()];
        if let Some(place) = previous {
            best_of(&mut before, &mut self.notes.texts_at(place).iter().map(|text| *text as usize));
        }
        // A place before that is not on the shortlist lends no tokens: what it has is too little to lend.
        let looked_at = before.first().is_some_and(|best| *best > f32::NEG_INFINITY);
        let of_before = match previous {
            Some(_) if looked_at => Some(mean(&before)),
            previous => previous.map(|place| self.notes.maxsim_at(place)),
        };
        let gain = |(own, before): (&f32, &f32)| (number(*before) - number(*own)).max(0.0);
        let gained = if looked_at { together.iter().zip(&before).map(gain).sum::<f64>() / tokens } else { 0.0 };
        let mut around = together.clone();
        best_of(&mut around, &mut self.notes.around(index, AROUND));
        Matched {
            maxsim: mean(own),
            together: mean(&together) - mean(own),
            before: gained,
            around: mean(&around) - mean(&together),
            of_before,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Cosine {
    value: f64,
    /// Whether it comes from vectors.
    known: bool,
}

/// What the parts add to the evidence.
#[inline(always)]
fn weigh(parts: &Parts, weights: &Weights) -> Contributions {
    Contributions {
        words: weights.share * parts.share + weights.coverage * parts.coverage,
        meaning: weights.cosine * parts.cosine,
        tokens: weights.maxsim * parts.maxsim,
        context: weights.coverage_together * parts.coverage_together
            + weights.maxsim_together * parts.maxsim_together
            + weights.coverage_nearby * parts.coverage_nearby
            + weights.coverage_around * parts.coverage_around
            + weights.maxsim_before * parts.maxsim_before
            + weights.maxsim_around * parts.maxsim_around
            + weights.answers * parts.answers
            - weights.repeats * parts.repeats,
        prior: parts.related * (weights.alone * parts.alone + weights.few * parts.few),
        speaker: weights.speaker * parts.related * parts.speaker,
        date: weights.date * parts.related * parts.date,
        time: weights.time * parts.related * parts.time,
        asks: -weights.asks * parts.asks,
        identity: weights.identity * parts.identity,
        recency: weights.recency * (parts.freshness - 0.5),
        importance: weights.importance * (parts.importance - 0.5),
    }
}

/// How far a value is on the way from one to another, 0 to 1. Most values are not on it, and to divide takes long.
#[inline(always)]
fn share_of(value: f64, from: f64, to: f64) -> f64 {
    if value > from { ((value - from) / (to - from)).min(1.0) } else { 0.0 }
}

#[inline(always)]
fn finite(cosine: Option<f32>) -> Option<f64> {
    cosine.filter(|cosine| cosine.is_finite()).map(|cosine| f64::from(cosine.clamp(-1.0, 1.0)))
}

fn number(value: f32) -> f64 {
    if value.is_finite() { value.into() } else { 0.0 }
}
