//! A look at rows of the table, from within a search: where they lie, and how far they are.
//!
//! Some rows are looked at together. First all of them are asked for, from the disk or from memory: each alone would wait for
//! its page, for its place on the page and for its values, one after the other. Then each is read as a search by any index
//! reads it: under a pin and a shared lock of its buffer the version is found that the snapshot shows, and under the pin
//! alone its vector is compared where it lies. No pin is kept when that is done.
//!
//! Only heaps are read, and only vectors that lie plain in their row. Of all others nothing is known here, and the executor
//! has to look.
//!
//! The rows that come next are made known in advance, and looked at when the first of them is needed: the last ones often are not.
//! Where a page of the table was seen last is remembered, as it is for the index (`wal`).
//!
//! # Errors
//! PostgreSQL's functions are called directly, all of them within one guard (`direct`).

use std::cell::{Cell, RefCell};

use index::Metric;
use index::page::PAGE;
use pgrx::pg_sys;

use super::direct::{
    LockBuffer, PrefetchBuffer, ReadBuffer, ReadRecentBuffer, ReleaseBuffer, heap_hot_search_buffer, nocachegetattr,
};
use super::recent::Recent;
use super::shape::{Kind, Shape, tid_of};
use super::wal::{count_hit, file_of, page_of};
use crate::vector::{Element, plain};

const MAIN: pg_sys::ForkNumber::Type = pg_sys::ForkNumber::MAIN_FORKNUM;

/// Bytes that memory hands over at once.
const LINE: usize = 64;
/// Rows that are looked at together, at most.
const TOGETHER: usize = 10;
/// Pages of tables that are remembered.
const SEEN_PAGES: usize = 1 << 14;
/// The part of a row's number that says where it is.
const PLACE: u64 = (1 << 48) - 1;

/// What is known of the row that an entry leads to.
#[derive(Debug, Clone, Copy, Default)]
pub enum Look {
    /// Its distance.
    At(f64),
    /// There is none that the snapshot shows.
    Hidden,
    /// The executor has to look.
    #[default]
    Unknown,
}

/// A query for the vectors of a table.
pub struct Target {
    metric: Metric,
    kind: Kind,
    /// The column of the table that is indexed.
    column: i16,
    query: Vec<f32>,
    /// The query's product with itself.
    squared: f32,
}

impl Target {
    /// A query whose distances to the rows of `table` can be computed here; none if they cannot.
    ///
    /// # Safety
    /// `table` is null or open.
    pub unsafe fn new(shape: &Shape, table: pg_sys::Relation, query: &[f32]) -> Option<Self> {
        // SAFETY: as above.
        let is_heap = unsafe { !table.is_null() && (*table).rd_tableam == pg_sys::GetHeapamTableAmRoutine() };
        (is_heap && shape.column > 0).then(|| Self {
            metric: shape.metric,
            kind: shape.kind,
            column: shape.column,
            squared: kernels::best().dot(query, query),
            query: query.to_vec(),
        })
    }

    /// The distance of a row's vector. Neither panics nor raises an error.
    ///
    /// # Safety
    /// The tuple is one of the table, which has this description.
    unsafe fn measure(&self, tuple: &mut pg_sys::HeapTupleData, desc: pg_sys::TupleDesc) -> Look {
        // SAFETY: as above. The header of a tuple with nulls is followed by a bit for each of its columns, and what is not
        // null is of the column's type.
        unsafe {
            let (header, column) = (tuple.t_data, usize::from(self.column.unsigned_abs()) - 1);
            if column >= usize::from((*header).t_infomask2) & pg_sys::HEAP_NATTS_MASK as usize {
                return Look::Unknown;
            }
            let has_nulls = u32::from((*header).t_infomask) & pg_sys::HEAP_HASNULL != 0;
            if has_nulls && *(*header).t_bits.as_ptr().add(column / 8) >> (column % 8) & 1 == 0 {
                return Look::Unknown;
            }
            let value = nocachegetattr(tuple, i32::from(self.column), desc);
            match self.kind {
                Kind::Single => plain::<f32>(value).map_or(Look::Unknown, |row| self.distance(row)),
                Kind::Half => plain::<half::f16>(value).map_or(Look::Unknown, |row| self.distance(row)),
            }
        }
    }

    /// The distance as the operator computes it, to the bit.
    fn distance<E: Element>(&self, row: &[E]) -> Look {
        if row.len() != self.query.len() {
            return Look::Unknown;
        }
        let (kernels, query, next) = (kernels::best(), self.query.as_slice(), std::ptr::null());
        Look::At(match self.metric {
            Metric::Cosine => kernels.cosine_distance_row(query, self.squared, row, next),
            Metric::InnerProduct => f64::from(-kernels.dot_row(query, row, next)),
            Metric::L2 => kernels.l2_distance_row(query, row, next),
        })
    }
}

/// What is kept of the rows between two calls.
#[derive(Default)]
pub struct Looks {
    /// Rows that were looked at together, by number.
    known: Cell<[(u64, Look); TOGETHER]>,
    /// Rows that come next, and how many they are.
    coming: Cell<([u64; TOGETHER], usize)>,
}

/// The rows of a search.
pub struct Rows<'a> {
    scan: pg_sys::IndexScanDesc,
    target: Option<&'a Target>,
    looks: &'a Looks,
}

impl<'a> Rows<'a> {
    /// The rows that a search with this target leads to. What is known of them is kept in `looks`.
    ///
    /// # Safety
    /// The scan has begun and has a snapshot, and lives as long as the result is used. The target is for its table.
    pub unsafe fn new(scan: pg_sys::IndexScanDesc, target: Option<&'a Target>, looks: &'a Looks) -> Self {
        Self { scan, target, looks }
    }

    /// What is known of a row, for a search with a target.
    pub fn look(&self, row: u64) -> Look {
        let known: &Cell<[(u64, Look)]> = &self.looks.known;
        let find = || known.as_slice_of_cells().iter().map(Cell::get).find(|&(known, _)| known == row);
        let look = find().or_else(|| {
            let (coming, count) = self.looks.coming.get();
            match coming[..count].iter().position(|&next| next == row) {
                Some(first) => self.visit(&coming[first..count]),
                None => self.visit(&[row]),
            }
            find()
        });
        look.map_or(Look::Unknown, |(_, look)| look)
    }

    /// Takes note of rows that may be needed soon, the first one first. Where the executor looks at them itself, memory or the
    /// disk is asked for them at once.
    pub fn expect(&self, rows: &[u64]) {
        let (mut coming, count) = ([0; TOGETHER], rows.len().min(TOGETHER));
        coming.iter_mut().zip(rows).for_each(|(next, &row)| *next = row & PLACE);
        match self.target {
            Some(_) => self.looks.coming.set((coming, count)),
            None => self.visit(&coming[..count]),
        }
    }

    /// Asks for rows, and looks at them if there is a target.
    fn visit(&self, rows: &[u64]) {
        let mut looks = <[(u64, Look); TOGETHER]>::default();
        // SAFETY: the scan has an open table, if it has one, and a snapshot. The closure keeps to what `direct` says.
        unsafe {
            let table = (*self.scan).heapRelation;
            if !table.is_null() {
                let seen = seen_in(table, rows);
                let mut buffers = seen;
                pg_sys::ffi::pg_guard_ffi_boundary(|| self.look_at(table, rows, &mut buffers, &mut looks));
                if buffers != seen {
                    remember(table, rows, &buffers);
                }
            }
        }
        self.looks.known.set(looks);
    }

    /// # Safety
    /// The table is that of the scan, `buffers` are zero or have existed, and an error of PostgreSQL's is caught by a guard.
    #[inline(always)]
    unsafe fn look_at(
        &self,
        table: pg_sys::Relation,
        rows: &[u64],
        buffers: &mut [pg_sys::Buffer; TOGETHER],
        looks: &mut [(u64, Look); TOGETHER],
    ) {
        // SAFETY: as above. A buffer is pinned from `ReadRecentBuffer` or `ReadBuffer` to `ReleaseBuffer`.
        unsafe {
            for ((&row, buffer), look) in rows.iter().zip(&mut *buffers).zip(looks.iter_mut()) {
                look.0 = row;
                let block = (row >> 16) as u32;
                if *buffer == 0 || holds_another(*buffer, block) {
                    // A block that is not in memory is asked for.
                    *buffer = PrefetchBuffer(table, MAIN, block).recent_buffer;
                }
                if *buffer > 0 {
                    kernels::prefetch(pg_sys::BufferDescriptors.add(*buffer as usize - 1));
                    kernels::prefetch(place_of(*buffer, row));
                }
            }
            for (&row, &buffer) in rows.iter().zip(&*buffers) {
                if buffer > 0 {
                    prefetch_row(buffer, row);
                }
            }
            let Some(target) = self.target else { return };
            for ((&row, recent), look) in rows.iter().zip(&mut *buffers).zip(looks.iter_mut()) {
                let block = (row >> 16) as u32;
                if *recent > 0 && ReadRecentBuffer(file_of(table), MAIN, block, *recent) {
                    count_hit(table);
                } else {
                    *recent = ReadBuffer(table, block);
                }
                let buffer = *recent;
                let (mut tid, mut tuple) = (tid_of(row), pg_sys::HeapTupleData::default());
                let (snapshot, all_dead) = ((*self.scan).xs_snapshot, std::ptr::null_mut());
                LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE as i32);
                let shown = heap_hot_search_buffer(&mut tid, table, buffer, snapshot, &mut tuple, all_dead, true);
                LockBuffer(buffer, pg_sys::BUFFER_LOCK_UNLOCK as i32);
                look.1 = if shown { target.measure(&mut tuple, (*table).rd_att) } else { Look::Hidden };
                ReleaseBuffer(buffer);
            }
        }
    }
}

/// A page of a table, and the buffer in which it was seen last.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    block: u32,
    buffer: pg_sys::Buffer,
}

thread_local! {
    static SEEN: RefCell<Recent<Seen, SEEN_PAGES>> = const { RefCell::new(Recent::new()) };
}

/// The buffers in which the pages of rows were seen last, or zero.
///
/// # Safety
/// The table is open.
unsafe fn seen_in(table: pg_sys::Relation, rows: &[u64]) -> [pg_sys::Buffer; TOGETHER] {
    let mut buffers = [0; TOGETHER];
    SEEN.with_borrow(|seen| {
        for (buffer, &row) in buffers.iter_mut().zip(rows) {
            let block = (row >> 16) as u32;
            // SAFETY: as above.
            let place = unsafe { seen.get(table, block) };
            *buffer = if place.block == block { place.buffer } else { 0 };
        }
    });
    buffers
}

/// Remembers the buffers of rows' pages. Those of temporary tables have negative numbers and are looked up cheaply.
///
/// # Safety
/// The table is open.
unsafe fn remember(table: pg_sys::Relation, rows: &[u64], buffers: &[pg_sys::Buffer; TOGETHER]) {
    SEEN.with_borrow_mut(|seen| {
        for (&buffer, &row) in buffers.iter().zip(rows) {
            if buffer > 0 {
                let block = (row >> 16) as u32;
                // SAFETY: as above.
                unsafe { seen.put(table, block, Seen { block, buffer }) };
            }
        }
    });
}

/// Whether a buffer is of another block by now.
///
/// # Safety
/// A buffer of that number exists.
unsafe fn holds_another(buffer: pg_sys::Buffer, block: u32) -> bool {
    // SAFETY: as above. It may be given to another block at any moment: whoever reads it finds out.
    unsafe {
        (&raw const (*pg_sys::BufferDescriptors.add(buffer as usize - 1)).bufferdesc.tag.blockNum).read_volatile()
            != block
    }
}

/// Where a row's place on its page is written, if the page is in this buffer.
///
/// # Safety
/// A buffer of that number exists.
unsafe fn place_of(buffer: pg_sys::Buffer, row: u64) -> *const u8 {
    let place = size_of::<pg_sys::PageHeaderData>()
        + usize::from(row as u16).saturating_sub(1) * size_of::<pg_sys::ItemIdData>();
    // SAFETY: as above.
    unsafe { page_of(buffer) }.wrapping_add(place.min(PAGE - size_of::<pg_sys::ItemIdData>()))
}

/// Asks memory for a row.
///
/// # Safety
/// A buffer of that number exists.
unsafe fn prefetch_row(buffer: pg_sys::Buffer, row: u64) {
    // SAFETY: the place lies in shared buffers, which are always there. Whoever changes it meanwhile makes the hint a wrong
    // one, and nothing else is done with it: its bits are an offset within the page, flags, and a length.
    let (page, item) = unsafe { (page_of(buffer), place_of(buffer, row).cast::<u32>().read_volatile()) };
    let (offset, flags, length) = (item as usize & 0x7FFF, item >> 15 & 3, item as usize >> 17);
    if flags == pg_sys::LP_NORMAL && offset + length <= PAGE {
        let start = page.wrapping_add(offset);
        (0..length).step_by(LINE).for_each(|line| kernels::prefetch(start.wrapping_add(line)));
    }
}
