//! The pages of an index in shared buffers, changed under the write-ahead log. No other file touches a buffer.
//!
//! # Locks
//! A page is read under a shared and changed under an exclusive lock of its buffer. Whoever needs several pages takes
//! them from the root down and from left to right, and holds one until the next is locked (`index::tree`). Pages are
//! linked and unlinked, in splits and merges, under the structure lock: a page lock on the first page, which waits like
//! any other lock of PostgreSQL and is taken before all buffers. Ordinary searches and insertions do not need it.
//!
//! Since nobody keeps a pointer to a page without a lock on the page where it stands, a freed page is unreachable when its
//! locks are given up, and can be used again at once. A search keeps nothing between two calls: it has collected row ids,
//! and PostgreSQL compares the rows' visibility with a snapshot that is older than any row which may have taken their
//! place. That is why only MVCC snapshots are accepted.
//!
//! # Log
//! One change of pages is one generic record, whether it fills a leaf or splits a page under its parent. Replay locks
//! all pages of a record before it changes the first, in the order in which they were given here, which is the order
//! above: searches on a standby see all of a change or nothing, and wait for no one who waits for them. New pages are
//! logged as a whole. A build writes its pages without the log, and logs all of them at its end.
//!
//! # Reading again
//! Finding a buffer by its block, in a table that all backends share, takes as long as comparing the codes on a page. So a
//! backend remembers in which buffers it has seen blocks last, and asks there first. Which also tells where a page
//! probably is in memory before it is needed, so that it can be on its way from there meanwhile.
//!
//! # Errors
//! What PostgreSQL raises in here passes through as a panic of pgrx. Guards then leave their buffers alone: the abort of
//! the transaction releases locks and pins, after the error has reset what an orderly release relies on.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::thread::panicking;

use index::ahead::Ahead;
use index::load::Sink;
use index::page::{META, Meta, PAGE, Page, ROOT, init_meta, is_in_use, is_unused, read_meta};
use index::pages::{Guard, Pages};
use pgrx::pg_sys;

use super::direct;
use super::recent::Recent;
use super::rows::Rows;

const _: () = assert!(pg_sys::BLCKSZ as usize == PAGE);

const MAIN: pg_sys::ForkNumber::Type = pg_sys::ForkNumber::MAIN_FORKNUM;
const UNLOCK: i32 = pg_sys::BUFFER_LOCK_UNLOCK as i32;
const SHARE: i32 = pg_sys::BUFFER_LOCK_SHARE as i32;
const EXCLUSIVE: i32 = pg_sys::BUFFER_LOCK_EXCLUSIVE as i32;

/// The pages of an open index.
pub struct Store<'a> {
    relation: pg_sys::Relation,
    /// How a vacuum passes its buffers; null otherwise.
    strategy: pg_sys::BufferAccessStrategy,
    vacuum: bool,
    /// The rows of the table that a search leads to.
    rows: Option<&'a Rows<'a>>,
}

impl<'a> Store<'a> {
    /// The pages of an index, for searches and insertions.
    ///
    /// # Safety
    /// `relation` is an open index of this access method, and stays open as long as the result is used.
    pub unsafe fn new(relation: pg_sys::Relation) -> Self {
        Self { relation, strategy: std::ptr::null_mut(), vacuum: false, rows: None }
    }

    /// The pages of an index for a search that leads to these rows.
    ///
    /// # Safety
    /// As for [`Store::new`].
    pub unsafe fn for_search(relation: pg_sys::Relation, rows: &'a Rows<'a>) -> Self {
        // SAFETY: as above.
        Self { rows: Some(rows), ..unsafe { Self::new(relation) } }
    }

    /// The pages of an index for a vacuum, which rests when it is told to.
    ///
    /// # Safety
    /// As for [`Store::new`]; the strategy lives as long.
    pub unsafe fn for_vacuum(relation: pg_sys::Relation, strategy: pg_sys::BufferAccessStrategy) -> Self {
        // SAFETY: as above.
        Self { strategy, vacuum: true, ..unsafe { Self::new(relation) } }
    }

    fn pin(&self, block: u32, mode: pg_sys::ReadBufferMode::Type) -> pg_sys::Buffer {
        // SAFETY: the relation is open; a block that is not there is an error of PostgreSQL's.
        unsafe { pg_sys::ReadBufferExtended(self.relation, MAIN, block, mode, self.strategy) }
    }

    fn locked(&self, block: u32, mode: i32) -> Locked<'_> {
        let passing = !self.strategy.is_null();
        // SAFETY: the relation is open.
        let known = if passing { 0 } else { unsafe { Seen::known(self.relation, block) } };
        if known > 0 {
            // SAFETY: as above; the number was that of a buffer, and a buffer is locked if it is pinned.
            unsafe {
                let file = file_of(self.relation);
                let lock = || {
                    let found = direct::ReadRecentBuffer(file, MAIN, block, known);
                    if found {
                        direct::LockBuffer(known, mode);
                    }
                    found
                };
                if pg_sys::ffi::pg_guard_ffi_boundary(lock) {
                    count_hit(self.relation);
                    return Locked::new(known, block);
                }
            }
        }
        let buffer = self.pin(block, pg_sys::ReadBufferMode::RBM_NORMAL);
        if !passing {
            // SAFETY: the relation is open.
            SEEN.with_borrow_mut(|seen| unsafe { seen.buffers.put(self.relation, block, buffer) });
        }
        // SAFETY: the buffer is pinned.
        unsafe { pg_sys::LockBuffer(buffer, mode) };
        Locked::new(buffer, block)
    }

    /// A page beyond the end of the file.
    fn extend(&self) -> Locked<'_> {
        let lock = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;
        // SAFETY: the relation is open. The lock keeps others from extending it to the same page.
        unsafe {
            pg_sys::LockRelationForExtension(self.relation, lock);
            let buffer = self.pin(pg_sys::InvalidBlockNumber, pg_sys::ReadBufferMode::RBM_NORMAL);
            pg_sys::LockBuffer(buffer, EXCLUSIVE);
            pg_sys::UnlockRelationForExtension(self.relation, lock);
            Locked::new(buffer, pg_sys::BufferGetBlockNumber(buffer))
        }
    }

    fn rest(&self) {
        if self.vacuum {
            // SAFETY: no lock of a buffer is held.
            unsafe {
                #[cfg(feature = "pg18")]
                pg_sys::vacuum_delay_point(false);
                #[cfg(not(feature = "pg18"))]
                pg_sys::vacuum_delay_point();
            }
        } else {
            pgrx::check_for_interrupts!();
        }
    }

    /// What the index is.
    pub fn meta(&self) -> index::Result<Meta> {
        read_meta(self.shared(META).page())
    }

    /// How many pages the file has.
    pub fn len(&self) -> u32 {
        // SAFETY: the relation is open.
        unsafe { pg_sys::RelationGetNumberOfBlocksInFork(self.relation, MAIN) }
    }

    /// Makes known all pages that belong to nothing, `used` being those that are known not to; returns their number.
    pub fn free_unused(&self, used: impl Fn(u32) -> bool) -> u32 {
        let mut count = 0;
        for block in ROOT + 1..self.len() {
            if !used(block) {
                if is_unused(self.shared(block).page()) {
                    self.freed(block);
                    count += 1;
                }
                self.rest();
            }
        }
        self.freed_all();
        count
    }

    /// A page that is in use although nothing leads to it, if there is one; nobody changes the index meanwhile.
    pub fn stray_page(&self, reached: impl Fn(u32) -> bool) -> Option<u32> {
        (ROOT..self.len()).find(|&block| {
            pgrx::check_for_interrupts!();
            !reached(block) && is_in_use(self.shared(block).page())
        })
    }
}

/// Pages of indexes that are remembered.
const SEEN_PAGES: usize = 1 << 16;
/// One in so many pages is looked up in any case: only that counts as use, by which PostgreSQL decides what stays in memory.
const LOOK_UP_EVERY: u32 = 16;

/// Where a buffer's page is in memory.
///
/// # Safety
/// A buffer of that number exists.
pub unsafe fn page_of(buffer: pg_sys::Buffer) -> *const u8 {
    // SAFETY: as above.
    unsafe { pg_sys::BufferBlocks.add((buffer as usize - 1) * PAGE).cast::<u8>().cast_const() }
}

thread_local! {
    static SEEN: RefCell<Seen> = const { RefCell::new(Seen { buffers: Recent::new(), turn: 0 }) };
}

/// The buffers in which blocks were seen last.
struct Seen {
    buffers: Recent<pg_sys::Buffer, SEEN_PAGES>,
    turn: u32,
}

impl Seen {
    /// The buffer to ask for a block, or zero.
    ///
    /// # Safety
    /// `relation` is open.
    unsafe fn known(relation: pg_sys::Relation, block: u32) -> pg_sys::Buffer {
        SEEN.with_borrow_mut(|seen| {
            seen.turn = seen.turn.wrapping_add(1);
            // SAFETY: as above.
            if seen.turn.is_multiple_of(LOOK_UP_EVERY) { 0 } else { unsafe { seen.buffers.get(relation, block) } }
        })
    }
}

/// The file of a relation.
///
/// # Safety
/// It is open.
pub unsafe fn file_of(relation: pg_sys::Relation) -> direct::File {
    // SAFETY: the caller's relation is open.
    unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15"))]
        return (*relation).rd_node;
        #[cfg(not(any(feature = "pg14", feature = "pg15")))]
        return (*relation).rd_locator;
    }
}

/// Counts a page that was found in memory, as PostgreSQL does where it looks it up itself.
///
/// # Safety
/// The relation is open.
pub unsafe fn count_hit(relation: pg_sys::Relation) {
    // SAFETY: the caller's relation is open; its counters are this backend's own.
    unsafe {
        let status = (*relation).pgstat_info;
        if !status.is_null() {
            #[cfg(any(feature = "pg14", feature = "pg15"))]
            let counts = &mut (*status).t_counts;
            #[cfg(any(feature = "pg14", feature = "pg15"))]
            let counters = (&mut counts.t_blocks_fetched, &mut counts.t_blocks_hit);
            #[cfg(not(any(feature = "pg14", feature = "pg15")))]
            let counts = &mut (*status).counts;
            #[cfg(not(any(feature = "pg14", feature = "pg15")))]
            let counters = (&mut counts.blocks_fetched, &mut counts.blocks_hit);
            *counters.0 += 1;
            *counters.1 += 1;
        }
    }
}

/// A pinned and locked buffer.
pub struct Locked<'a> {
    buffer: pg_sys::Buffer,
    block: u32,
    fresh: Cell<bool>,
    store: PhantomData<&'a ()>,
}

impl Locked<'_> {
    fn new(buffer: pg_sys::Buffer, block: u32) -> Self {
        Self { buffer, block, fresh: Cell::new(false), store: PhantomData }
    }
}

impl Guard for Locked<'_> {
    #[inline]
    fn page(&self) -> &Page {
        // SAFETY: the buffer is pinned and locked as long as `self` lives, and has the size of a page.
        unsafe { &*pg_sys::BufferGetPage(self.buffer).cast::<Page>() }
    }

    fn block(&self) -> u32 {
        self.block
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if !panicking() {
            // SAFETY: the buffer is pinned and locked.
            unsafe { pg_sys::UnlockReleaseBuffer(self.buffer) };
        }
    }
}

/// The structure lock.
pub struct Alone<'a>(pg_sys::Relation, PhantomData<&'a ()>);

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        if !panicking() {
            // SAFETY: `Store::structure` took the lock.
            unsafe { pg_sys::UnlockPage(self.0, META, pg_sys::ExclusiveLock as pg_sys::LOCKMODE) };
        }
    }
}

impl Pages for Store<'_> {
    type Shared<'a>
        = Locked<'a>
    where
        Self: 'a;
    type Exclusive<'a>
        = Locked<'a>
    where
        Self: 'a;
    type Structure<'a>
        = Alone<'a>
    where
        Self: 'a;

    #[inline]
    fn shared(&self, block: u32) -> Locked<'_> {
        self.locked(block, SHARE)
    }

    fn exclusive(&self, block: u32) -> Locked<'_> {
        self.locked(block, EXCLUSIVE)
    }

    fn expect(&self, block: u32) -> Ahead {
        // SAFETY: the relation is open.
        let known = SEEN.with_borrow(|seen| unsafe { seen.buffers.get(self.relation, block) });
        if known <= 0 {
            return Ahead::unknown();
        }
        // SAFETY: a buffer of that number exists, and a wrong one does no harm: nothing is read.
        let (state, page) = unsafe { (pg_sys::BufferDescriptors.add(known as usize - 1), page_of(known)) };
        kernels::prefetch(state);
        Ahead::at(page)
    }

    fn expect_rows(&self, rows: &[u64]) {
        if let Some(table) = self.rows {
            table.expect(rows);
        }
    }

    fn fresh(&self) -> Locked<'_> {
        loop {
            // SAFETY: the relation is open.
            let block = unsafe { pg_sys::GetFreeIndexPage(self.relation) };
            if block == pg_sys::InvalidBlockNumber {
                break;
            }
            if block >= self.len() {
                continue;
            }
            let buffer = self.pin(block, pg_sys::ReadBufferMode::RBM_NORMAL);
            // The map of free pages may be older than a crash. A page that somebody has locked is not free, and waiting
            // for it would break the order of locks.
            // SAFETY: the buffer is pinned.
            if unsafe { pg_sys::ConditionalLockBuffer(buffer) } {
                let page = Locked::new(buffer, block);
                if is_unused(page.page()) {
                    page.fresh.set(true);
                    return page;
                }
            } else {
                // SAFETY: as above.
                unsafe { pg_sys::ReleaseBuffer(buffer) };
            }
        }
        let page = self.extend();
        page.fresh.set(true);
        page
    }

    fn change<const N: usize>(&self, pages: [&mut Locked<'_>; N], edit: impl FnOnce([&mut Page; N])) {
        // SAFETY: the relation is open.
        let record = unsafe { pg_sys::GenericXLogStart(self.relation) };
        let images = pages.map(|page| {
            let flags = if page.fresh.replace(false) { pg_sys::GENERIC_XLOG_FULL_IMAGE as i32 } else { 0 };
            // SAFETY: the buffer is pinned and locked for writing. The image that is returned is a copy of the page that
            // nobody else has until the record is finished.
            unsafe { &mut *pg_sys::GenericXLogRegisterBuffer(record, page.buffer, flags).cast::<Page>() }
        });
        edit(images);
        // SAFETY: as above; the images are not used any more.
        unsafe { pg_sys::GenericXLogFinish(record) };
    }

    fn freed(&self, block: u32) {
        // SAFETY: the relation is open.
        unsafe { pg_sys::RecordFreeIndexPage(self.relation, block) };
    }

    fn freed_all(&self) {
        // SAFETY: the relation is open.
        unsafe { pg_sys::IndexFreeSpaceMapVacuum(self.relation) };
    }

    fn structure(&self) -> Alone<'_> {
        // SAFETY: the relation is open; no lock of a buffer is held.
        unsafe { pg_sys::LockPage(self.relation, META, pg_sys::ExclusiveLock as pg_sys::LOCKMODE) };
        Alone(self.relation, PhantomData)
    }

    fn breathe_shared<'a>(&'a self, page: Locked<'a>) -> Locked<'a> {
        // SAFETY: the buffer is pinned, and locked before and after.
        unsafe { pg_sys::LockBuffer(page.buffer, UNLOCK) };
        self.rest();
        // SAFETY: as above.
        unsafe { pg_sys::LockBuffer(page.buffer, SHARE) };
        page
    }

    fn breathe_exclusive<'a>(&'a self, page: Locked<'a>) -> Locked<'a> {
        // SAFETY: the buffer is pinned, and locked before and after.
        unsafe { pg_sys::LockBuffer(page.buffer, UNLOCK) };
        self.rest();
        // SAFETY: as above.
        unsafe { pg_sys::LockBuffer(page.buffer, EXCLUSIVE) };
        page
    }
}

/// The file of an index that is being built, and that nobody else can see.
pub struct Writer {
    relation: pg_sys::Relation,
    fork: pg_sys::ForkNumber::Type,
    next: u32,
}

impl Writer {
    /// Starts an empty file with its first page.
    ///
    /// # Safety
    /// `relation` is an open index whose fork is empty, and stays open as long as the result is used.
    pub unsafe fn create(relation: pg_sys::Relation, fork: pg_sys::ForkNumber::Type, meta: Meta) -> Self {
        let mut writer = Self { relation, fork, next: 0 };
        let mut page = Box::new([0; PAGE]);
        init_meta(&mut page, meta);
        writer.write(META, &page);
        page.fill(0);
        // The root's place; the root itself is written last.
        writer.write(ROOT, &page);
        writer
    }

    /// Puts all pages into the log, if the file has to be there after a crash or on a standby.
    pub fn finish(self) {
        let init = self.fork == pg_sys::ForkNumber::INIT_FORKNUM;
        // SAFETY: the relation is open.
        unsafe {
            if init || needs_wal(self.relation) {
                pg_sys::log_newpage_range(self.relation, self.fork, 0, self.next, true);
            }
        }
    }
}

impl Sink for Writer {
    fn write(&mut self, block: u32, page: &Page) {
        pgrx::check_for_interrupts!();
        let lock = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;
        let (fork, strategy) = (self.fork, std::ptr::null_mut());
        // SAFETY: the relation is open, and the buffer pinned and locked while it is written.
        unsafe {
            let buffer = if block < self.next {
                pg_sys::ReadBufferExtended(self.relation, fork, block, pg_sys::ReadBufferMode::RBM_NORMAL, strategy)
            } else {
                self.next = block + 1;
                let mode = pg_sys::ReadBufferMode::RBM_NORMAL;
                pg_sys::LockRelationForExtension(self.relation, lock);
                let buffer =
                    pg_sys::ReadBufferExtended(self.relation, fork, pg_sys::InvalidBlockNumber, mode, strategy);
                pg_sys::UnlockRelationForExtension(self.relation, lock);
                buffer
            };
            assert_eq!(pg_sys::BufferGetBlockNumber(buffer), block, "pages are written in their order");
            pg_sys::LockBuffer(buffer, EXCLUSIVE);
            *pg_sys::BufferGetPage(buffer).cast::<Page>() = *page;
            pg_sys::MarkBufferDirty(buffer);
            pg_sys::UnlockReleaseBuffer(buffer);
        }
    }
}

/// Whether changes of the relation have to be in the log: it is permanent, and was not made by this transaction under a
/// log that need not have it.
///
/// # Safety
/// `relation` is open.
unsafe fn needs_wal(relation: pg_sys::Relation) -> bool {
    // SAFETY: as above.
    unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15"))]
        let first = (*relation).rd_firstRelfilenodeSubid;
        #[cfg(not(any(feature = "pg14", feature = "pg15")))]
        let first = (*relation).rd_firstRelfilelocatorSubid;
        let logged = pg_sys::wal_level >= pg_sys::WalLevel::WAL_LEVEL_REPLICA as i32;
        let old = (*relation).rd_createSubid == 0 && first == 0;
        (*(*relation).rd_rel).relpersistence == pg_sys::RELPERSISTENCE_PERMANENT as std::ffi::c_char && (logged || old)
    }
}
