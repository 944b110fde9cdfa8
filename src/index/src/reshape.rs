//! Keeping lists in shape while a namespace grows and shrinks: a vacuum does it, beside everybody else.
//!
//! A namespace that has outgrown `lists_from` gets lists; a list that has become too large is divided; lists that have
//! become small are put together. All of it is one operation, [`Regroup`]: the rows of some lists, or the rows without one,
//! are grouped anew around centroids that k-means finds among them, in lists with numbers that were not used before.
//!
//! # Safety
//! Every row is in exactly one place at any time, on whatever change the machine may fail:
//!
//! 1. The new centroids are added. Their lists are empty, and new rows begin to go there.
//! 2. The old lists are marked as closing: no further rows go there. The first page counts that lists were closed.
//! 3. Row by row, the old lists are emptied: a row leaves its page and enters another in one change of the two.
//! 4. An old list without rows is forgotten, under locks on its centroid and on its last leaf ([`crate::route`] says why).
//!
//! If it ends early, the next vacuum goes on where it stands.
//!
//! Rows move to the right only, to lists with greater numbers. So whoever reads all of a namespace from left to right meets
//! every row; and whoever reads single lists ([`crate::scan`]) reads those that are closing first, and looks afterwards
//! whether others were closed meanwhile. One table is vacuumed once at a time, so nobody else moves rows or frees pages.

use std::collections::{BTreeMap, HashSet};

use kernels::Kernels;

use crate::code::Metric;
use crate::fault::Result;
use crate::insert::{insert, last_leaf, make_room};
use crate::key::{CENTROIDS, CLOSING, FIRST_LIST, Key, LAST_LIST, PLAIN, Space, list_of};
use crate::lists::{Centroids, ROUNDS, SAMPLES_PER_LIST, Training, list_count, rows_wanted};
use crate::page::{
    self, Entry, Leaf, META, Node, ROOT, as_codes, entry_len, leaf_capacity, next_generation, node, push, remove,
    set_id, set_row,
};
use crate::pages::{Guard, Pages};
use crate::route::{centroid_on, walk_centroids};
use crate::sample::Sample;
use crate::tree::{find, walk};
use crate::vacuum::{Sweep, shrink};

/// Rows of a sample at least, if there are so many.
const LEAST_SAMPLE: usize = 4096;
/// A list with less than this part of the rows that it should have is put together with others.
const SMALL: usize = 4;

/// What the caller sets.
pub struct Settings<'a> {
    /// Kernels.
    pub kernels: &'static Kernels,
    /// The index's metric.
    pub metric: Metric,
    /// Rows from which a namespace gets lists.
    pub lists_from: usize,
    /// Memory for a sample.
    pub sample_bytes: usize,
    /// Does a round of k-means, on threads of the caller's choice.
    pub round: &'a dyn Fn(&mut Training),
}

/// What was done.
#[derive(Debug, Default)]
pub struct Reshaped {
    /// Lists that were made.
    pub made: usize,
    /// Lists that were given up.
    pub given_up: usize,
    /// Rows that were moved to another list.
    pub moved: u64,
    /// Leaves that have lost rows.
    emptied: HashSet<u32>,
}

/// Leaves that have lost rows are given back when there are so many, so that the next lists can use them.
const GIVE_BACK: usize = 1024;

/// What the inner pages tell about a namespace: leaves by list.
type Leaves = BTreeMap<u16, usize>;

/// Looks for namespaces and lists that are out of shape, and puts them right. Of the namespaces that have lists, those that
/// have become so small that inner pages do not tell them are known to a sweep alone.
pub fn reshape<P: Pages>(pages: &P, settings: &Settings<'_>, swept: &HashSet<(u16, Space)>) -> Result<Reshaped> {
    let mut done = Reshaped::default();
    let mut namespaces = survey(pages)?;
    for &small in swept {
        namespaces.entry(small).or_default().entry(CENTROIDS).or_default();
    }
    for ((dim, space), leaves) in namespaces {
        let capacity = leaf_capacity(usize::from(dim), settings.metric.factors()).max(1);
        let work = Regroup { pages, settings, key: Key::new(dim, space, PLAIN), capacity };
        let listed = leaves.keys().any(|&list| (CENTROIDS..=LAST_LIST).contains(&list));
        let plain = leaves.get(&PLAIN).map_or(0, |leaves| leaves * capacity);
        if listed || plain >= settings.lists_from {
            work.tend(&leaves, &mut done)?;
        }
    }
    give_back(pages, &mut done)?;
    Ok(done)
}

fn give_back<P: Pages>(pages: &P, done: &mut Reshaped) -> Result<()> {
    if !done.emptied.is_empty() {
        shrink(pages, &mut Sweep::of_sparse(std::mem::take(&mut done.emptied)))?;
        pages.freed_all();
    }
    Ok(())
}

/// Leaves by namespace and list, as far as separators tell: those of a small list that shares its leaf are not seen.
fn survey<P: Pages>(pages: &P) -> Result<BTreeMap<(u16, Space), Leaves>> {
    let mut found: BTreeMap<(u16, Space), Leaves> = BTreeMap::new();
    let mut open = vec![(Key::MIN, ROOT)];
    while let Some((low, block)) = open.pop() {
        let here = pages.breathe_shared(pages.shared(block));
        let Node::Inner(inner) = node(here.page(), block)? else { continue };
        let mut children = inner.children();
        children[0].0 = low;
        if inner.level() > 1 {
            open.extend(children);
            continue;
        }
        for (key, _) in children.into_iter().filter(|&(key, _)| key.dim > 0) {
            *found.entry((key.dim, key.space())).or_default().entry(key.list()).or_default() += 1;
        }
    }
    Ok(found)
}

/// The centroids of a namespace.
struct Known {
    /// Numbers, in the order of `centroids`; those that are closing are apart.
    open: Vec<u16>,
    closing: Vec<u16>,
    centroids: Centroids,
}

impl Known {
    fn greatest(&self) -> u16 {
        self.open.iter().chain(&self.closing).copied().max().unwrap_or(FIRST_LIST - 1)
    }
}

/// A namespace at work.
struct Regroup<'a, P> {
    pages: &'a P,
    settings: &'a Settings<'a>,
    /// Its rows without a list.
    key: Key,
    /// Rows that a leaf holds.
    capacity: usize,
}

impl<P: Pages> Regroup<'_, P> {
    fn tend(&self, leaves: &Leaves, done: &mut Reshaped) -> Result<()> {
        let known = self.known(|_| true)?;
        if !known.closing.is_empty() {
            self.announce();
        }
        for &list in &known.closing {
            // Where a list was to be closed that nothing can follow, it goes on.
            if known.open.iter().any(|&open| open > list) {
                self.empty(list, done)?;
            } else {
                self.mark(list, 0)?;
            }
        }
        if known.open.is_empty() {
            return self.regroup(
                &[PLAIN],
                |rows| if rows < self.settings.lists_from { 0 } else { list_count(rows, self.capacity) },
                done,
            );
        }
        self.drain(PLAIN, done)?;
        let rows = |list: u16| leaves.get(&list).map_or(0, |leaves| leaves * self.capacity);
        let wanted = rows_wanted(known.open.iter().map(|&list| rows(list)).sum(), self.capacity);
        for &list in known.open.iter().filter(|&&list| rows(list) > 2 * wanted) {
            self.regroup(&[list], |rows| if rows <= 2 * wanted { 0 } else { (rows + wanted / 2) / wanted }, done)?;
        }
        let mut small = Vec::new();
        for &list in known.open.iter().filter(|&&list| rows(list).saturating_sub(self.capacity) < wanted / SMALL) {
            let mut count = 0;
            self.read(list, |_| count += 1)?;
            if count < wanted / SMALL {
                small.push(list);
            }
        }
        let enough = |rows: usize| rows.div_ceil(wanted).max(1);
        self.regroup(&small, |rows| if enough(rows) < small.len() { enough(rows) } else { 0 }, done)
    }

    fn listed(&self, list: u16) -> Key {
        Key::new(self.key.dim, self.key.space(), list)
    }

    /// The centroids whose number is `wanted`.
    fn known(&self, wanted: impl Fn(u16) -> bool) -> Result<Known> {
        let centroids = Centroids::new(self.settings.metric, usize::from(self.key.dim));
        let mut known = Known { open: Vec::new(), closing: Vec::new(), centroids };
        walk_centroids(self.pages, self.key, |leaf, places| {
            for &i in places {
                let list = list_of(leaf.row(i));
                if leaf.row(i) & CLOSING != 0 {
                    known.closing.push(list);
                } else if wanted(list) && !known.open.contains(&list) {
                    known.open.push(list);
                    leaf.entry(i, |entry| known.centroids.take(&entry));
                }
            }
        })?;
        Ok(known)
    }

    /// Groups the rows of some lists, or of none, anew: into as many lists as `wanted` says for their number, if any.
    fn regroup(&self, lists: &[u16], wanted: impl Fn(usize) -> usize, done: &mut Reshaped) -> Result<()> {
        let Settings { kernels, metric, .. } = *self.settings;
        let mut rows = 0;
        for &list in lists {
            self.read(list, |_| rows += 1)?;
        }
        let wanted = wanted(rows);
        let greatest = self.known(|_| true)?.greatest();
        // Numbers are not given twice. Whoever has used them up has to build the index again.
        if wanted == 0 || usize::from(LAST_LIST - greatest) <= wanted {
            return Ok(());
        }
        let fits = Sample::fitting(self.settings.sample_bytes, self.key.dim);
        let mut sample = Sample::new((wanted * SAMPLES_PER_LIST).max(LEAST_SAMPLE).min(fits).max(wanted));
        for &list in lists {
            self.read(list, |entry| sample.offer(entry))?;
        }
        let Sample { codes, scales, .. } = sample;
        let dim = usize::from(self.key.dim);
        let mut training = Training::new(kernels, metric, dim, codes, scales, wanted);
        for _ in 0..ROUNDS {
            drop(self.pages.breathe_shared(self.pages.shared(ROOT)));
            (self.settings.round)(&mut training);
        }
        let mut added = Ok(());
        let centroids = training.finish();
        centroids.entries(kernels, self.key, greatest + 1, |entry| {
            if added.is_ok() {
                added = insert(self.pages, entry);
            }
        })?;
        added?;
        done.made += centroids.len();
        // Without any rows there are no new centroids; the last of the old ones remains.
        let keep = if centroids.is_empty() { lists.iter().copied().max() } else { None };
        for &list in lists.iter().filter(|&&list| list != PLAIN && Some(list) != keep) {
            self.mark(list, CLOSING)?;
        }
        self.announce();
        for &list in lists.iter().filter(|&&list| Some(list) != keep) {
            if list == PLAIN { self.drain(PLAIN, done)? } else { self.empty(list, done)? }
        }
        if done.emptied.len() >= GIVE_BACK {
            give_back(self.pages, done)?;
        }
        Ok(())
    }

    /// Hands the rows of a list to `take`.
    fn read(&self, list: u16, mut take: impl FnMut(&Entry<'_>)) -> Result<()> {
        let key = self.listed(list);
        walk(self.pages, key, key, |leaf| {
            for i in (0..leaf.len()).filter(|&i| leaf.key(i) == key) {
                leaf.entry(i, |entry| take(&entry));
            }
            Ok(())
        })
    }

    /// Empties a list that is closing, and forgets it.
    fn empty(&self, list: u16, done: &mut Reshaped) -> Result<()> {
        loop {
            self.drain(list, done)?;
            if self.forget(list)? {
                done.given_up += 1;
                return Ok(());
            }
        }
    }

    /// Moves the rows of a list, or those without one, to the nearest lists with greater numbers.
    fn drain(&self, list: u16, done: &mut Reshaped) -> Result<()> {
        let source = self.listed(list);
        let targets = self.known(|number| number > list)?;
        let mut block = find(self.pages, source)?.block();
        loop {
            let moving = Moving::from(&page::leaf(self.pages.shared(block).page(), block)?, source);
            if !moving.rows.is_empty() {
                done.emptied.insert(block);
                done.moved += moving.rows.len() as u64;
                self.send(&moving, source, block, &targets)?;
            }
            // Only now the next leaf: rows may have gone there from this one by a split.
            let here = self.pages.breathe_shared(self.pages.shared(block));
            let leaf = page::leaf(here.page(), block)?;
            if leaf.right() == page::NONE || leaf.high() > source {
                return Ok(());
            }
            block = leaf.right();
        }
    }

    /// Sends rows from a leaf to their lists.
    fn send(&self, moving: &Moving, source: Key, block: u32, targets: &Known) -> Result<()> {
        let dim = usize::from(self.key.dim);
        let mut sums = Vec::new();
        let mut groups: BTreeMap<u16, HashSet<u64>> = BTreeMap::new();
        for (i, &row) in moving.rows.iter().enumerate() {
            let codes = &moving.codes[i * dim..][..dim];
            let nearest = targets.centroids.nearest(self.settings.kernels, codes, moving.scales[i], &mut sums);
            groups.entry(targets.open[nearest]).or_default().insert(row);
        }
        for (list, mut rows) in groups {
            let target = self.listed(list);
            while !rows.is_empty() {
                let to = last_leaf(self.pages, target)?.block();
                match transfer(self.pages, (source, block), (target, to), &rows)? {
                    Transfer::Full => make_room(self.pages, target, self.settings.metric.factors())?,
                    Transfer::Moved(moved) if moved.is_empty() => break,
                    Transfer::Moved(moved) => rows.retain(|row| !moved.contains(row)),
                }
            }
        }
        Ok(())
    }

    /// Tells searches that lists are closing, before the first row moves.
    fn announce(&self) {
        let mut meta = self.pages.exclusive(META);
        self.pages.change([&mut meta], |[page]| next_generation(page));
    }

    /// Marks a list as closing, or not.
    fn mark(&self, list: u16, closing: u64) -> Result<()> {
        while let Some(block) = self.page_of(list)? {
            let mut here = self.pages.exclusive(block);
            if let Some(place) = centroid_on(&page::leaf(here.page(), block)?, self.key, list) {
                self.pages.change([&mut here], |[page]| set_row(page, place, closing | u64::from(list)));
                break;
            }
        }
        Ok(())
    }

    /// The page with the centroid of a list.
    fn page_of(&self, list: u16) -> Result<Option<u32>> {
        let mut found = None;
        walk_centroids(self.pages, self.key, |leaf, _| {
            if centroid_on(leaf, self.key, list).is_some() {
                found = Some(leaf.block());
            }
        })?;
        Ok(found)
    }

    /// Removes the centroid of a list that has no rows, and says whether it had none.
    fn forget(&self, list: u16) -> Result<bool> {
        let key = self.listed(list);
        let Some(block) = self.page_of(list)? else { return Ok(true) };
        let last = last_leaf(self.pages, key)?.block();
        // All leaves but the last were emptied, and get no further rows.
        let has_rows = |leaf: &Leaf<'_>| (0..leaf.len()).any(|i| leaf.key(i) == key) || leaf.high() <= key;
        let mut here = self.pages.exclusive(block);
        let last = if last == block { None } else { Some(self.pages.exclusive(last)) };
        let leaf = page::leaf(here.page(), block)?;
        let busy = match &last {
            Some(last) => has_rows(&page::leaf(last.page(), last.block())?),
            None => has_rows(&leaf),
        };
        let place = centroid_on(&leaf, self.key, list);
        if busy {
            return Ok(false);
        }
        let Some(place) = place else { return Ok(false) };
        self.pages.change([&mut here], |[page]| remove(page, &[place]));
        Ok(true)
    }
}

/// The rows of a list on one leaf.
#[derive(Default)]
struct Moving {
    rows: Vec<u64>,
    codes: Vec<i8>,
    scales: Vec<f32>,
}

impl Moving {
    fn from(leaf: &Leaf<'_>, source: Key) -> Self {
        let mut moving = Self::default();
        for i in (0..leaf.len()).filter(|&i| leaf.key(i) == source) {
            leaf.entry(i, |entry| {
                moving.rows.push(entry.row);
                moving.codes.extend(as_codes(entry.code));
                moving.scales.push(entry.factors[crate::lists::SCALE]);
            });
        }
        moving
    }
}

enum Transfer {
    /// These rows are at their place.
    Moved(HashSet<u64>),
    /// The other page has no room.
    Full,
}

/// Moves rows to another list, from leaf to leaf, as many as fit. The leaf of the list with the greater number is the same or
/// further to the right, so the order of locks is kept.
fn transfer<P: Pages>(
    pages: &P,
    (source, from): (Key, u32),
    (target, to): (Key, u32),
    rows: &HashSet<u64>,
) -> Result<Transfer> {
    let mut here = pages.exclusive(from);
    let leaf = page::leaf(here.page(), from)?;
    let mut places: Vec<usize> =
        (0..leaf.len()).filter(|&i| leaf.key(i) == source && rows.contains(&leaf.row(i))).collect();
    if places.is_empty() {
        return Ok(Transfer::Moved(HashSet::new()));
    }
    if from == to {
        if leaf.high() < target {
            return Ok(Transfer::Moved(HashSet::new()));
        }
        let moved = places.iter().map(|&i| leaf.row(i)).collect();
        pages.change([&mut here], |[page]| places.iter().for_each(|&i| set_id(page, i, target.id)));
        return Ok(Transfer::Moved(moved));
    }
    let mut there = pages.exclusive(to);
    let other = page::leaf(there.page(), to)?;
    if other.high() < target {
        // It was split meanwhile: there is a later one.
        return Ok(Transfer::Full);
    }
    if !other.takes(source.dim, leaf.factor_count()) {
        return Ok(Transfer::Full);
    }
    places.truncate(other.room() / entry_len(usize::from(source.dim), leaf.factor_count()));
    let moved = places.iter().map(|&i| leaf.row(i)).collect();
    pages.change([&mut here, &mut there], |[from, to]| {
        let old = *from;
        if let Ok(leaf) = page::leaf(&old, page::NONE) {
            for &i in &places {
                leaf.entry(i, |entry| push(to, Entry { id: target.id, ..entry }));
            }
            remove(from, &places);
        }
    });
    Ok(Transfer::Moved(moved))
}
