//! The score of a search: evidence from words and meaning, added up on absolute scales, and its calibrated similarity.
//!
//! **Absolute evidence, no normalisation per query.** Fusing BM25 and cosines usually normalises each list by its own mean
//! and deviation or its maximum, which says nothing when there is one candidate and something else for every candidate set.
//! Here each signal is put on a scale that the candidates cannot move: BM25 is divided by what the query's terms could
//! earn at most in a text of average length (the *share*), the words matched are weighed by rarity (the *coverage*), and the
//! cosine is absolute as it is. Their weighted sum is the *evidence*. So a memory's score depends on the query and its
//! subject's word statistics, never on who else is a candidate: one candidate or a thousand, filtered or not, the
//! same memory has the same similarity. Measured on 760 questions over five long conversations (turns as memories, names
//! taken out of the question), recall at 10 is 71.2 % against 70.5 % for z-scores, 62.8 % for BM25 and 61.8 % for cosines alone.
//!
//! **Missing signals are estimated, not punished.** A memory that has no vector yet gets the cosine that texts with its
//! lexical evidence have on average, and a query of nothing but stop words the lexical evidence that its cosine suggests.
//!
//! **Identity.** A cosine near 1, or without a vector the same bag of words, adds evidence of its own, so that a text finds
//! itself with a similarity near 1 however long or common its words are.
//!
//! **Boosts.** Recency and importance move the evidence by a few hundredths around zero: enough to order
//! near-equals, too little to lift the unrelated over what answers.
//!
//! **Similarity** is the evidence read through a monotone curve whose point 0.6 is the best balanced cut between
//! answers and other memories ([`Calibration`]); the order by evidence is therefore never contradicted by the similarity.

use serde::Serialize;

mod model;
#[cfg(test)]
mod tests;

pub use model::{Calibration, InvalidModel, Line, Model, Weights};

const MICROS_PER_DAY: f64 = 86_400.0 * 1e6;

/// What a query asks and what its subject's memories are like.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// For each distinct term of the query, how many of the subject's memories contain it.
    pub document_frequencies: &'a [u32],
    /// How many memories the subject has.
    pub documents: u32,
    /// Their average length, in terms.
    pub average_length: f64,
    /// The present, in microseconds since 1970.
    pub now: i64,
}

/// A memory that might answer.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its id, which settles the order of what is equal in everything else.
    pub id: &'a str,
    /// How often each of the query's terms occurs in it, in the order of the query; missing ones count as zero.
    pub term_frequencies: &'a [u32],
    /// Its length, in terms.
    pub length: u32,
    /// The cosine of its vector and the query's; `None` where either has no vector.
    pub cosine: Option<f32>,
    /// When it was last changed, in microseconds since 1970.
    pub updated_at: i64,
    /// How much it matters, 0 to 1, with 0.5 for the ordinary.
    pub importance: f32,
}

/// What was seen of a candidate, before any weight.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Parts {
    /// The BM25 score.
    pub bm25: f64,
    /// BM25 as a share of what the query's terms earn in a text of average length that has each of them once; `None` if
    /// the query has no terms.
    pub share: Option<f64>,
    /// The share of the query's terms that occur, weighed by rarity; `None` if the query has no terms.
    pub coverage: Option<f64>,
    /// The cosine; `None` without a vector.
    pub cosine: Option<f64>,
    /// How near the texts are to being the same, 0 to 1.
    pub identity: f64,
    /// 1 for a memory of this moment, halved with every half-life.
    pub freshness: f64,
    /// How much the memory matters, 0 to 1.
    pub importance: f64,
}

/// What each signal added to the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Contributions {
    /// The words, measured or estimated.
    pub lexical: f64,
    /// The meaning, measured or estimated.
    pub dense: f64,
    /// Being the same text.
    pub identity: f64,
    /// Being recent, around zero.
    pub recency: f64,
    /// Mattering, around zero.
    pub importance: f64,
}

impl Contributions {
    /// Their sum.
    pub fn evidence(&self) -> f64 {
        self.lexical + self.dense + self.identity + self.recency + self.importance
    }
}

/// A scored candidate, with all that explains its place.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scored {
    /// The candidate's place in the slice that was ranked.
    pub index: usize,
    /// 0 to 1; 0.6 is the cut with the best balance.
    pub similarity: f64,
    /// What the ranking orders by.
    pub evidence: f64,
    /// The signals.
    pub parts: Parts,
    /// What they added.
    pub contributions: Contributions,
}

/// Scores candidates of one query.
#[derive(Debug)]
pub struct Scorer<'a> {
    query: Query<'a>,
    model: &'a Model,
    rarities: Vec<f64>,
    total_rarity: f64,
}

impl<'a> Scorer<'a> {
    /// A scorer for one query over one subject.
    pub fn new(query: Query<'a>, model: &'a Model) -> Self {
        let rarity = |&frequency: &u32| rarity(frequency, query.documents, model.weights.pseudo_documents);
        let rarities: Vec<f64> = query.document_frequencies.iter().map(rarity).collect();
        let total_rarity = rarities.iter().sum();
        Scorer { query, model, rarities, total_rarity }
    }

    /// The candidates, best first.
    ///
    /// The order is total and does not depend on the order given: by evidence, then the newer, then by id.
    pub fn rank(&self, candidates: &[Candidate<'_>]) -> Vec<Scored> {
        let mut scored: Vec<Scored> =
            candidates.iter().enumerate().map(|(index, candidate)| self.score(index, candidate)).collect();
        scored.sort_unstable_by(|a, b| {
            let (left, right) = (&candidates[a.index], &candidates[b.index]);
            b.evidence
                .total_cmp(&a.evidence)
                .then_with(|| right.updated_at.cmp(&left.updated_at))
                .then_with(|| left.id.cmp(right.id))
                .then_with(|| a.index.cmp(&b.index))
        });
        scored
    }

    /// The score of one candidate, which no other candidate influences.
    pub fn score(&self, index: usize, candidate: &Candidate<'_>) -> Scored {
        let parts = self.parts(candidate);
        let contributions = self.weigh(&parts);
        let evidence = contributions.evidence();
        Scored { index, similarity: self.model.calibration.similarity(evidence), evidence, parts, contributions }
    }

    fn parts(&self, candidate: &Candidate<'_>) -> Parts {
        let weights = &self.model.weights;
        let matches = self.rarities.iter().zip(candidate.term_frequencies).filter(|(_, frequency)| **frequency > 0);
        let saturation = weights.k1 * (1.0 - weights.b + weights.b * self.relative_length(candidate.length));
        let (mut bm25, mut matched, mut occurrences, mut terms) = (0.0, 0.0, 0u64, 0usize);
        for (rarity, &frequency) in matches {
            let tf = f64::from(frequency);
            bm25 += rarity * tf * (weights.k1 + 1.0) / (tf + saturation);
            matched += rarity;
            occurrences += u64::from(frequency);
            terms += 1;
        }
        let has_terms = self.total_rarity > 0.0;
        let cosine = candidate.cosine.map(f64::from).filter(|cosine| cosine.is_finite()).map(|c| c.clamp(-1.0, 1.0));
        // The same words in both directions: every term of the query occurs, and nothing else does.
        let overlap = (occurrences as f64 / f64::from(candidate.length.max(1))).min(1.0);
        let same_words = if terms == self.rarities.len() { overlap } else { 0.0 };
        let sameness = cosine.unwrap_or(if has_terms { same_words } else { 0.0 });
        let age_days = (self.query.now as f64 - candidate.updated_at as f64).max(0.0) / MICROS_PER_DAY;
        Parts {
            bm25,
            share: has_terms.then(|| bm25 / self.total_rarity),
            coverage: has_terms.then(|| matched / self.total_rarity),
            cosine,
            identity: ((sameness - weights.identity_from) / (1.0 - weights.identity_from)).clamp(0.0, 1.0),
            freshness: (-age_days / weights.recency_half_life_days).exp2(),
            importance: if candidate.importance.is_finite() {
                f64::from(candidate.importance).clamp(0.0, 1.0)
            } else {
                0.5
            },
        }
    }

    fn weigh(&self, parts: &Parts) -> Contributions {
        let weights = &self.model.weights;
        let (lexical, cosine) = match (parts.share.zip(parts.coverage), parts.cosine) {
            (Some((share, coverage)), cosine) => (
                weights.share * share + weights.coverage * coverage,
                cosine.unwrap_or_else(|| weights.cosine_without_vector.at(share.min(1.0))),
            ),
            (None, Some(cosine)) => {
                let share = weights.share_without_terms.at(cosine.max(0.0));
                ((weights.share + weights.coverage) * share, cosine)
            }
            (None, None) => (0.0, 0.0),
        };
        Contributions {
            lexical,
            dense: weights.cosine * cosine,
            identity: weights.identity * parts.identity,
            recency: weights.recency * (parts.freshness - 0.5),
            importance: weights.importance * (parts.importance - 0.5),
        }
    }

    fn relative_length(&self, length: u32) -> f64 {
        let average = self.query.average_length;
        if average > 0.0 && average.is_finite() { f64::from(length) / average } else { 1.0 }
    }
}

/// How much a term tells: BM25's inverse document frequency, over the subject's memories and some that were never written.
///
/// Three memories know nothing about which words are rare. The pseudo documents, none of which has any term,
/// keep the weights of a small subject near to each other and vanish in a large one.
fn rarity(frequency: u32, documents: u32, pseudo_documents: f64) -> f64 {
    let frequency = f64::from(frequency);
    let documents = f64::from(documents).max(frequency) + pseudo_documents;
    (1.0 + (documents - frequency + 0.5) / (frequency + 0.5)).ln()
}
