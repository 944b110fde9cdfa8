//! Removing entries of dead rows, and giving back the pages that become empty or nearly so.
//!
//! The sweep visits all leaves from left to right, each locked for writing. Splits beside it move entries to the right, so
//! it meets every entry; nobody else moves entries to the left, since one table is vacuumed once at a time.
//!
//! Afterwards neighbours that fit one page together are merged, if they have the same parent: parent, left and right page
//! change at once. A first child is never removed, so no page loses its last child; inner pages are merged in the same
//! way, and a root with a single child takes its place.

use std::collections::HashSet;

use crate::fault::Result;
use crate::key::{CENTROIDS, Key, Space, list_of};
use crate::page::{
    self, Inner, Leaf, MAX_CHILDREN, NONE, Node, Page, ROOT, init_inner, init_leaf, node, push, remove, set_free,
};
use crate::pages::{Guard, Pages};
use crate::tree::find;

/// How many leaves are swept before the sweep lets go of its lock for a moment.
const STRIDE: usize = 16;

/// What a sweep has seen.
#[derive(Debug, Default)]
pub struct Sweep {
    /// Entries that remain, centroids not counted.
    pub kept: u64,
    /// Entries that were removed.
    pub removed: u64,
    /// Namespaces that have lists: dimension and space.
    pub listed: HashSet<(u16, Space)>,
    /// Every leaf.
    pub leaves: HashSet<u32>,
    /// Leaves that are less than half full.
    sparse: HashSet<u32>,
}

impl Sweep {
    /// What a sweep would have seen if these leaves had lost rows.
    pub(crate) fn of_sparse(sparse: HashSet<u32>) -> Self {
        Self { sparse, ..Self::default() }
    }
}

/// Removes the entries of the rows that are `dead`.
pub fn sweep<P: Pages>(pages: &P, mut dead: impl FnMut(u64) -> bool) -> Result<Sweep> {
    let mut sweep = Sweep::default();
    let mut here = first_leaf(pages)?;
    for turn in 1_usize.. {
        let leaf = page::leaf(here.page(), here.block())?;
        let mut places = Vec::new();
        for i in 0..leaf.len() {
            if list_of(leaf.id(i)) == CENTROIDS {
                sweep.listed.insert((leaf.dim(), leaf.key(i).space()));
                continue;
            }
            if dead(leaf.row(i)) { places.push(i) } else { sweep.kept += 1 }
        }
        if !places.is_empty() {
            sweep.removed += places.len() as u64;
            pages.change([&mut here], |[page]| remove(page, &places));
        }
        let leaf = page::leaf(here.page(), here.block())?;
        sweep.leaves.insert(here.block());
        if leaf.used() < leaf.room() {
            sweep.sparse.insert(here.block());
        }
        if turn.is_multiple_of(STRIDE) {
            here = pages.breathe_exclusive(here);
        }
        let right = page::leaf(here.page(), here.block())?.right();
        if right == NONE {
            break;
        }
        here = pages.exclusive(right);
    }
    Ok(sweep)
}

/// The first leaf, locked for writing.
fn first_leaf<P: Pages>(pages: &P) -> Result<P::Exclusive<'_>> {
    loop {
        let block = find(pages, Key::MIN)?.block();
        let here = pages.exclusive(block);
        // The root may have got children meanwhile; any other first leaf stays what it is.
        if matches!(node(here.page(), block)?, Node::Leaf(_)) {
            return Ok(here);
        }
    }
}

/// Merges pages that a sweep has left nearly empty, and returns how many were freed.
pub fn shrink<P: Pages>(pages: &P, sweep: &mut Sweep) -> Result<u64> {
    let mut freed = 0;
    loop {
        let mut parents_freed = 0;
        for level in 1..=height(pages)? {
            for parent in inner_pages(pages, level)? {
                let count = shrink_children(pages, parent, sweep)?;
                freed += count;
                parents_freed += if level > 1 { count } else { 0 };
            }
        }
        // Where parents were merged, their children have got neighbours.
        if parents_freed == 0 {
            break;
        }
    }
    while let Some(block) = lower_root(pages)? {
        sweep.leaves.remove(&block);
        freed += 1;
    }
    Ok(freed)
}

fn height<P: Pages>(pages: &P) -> Result<u8> {
    let root = pages.shared(ROOT);
    Ok(match node(root.page(), ROOT)? {
        Node::Leaf(_) => 0,
        Node::Inner(inner) => inner.level(),
    })
}

/// The inner pages of a level, in no particular order.
pub(crate) fn inner_pages<P: Pages>(pages: &P, level: u8) -> Result<Vec<u32>> {
    let (mut found, mut open) = (Vec::new(), vec![ROOT]);
    while let Some(block) = open.pop() {
        let here = pages.shared(block);
        if let Node::Inner(inner) = node(here.page(), block)? {
            if inner.level() == level {
                found.push(block);
            } else if inner.level() > level {
                open.extend(inner.children().into_iter().map(|(_, child)| child));
            }
        }
    }
    Ok(found)
}

/// Merges the children of an inner page where they fit.
fn shrink_children<P: Pages>(pages: &P, parent: u32, sweep: &mut Sweep) -> Result<u64> {
    let (leaves, mut children) = {
        let here = pages.shared(parent);
        match node(here.page(), parent)? {
            Node::Inner(inner) => (inner.level() == 1, inner.children()),
            Node::Leaf(_) => return Ok(0),
        }
    };
    let mut freed = 0;
    let mut at = 0;
    while at + 1 < children.len() {
        let (left, right) = (children[at].1, children[at + 1].1);
        let worth_a_look = !leaves || sweep.sparse.contains(&left) || sweep.sparse.contains(&right);
        if worth_a_look && merge(pages, parent, left, right)? {
            pages.freed(right);
            sweep.leaves.remove(&right);
            sweep.sparse.insert(left);
            children.remove(at + 1);
            freed += 1;
        } else {
            at += 1;
        }
    }
    Ok(freed)
}

/// Merges two neighbours if they are still neighbours, and fit.
fn merge<P: Pages>(pages: &P, parent: u32, left: u32, right: u32) -> Result<bool> {
    let _alone = pages.structure();
    let mut parent = pages.exclusive(parent);
    let Node::Inner(inner) = node(parent.page(), parent.block())? else { return Ok(false) };
    let level = inner.level();
    let mut children = inner.children();
    let Some(at) = children.iter().position(|&(_, child)| child == left) else { return Ok(false) };
    if children.get(at + 1).map(|&(_, child)| child) != Some(right) {
        return Ok(false);
    }
    let separator = children.remove(at + 1).0;
    let mut left = pages.exclusive(left);
    let mut right = pages.exclusive(right);
    let merged = match (node(left.page(), left.block())?, node(right.page(), right.block())?) {
        (Node::Leaf(a), Node::Leaf(b)) => merged_leaf(&a, &b),
        (Node::Inner(a), Node::Inner(b)) => merged_inner(&a, &b, separator),
        _ => None,
    };
    let Some(merged) = merged else { return Ok(false) };
    pages.change([&mut parent, &mut left, &mut right], |[parent, left, right]| {
        init_inner(parent, level, &children);
        merged.write(left);
        set_free(right);
    });
    Ok(true)
}

/// The contents of two pages that fit one.
enum Merged {
    Leaf(Box<[Page; 2]>),
    Inner(u8, Vec<(Key, u32)>),
}

fn merged_leaf(a: &Leaf<'_>, b: &Leaf<'_>) -> Option<Merged> {
    let alike = a.is_empty() || b.is_empty() || (a.dim() == b.dim() && a.factor_count() == b.factor_count());
    // A page that is filled to the brim would be split by the next insertion.
    (alike && (a.used() + b.used()) * 10 <= (a.used() + a.room()) * 9)
        .then(|| Merged::Leaf(Box::new([*a.page(), *b.page()])))
}

fn merged_inner(a: &Inner<'_>, b: &Inner<'_>, separator: Key) -> Option<Merged> {
    (a.count() + b.count() <= MAX_CHILDREN / 2).then(|| {
        let mut children = a.children();
        let first = children.len();
        children.extend(b.children());
        children[first].0 = separator;
        Merged::Inner(a.level(), children)
    })
}

impl Merged {
    fn write(self, left: &mut Page) {
        match self {
            Self::Inner(level, children) => init_inner(left, level, &children),
            Self::Leaf(old) => {
                let Ok([a, b]) = old
                    .each_ref()
                    .map(|page| page::leaf(page, NONE))
                    .into_iter()
                    .collect::<Result<Vec<_>>>()
                    .map(|leaves| [leaves[0], leaves[1]])
                else {
                    return;
                };
                let form = if a.is_empty() { &b } else { &a };
                init_leaf(left, form.dim(), form.factor_count(), b.right(), b.high());
                for leaf in [a, b] {
                    for i in 0..leaf.len() {
                        leaf.entry(i, |entry| push(left, entry));
                    }
                }
            }
        }
    }
}

/// Puts an only child in the place of the root, and returns the page that it had.
fn lower_root<P: Pages>(pages: &P) -> Result<Option<u32>> {
    let _alone = pages.structure();
    let mut root = pages.exclusive(ROOT);
    let only = match node(root.page(), ROOT)? {
        Node::Inner(inner) if inner.count() == 1 => inner.child(0),
        _ => return Ok(None),
    };
    let mut child = pages.exclusive(only);
    node(child.page(), only)?;
    pages.change([&mut root, &mut child], |[root, child]| {
        page::copy_body(child, root);
        set_free(child);
    });
    drop((root, child));
    pages.freed(only);
    Ok(Some(only))
}
