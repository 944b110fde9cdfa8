//! The first stage: every text of a search, its word statistics, its neighbours, and the best for a closer look.
//!
//! All of it is linear in the texts and allocates nothing per text. The texts are ordered once, by conversation and place
//! in it; from then on a *place* is a position in that order, and neighbours are places next to each other in one *run*.

use std::cmp::Ordering;

use super::{Model, Question, Text, Texts, Traits};

/// Terms that lend themselves to neighbours; further ones count in their own texts only.
const SHARED_TERMS: usize = 64;
/// How many texts on either side are around a text.
const AROUND: usize = 8;
/// As many texts as the calibration was fitted with: enough for something unrelated to look related by chance.
const MANY: f64 = 500.0;
/// Stands for no text.
const NOBODY: u32 = u32::MAX;
/// A run of texts that has no neighbours.
const ALONE: u32 = u32::MAX;

/// All texts that a search may see, scored as far as a first look goes.
#[derive(Debug)]
pub struct Container<'a, T: Texts + ?Sized = [Text<'a>]> {
    pub(super) question: Question<'a>,
    pub(super) texts: &'a T,
    pub(super) model: &'a Model,
    /// Whether the question has terms that tell anything.
    pub(super) has_terms: bool,
    /// By text, the one before it and the one after it, if they are neighbours.
    before: Vec<u32>,
    after: Vec<u32>,
    /// By text.
    pub(super) words: Vec<Words>,
    /// How much being said by a speaker that the question names tells here, 0 to 1.
    pub(super) speaker_tells: f64,
    /// How many times fewer texts there are than many, as a logarithm.
    pub(super) few: f64,
    /// By text, how well its day fits the dates that the question names; empty if it names none.
    pub(super) date_fits: Vec<f32>,
    /// By text, the evidence of the first look.
    early: Vec<f64>,
}

/// What the question's terms say of a text, and what of the text is looked at more than once: texts are large, and every
/// pass over thousands of them costs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Words {
    pub(super) bm25: f32,
    pub(super) share: f32,
    pub(super) coverage: f32,
    pub(super) nearby: f32,
    pub(super) around: f32,
    /// The number of distinct terms that occur, and all their occurrences.
    pub(super) distinct: u32,
    pub(super) occurrences: u32,
    /// Which of the terms occur.
    mask: u64,
    /// Whether the question names the speaker.
    pub(super) named: bool,
    /// Whether the text asks.
    pub(super) asks: bool,
}

impl<'a, T: Texts + ?Sized> Container<'a, T> {
    /// Takes a first look at all texts.
    pub fn new(question: Question<'a>, texts: &'a T, model: &'a Model) -> Self {
        let order = places(texts);
        let run = runs(texts, &order);
        let (before, after) = neighbours(&order, &run);
        let mut words = vec![Words::default(); texts.len()];
        let terms = Terms::count(&question, texts, &mut words, model);
        terms.weigh_texts(texts, &mut words, model);
        terms.weigh_context(&order, &run, &mut words);
        let has_terms = terms.total > 0.0;
        let speaker_tells = speaker_tells(&words);
        let few = (MANY / texts.len().max(1) as f64).ln().max(0.0);
        let mut container = Container {
            question,
            texts,
            model,
            has_terms,
            before,
            after,
            words,
            speaker_tells,
            few,
            date_fits: date_fits(&question, texts),
            early: Vec::new(),
        };
        container.early = container.look();
        container
    }

    /// The texts that deserve a closer look, best first: the eligible ones whose first evidence is greatest.
    pub fn shortlist(&self, depth: usize) -> Vec<usize> {
        let eligible = (0..self.texts.len()).filter(|&at| self.texts.text(at).eligible);
        let mut best: Vec<(f64, usize)> = eligible.map(|at| (self.early[at], at)).collect();
        if depth == 0 {
            return Vec::new();
        }
        if depth < best.len() {
            let (_, &mut (least, _), _) = best.select_nth_unstable_by(depth - 1, |a, b| b.0.total_cmp(&a.0));
            // Whoever has as much as the last of them may come before it for another reason.
            best.retain(|(evidence, _)| evidence.total_cmp(&least).is_ge());
        }
        best.sort_unstable_by(|a, b| self.best_first((a.1, a.0), (b.1, b.0)));
        best.truncate(depth);
        best.into_iter().map(|(_, at)| at).collect()
    }

    /// Whether there is anything to tell a text's worth by: a word of the question in it or around it, or a vector.
    pub fn is_known(&self, index: usize) -> bool {
        let (text, words) = (self.texts.text(index), &self.words[index]);
        text.same_text || text.cosine.is_some() || words.distinct > 0 || words.nearby > 0.0 || words.around > 0.0
    }

    /// The evidence of a text at the first look.
    pub fn evidence(&self, index: usize) -> f64 {
        self.early[index]
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

    /// The text before this one, if they are neighbours.
    #[inline]
    pub(super) fn before(&self, index: usize) -> Option<usize> {
        Some(self.before[index] as usize).filter(|at| *at < self.before.len())
    }

    /// The text after this one, if they are neighbours.
    #[inline]
    pub(super) fn after(&self, index: usize) -> Option<usize> {
        Some(self.after[index] as usize).filter(|at| *at < self.after.len())
    }
}

/// The order of the texts by conversation and place in it.
///
/// Texts are kept in the order of writing, so most conversations come in one stretch that is in order already: it is the
/// stretches that are sorted.
fn places(texts: &(impl Texts + ?Sized)) -> Vec<u32> {
    let count = u32::try_from(texts.len()).expect("a container holds fewer than 2^32 texts");
    let key = |at: u32| {
        let text = texts.text(at as usize);
        (text.conversation, text.sequence, text.ordinal)
    };
    let by_id = |a: u32, b: u32| texts.id(a as usize).cmp(texts.id(b as usize));
    let order_of = |a: u32, b: u32| key(a).cmp(&key(b)).then_with(|| by_id(a, b));
    let mut stretches: Vec<(u32, u32)> = Vec::new();
    let mut last = None;
    for at in 0..count {
        let this = key(at);
        let follows = last.is_some_and(|last: (u64, _, _)| {
            last.0 == this.0 && last.cmp(&this).then_with(|| by_id(at - 1, at)).is_le()
        });
        match stretches.last_mut() {
            Some((_, end)) if follows => *end = at + 1,
            _ => stretches.push((at, at + 1)),
        }
        last = Some(this);
    }
    stretches.sort_by(|a, b| order_of(a.0, b.0));
    let mut order: Vec<u32> = Vec::with_capacity(texts.len());
    stretches.iter().for_each(|(start, end)| order.extend(*start..*end));
    if !stretches.windows(2).all(|pair| order_of(pair[0].1 - 1, pair[1].0).is_le()) {
        order.sort_by(|a, b| order_of(*a, *b));
    }
    order
}

/// By text, the one before it and the one after it in the same run; no text where there is none.
fn neighbours(order: &[u32], run: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let (mut before, mut after) = (vec![NOBODY; order.len()], vec![NOBODY; order.len()]);
    for (pair, runs) in order.windows(2).zip(run.windows(2)) {
        if runs[0] != ALONE && runs[0] == runs[1] {
            (before[pair[1] as usize], after[pair[0] as usize]) = (pair[0], pair[1]);
        }
    }
    (before, after)
}

/// By place, a number that neighbours share.
fn runs(texts: &(impl Texts + ?Sized), order: &[u32]) -> Vec<u32> {
    let mut runs = Vec::with_capacity(order.len());
    let mut run = 0;
    let mut before: Option<Text<'_>> = None;
    for &index in order {
        let text = texts.text(index as usize);
        let follows = before.is_some_and(|before| {
            let same_day = before.day.zip(text.day).is_none_or(|(a, b)| a == b);
            // Lines of a dialogue follow each other even if nobody said which dialogue it is; other texts do not.
            before.conversation == text.conversation && (text.conversation != 0 || same_day)
        });
        let in_dialogue = text.conversation != 0 || text.speaker[0] != 0;
        run += u32::from(!follows || !in_dialogue);
        runs.push(if in_dialogue { run } else { ALONE });
        before = Some(text);
    }
    runs
}

/// How much it tells that a speaker is named: fully where at most half the texts are theirs, nothing where all are.
fn speaker_tells(words: &[Words]) -> f64 {
    let theirs = words.iter().filter(|words| words.named).count();
    let share = theirs as f64 / words.len().max(1) as f64;
    (2.0 - 2.0 * share).min(1.0)
}

/// By text, how well its day fits the dates that the question names; empty if it names none.
fn date_fits(question: &Question<'_>, texts: &(impl Texts + ?Sized)) -> Vec<f32> {
    if question.cues.dates.is_empty() {
        return Vec::new();
    }
    // Texts of one conversation stand together and tell of one day, and reading a calendar takes its time.
    let mut last = (None, 0.0);
    let mut fit = |text: &Text<'_>| {
        if text.day != last.0 {
            last = (text.day, text.day.map_or(0.0, |day| question.cues.fit(day)));
        }
        last.1
    };
    (0..texts.len()).map(|at| fit(&texts.text(at))).collect()
}

/// Whether the question names who speaks in a text.
fn is_named(question: &Question<'_>, text: &Text<'_>) -> bool {
    text.speaker.iter().any(|hash| *hash != 0 && question.speakers.contains(hash))
}

/// The question's terms among the texts.
struct Terms {
    rarities: Vec<f64>,
    total: f64,
    average_length: f64,
}

impl Terms {
    fn count(question: &Question<'_>, texts: &(impl Texts + ?Sized), words: &mut [Words], model: &Model) -> Terms {
        let mut counts = vec![0u32; question.terms];
        let mut length = 0u64;
        for (at, words) in words.iter_mut().enumerate() {
            let text = texts.text(at);
            length += u64::from(text.length);
            words.named = is_named(question, &text);
            words.asks = text.traits.has(Traits::ASKS);
            for (term, &frequency) in text.frequencies.iter().enumerate().take(question.terms) {
                if frequency > 0 {
                    counts[term] += 1;
                    words.distinct += 1;
                    words.occurrences += u32::from(frequency);
                    if term < SHARED_TERMS {
                        words.mask |= 1 << term;
                    }
                }
            }
        }
        let documents = texts.len() as f64 + model.weights.pseudo_documents;
        let rarities: Vec<f64> = counts.iter().map(|&count| rarity(f64::from(count), documents)).collect();
        let total = rarities.iter().sum();
        Terms { rarities, total, average_length: length as f64 / texts.len().max(1) as f64 }
    }

    fn weigh_texts(&self, texts: &(impl Texts + ?Sized), words: &mut [Words], model: &Model) {
        for (at, words) in words.iter_mut().enumerate().filter(|(_, words)| words.distinct > 0) {
            let text = texts.text(at);
            let saturation = saturation(f64::from(text.length), self.average_length, model);
            let (mut bm25, mut matched) = (0.0, 0.0);
            for (rarity, &frequency) in self.rarities.iter().zip(text.frequencies).filter(|(_, f)| **f > 0) {
                bm25 += rarity * earned(f64::from(frequency), saturation, model);
                matched += rarity;
            }
            words.bm25 = bm25 as f32;
            words.share = (bm25 / self.total) as f32;
            words.coverage = (matched / self.total) as f32;
        }
    }

    /// What a text's coverage gains by its neighbours.
    fn weigh_context(&self, order: &[u32], run: &[u32], words: &mut [Words]) {
        // Few texts have any term, so each lends its terms to those around it instead of each asking around.
        let (mut nearby, mut around) = (vec![0u64; order.len()], vec![0u64; order.len()]);
        for (place, &index) in order.iter().enumerate() {
            let mask = words[index as usize].mask;
            if mask == 0 || run[place] == ALONE {
                continue;
            }
            let neighbours = |other: &usize| run[*other] == run[place];
            let first = (place.saturating_sub(AROUND)..place).rev().take_while(neighbours).last().unwrap_or(place);
            let last = (place..order.len().min(place + AROUND + 1)).take_while(neighbours).last().unwrap_or(place);
            around[first..=last].iter_mut().for_each(|terms| *terms |= mask);
            // Lent to the one before, which may ask for it, and to the two after.
            let (first, last) = (first.max(place.saturating_sub(1)), last.min(place + 2));
            nearby[first..=last].iter_mut().for_each(|terms| *terms |= mask);
        }
        for (place, &index) in order.iter().enumerate().filter(|(place, _)| around[*place] != 0) {
            let words = &mut words[index as usize];
            let own = self.covered(words.mask);
            let with_nearby = self.covered(nearby[place]);
            words.nearby = (with_nearby - own) as f32;
            words.around = (self.covered(around[place]) - with_nearby) as f32;
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
