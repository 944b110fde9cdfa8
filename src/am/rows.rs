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
//! # Errors
//! PostgreSQL's functions are called directly, all of them within one guard, since a guard for each call takes longer than
//! most of these calls. An error leaves the guarded closure as a jump, so nothing in it may own anything: it consists of
//! calls, of plain values on the stack, and of arithmetic that cannot panic.

use std::cell::Cell;

use index::Metric;
use index::page::PAGE;
use pgrx::pg_sys;

use super::shape::{Kind, Shape, tid_of};
use super::wal::{count_hit, file_of, page_of};
use crate::vector::{Element, plain};

const MAIN: pg_sys::ForkNumber::Type = pg_sys::ForkNumber::MAIN_FORKNUM;

/// Bytes that memory hands over at once.
const LINE: usize = 64;
/// Rows that are looked at together, at most.
const TOGETHER: usize = 8;
/// The part of a row's number that says where it is.
const PLACE: u64 = (1 << 48) - 1;

#[cfg(any(feature = "pg14", feature = "pg15"))]
type File = pg_sys::RelFileNode;
#[cfg(not(any(feature = "pg14", feature = "pg15")))]
type File = pg_sys::RelFileLocator;

unsafe extern "C-unwind" {
    fn PrefetchBuffer(
        relation: pg_sys::Relation,
        fork: pg_sys::ForkNumber::Type,
        block: pg_sys::BlockNumber,
    ) -> pg_sys::PrefetchBufferResult;
    fn ReadRecentBuffer(
        file: File,
        fork: pg_sys::ForkNumber::Type,
        block: pg_sys::BlockNumber,
        buffer: pg_sys::Buffer,
    ) -> bool;
    fn ReadBuffer(relation: pg_sys::Relation, block: pg_sys::BlockNumber) -> pg_sys::Buffer;
    fn LockBuffer(buffer: pg_sys::Buffer, mode: std::ffi::c_int);
    fn ReleaseBuffer(buffer: pg_sys::Buffer);
    fn heap_hot_search_buffer(
        tid: pg_sys::ItemPointer,
        relation: pg_sys::Relation,
        buffer: pg_sys::Buffer,
        snapshot: pg_sys::Snapshot,
        tuple: pg_sys::HeapTuple,
        all_dead: *mut bool,
        first_call: bool,
    ) -> bool;
    fn nocachegetattr(tuple: pg_sys::HeapTuple, column: std::ffi::c_int, desc: pg_sys::TupleDesc) -> pg_sys::Datum;
}

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

/// Rows that were looked at together, by number.
pub type Looks = [(u64, Look); TOGETHER];

/// The rows of a search.
pub struct Rows<'a> {
    scan: pg_sys::IndexScanDesc,
    target: Option<&'a Target>,
    looks: &'a Cell<Looks>,
}

impl<'a> Rows<'a> {
    /// The rows that a search with this target leads to. What is known of them is kept in `looks`.
    ///
    /// # Safety
    /// The scan has begun and has a snapshot, and lives as long as the result is used. The target is for its table.
    pub unsafe fn new(scan: pg_sys::IndexScanDesc, target: Option<&'a Target>, looks: &'a Cell<Looks>) -> Self {
        Self { scan, target, looks }
    }

    /// What is known of a row.
    pub fn look(&self, row: u64) -> Look {
        let known = || self.looks.get().into_iter().find(|&(known, _)| known == row);
        let look = known().or_else(|| {
            self.expect(&[row]);
            known()
        });
        look.map_or(Look::Unknown, |(_, look)| look)
    }

    /// Looks at rows that will be needed soon, the first one first.
    pub fn expect(&self, rows: &[u64]) {
        let mut looks = Looks::default();
        // SAFETY: the scan has an open table, if it has one, and a snapshot. The closure keeps to what the head of this file says.
        unsafe {
            let table = (*self.scan).heapRelation;
            if !table.is_null() {
                pg_sys::ffi::pg_guard_ffi_boundary(|| self.look_at(table, rows, &mut looks));
            }
        }
        self.looks.set(looks);
    }

    /// # Safety
    /// The table is that of the scan, and an error of PostgreSQL's is caught by a guard.
    #[inline(always)]
    unsafe fn look_at(&self, table: pg_sys::Relation, rows: &[u64], looks: &mut Looks) {
        let mut buffers = [0; TOGETHER];
        // SAFETY: as above. A buffer is pinned from `ReadRecentBuffer` or `ReadBuffer` to `ReleaseBuffer`.
        unsafe {
            for ((&row, buffer), look) in rows.iter().zip(&mut buffers).zip(looks.iter_mut()) {
                look.0 = row & PLACE;
                let block = (row >> 16) as u32;
                // A block that is not in memory is asked for.
                let recent = PrefetchBuffer(table, MAIN, block).recent_buffer;
                if recent > 0 {
                    kernels::prefetch(pg_sys::BufferDescriptors.add(recent as usize - 1));
                    kernels::prefetch(place_of(recent, row));
                    *buffer = recent;
                }
            }
            for (&row, &buffer) in rows.iter().zip(&buffers) {
                if buffer > 0 {
                    prefetch_row(buffer, row);
                }
            }
            let Some(target) = self.target else { return };
            for ((&row, &recent), look) in rows.iter().zip(&buffers).zip(looks.iter_mut()) {
                let block = (row >> 16) as u32;
                let known = recent > 0 && ReadRecentBuffer(file_of(table), MAIN, block, recent);
                let buffer = if known {
                    count_hit(table);
                    recent
                } else {
                    ReadBuffer(table, block)
                };
                let (mut tid, mut tuple) = (tid_of(row & PLACE), pg_sys::HeapTupleData::default());
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
