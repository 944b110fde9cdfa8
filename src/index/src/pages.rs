//! What the index needs of a place to keep its pages in. The extension implements it over shared buffers and the
//! write-ahead log, the tests over plain memory.

use crate::ahead::Ahead;
use crate::page::Page;

/// A page under a lock, which goes with the guard.
pub trait Guard {
    /// The page.
    fn page(&self) -> &Page;
    /// Its number.
    fn block(&self) -> u32;
}

/// Pages with locks, changed atomically.
///
/// # The order of locks
/// A page is locked after its parent and after its left neighbour; the structure lock comes before all pages. A fresh
/// page comes last: nobody else can reach it.
pub trait Pages {
    /// A page that others may read too.
    type Shared<'a>: Guard
    where
        Self: 'a;
    /// A page that nobody else may read or write.
    type Exclusive<'a>: Guard
    where
        Self: 'a;
    /// Held while pages are linked or unlinked.
    type Structure<'a>
    where
        Self: 'a;

    /// Locks a page for reading.
    fn shared(&self, block: u32) -> Self::Shared<'_>;

    /// Locks a page for writing.
    fn exclusive(&self, block: u32) -> Self::Exclusive<'_>;

    /// Where a page that will be read soon probably is.
    fn expect(&self, _block: u32) -> Ahead {
        Ahead::unknown()
    }

    /// Tells which rows of the table will be looked at soon, the first one first.
    fn expect_rows(&self, _rows: &[u64]) {}

    /// A page that belongs to nothing, new or freed before.
    fn fresh(&self) -> Self::Exclusive<'_>;

    /// Changes pages, all or none of them, even if the machine fails meanwhile. They are given in the order of locks.
    fn change<const N: usize>(&self, pages: [&mut Self::Exclusive<'_>; N], edit: impl FnOnce([&mut Page; N]));

    /// Tells that a page belongs to nothing from now on.
    fn freed(&self, block: u32);

    /// Makes known everywhere what [`Pages::freed`] has told since.
    fn freed_all(&self) {}

    /// Excludes everybody else who would link or unlink pages.
    fn structure(&self) -> Self::Structure<'_>;

    /// Lets go of a page for a moment in which the operation may be cancelled.
    fn breathe_shared<'a>(&'a self, page: Self::Shared<'a>) -> Self::Shared<'a>;

    /// The same for a page that is being written.
    fn breathe_exclusive<'a>(&'a self, page: Self::Exclusive<'a>) -> Self::Exclusive<'a>;
}
