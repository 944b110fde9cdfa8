//! The score of a search: evidence from words, meaning and circumstances, added up on absolute scales, and its
//! calibrated similarity.
//!
//! A search has two stages, and both add up the same sum. The first reads a compact record of **every** text that the
//! search may see and knows words, an estimated cosine and the circumstances; late interaction (MaxSim, the comparison of
//! every token of the question with every token of a text) is far too dear for all of them, so the first stage estimates
//! it. The best are the *shortlist*; for them the caller brings exact cosines and, for each token of the question, how well
//! the text's best token matches it ([`Late`]), and the second stage replaces the estimates.
//!
//! **Absolute evidence, no normalisation per query.** Fusing BM25 and cosines usually normalises each list by its own mean
//! and deviation, which says nothing when there is one candidate. Here each signal is put on a scale of its own: BM25 is
//! divided by what the question's terms could earn, cosines and MaxSim are absolute as they are. Their weighted sum is the
//! *evidence*, in units of log odds. So a threshold means the same for every question, and a question that nothing answers
//! gets nothing.
//!
//! **Context.** An answer often lies in two texts: the one asks, the next one tells. Texts that follow each other in one
//! conversation lend each other words and tokens: a token of the question counts as found where the text *or* its neighbour
//! has it. Without a conversation given, texts that name their speakers are taken for one conversation in the order of
//! writing; other texts have no neighbours.
//!
//! **Circumstances.** Who said it and when are boosts, none is a filter, and each adds nothing where its data is missing.
//! They speak for what is related to the question only: a text about something else stays unrelated, whoever said it.
//! Missing vectors are estimated from the words, not punished; so is missing context, and since nothing stands out among a
//! few texts by chance as it does among hundreds, less evidence suffices there.
//!
//! **Similarity** is the evidence read through a monotone curve whose point 0.6 is the best balanced cut between
//! answers and other memories ([`Calibration`]); the order by evidence is therefore never contradicted by the similarity.

use serde::Serialize;

mod container;
pub mod cues;
mod glance;
mod model;
mod naming;
mod notes;
mod score;
#[cfg(test)]
mod tests;

pub use container::{Census, Container};
pub use cues::{Cues, Traits, When};
pub use glance::Glance;
pub use model::{Calibration, InvalidModel, Model, Weights};
pub use naming::{Named, name_words, speaker_hashes, spoken_by};
pub use notes::Notes;

use crate::signature::HEARD;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// How many distinct terms it has; every text brings as many frequencies.
    pub terms: usize,
    /// The hashes of the speakers it names ([`name_words`]).
    pub speakers: &'a [u32],
    /// What it asks beyond its words.
    pub cues: &'a Cues,
    /// The present, in microseconds since 1970.
    pub now: i64,
}

/// A text that might answer, or that stands beside one that might.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// Its id, which settles the order of what is equal in everything else.
    pub id: &'a str,
    /// How often each of the question's terms occurs in it, or [`HEARD`]; missing ones count as zero.
    pub frequencies: &'a [u8],
    /// Its length, in terms.
    pub length: u32,
    /// An estimate of the cosine of its vector and the question's; `None` where either has no vector.
    pub cosine: Option<f32>,
    /// When it was last changed, in microseconds since 1970.
    pub updated_at: i64,
    /// Its place in the order of writing.
    pub ordinal: i64,
    /// How much it matters, 0 to 1, with 0.5 for the ordinary.
    pub importance: f32,
    /// Who speaks in it ([`speaker_hashes`]); zeros if nobody is known to.
    pub speaker: [u32; 2],
    /// The conversation it belongs to; 0 for none.
    pub conversation: u64,
    /// Its place in the conversation.
    pub sequence: Option<i32>,
    /// The day it tells of, counted from 1970-01-01.
    pub day: Option<i32>,
    /// What was found in it when it was written ([`cues::of_text`]).
    pub traits: Traits,
    /// Whether it is the question, word for word.
    pub same_text: bool,
    /// Whether it may be a result; other texts are only counted, and lend context.
    pub eligible: bool,
}

/// All texts that a search may see, however they are kept: there may be many, and most are looked at once.
pub trait Texts {
    /// How many there are.
    fn len(&self) -> usize;

    /// One of them; its id may be left empty.
    fn text(&self, at: usize) -> Text<'_>;

    /// The id of one of them.
    fn id(&self, at: usize) -> &[u8];

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether no text that was left out stands between two that follow each other in a conversation.
    fn adjoin(&self, _before: usize, _after: usize) -> bool {
        true
    }
}

impl Texts for [Text<'_>] {
    fn len(&self) -> usize {
        self.len()
    }

    fn text(&self, at: usize) -> Text<'_> {
        self[at]
    }

    fn id(&self, at: usize) -> &[u8] {
        self[at].id.as_bytes()
    }
}

/// What late interaction and the full vector say of a text on the shortlist.
#[derive(Debug, Clone, Copy, Default)]
pub struct Late<'a> {
    /// The exact cosine of its vector and the question's.
    pub cosine: Option<f32>,
    /// For each token of the question, the greatest similarity of any of the text's tokens; empty without token codes.
    pub maxima: &'a [f32],
}

/// What was seen of a text, before any weight.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Parts {
    /// The BM25 score.
    pub bm25: f64,
    /// BM25 as a share of what the question's terms earn in a text of average length that has each of them once.
    pub share: f64,
    /// The share of the question's terms that occur, weighed by rarity.
    pub coverage: f64,
    /// What the coverage gains by the other texts of its place and by what they were drawn from.
    pub coverage_together: f64,
    /// What the coverage gains by the two places before and the one after.
    pub coverage_nearby: f64,
    /// What the coverage gains by the further texts around.
    pub coverage_around: f64,
    /// The cosine; estimated from the words without a vector.
    pub cosine: f64,
    /// MaxSim: how well the question's tokens are matched, on average; estimated without token codes.
    pub maxsim: f64,
    /// What MaxSim gains by the other texts of its place.
    pub maxsim_together: f64,
    /// What MaxSim gains by the place before.
    pub maxsim_before: f64,
    /// What MaxSim gains by the four texts on either side, as far as they are on the shortlist.
    pub maxsim_around: f64,
    /// MaxSim of the text before, if that one asks.
    pub answers: f64,
    /// 1 if another text of its place stands above it.
    pub repeats: f64,
    /// Whether the text is related to the question at all, 0 to 1, by MaxSim: what the next five parts are multiplied with.
    pub related: f64,
    /// 1 if the text has no neighbours.
    pub alone: f64,
    /// How few texts there are: the logarithm of how many times fewer than 500.
    pub few: f64,
    /// 1 if the question names its speaker; less where nearly all texts are that speaker's.
    pub speaker: f64,
    /// How well its day fits the dates that the question names.
    pub date: f64,
    /// 1 if the question asks for a time and the text has one.
    pub time: f64,
    /// 1 if the text asks.
    pub asks: f64,
    /// How near the texts are to being the same, 0 to 1.
    pub identity: f64,
    /// 1 for a text of this moment, halved with every half-life.
    pub freshness: f64,
    /// How much the text matters, 0 to 1.
    pub importance: f64,
}

/// What each signal added to the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Contributions {
    /// The words.
    pub words: f64,
    /// The meaning of the whole.
    pub meaning: f64,
    /// The meaning of every word.
    pub tokens: f64,
    /// What stands around it.
    pub context: f64,
    /// What is expected of a text that has no context, and of one among few.
    pub prior: f64,
    /// Who said it.
    pub speaker: f64,
    /// When it happened.
    pub date: f64,
    /// Telling a time that is asked for.
    pub time: f64,
    /// Asking instead of telling.
    pub asks: f64,
    /// Being the same text.
    pub identity: f64,
    /// Being recent, around zero.
    pub recency: f64,
    /// Mattering, around zero.
    pub importance: f64,
}

impl Contributions {
    /// Their sum.
    #[inline]
    pub fn evidence(&self) -> f64 {
        self.words
            + self.meaning
            + self.tokens
            + self.context
            + self.prior
            + self.speaker
            + self.date
            + self.time
            + self.asks
            + self.identity
            + self.recency
            + self.importance
    }
}

/// A scored text, with all that explains its place.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scored {
    /// The text's place in the slice that the container was made of.
    #[serde(skip)]
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
