//! The numbers of the score: weights of the signals and the curve from evidence to similarity.
//!
//! They belong to an embedding model as much as its dimension does: the defaults are fitted for all-MiniLM-L6-v2, whose
//! right answers have cosines of 0.25 to 0.6. Both are plain data with defaults for every member, so that a project's
//! settings may name only what they change.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A scoring model: weights and calibration.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Model {
    /// How the signals are weighed.
    pub weights: Weights,
    /// How evidence becomes similarity.
    pub calibration: Calibration,
}

/// How the signals of a text are weighed. Evidence is in units of log odds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    /// BM25: how soon repetition stops counting. Memories are short, so sooner than the usual 1.2.
    pub k1: f64,
    /// BM25: how much length counts, 0 to 1. Memories vary little, so less than the usual 0.75.
    pub b: f64,
    /// How many texts without any term are added when the rarity of a term is judged.
    pub pseudo_documents: f64,
    /// BM25 as a share of the attainable.
    pub share: f64,
    /// The share of terms matched.
    pub coverage: f64,
    /// What the coverage gains by the other texts of its place and by what they were drawn from.
    pub coverage_together: f64,
    /// What the coverage gains by the two places before and the one after.
    pub coverage_nearby: f64,
    /// What the coverage gains by the eight texts on either side.
    pub coverage_around: f64,
    /// The cosine.
    pub cosine: f64,
    /// MaxSim.
    pub maxsim: f64,
    /// What MaxSim gains by the other texts of its place.
    pub maxsim_together: f64,
    /// What MaxSim gains by the place before.
    pub maxsim_before: f64,
    /// What MaxSim gains by the four texts on either side, as far as they are on the shortlist.
    pub maxsim_around: f64,
    /// MaxSim of the text before, if that one asks.
    pub answers: f64,
    /// Standing behind another text of its place, which is taken off.
    pub repeats: f64,
    /// MaxSim up to which a text is unrelated to the question, and from which it is fully related; what lies between is
    /// related in part. The next five count as far as the text is related.
    pub related: [f64; 2],
    /// Having no neighbours: what context and circumstances add to an answer on average.
    pub alone: f64,
    /// Being among few texts, for every time that they are fewer than 500 by the factor e.
    pub few: f64,
    /// Being said by whom the question names.
    pub speaker: f64,
    /// Having happened when the question says.
    pub date: f64,
    /// Having an expression of time when the question asks for one.
    pub time: f64,
    /// Asking, which is taken off.
    pub asks: f64,
    /// Being the same text.
    pub identity: f64,
    /// The cosine from which texts count as partly the same.
    pub identity_from: f64,
    /// The whole range of the recency boost; half of it is given, half is taken.
    pub recency: f64,
    /// The age at which the recency boost is zero, in days.
    pub recency_half_life_days: f64,
    /// The whole range of the importance boost; half of it is given, half is taken.
    pub importance: f64,
    /// The cosine to assume without a vector: at no coverage, and at full coverage.
    pub cosine_by_coverage: [f64; 2],
    /// The coverage to assume for a question without terms, per unit of cosine.
    pub coverage_by_cosine: f64,
    /// MaxSim to assume without token codes: a constant, per unit of cosine, per unit of coverage.
    pub maxsim_by_cosine_and_coverage: [f64; 3],
}

impl Default for Weights {
    fn default() -> Self {
        Weights {
            k1: 0.9,
            b: 0.4,
            pseudo_documents: 100.0,
            share: 2.0,
            coverage: 2.0,
            coverage_together: 4.0,
            coverage_nearby: 4.0,
            coverage_around: 3.0,
            cosine: 1.0,
            maxsim: 18.0,
            maxsim_together: 15.0,
            maxsim_before: 11.0,
            maxsim_around: 4.0,
            answers: 1.75,
            repeats: 2.5,
            related: [0.05, 0.3],
            alone: 2.25,
            few: 0.4,
            speaker: 3.0,
            date: 5.0,
            time: 1.75,
            asks: 1.0,
            identity: 8.0,
            identity_from: 0.85,
            recency: 0.3,
            recency_half_life_days: 90.0,
            importance: 0.6,
            cosine_by_coverage: [0.1, 0.65],
            coverage_by_cosine: 0.25,
            maxsim_by_cosine_and_coverage: [0.12, 0.4, 0.18],
        }
    }
}

/// The curve from evidence to similarity: straight between knots `[evidence, similarity]`, level beyond the ends.
///
/// The default's knot at 0.6 is the evidence that balances two errors best in five long conversations with 760 questions:
/// taking other texts for answers, and taking anything for an answer where the answer was never stored. Left out in turn, no
/// conversation moves it by more than half a unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Calibration {
    /// The knots, in order.
    pub knots: Vec<[f64; 2]>,
}

impl Default for Calibration {
    fn default() -> Self {
        let knots = vec![
            [-10.0, 0.0],
            [0.0, 0.05],
            [6.0, 0.3],
            [9.0, 0.6],
            [11.0, 0.7],
            [13.5, 0.8],
            [16.0, 0.88],
            [20.0, 0.95],
            [25.0, 0.98],
            [32.0, 1.0],
        ];
        Calibration { knots }
    }
}

impl Calibration {
    /// The similarity of some evidence, within 0 to 1 and never falling.
    pub fn similarity(&self, evidence: f64) -> f64 {
        let above = self.knots.partition_point(|[at, _]| *at <= evidence);
        match (above.checked_sub(1).map(|below| self.knots[below]), self.knots.get(above)) {
            (Some([x0, y0]), Some(&[x1, y1])) => y0 + (y1 - y0) * ((evidence - x0) / (x1 - x0)),
            (Some([_, last]), None) => last,
            (None, Some(&[_, first])) => first,
            (None, None) => 0.0,
        }
    }
}

/// Why a scoring model was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidModel {
    /// Not of the shape of a model; what the reader said.
    Shape(String),
    /// A number is out of its range.
    Range {
        /// The member.
        name: &'static str,
        /// The range, in words.
        range: &'static str,
    },
}

impl fmt::Display for InvalidModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidModel::Shape(reason) => write!(f, "not a scoring model: {reason}"),
            InvalidModel::Range { name, range } => write!(f, "{name} must be {range}"),
        }
    }
}

impl std::error::Error for InvalidModel {}

impl Model {
    /// Reads a model from settings, which may name only what differs from the default.
    pub fn from_json(settings: &Value) -> Result<Self, InvalidModel> {
        // The derived reader takes arrays for structures, too, and would give their items to members by position.
        let whole = std::iter::once(settings);
        let members = ["weights", "calibration"].into_iter().filter_map(|name| settings.get(name));
        if !whole.chain(members).all(Value::is_object) {
            return Err(InvalidModel::Shape("must be objects by name".into()));
        }
        let model = Model::deserialize(settings).map_err(|error| InvalidModel::Shape(error.to_string()))?;
        model.weights.check()?;
        model.calibration.check()?;
        Ok(model)
    }
}

impl Weights {
    fn check(&self) -> Result<(), InvalidModel> {
        let not_negative = |x: f64| x >= 0.0 && x.is_finite();
        for (name, value) in [
            ("weights.k1", self.k1),
            ("weights.pseudo_documents", self.pseudo_documents),
            ("weights.share", self.share),
            ("weights.coverage", self.coverage),
            ("weights.coverage_together", self.coverage_together),
            ("weights.coverage_nearby", self.coverage_nearby),
            ("weights.coverage_around", self.coverage_around),
            ("weights.cosine", self.cosine),
            ("weights.maxsim", self.maxsim),
            ("weights.maxsim_together", self.maxsim_together),
            ("weights.maxsim_before", self.maxsim_before),
            ("weights.maxsim_around", self.maxsim_around),
            ("weights.answers", self.answers),
            ("weights.repeats", self.repeats),
            ("weights.alone", self.alone),
            ("weights.few", self.few),
            ("weights.speaker", self.speaker),
            ("weights.date", self.date),
            ("weights.time", self.time),
            ("weights.asks", self.asks),
            ("weights.identity", self.identity),
            ("weights.recency", self.recency),
            ("weights.importance", self.importance),
            ("weights.coverage_by_cosine", self.coverage_by_cosine),
        ] {
            check(not_negative(value), name, "a number not below 0")?;
        }
        // Falling estimates would make a text that matches better rank lower.
        let [without, with] = self.cosine_by_coverage;
        let rises = without.is_finite() && with.is_finite() && without <= with;
        check(rises, "weights.cosine_by_coverage", "two numbers, the second not below the first")?;
        let [unrelated, related] = self.related;
        let rises = unrelated.is_finite() && related.is_finite() && unrelated < related;
        check(rises, "weights.related", "two numbers, the second above the first")?;
        let [constant, slopes @ ..] = self.maxsim_by_cosine_and_coverage;
        let rises = constant.is_finite() && slopes.into_iter().all(not_negative);
        check(rises, "weights.maxsim_by_cosine_and_coverage", "a number and two not below 0")?;
        check((0.0..=1.0).contains(&self.b), "weights.b", "from 0 to 1")?;
        check((0.0..1.0).contains(&self.identity_from), "weights.identity_from", "at least 0 and below 1")?;
        let half_life = self.recency_half_life_days;
        check(half_life > 0.0 && half_life.is_finite(), "weights.recency_half_life_days", "a number above 0")
    }
}

impl Calibration {
    fn check(&self) -> Result<(), InvalidModel> {
        let in_range = self.knots.iter().all(|[x, y]| x.is_finite() && (0.0..=1.0).contains(y));
        let rising = self.knots.windows(2).all(|pair| pair[0][0] < pair[1][0] && pair[0][1] <= pair[1][1]);
        let range = "two or more pairs of evidence, rising, and similarity from 0 to 1, never falling";
        check(self.knots.len() >= 2 && in_range && rising, "calibration.knots", range)
    }
}

fn check(holds: bool, name: &'static str, range: &'static str) -> Result<(), InvalidModel> {
    if holds { Ok(()) } else { Err(InvalidModel::Range { name, range }) }
}
