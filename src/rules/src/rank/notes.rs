//! What is noted of every text during the first look: its place, its neighbours, what it shares with them.
//!
//! The texts are ordered once, by conversation and place in it. Neighbours are those that follow each other in that order
//! and belong together.

use std::iter::successors;

use super::{Cues, Text, Texts};

/// Terms that lend themselves to neighbours; further ones count in their own texts only.
pub(super) const SHARED_TERMS: usize = 64;
/// How many texts on either side are around a text.
const AROUND: usize = 8;
/// Stands for no text.
const NOBODY: u32 = u32::MAX;

/// What a container notes of each text. It outlives the container, to be written over by the next: to get as much memory
/// anew from the system, page by page, takes longer than to fill it.
#[derive(Debug, Default)]
pub struct Notes {
    /// The texts in their order.
    order: Vec<u32>,
    /// By text, the one before it and the one after it, if they are neighbours.
    before: Vec<u32>,
    after: Vec<u32>,
    /// By text.
    pub(super) words: Vec<Words>,
    /// By text, the terms that it and those nearby have, and those around, a bit each.
    nearby: Vec<u64>,
    around: Vec<u64>,
    /// By text, how well its day fits the dates that the question names; empty if it names none.
    pub(super) date_fits: Vec<f32>,
    /// By text, what MaxSim is expected to be, and the evidence of the first look.
    pub(super) maxsim: Vec<f32>,
    pub(super) early: Vec<f64>,
}

impl Notes {
    pub(super) fn clear(&mut self) {
        let Notes { order, before, after, words, nearby, around, date_fits, maxsim, early } = self;
        [order, before, after].into_iter().for_each(Vec::clear);
        [nearby, around].into_iter().for_each(Vec::clear);
        [date_fits, maxsim].into_iter().for_each(Vec::clear);
        words.clear();
        early.clear();
    }

    /// The bytes that they take.
    pub fn size(&self) -> usize {
        let of_each = 3 * size_of::<u32>() + 2 * size_of::<u64>() + size_of::<f32>() + size_of::<f64>();
        (of_each + size_of::<Words>()) * self.words.len() + size_of::<f32>() * self.date_fits.len()
    }

    /// Puts the texts in order and finds the neighbours.
    pub(super) fn order(&mut self, texts: &(impl Texts + ?Sized)) {
        order(texts, &mut self.order);
        self.before.resize(texts.len(), NOBODY);
        self.after.resize(texts.len(), NOBODY);
        let mut last: Option<(u32, Text<'_>)> = None;
        for &index in &self.order {
            let text = texts.text(index as usize);
            // Lines of a dialogue follow each other even if nobody said which dialogue it is; other texts do not.
            let in_dialogue = text.conversation != 0 || text.speaker[0] != 0;
            if let Some((before, _)) = last.filter(|(_, last)| in_dialogue && follows(last, &text)) {
                self.before[index as usize] = before;
                self.after[before as usize] = index;
            }
            last = in_dialogue.then_some((index, text));
        }
    }

    /// The text before this one, if they are neighbours.
    #[inline]
    pub(super) fn before(&self, index: usize) -> Option<usize> {
        Some(self.before[index]).filter(|at| *at != NOBODY).map(|at| at as usize)
    }

    /// The text after this one, if they are neighbours.
    #[inline]
    pub(super) fn after(&self, index: usize) -> Option<usize> {
        Some(self.after[index]).filter(|at| *at != NOBODY).map(|at| at as usize)
    }

    /// The texts up to so many before and after this one that are its neighbours or theirs.
    pub(super) fn around(&self, index: usize, count: usize) -> impl Iterator<Item = usize> {
        let before = successors(self.before(index), |at| self.before(*at));
        let after = successors(self.after(index), |at| self.after(*at));
        before.take(count).chain(after.take(count))
    }

    /// Notes what each text's coverage gains by its neighbours; `covered` tells the coverage of a set of terms.
    pub(super) fn weigh_context(&mut self, covered: impl Fn(u64) -> f64) {
        self.nearby.resize(self.words.len(), 0);
        self.around.resize(self.words.len(), 0);
        // Few texts have any term, so each lends its terms to those around it instead of each asking around: to the one
        // before, which may ask for it, and to the two after as to those nearby.
        for index in 0..self.words.len() {
            let mask = self.words[index].mask;
            if mask != 0 {
                self.nearby[index] |= mask;
                self.around[index] |= mask;
                lend(mask, index, 1, &self.before, &mut self.nearby, &mut self.around);
                lend(mask, index, 2, &self.after, &mut self.nearby, &mut self.around);
            }
        }
        for ((words, nearby), around) in self.words.iter_mut().zip(&self.nearby).zip(&self.around) {
            // Most texts have nothing around them that they have not themselves.
            if *around != words.mask {
                let with_nearby = covered(*nearby);
                words.nearby = (with_nearby - covered(words.mask)) as f32;
                words.around = (covered(*around) - with_nearby) as f32;
            }
        }
    }

    /// Notes how well the day of each text fits the dates that the question names.
    pub(super) fn fit_dates(&mut self, cues: &Cues, texts: &(impl Texts + ?Sized)) {
        if cues.dates.is_empty() {
            return;
        }
        // Texts of one conversation stand together and tell of one day, and reading a calendar takes its time.
        let mut last = (None, 0.0);
        self.date_fits.extend((0..texts.len()).map(|at| {
            let day = texts.text(at).day;
            if day != last.0 {
                last = (day, day.map_or(0.0, |day| cues.fit(day)));
            }
            last.1
        }));
    }
}

/// Lends the terms of a text to those that follow in one direction, the first few of which are nearby.
fn lend(terms: u64, from: usize, few: usize, next: &[u32], nearby: &mut [u64], around: &mut [u64]) {
    let mut at = next[from];
    for step in 1..=AROUND {
        if at == NOBODY {
            return;
        }
        let index = at as usize;
        around[index] |= terms;
        if step <= few {
            nearby[index] |= terms;
        }
        at = next[index];
    }
}

/// Whether a text belongs together with the one before it.
#[inline(always)]
fn follows(before: &Text<'_>, text: &Text<'_>) -> bool {
    let same_day = || before.day.zip(text.day).is_none_or(|(a, b)| a == b);
    before.conversation == text.conversation && (text.conversation != 0 || same_day())
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
    /// All occurrences of terms, and the number of distinct ones.
    pub(super) occurrences: u32,
    pub(super) distinct: u16,
    /// Which of the terms occur.
    pub(super) mask: u64,
    /// Whether the question names the speaker.
    pub(super) named: bool,
    /// Whether the text asks.
    pub(super) asks: bool,
}

/// The order of the texts by conversation and place in it.
///
/// Texts are kept in the order of writing, so most conversations come in one stretch that is in order already: it is the
/// stretches that are sorted.
fn order(texts: &(impl Texts + ?Sized), order: &mut Vec<u32>) {
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
    stretches.iter().for_each(|(start, end)| order.extend(*start..*end));
    if !stretches.windows(2).all(|pair| order_of(pair[0].1 - 1, pair[1].0).is_le()) {
        order.sort_by(|a, b| order_of(*a, *b));
    }
}
