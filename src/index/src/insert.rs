//! Adding an entry.
//!
//! Mostly it fits the last leaf for its key, and one page changes. Otherwise the leaf is split, under the structure lock:
//! going down once more, every full inner page on the way is split before it is entered, so that there is always room for
//! one more child. Each split is one change of three pages: a reader sees all of it or nothing, and so does recovery.

use crate::fault::{Fault, Result};
use crate::key::Key;
use crate::page::{
    Entry, Inner, Leaf, MAX_CHILDREN, Node, Page, ROOT, entry_len, init_inner, init_leaf, node, push, set_neighbour,
};
use crate::pages::{Guard, Pages};
use crate::tree::MAX_DEPTH;

/// Adds an entry of a vector of `entry.code.len()` dimensions.
pub fn insert<P: Pages>(pages: &P, entry: Entry<'_>) -> Result<()> {
    let key = Key { dim: entry.code.len() as u16, id: entry.id };
    let mut leaf = last_leaf(pages, key)?;
    if takes(leaf.page(), leaf.block(), key, entry)? {
        pages.change([&mut leaf], |[page]| push(page, entry));
        return Ok(());
    }
    drop(leaf);
    let _alone = pages.structure();
    while !insert_splitting(pages, key, entry.factors.len(), Some(entry))? {}
    Ok(())
}

/// Makes the last leaf that can hold `key` one that has room for another entry of its kind.
pub(crate) fn make_room<P: Pages>(pages: &P, key: Key, factors: usize) -> Result<()> {
    let _alone = pages.structure();
    while !insert_splitting(pages, key, factors, None)? {}
    Ok(())
}

fn takes(page: &Page, block: u32, key: Key, entry: Entry<'_>) -> Result<bool> {
    Ok(crate::page::leaf(page, block)?.takes(key.dim, entry.factors.len()))
}

/// The last leaf that can hold `key`, locked for writing.
pub(crate) fn last_leaf<P: Pages>(pages: &P, key: Key) -> Result<P::Exclusive<'_>> {
    let mut here = pages.shared(ROOT);
    for _ in 0..MAX_DEPTH {
        match node(here.page(), here.block())? {
            Node::Leaf(_) => {
                // The root, still; it may get children before it is locked again.
                drop(here);
                let root = pages.exclusive(ROOT);
                if matches!(node(root.page(), ROOT)?, Node::Leaf(_)) {
                    return Ok(root);
                }
                drop(root);
                here = pages.shared(ROOT);
            }
            Node::Inner(inner) => {
                let child = inner.child(inner.last_for(key));
                if inner.level() == 1 {
                    return Ok(pages.exclusive(child));
                }
                here = pages.shared(child);
            }
        }
    }
    Err(Fault::Inconsistent { block: here.block(), what: "the tree is too deep" })
}

/// Goes down from the root and either adds the entry, or splits the first page in the way and says that it must be tried
/// again. Without an entry there is room in the end.
fn insert_splitting<P: Pages>(pages: &P, key: Key, factors: usize, entry: Option<Entry<'_>>) -> Result<bool> {
    let mut here = pages.exclusive(ROOT);
    match node(here.page(), ROOT)? {
        Node::Leaf(leaf) if leaf.takes(key.dim, factors) => {
            if let Some(entry) = entry {
                pages.change([&mut here], |[page]| push(page, entry));
            }
            return Ok(true);
        }
        Node::Leaf(leaf) => {
            let split = Split::new(&leaf, key, entry);
            let (mut left, mut right) = (pages.fresh(), pages.fresh());
            let blocks = [left.block(), right.block()];
            pages.change([&mut here, &mut left, &mut right], |[root, left, right]| {
                let old = *root;
                split.write(&old, left, right, blocks[1], entry);
                init_inner(root, 1, &[(Key::MIN, blocks[0]), (split.separator, blocks[1])]);
            });
            return Ok(entry.is_some());
        }
        Node::Inner(inner) if inner.count() == MAX_CHILDREN => {
            let (level, children) = (inner.level(), inner.children());
            let (low, high) = children.split_at(children.len() / 2);
            let (mut left, mut right) = (pages.fresh(), pages.fresh());
            let blocks = [left.block(), right.block()];
            pages.change([&mut here, &mut left, &mut right], |[root, left, right]| {
                init_inner(left, level, low);
                init_inner(right, level, high);
                init_inner(root, level + 1, &[(Key::MIN, blocks[0]), (high[0].0, blocks[1])]);
            });
            return Ok(false);
        }
        Node::Inner(_) => {}
    }
    for _ in 0..MAX_DEPTH {
        let Node::Inner(parent) = node(here.page(), here.block())? else { break };
        let at = parent.last_for(key);
        let mut child = pages.exclusive(parent.child(at));
        match node(child.page(), child.block())? {
            Node::Leaf(leaf) if leaf.takes(key.dim, factors) => {
                if let Some(entry) = entry {
                    pages.change([&mut child], |[page]| push(page, entry));
                }
                return Ok(true);
            }
            Node::Leaf(leaf) => {
                let split = Split::new(&leaf, key, entry);
                let mut fresh = pages.fresh();
                let block = fresh.block();
                let parent = with_child(&parent, at, (split.separator, block));
                pages.change([&mut here, &mut child, &mut fresh], |[page, left, right]| {
                    let old = *left;
                    split.write(&old, left, right, block, entry);
                    init_inner(page, 1, &parent);
                });
                return Ok(entry.is_some());
            }
            Node::Inner(inner) if inner.count() == MAX_CHILDREN => {
                let (level, children) = (inner.level(), inner.children());
                let (low, high) = children.split_at(children.len() / 2);
                let mut fresh = pages.fresh();
                let parent = with_child(&parent, at, (high[0].0, fresh.block()));
                pages.change([&mut here, &mut child, &mut fresh], |[page, left, right]| {
                    init_inner(left, level, low);
                    init_inner(right, level, high);
                    init_inner(page, level + 1, &parent);
                });
                return Ok(false);
            }
            Node::Inner(_) => here = child,
        }
    }
    Err(Fault::Inconsistent { block: here.block(), what: "the tree is too deep" })
}

/// The children of a page with one more, after the one at `at`.
fn with_child(inner: &Inner<'_>, at: usize, child: (Key, u32)) -> Vec<(Key, u32)> {
    let mut children = inner.children();
    children.insert(at + 1, child);
    children
}

/// How a full leaf and one more entry become two leaves: entries below the separator go left.
struct Split {
    separator: Key,
    /// Entries of the old leaf that stay, by place.
    left: Vec<usize>,
    /// Those that move.
    right: Vec<usize>,
    new_goes_right: bool,
}

impl Split {
    fn new(leaf: &Leaf<'_>, key: Key, entry: Option<Entry<'_>>) -> Self {
        let highest = (0..leaf.len()).map(|i| leaf.key(i)).max().unwrap_or(Key::MIN);
        let lowest = (0..leaf.len()).map(|i| leaf.key(i)).min().unwrap_or(Key::MAX);
        let all = || (0..leaf.len()).collect::<Vec<_>>();
        // Vectors of different lengths do not share a page, and a namespace that fills pages goes on in a new one.
        if key.dim > leaf.dim() || (lowest == highest && key >= highest) {
            return Self { separator: key, left: all(), right: Vec::new(), new_goes_right: true };
        }
        if key.dim < leaf.dim() || (lowest == highest && key < lowest) {
            return Self { separator: lowest, left: Vec::new(), right: all(), new_goes_right: false };
        }
        match entry {
            Some(entry) => Self::at_boundary(leaf, key, entry),
            None => Self::above(leaf, key),
        }
    }

    /// Cuts after a key, so that it is the last on its page.
    fn above(leaf: &Leaf<'_>, key: Key) -> Self {
        let (left, right): (Vec<usize>, Vec<usize>) = (0..leaf.len()).partition(|&i| leaf.key(i) <= key);
        let separator = right.iter().map(|&i| leaf.key(i)).min().unwrap_or(key);
        Self { separator, left, right, new_goes_right: false }
    }

    /// Cuts between two keys, as near to the middle as can be.
    fn at_boundary(leaf: &Leaf<'_>, key: Key, entry: Entry<'_>) -> Self {
        let length = entry_len(usize::from(leaf.dim()), entry.factors.len());
        let capacity = (leaf.used() + leaf.room()) / length;
        let mut order: Vec<(Key, usize)> = (0..leaf.len()).map(|i| (leaf.key(i), i)).collect();
        order.push((key, usize::MAX));
        order.sort_by_key(|&(key, _)| key);
        let middle = order.len() / 2;
        let cut = (1..order.len())
            .filter(|&i| order[i - 1].0 < order[i].0 && i <= capacity && order.len() - i <= capacity)
            .min_by_key(|&i| i.abs_diff(middle))
            .unwrap_or(middle);
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let mut new_goes_right = false;
        for (i, &(_, place)) in order.iter().enumerate() {
            match (place, i < cut) {
                (usize::MAX, before) => new_goes_right = !before,
                (_, true) => left.push(place),
                (_, false) => right.push(place),
            }
        }
        Self { separator: order[cut].0, left, right, new_goes_right }
    }

    fn write(&self, old: &Page, left: &mut Page, right: &mut Page, right_block: u32, entry: Option<Entry<'_>>) {
        let Ok(leaf) = crate::page::leaf(old, ROOT) else { return };
        init_leaf(right, leaf.dim(), leaf.factor_count(), leaf.right(), leaf.high());
        init_leaf(left, leaf.dim(), leaf.factor_count(), right_block, self.separator);
        for (places, page) in [(&self.left, &mut *left), (&self.right, &mut *right)] {
            for &place in places {
                leaf.entry(place, |entry| push(page, entry));
            }
        }
        if let Some(entry) = entry {
            push(if self.new_goes_right { right } else { left }, entry);
        }
    }
}

/// Makes the empty tree: a root that is a leaf.
pub fn plant(root: &mut Page, factors: usize) {
    init_leaf(root, 0, factors, crate::page::NONE, Key::MAX);
    set_neighbour(root, crate::page::NONE, Key::MAX);
}
