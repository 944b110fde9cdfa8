//! Finding the leaves of a range of keys.
//!
//! Entries lie in the leaves of a tree, in the order of their keys, but in any order within a leaf. Equal keys may fill
//! many leaves: the children of an inner page then have equal separators. A search starts at the first leaf that can hold
//! its first key and follows the leaves to the right; an insertion goes to the last leaf that can hold its key, so that a
//! namespace grows at its end and fills its pages.
//!
//! # Locks
//! Everybody goes down and to the right hand over hand: the next page is locked before the lock of the last one is given
//! up. So nobody ever follows a pointer to a page that was freed meanwhile, and freed pages can be used again at once.
//! Nobody keeps a lock, a pin or a position between two calls.

use crate::ahead::Ahead;
use crate::fault::{Fault, Result};
use crate::key::Key;
use crate::page::{self, Leaf, NONE, Node, ROOT, changes, node};
use crate::pages::{Guard, Pages};

/// How many leaves a walk reads before it lets go of its lock for a moment.
const STRIDE: usize = 4096;

/// Deeper than any tree: a path this long is a circle.
pub(crate) const MAX_DEPTH: usize = 16;

/// The first leaf that can hold `key`, locked for reading.
pub fn find<P: Pages>(pages: &P, key: Key) -> Result<P::Shared<'_>> {
    let mut here = pages.shared(ROOT);
    for _ in 0..MAX_DEPTH {
        let child = match node(here.page(), here.block())? {
            Node::Leaf(_) => return Ok(here),
            Node::Inner(inner) => {
                let child = inner.child(inner.first_for(key));
                if inner.level() == 1 {
                    pages.expect(child).ask();
                }
                child
            }
        };
        here = pages.shared(child);
    }
    Err(Fault::Inconsistent { block: here.block(), what: "the tree is too deep" })
}

/// Hands all leaves that can hold keys from `first` to `last` to `visit`. A leaf may be handed over again, or some of its
/// entries with another one, where pages were split or merged meanwhile; none is left out.
pub fn walk<P: Pages>(pages: &P, first: Key, last: Key, mut visit: impl FnMut(&Leaf<'_>) -> Result<()>) -> Result<()> {
    walk_ahead(pages, first, last, |leaf, ahead| {
        ahead.ask();
        visit(leaf)
    })
}

/// [`walk`] for who asks memory for the next leaf, given where it is, while at work on one.
pub(crate) fn walk_ahead<P: Pages>(
    pages: &P,
    first: Key,
    last: Key,
    mut visit: impl FnMut(&Leaf<'_>, Ahead) -> Result<()>,
) -> Result<()> {
    'again: loop {
        let mut here = find(pages, first)?;
        for turn in 1_usize.. {
            let leaf = page::leaf(here.page(), here.block())?;
            let right = leaf.right();
            let is_last = right == NONE || leaf.high() > last;
            visit(&leaf, if is_last { Ahead::unknown() } else { pages.expect(right) })?;
            if is_last {
                return Ok(());
            }
            if turn.is_multiple_of(STRIDE) {
                let before = changes(here.page());
                here = pages.breathe_shared(here);
                if changes(here.page()) != before {
                    continue 'again;
                }
            }
            here = pages.shared(right);
        }
    }
}

/// The least dimension from `least` up that any entry has.
pub fn next_dim<P: Pages>(pages: &P, least: u16) -> Result<Option<u16>> {
    let mut found = None;
    let mut here = find(pages, Key { dim: least, id: 0 })?;
    loop {
        let leaf = page::leaf(here.page(), here.block())?;
        if !leaf.is_empty() && leaf.dim() >= least {
            found = Some(leaf.dim());
        }
        let right = leaf.right();
        if found.is_some() || right == NONE {
            return Ok(found);
        }
        here = pages.shared(right);
    }
}
