//! What is noted of every text during the first look: its place, its neighbours, what it shares with them.
//!
//! The texts are ordered once, by conversation and place in it. Texts of one place, such as the memories that one turn
//! taught, speak for each other; neighbours are the places that follow each other in that order and belong together.

use std::iter::successors;

use super::{Cues, Text, Texts};

/// Terms that lend themselves to neighbours; further ones count in their own texts only.
pub(super) const SHARED_TERMS: usize = 64;
/// How many places on either side are around a place.
const AROUND: usize = 8;
/// Stands for no place.
const NOBODY: u32 = u32::MAX;

/// What a container notes of each text. It outlives the container, to be written over by the next: to get as much memory
/// anew from the system, page by page, takes longer than to fill it.
#[derive(Debug, Default)]
pub struct Notes {
    /// The texts in their order.
    order: Vec<u32>,
    /// By text, its place.
    place_of: Vec<u32>,
    /// The places in their order.
    places: Vec<Place>,
    /// By text.
    pub(super) words: Vec<Words>,
    /// By text, how well its day fits the dates that the question names; empty if it names none.
    pub(super) date_fits: Vec<f32>,
    /// By text, what MaxSim is expected to be, and the evidence of the first look.
    pub(super) maxsim: Vec<f32>,
    pub(super) early: Vec<f64>,
}

/// A place of a conversation: one text, or several that share its number.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Where its texts begin in the order.
    start: u32,
    /// The places before and after it, if they are neighbours.
    before: u32,
    after: u32,
    /// The terms that its texts have, with them those nearby have, and with them those around, a bit each.
    own: u64,
    nearby: u64,
    around: u64,
    /// What MaxSim is expected to be in the best of its texts.
    maxsim: f32,
    /// Whether its last text asks.
    asks: bool,
}

impl Notes {
    pub(super) fn clear(&mut self) {
        let Notes { order, place_of, places, words, date_fits, maxsim, early } = self;
        [order, place_of].into_iter().for_each(Vec::clear);
        [date_fits, maxsim].into_iter().for_each(Vec::clear);
        places.clear();
        words.clear();
        early.clear();
    }

    /// The bytes that they take.
    pub fn size(&self) -> usize {
        let of_each = 2 * size_of::<u32>() + size_of::<Words>() + size_of::<f32>() + size_of::<f64>();
        of_each * self.words.len() + size_of::<Place>() * self.places.len() + size_of::<f32>() * self.date_fits.len()
    }

    /// Puts the texts in order and finds their places and which of these are neighbours.
    pub(super) fn order(&mut self, texts: &(impl Texts + ?Sized)) {
        order(texts, &mut self.order);
        self.place_of.resize(texts.len(), NOBODY);
        let mut last: Option<(usize, Text<'_>)> = None;
        for (at, &index) in (0..).zip(&self.order) {
            let text = texts.text(index as usize);
            // Lines of a dialogue follow each other even if nobody said which dialogue it is; other texts do not.
            let in_dialogue = text.conversation != 0 || text.speaker[0] != 0;
            let adjoins = |(at, last): &(usize, Text<'_>)| follows(last, &text) && texts.adjoin(*at, index as usize);
            let before = last.filter(|last| in_dialogue && adjoins(last));
            let this = self.places.len() as u32;
            if before.is_some_and(|(_, before)| shares_place(&before, &text)) {
                self.place_of[index as usize] = this - 1;
            } else {
                self.place_of[index as usize] = this;
                let mut place = Place::starting(at);
                if let (Some(last), Some(_)) = (self.places.last_mut(), before) {
                    place.before = this - 1;
                    last.after = this;
                }
                self.places.push(place);
            }
            last = in_dialogue.then_some((index as usize, text));
        }
    }

    #[inline]
    fn place(&self, index: usize) -> &Place {
        &self.places[self.place_of[index] as usize]
    }

    /// The place before that of a text, if they are neighbours.
    #[inline]
    pub(super) fn before(&self, index: usize) -> Option<usize> {
        some(self.place(index).before)
    }

    /// Whether a text has neither neighbours nor others at its place.
    #[inline]
    pub(super) fn is_alone(&self, index: usize) -> bool {
        let at = self.place_of[index] as usize;
        let place = &self.places[at];
        place.before == NOBODY && place.after == NOBODY && self.texts_at(at).len() == 1
    }

    /// The texts at a place.
    pub(super) fn texts_at(&self, place: usize) -> &[u32] {
        let end = self.places.get(place + 1).map_or(self.order.len(), |next| next.start as usize);
        &self.order[self.places[place].start as usize..end]
    }

    /// The texts at the place of a text.
    pub(super) fn together(&self, index: usize) -> &[u32] {
        self.texts_at(self.place_of[index] as usize)
    }

    /// The texts at the places up to so many before and after that of a text that are its neighbours or theirs.
    pub(super) fn around(&self, index: usize, count: usize) -> impl Iterator<Item = usize> {
        let next = |at: &usize, towards: fn(&Place) -> u32| some(towards(&self.places[*at]));
        let at = self.place_of[index] as usize;
        let before = successors(next(&at, |place| place.before), move |at| next(at, |place| place.before));
        let after = successors(next(&at, |place| place.after), move |at| next(at, |place| place.after));
        let places = before.take(count).chain(after.take(count));
        places.flat_map(|place| self.texts_at(place)).map(|text| *text as usize)
    }

    /// Notes what each text's coverage gains by its place and by its neighbours; `covered` tells the coverage of a set of
    /// terms.
    pub(super) fn weigh_context(&mut self, covered: impl Fn(u64) -> f64) {
        for (words, place) in self.words.iter().zip(&self.place_of) {
            let place = &mut self.places[*place as usize];
            place.own |= words.mask;
            place.nearby |= words.heard;
        }
        // Few texts have any term, so each place lends its terms to those around it instead of each asking around: to the
        // one before, which may ask for it, and to the two after as to those nearby.
        for at in 0..self.places.len() {
            let own = self.places[at].own;
            if own != 0 {
                self.lend(own, at, 1, |place| place.before);
                self.lend(own, at, 2, |place| place.after);
            }
        }
        for (words, place) in self.words.iter_mut().zip(&self.place_of) {
            let place = &self.places[*place as usize];
            let nearby = place.nearby | place.own;
            let around = place.around | nearby;
            // Most texts have nothing around them that they have not themselves.
            if around != words.mask {
                let (with_place, with_nearby) = (covered(place.own), covered(nearby));
                words.together = (with_place - covered(words.mask)) as f32;
                words.nearby = (with_nearby - with_place) as f32;
                words.around = (covered(around) - with_nearby) as f32;
            }
        }
    }

    /// Lends terms to the places that follow in one direction, the first few of which are nearby.
    fn lend(&mut self, terms: u64, from: usize, few: usize, next: impl Fn(&Place) -> u32) {
        let mut at = next(&self.places[from]);
        for step in 1..=AROUND {
            if at == NOBODY {
                return;
            }
            let place = &mut self.places[at as usize];
            place.around |= terms;
            if step <= few {
                place.nearby |= terms;
            }
            at = next(place);
        }
    }

    /// Notes of each place what MaxSim is expected to be there, and whether it asks.
    pub(super) fn weigh_places(&mut self) {
        for (index, place) in self.place_of.iter().enumerate() {
            let place = &mut self.places[*place as usize];
            place.maxsim = place.maxsim.max(self.maxsim[index]);
            place.asks |= self.words[index].asks;
        }
    }

    /// What MaxSim is expected to be at a place.
    #[inline]
    pub(super) fn maxsim_at(&self, place: usize) -> f64 {
        self.places[place].maxsim.into()
    }

    /// What MaxSim is expected to be at the place of a text.
    #[inline]
    pub(super) fn maxsim_together(&self, index: usize) -> f64 {
        self.place(index).maxsim.into()
    }

    /// Whether a place asks.
    #[inline]
    pub(super) fn asks_at(&self, place: usize) -> bool {
        self.places[place].asks
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

impl Place {
    fn starting(start: u32) -> Self {
        Place {
            start,
            before: NOBODY,
            after: NOBODY,
            own: 0,
            nearby: 0,
            around: 0,
            maxsim: f32::NEG_INFINITY,
            asks: false,
        }
    }
}

/// A place, unless it is none.
#[inline]
fn some(place: u32) -> Option<usize> {
    Some(place).filter(|at| *at != NOBODY).map(|at| at as usize)
}

/// Whether a text belongs together with the one before it.
#[inline(always)]
fn follows(before: &Text<'_>, text: &Text<'_>) -> bool {
    let same_day = || before.day.zip(text.day).is_none_or(|(a, b)| a == b);
    before.conversation == text.conversation && (text.conversation != 0 || same_day())
}

/// Whether two texts that follow each other stand at one place: those that were drawn from one turn.
#[inline(always)]
fn shares_place(before: &Text<'_>, text: &Text<'_>) -> bool {
    text.conversation != 0 && text.sequence.is_some() && before.sequence == text.sequence
}

/// What the question's terms say of a text, and what of the text is looked at more than once: texts are large, and every
/// pass over thousands of them costs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Words {
    pub(super) bm25: f32,
    pub(super) share: f32,
    pub(super) coverage: f32,
    pub(super) together: f32,
    pub(super) nearby: f32,
    pub(super) around: f32,
    /// All occurrences of terms, and the number of distinct ones.
    pub(super) occurrences: u32,
    pub(super) distinct: u16,
    /// Which of the terms occur.
    pub(super) mask: u64,
    /// Which of the others were said where the text was drawn from.
    pub(super) heard: u64,
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
