//! Pages in plain memory, under real locks.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::page::{PAGE, Page, ROOT, is_unused};
use crate::pages::{Guard, Pages};

pub struct Store {
    pages: Vec<RwLock<Box<Page>>>,
    next: AtomicU32,
    free: Mutex<Vec<u32>>,
    structure: Mutex<()>,
    /// Changes that are possible before the machine fails.
    left: AtomicU32,
}

impl Store {
    pub fn new(pages: usize) -> Self {
        // There, tests have few rows.
        let pages = if cfg!(miri) { pages.min(400) } else { pages };
        Self {
            pages: (0..pages).map(|_| RwLock::new(Box::new([0; PAGE]))).collect(),
            next: AtomicU32::new(ROOT + 1),
            free: Mutex::default(),
            structure: Mutex::default(),
            left: AtomicU32::new(u32::MAX),
        }
    }

    /// Makes the machine fail after so many changes.
    pub fn fail_after(&self, changes: u32) {
        self.left.store(changes, Ordering::Relaxed);
    }

    /// Starts it again: locks are forgotten, and so are pages that were about to be used.
    pub fn recover(&self) {
        self.fail_after(u32::MAX);
        self.structure.clear_poison();
        self.free.clear_poison();
        self.pages.iter().for_each(RwLock::clear_poison);
    }

    /// Pages that were ever used.
    pub fn len(&self) -> u32 {
        self.next.load(Ordering::Relaxed)
    }

    pub fn free_pages(&self) -> usize {
        self.free.lock().unwrap().len()
    }

    pub fn write(&self, block: u32, page: &Page) {
        **self.pages[block as usize].write().unwrap() = *page;
        self.next.fetch_max(block + 1, Ordering::Relaxed);
    }
}

pub struct Shared<'a>(u32, RwLockReadGuard<'a, Box<Page>>);
pub struct Exclusive<'a>(u32, RwLockWriteGuard<'a, Box<Page>>);

impl Guard for Shared<'_> {
    fn page(&self) -> &Page {
        &self.1
    }
    fn block(&self) -> u32 {
        self.0
    }
}

impl Guard for Exclusive<'_> {
    fn page(&self) -> &Page {
        &self.1
    }
    fn block(&self) -> u32 {
        self.0
    }
}

impl Pages for Store {
    type Shared<'a> = Shared<'a>;
    type Exclusive<'a> = Exclusive<'a>;
    type Structure<'a> = MutexGuard<'a, ()>;

    fn shared(&self, block: u32) -> Shared<'_> {
        Shared(block, self.pages[block as usize].read().unwrap())
    }

    fn exclusive(&self, block: u32) -> Exclusive<'_> {
        Exclusive(block, self.pages[block as usize].write().unwrap())
    }

    fn fresh(&self) -> Exclusive<'_> {
        let freed = self.free.lock().unwrap().pop();
        let block = freed.unwrap_or_else(|| self.next.fetch_add(1, Ordering::Relaxed));
        let page = self.exclusive(block);
        assert!(is_unused(page.page()), "page {block} is in use");
        page
    }

    fn change<const N: usize>(&self, pages: [&mut Exclusive<'_>; N], edit: impl FnOnce([&mut Page; N])) {
        if self.left.load(Ordering::Relaxed) < u32::MAX {
            assert!(self.left.fetch_sub(1, Ordering::Relaxed) > 0, "the machine fails");
        }
        edit(pages.map(|page| &mut **page.1));
    }

    fn freed(&self, block: u32) {
        self.free.lock().unwrap().push(block);
    }

    fn structure(&self) -> MutexGuard<'_, ()> {
        self.structure.lock().unwrap()
    }

    fn breathe_shared<'a>(&'a self, page: Shared<'a>) -> Shared<'a> {
        let block = page.0;
        drop(page);
        self.shared(block)
    }

    fn breathe_exclusive<'a>(&'a self, page: Exclusive<'a>) -> Exclusive<'a> {
        let block = page.0;
        drop(page);
        self.exclusive(block)
    }
}
