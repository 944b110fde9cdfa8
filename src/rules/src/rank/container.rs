//! The first stage: every text of a search, its word statistics, and the best for a closer look.
//!
//! All of it is linear in the texts and allocates nothing per text.

use std::cmp::Ordering;

use super::notes::{Notes, SHARED_TERMS, Words};
use super::{HEARD, Model, Question, Text, Texts, Traits};

/// As many texts as the calibration was fitted with: enough for something unrelated to look related by chance.
const MANY: f64 = 500.0;

/// All texts that a search may see, scored as far as a first look goes.
#[derive(Debug)]
pub struct Container<'a, T: Texts + ?Sized = [Text<'a>]> {
    pub(super) question: Question<'a>,
    pub(super) texts: &'a T,
    pub(super) model: &'a Model,
    /// Whether the question has terms that tell anything.
    pub(super) has_terms: bool,
    /// How much being said by a speaker that the question names tells here, 0 to 1.
    pub(super) speaker_tells: f64,
    /// How many times fewer texts there are than many, as a logarithm.
    pub(super) few: f64,
    pub(super) notes: Notes,
}

impl<'a, T: Texts + ?Sized> Container<'a, T> {
    /// Takes a first look at all texts.
    pub fn new(question: Question<'a>, texts: &'a T, model: &'a Model) -> Self {
        Self::with_notes(question, texts, model, Notes::default(), None)
    }

    /// The same, in the memory of the notes of an earlier container. Where the texts are only some of those that there are, a
    /// census says what all of them count for.
    pub fn with_notes(
        question: Question<'a>,
        texts: &'a T,
        model: &'a Model,
        mut notes: Notes,
        census: Option<&Census>,
    ) -> Self {
        notes.clear();
        notes.order(texts);
        notes.words.resize(texts.len(), Words::default());
        let counted = count(&question, texts, &mut notes.words);
        let census = census.unwrap_or(&counted);
        let terms = Terms::new(census, model);
        terms.weigh_texts(texts, &mut notes.words, model);
        notes.weigh_context(|terms_held| terms.covered(terms_held));
        notes.fit_dates(question.cues, texts);
        let speaker_tells = census.speaker_tells();
        let few = (MANY / census.texts.max(1) as f64).ln().max(0.0);
        let mut container =
            Container { question, texts, model, has_terms: terms.total > 0.0, speaker_tells, few, notes };
        container.look();
        container
    }

    /// Gives the notes back.
    pub fn into_notes(self) -> Notes {
        self.notes
    }

    /// The texts that deserve a closer look, best first: the eligible ones whose first evidence is greatest.
    pub fn shortlist(&self, depth: usize) -> Vec<usize> {
        if depth == 0 {
            return Vec::new();
        }
        let mut best: Vec<(f64, usize)> = Vec::new();
        let (mut least, mut room) = (f64::NEG_INFINITY, 2 * depth);
        for (at, evidence) in self.notes.early.iter().enumerate() {
            // Whoever has as much as the last of them may come before it for another reason.
            if evidence.total_cmp(&least).is_ge() && self.texts.text(at).eligible {
                best.push((*evidence, at));
                if best.len() >= room {
                    let (_, last, _) = best.select_nth_unstable_by(depth - 1, |a, b| b.0.total_cmp(&a.0));
                    least = last.0;
                    best.retain(|(evidence, _)| evidence.total_cmp(&least).is_ge());
                    room = 2 * best.len();
                }
            }
        }
        best.sort_unstable_by(|a, b| self.best_first((a.1, a.0), (b.1, b.0)));
        best.truncate(depth);
        best.into_iter().map(|(_, at)| at).collect()
    }

    /// Whether there is anything to tell a text's worth by: a word of the question in it or around it, or a vector.
    pub fn is_known(&self, index: usize) -> bool {
        let (text, words) = (self.texts.text(index), &self.notes.words[index]);
        text.same_text
            || text.cosine.is_some()
            || words.distinct > 0
            || words.together > 0.0
            || words.nearby > 0.0
            || words.around > 0.0
    }

    /// The evidence of a text at the first look.
    pub fn evidence(&self, index: usize) -> f64 {
        self.notes.early[index]
    }

    /// The total order of results: by evidence, then the newer, then by id.
    pub(super) fn best_first(&self, a: (usize, f64), b: (usize, f64)) -> Ordering {
        let (left, right) = (self.texts.text(a.0), self.texts.text(b.0));
        let newer = || right.updated_at.cmp(&left.updated_at);
        b.1.total_cmp(&a.1)
            .then_with(newer)
            .then_with(|| self.texts.id(a.0).cmp(self.texts.id(b.0)))
            .then(a.0.cmp(&b.0))
    }
}

/// What all the texts of a search count for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Census {
    /// How many they are.
    pub texts: u64,
    /// Their terms, repetitions counted.
    pub length: u64,
    /// How many are by a speaker whom the question names.
    pub named: u64,
    /// How many have each of the question's terms.
    pub holding: Vec<u64>,
}

impl Census {
    /// How much each of the question's terms tells.
    pub fn rarities(&self, model: &Model) -> Vec<f64> {
        let documents = self.texts as f64 + model.weights.pseudo_documents;
        self.holding.iter().map(|&count| rarity(count as f64, documents)).collect()
    }

    /// How much it tells that a speaker is named: fully where at most half the texts are theirs, nothing where all are.
    pub fn speaker_tells(&self) -> f64 {
        let share = self.named as f64 / self.texts.max(1) as f64;
        (2.0 - 2.0 * share).min(1.0)
    }
}

/// Whether the question names who speaks in a text.
#[inline]
fn is_named(question: &Question<'_>, text: &Text<'_>) -> bool {
    text.speaker.iter().any(|hash| *hash != 0 && question.speakers.contains(hash))
}

/// Notes which of the question's terms each text has, and counts.
fn count(question: &Question<'_>, texts: &(impl Texts + ?Sized), words: &mut [Words]) -> Census {
    let mut counts = vec![0u64; question.terms];
    let (mut length, mut named) = (0u64, 0u64);
    for (at, words) in words.iter_mut().enumerate() {
        let text = texts.text(at);
        length += u64::from(text.length);
        words.named = is_named(question, &text);
        named += u64::from(words.named);
        words.asks = text.traits.has(Traits::ASKS);
        for (term, &frequency) in text.frequencies.iter().enumerate().take(question.terms) {
            if frequency == HEARD {
                if term < SHARED_TERMS {
                    words.heard |= 1 << term;
                }
            } else if frequency > 0 {
                counts[term] += 1;
                words.distinct += 1;
                words.occurrences += u32::from(frequency);
                if term < SHARED_TERMS {
                    words.mask |= 1 << term;
                }
            }
        }
    }
    Census { texts: texts.len() as u64, length, named, holding: counts }
}

/// The question's terms among the texts.
struct Terms {
    rarities: Vec<f64>,
    total: f64,
    average_length: f64,
}

impl Terms {
    fn new(census: &Census, model: &Model) -> Terms {
        let rarities = census.rarities(model);
        let total = rarities.iter().sum();
        Terms { rarities, total, average_length: census.length as f64 / census.texts.max(1) as f64 }
    }

    fn weigh_texts(&self, texts: &(impl Texts + ?Sized), words: &mut [Words], model: &Model) {
        for (at, words) in words.iter_mut().enumerate().filter(|(_, words)| words.distinct > 0) {
            let text = texts.text(at);
            let saturation = saturation(f64::from(text.length), self.average_length, model);
            let (mut bm25, mut matched) = (0.0, 0.0);
            for (rarity, &frequency) in
                self.rarities.iter().zip(text.frequencies).filter(|(_, f)| !matches!(**f, 0 | HEARD))
            {
                bm25 += rarity * earned(f64::from(frequency), saturation, model);
                matched += rarity;
            }
            words.bm25 = bm25 as f32;
            words.share = (bm25 / self.total) as f32;
            words.coverage = (matched / self.total) as f32;
        }
    }

    /// The share of the question's terms in a set of them, weighed by rarity.
    fn covered(&self, mut mask: u64) -> f64 {
        let mut sum = 0.0;
        while mask != 0 {
            sum += self.rarities[mask.trailing_zeros() as usize];
            mask &= mask - 1;
        }
        sum / self.total
    }
}

/// How much a term tells: BM25's inverse document frequency, over the documents and some that were never written.
///
/// Three texts know nothing about which words are rare. The pseudo documents, none of which has any term, keep the
/// weights of a small container near to each other and vanish in a large one.
fn rarity(holding: f64, documents: f64) -> f64 {
    (1.0 + (documents - holding + 0.5).max(0.0) / (holding + 0.5)).ln()
}

fn saturation(length: f64, average: f64, model: &Model) -> f64 {
    let weights = &model.weights;
    let relative = if average > 0.0 { length / average } else { 1.0 };
    weights.k1 * (1.0 - weights.b + weights.b * relative)
}

fn earned(frequency: f64, saturation: f64, model: &Model) -> f64 {
    frequency * (model.weights.k1 + 1.0) / (frequency + saturation)
}
