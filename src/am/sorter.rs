//! Entries on their way into order, by PostgreSQL's own sort, which keeps to its memory and goes on in temporary files.
//!
//! What is sorted are strings of bytes that compare as the entries should. They begin with eight bytes that mostly decide,
//! since those are what the sort compares first:
//!
//! ```text
//!   0                          8        16       24
//!   ┌──────────────────────────┬────────┬────────┬──────────┬───────┐
//!   │ dimension, namespace     │ id     │ row    │ factors  │ code  │   the rows of a table
//!   │ list, row                │        │        │          │       │   the rows of one namespace
//!   └──────────────────────────┴────────┴────────┴──────────┴───────┘
//! ```

use index::key::{Key, list_of};
use index::page::{Entry, MAX_FACTORS};
use pgrx::memcxt::PgMemoryContexts;
use pgrx::pg_sys;

/// Bytes before the factors.
const HEAD: usize = 24;

/// What decides between two entries.
#[derive(Debug, Clone, Copy)]
pub enum By {
    /// The key, then the row: so the rows of a namespace lie in the order of the table.
    Namespace,
    /// The list, then the row, in one namespace.
    List,
}

/// The part of a sort that several processes share.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    /// All of it: nobody else takes part.
    Whole,
    /// What one of the processes sorts.
    Run(*mut pg_sys::Sharedsort),
    /// The runs of so many processes, put together.
    Merge(*mut pg_sys::Sharedsort, usize),
}

/// Entries on their way into order.
pub struct Sorter {
    state: *mut pg_sys::Tuplesortstate,
    by: By,
    /// A varlena, again and again: the sort copies it.
    buffer: Vec<u8>,
}

impl Sorter {
    /// A new sort that takes so many bytes of memory.
    pub fn new(by: By, bytes: usize, part: Part) -> Self {
        let mut coordinate = pg_sys::SortCoordinateData::default();
        let coordinate: pg_sys::SortCoordinate = match part {
            Part::Whole => std::ptr::null_mut(),
            Part::Run(shared) => {
                (coordinate.isWorker, coordinate.nParticipants, coordinate.sharedsort) = (true, -1, shared);
                &mut coordinate
            }
            Part::Merge(shared, runs) => {
                (coordinate.nParticipants, coordinate.sharedsort) = (runs as i32, shared);
                &mut coordinate
            }
        };
        // SAFETY: the type is `bytea`, and the operator its order. The coordinate is copied.
        let state = unsafe {
            pg_sys::tuplesort_begin_datum(
                pg_sys::BYTEAOID,
                pg_sys::Oid::from(pg_sys::ByteaLessOperator),
                pg_sys::InvalidOid,
                false,
                i32::try_from(bytes / 1024).unwrap_or(i32::MAX),
                coordinate,
                #[cfg(feature = "pg14")]
                false,
                #[cfg(not(feature = "pg14"))]
                {
                    pg_sys::TUPLESORT_NONE as i32
                },
            )
        };
        Self { state, by, buffer: Vec::new() }
    }

    /// Takes an entry.
    pub fn put(&mut self, entry: Entry<'_>) {
        let key = Key { dim: entry.code.len() as u16, id: entry.id };
        let order = match self.by {
            By::Namespace => u64::from(key.dim) << 48 | key.space().0,
            By::List => u64::from(list_of(entry.id)) << 48 | entry.row,
        };
        self.buffer.clear();
        self.buffer.extend([0; 4]);
        for number in [order, entry.id, entry.row] {
            self.buffer.extend(number.to_be_bytes());
        }
        entry.factors.iter().for_each(|factor| self.buffer.extend(factor.to_ne_bytes()));
        self.buffer.extend(entry.code);
        // SAFETY: the buffer begins with room for the header of a varlena of its length.
        unsafe {
            pgrx::set_varsize_4b(self.buffer.as_mut_ptr().cast(), self.buffer.len() as i32);
            pg_sys::tuplesort_putdatum(self.state, self.buffer.as_ptr().into(), false);
        }
    }

    /// Puts what was taken into order.
    pub fn sort(&mut self) {
        // SAFETY: the state is that of `new`.
        unsafe { pg_sys::tuplesort_performsort(self.state) };
    }

    /// Ends the sort.
    pub fn end(self) {
        // SAFETY: nothing of the state is used any more.
        unsafe { pg_sys::tuplesort_end(self.state) };
    }

    /// Hands all entries to `take`, in order.
    pub fn read(&mut self, factors: usize, mut take: impl FnMut(Entry<'_>)) {
        let mut value = pg_sys::Datum::from(0);
        let mut null = false;
        let mut memory = PgMemoryContexts::new("scoped_vector build");
        loop {
            // SAFETY: the state is sorted; the value that is returned lies in the short-lived context.
            let more = unsafe {
                memory.reset();
                memory.switch_to(|_| {
                    pg_sys::tuplesort_getdatum(
                        self.state,
                        true,
                        #[cfg(not(any(feature = "pg14", feature = "pg15")))]
                        false,
                        &mut value,
                        &mut null,
                        std::ptr::null_mut(),
                    )
                })
            };
            if !more {
                break;
            }
            // SAFETY: the value is a varlena that `put` has made; it is there until the next is asked for.
            let bytes = unsafe { pgrx::varlena_to_byte_slice(value.cast_mut_ptr()) };
            let (head, rest) = bytes.split_at(HEAD);
            let (known, code) = rest.split_at(4 * factors);
            let mut list = [0.0; MAX_FACTORS];
            for (factor, bytes) in list.iter_mut().zip(known.chunks_exact(4)) {
                *factor = f32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
            take(Entry { id: number(&head[8..16]), row: number(&head[16..]), factors: &list[..factors], code });
        }
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}
