//! Looks at every page: whether they fit together, and what they add up to.
//!
//! Nobody may change the index meanwhile.

use std::collections::HashSet;

use crate::fault::{Fault, Result};
use crate::key::{CENTROIDS, FIRST_LIST, Key, LAST_LIST, Space, list_of};
use crate::page::{Leaf, NONE, Node, ROOT, node};
use crate::pages::{Guard, Pages};
use crate::tree::MAX_DEPTH;

/// What a whole index adds up to.
#[derive(Debug, Default)]
pub struct Census {
    /// Every page that is in use, but for the first.
    pub blocks: HashSet<u32>,
    /// Leaves.
    pub leaves: u64,
    /// Inner pages, the root among them if it is one.
    pub inner: u64,
    /// Levels.
    pub height: u64,
    /// Rows.
    pub rows: u64,
    /// Namespaces, counted once for each dimension.
    pub namespaces: u64,
    /// Rows of the largest one.
    pub largest: u64,
    /// Lists.
    pub lists: u64,
    /// Bytes of leaves that entries take.
    pub used: u64,
    counted: Option<(u16, Space)>,
    current: u64,
    /// Lists of the namespace that is being counted.
    centroids: HashSet<u16>,
    next: Option<u32>,
}

/// Counts and checks everything; every entry is handed to `entry` as leaf and place.
pub fn census<P: Pages>(pages: &P, mut entry: impl FnMut(&Leaf<'_>, usize)) -> Result<Census> {
    let mut census = Census::default();
    census.visit(pages, ROOT, None, (Key::MIN, Key::MAX), &mut entry)?;
    match census.next {
        Some(NONE) => Ok(census),
        _ => Err(Fault::Inconsistent { block: ROOT, what: "the last leaf has a right neighbour" }),
    }
}

impl Census {
    fn visit<P: Pages>(
        &mut self,
        pages: &P,
        block: u32,
        level: Option<u8>,
        (low, high): (Key, Key),
        entry: &mut impl FnMut(&Leaf<'_>, usize),
    ) -> Result<()> {
        let wrong = |what| Err(Fault::Inconsistent { block, what });
        if !self.blocks.insert(block) {
            return wrong("the page has two parents");
        }
        let here = pages.shared(block);
        match node(here.page(), block)? {
            Node::Leaf(leaf) => {
                if level.is_some_and(|level| level != 1) {
                    return wrong("a leaf is not at the lowest level");
                }
                self.height = self.height.max(1);
                self.leaf(block, &leaf, (low, high), entry)
            }
            Node::Inner(inner) => {
                if level.is_some_and(|level| level != inner.level() + 1) || usize::from(inner.level()) > MAX_DEPTH {
                    return wrong("a page is not one level below its parent");
                }
                self.inner += 1;
                self.height = self.height.max(u64::from(inner.level()) + 1);
                let (level, mut children) = (inner.level(), inner.children());
                drop(here);
                children[0].0 = low;
                let ends: Vec<Key> = children[1..].iter().map(|&(key, _)| key).chain([high]).collect();
                for (&(key, child), &end) in children.iter().zip(&ends) {
                    if key < low || key > end || end > high {
                        return wrong("its children are out of order");
                    }
                    self.visit(pages, child, Some(level), (key, end), entry)?;
                }
                Ok(())
            }
        }
    }

    fn leaf(
        &mut self,
        block: u32,
        leaf: &Leaf<'_>,
        (low, high): (Key, Key),
        entry: &mut impl FnMut(&Leaf<'_>, usize),
    ) -> Result<()> {
        let wrong = |what| Err(Fault::Inconsistent { block, what });
        if self.next.is_some_and(|next| next != block) {
            return wrong("its left neighbour points elsewhere");
        }
        if leaf.high() != high {
            return wrong("its upper limit is not that of its parent");
        }
        self.next = Some(leaf.right());
        self.leaves += 1;
        self.used += leaf.used() as u64;
        let mut keys = Vec::with_capacity(leaf.len());
        for i in 0..leaf.len() {
            let key = leaf.key(i);
            if key < low || key > high {
                return wrong("it holds an entry that belongs elsewhere");
            }
            for which in 0..leaf.factor_count() {
                if leaf.factor(i, which).is_nan() || leaf.factor(i, which) < 0.0 {
                    return wrong("an entry's factors are impossible");
                }
            }
            keys.push((key, leaf.row(i)));
            entry(leaf, i);
        }
        keys.sort_unstable();
        for (key, row) in keys {
            if !self.count(key, row) {
                return wrong("it holds a row of a list that has no centroid");
            }
        }
        Ok(())
    }

    /// Counts an entry, and says whether its list is known. Keys come in ascending order, centroids before lists.
    fn count(&mut self, key: Key, row: u64) -> bool {
        if self.counted != Some((key.dim, key.space())) {
            self.counted = Some((key.dim, key.space()));
            self.current = 0;
            self.centroids.clear();
        }
        if key.list() == CENTROIDS {
            self.lists += 1;
            return self.centroids.insert(list_of(row));
        }
        self.rows += 1;
        self.current += 1;
        self.namespaces += u64::from(self.current == 1);
        self.largest = self.largest.max(self.current);
        !(FIRST_LIST..=LAST_LIST).contains(&key.list()) || self.centroids.contains(&key.list())
    }
}
