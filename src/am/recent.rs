//! Where pages were seen last: a slot for each, by the relation and the number of its block.

use pgrx::pg_sys;

/// What is remembered of pages, in so many slots; neighbouring blocks of a relation have neighbouring ones. Pages of two relations
/// may have one slot, and a buffer may be of another page by now: whoever follows what is remembered finds out.
pub struct Recent<T, const SLOTS: usize>(Vec<T>);

impl<T: Copy + Default, const SLOTS: usize> Recent<T, SLOTS> {
    /// Remembers nothing, and takes no room yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// What was remembered of a page, or nothing.
    ///
    /// # Safety
    /// `relation` is open.
    #[inline]
    pub unsafe fn get(&self, relation: pg_sys::Relation, block: u32) -> T {
        // SAFETY: as above.
        self.0.get(unsafe { Self::slot(relation, block) }).copied().unwrap_or_default()
    }

    /// Remembers a page.
    ///
    /// # Safety
    /// `relation` is open.
    #[inline]
    pub unsafe fn put(&mut self, relation: pg_sys::Relation, block: u32, seen: T) {
        if self.0.is_empty() {
            self.0.resize(SLOTS, T::default());
        }
        // SAFETY: as above.
        self.0[unsafe { Self::slot(relation, block) }] = seen;
    }

    /// # Safety
    /// `relation` is open.
    #[inline]
    unsafe fn slot(relation: pg_sys::Relation, block: u32) -> usize {
        // SAFETY: as above.
        let relation = unsafe { (*relation).rd_id.to_u32() };
        relation.wrapping_mul(0x9E37_79B1).wrapping_add(block) as usize % SLOTS
    }
}
