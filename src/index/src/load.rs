//! Building an index from entries in the order of their keys: leaves first, from left to right on consecutive pages, then
//! the inner pages above them, and the root last.

use crate::fault::Result;
use crate::key::Key;
use crate::page::{
    Entry, MAX_CHILDREN, NONE, PAGE, Page, ROOT, entry_len, init_inner, init_leaf, leaf, push, set_neighbour,
};

/// Where the finished pages go: numbers after the root's ascend one by one, the root itself comes last.
pub trait Sink {
    /// Takes a page.
    fn write(&mut self, block: u32, page: &Page);
}

/// Fills pages.
pub struct Loader<S> {
    sink: S,
    factors: usize,
    /// Per cent of a leaf that are filled.
    fill: usize,
    page: Box<Page>,
    block: u32,
    first: Key,
    leaves: Vec<(Key, u32)>,
}

impl<S: Sink> Loader<S> {
    /// Starts with an empty leaf.
    pub fn new(sink: S, factors: usize, fill: usize) -> Self {
        let mut page = Box::new([0; PAGE]);
        init_leaf(&mut page, 0, factors, NONE, Key::MAX);
        Self { sink, factors, fill, page, block: ROOT + 1, first: Key::MIN, leaves: Vec::new() }
    }

    /// Adds an entry whose key is not below the last one's.
    pub fn add(&mut self, entry: Entry<'_>) -> Result<()> {
        let key = Key { dim: entry.code.len() as u16, id: entry.id };
        let page = leaf(&self.page, self.block)?;
        let total = page.used() + page.room();
        let full = page.used() + entry_len(entry.code.len(), self.factors) > total * self.fill / 100;
        if !page.is_empty() && (full || !page.takes(key.dim, self.factors)) {
            self.flush(self.block + 1, key);
            self.block += 1;
            self.first = key;
            self.page.fill(0);
            init_leaf(&mut self.page, key.dim, self.factors, NONE, Key::MAX);
        }
        push(&mut self.page, entry);
        Ok(())
    }

    fn flush(&mut self, right: u32, high: Key) {
        set_neighbour(&mut self.page, right, high);
        self.sink.write(self.block, &self.page);
        self.leaves.push((self.first, self.block));
    }

    /// Writes what is left, and gives the place of the pages back.
    pub fn finish(mut self) -> S {
        if self.leaves.is_empty() {
            self.sink.write(ROOT, &self.page);
            return self.sink;
        }
        self.flush(NONE, Key::MAX);
        let mut next = self.block + 1;
        let mut children = std::mem::take(&mut self.leaves);
        let mut level = 1;
        while children.len() > MAX_CHILDREN {
            let parts = children.len().div_ceil(MAX_CHILDREN * 9 / 10);
            let each = children.len().div_ceil(parts);
            let mut parents = Vec::with_capacity(parts);
            for part in children.chunks(each) {
                self.write_inner(next, level, part);
                parents.push((part[0].0, next));
                next += 1;
            }
            children = parents;
            level += 1;
        }
        self.write_inner(ROOT, level, &children);
        self.sink
    }

    fn write_inner(&mut self, block: u32, level: u8, children: &[(Key, u32)]) {
        self.page.fill(0);
        init_inner(&mut self.page, level, children);
        self.sink.write(block, &self.page);
    }
}
