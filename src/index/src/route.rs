//! Where a new row goes: to the list of the nearest centroid, if its namespace has lists.
//!
//! Between the choice of a list and the insertion the list may be given up. Whoever gives one up removes its centroid when
//! it holds no row, under locks on both; whoever adds a row looks for the centroid again afterwards, and takes the row
//! away again where there is none. So no row stays in a list that searches do not know.

use kernels::Kernels;

use crate::code::Metric;
use crate::fault::Result;
use crate::insert::insert;
use crate::key::{CENTROIDS, CLOSING, Key, PLAIN, list_of};
use crate::lists::{SCALE, remoteness, square};
use crate::page::{self, Entry, Leaf, Node, as_codes, node, remove};
use crate::pages::{Guard, Pages};
use crate::tree::walk;

/// A list, and the page where its centroid was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// The list.
    pub list: u16,
    block: u32,
}

/// Adds a row: `entry` has the id of its namespace without lists, or of rows that no list takes.
pub fn add<P: Pages>(pages: &P, kernels: &Kernels, metric: Metric, entry: Entry<'_>) -> Result<()> {
    let key = Key { dim: entry.code.len() as u16, id: entry.id };
    if key.list() != PLAIN {
        return insert(pages, entry);
    }
    loop {
        let choice = choose(pages, kernels, metric, key, as_codes(entry.code), entry.factors[SCALE])?;
        let Some(choice) = choice else { return insert(pages, entry) };
        let listed = Key::new(key.dim, key.space(), choice.list);
        insert(pages, Entry { id: listed.id, ..entry })?;
        if is_there(pages, key, choice)? || !take_away(pages, listed, entry.row)? {
            return Ok(());
        }
    }
}

/// The list for a row with these codes and scale, or none if its namespace has no lists.
pub fn choose<P: Pages>(
    pages: &P,
    kernels: &Kernels,
    metric: Metric,
    key: Key,
    codes: &[i8],
    scale: f32,
) -> Result<Option<Choice>> {
    let mut best: Option<(f32, Choice)> = None;
    let mut sums = Vec::new();
    walk_centroids(pages, key, |leaf, centroids| {
        sums.resize(leaf.len(), 0);
        kernels.dot_i8_many(codes, leaf.codes(), &mut sums);
        for &i in centroids.iter().filter(|&&i| leaf.row(i) & CLOSING == 0) {
            let square = leaf.entry(i, |entry| square(metric, entry.factors));
            let far = remoteness(metric, sums[i], scale, leaf.factor(i, SCALE), square);
            if best.is_none_or(|(least, _)| far < least) {
                best = Some((far, Choice { list: list_of(leaf.row(i)), block: leaf.block() }));
            }
        }
    })?;
    Ok(best.map(|(_, choice)| choice))
}

/// Hands the leaves with centroids of the namespace of `key` to `visit`, with the places of the centroids.
pub(crate) fn walk_centroids<P: Pages>(pages: &P, key: Key, mut visit: impl FnMut(&Leaf<'_>, &[usize])) -> Result<()> {
    let wanted = Key::new(key.dim, key.space(), CENTROIDS);
    let mut places = Vec::new();
    walk(pages, wanted, wanted, |leaf: &Leaf<'_>| {
        if leaf.dim() == key.dim {
            places.clear();
            places.extend((0..leaf.len()).filter(|&i| leaf.id(i) == wanted.id));
            if !places.is_empty() {
                visit(leaf, &places);
            }
        }
        Ok(())
    })
}

/// Where on a leaf the centroid of a list of the namespace of `key` is.
pub(crate) fn centroid_on(leaf: &Leaf<'_>, key: Key, list: u16) -> Option<usize> {
    let wanted = Key::new(key.dim, key.space(), CENTROIDS);
    (0..leaf.len()).find(|&i| leaf.key(i) == wanted && list_of(leaf.row(i)) == list)
}

/// Whether the centroid of a list is still there. Mostly it is where it was.
fn is_there<P: Pages>(pages: &P, key: Key, choice: Choice) -> Result<bool> {
    let here = pages.shared(choice.block);
    // Whatever the page has become meanwhile: if the centroid lies on it, it is part of the index.
    if let Ok(Node::Leaf(leaf)) = node(here.page(), choice.block)
        && centroid_on(&leaf, key, choice.list).is_some()
    {
        return Ok(true);
    }
    drop(here);
    let mut found = false;
    walk_centroids(pages, key, |leaf, _| found |= centroid_on(leaf, key, choice.list).is_some())?;
    Ok(found)
}

/// Removes a row from a list, and says whether it was there: whoever gave the list up may have moved it already.
fn take_away<P: Pages>(pages: &P, listed: Key, row: u64) -> Result<bool> {
    loop {
        let mut block = None;
        walk(pages, listed, listed, |leaf| {
            if (0..leaf.len()).any(|i| leaf.key(i) == listed && leaf.row(i) == row) {
                block = Some(leaf.block());
            }
            Ok(())
        })?;
        let Some(block) = block else { return Ok(false) };
        let mut here = pages.exclusive(block);
        let leaf = page::leaf(here.page(), block)?;
        if let Some(place) = (0..leaf.len()).find(|&i| leaf.key(i) == listed && leaf.row(i) == row) {
            pages.change([&mut here], |[page]| remove(page, &[place]));
            return Ok(true);
        }
    }
}
