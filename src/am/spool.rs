//! The rows of one namespace, kept until all have come: in memory as long as they fit, and then in a temporary file.

use std::thread::panicking;

use index::key::Key;
use index::page::{Entry, as_codes};
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReportable;
use zerocopy::IntoBytes;

use crate::error::internal;

/// Rows that are read and written at once take no more than this.
const LARGEST_CHUNK: usize = 4 << 20;

/// Some rows, with everything of one kind side by side.
#[derive(Default)]
pub struct Chunk {
    rows: Vec<u64>,
    factors: Vec<f32>,
    /// The codes, one after the other.
    pub codes: Vec<i8>,
}

impl Chunk {
    fn clear(&mut self) {
        self.rows.clear();
        self.factors.clear();
        self.codes.clear();
    }

    /// A factor of every row.
    pub fn factor(&self, which: usize) -> Vec<f32> {
        self.factors.chunks_exact(self.factors.len() / self.rows.len()).map(|factors| factors[which]).collect()
    }

    /// The rows, as entries with an id.
    pub fn entries(&self, id: u64) -> impl Iterator<Item = Entry<'_>> {
        let count = self.rows.len().max(1);
        let (factors, dim) = (self.factors.len() / count, self.codes.len() / count);
        self.rows.iter().enumerate().map(move |(i, &row)| Entry {
            id,
            row,
            factors: &self.factors[i * factors..][..factors],
            code: self.codes[i * dim..][..dim].as_bytes(),
        })
    }
}

/// The rows of a namespace.
pub struct Spool {
    /// The namespace, which is that of all rows.
    pub key: Key,
    factors: usize,
    /// Rows of a full chunk.
    each: usize,
    /// Full chunks that may stay in memory.
    most: usize,
    full: Vec<Chunk>,
    /// The rows that came last.
    last: Chunk,
    file: *mut pg_sys::BufFile,
    /// Full chunks in the file.
    filed: usize,
}

impl Spool {
    /// No rows yet; those that come will take so many bytes of memory.
    pub fn new(key: Key, factors: usize, bytes: usize) -> Self {
        let row = size_of::<u64>() + factors * size_of::<f32>() + usize::from(key.dim);
        let each = ((bytes / 4).min(LARGEST_CHUNK) / row).max(1);
        // One is being filled, and one is being read.
        let most = (bytes / (each * row)).saturating_sub(2);
        Self {
            key,
            factors,
            each,
            most,
            full: Vec::new(),
            last: Chunk::default(),
            file: std::ptr::null_mut(),
            filed: 0,
        }
    }

    /// Begins again with another namespace of vectors of the same length.
    pub fn restart(&mut self, key: Key) {
        self.key = key;
        self.full.clear();
        self.last.clear();
        self.close();
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        (self.full.len() + self.filed) * self.each + self.last.rows.len()
    }

    /// Takes a row.
    pub fn put(&mut self, entry: Entry<'_>) {
        if self.last.rows.len() == self.each {
            let full = std::mem::take(&mut self.last);
            if self.full.len() < self.most {
                self.full.push(full);
            } else {
                self.last = self.write(full);
            }
        }
        if self.last.rows.is_empty() {
            // No more than that will come, and growing would take up to twice as much.
            self.last.rows.reserve_exact(self.each);
            self.last.factors.reserve_exact(self.each * self.factors);
            self.last.codes.reserve_exact(self.each * usize::from(self.key.dim));
        }
        self.last.rows.push(entry.row);
        self.last.factors.extend(entry.factors);
        self.last.codes.extend(as_codes(entry.code));
    }

    /// Hands all rows to `take`, as often as it is wanted, in the order in which they came.
    pub fn read(&mut self, mut take: impl FnMut(&Chunk)) {
        self.full.iter().for_each(&mut take);
        if self.filed > 0 {
            // SAFETY: the file is open.
            let sought = unsafe { pg_sys::BufFileSeek(self.file, 0, 0, SEEK_SET) };
            if sought != 0 {
                Err::<(), _>(internal("could not rewind a temporary file")).unwrap_or_report();
            }
            let mut chunk = Chunk {
                rows: vec![0; self.each],
                factors: vec![0.0; self.each * self.factors],
                codes: vec![0; self.each * usize::from(self.key.dim)],
            };
            for _ in 0..self.filed {
                self.fill(chunk.rows.as_mut_bytes());
                self.fill(chunk.factors.as_mut_bytes());
                self.fill(chunk.codes.as_mut_bytes());
                take(&chunk);
            }
        }
        if !self.last.rows.is_empty() {
            take(&self.last);
        }
    }

    /// Moves a chunk to the file, and gives it back empty.
    fn write(&mut self, mut chunk: Chunk) -> Chunk {
        // SAFETY: the file, once made, is open as long as the spool lives; the bytes are those of the chunk.
        unsafe {
            if self.file.is_null() {
                self.file = pg_sys::BufFileCreateTemp(false);
            }
            for bytes in [chunk.rows.as_mut_bytes(), chunk.factors.as_mut_bytes(), chunk.codes.as_mut_bytes()] {
                pg_sys::BufFileWrite(self.file, bytes.as_mut_ptr().cast(), bytes.len());
            }
        }
        self.filed += 1;
        chunk.clear();
        chunk
    }

    fn fill(&self, bytes: &mut [u8]) {
        // SAFETY: the file is open, and the bytes can be written.
        let read = unsafe { pg_sys::BufFileRead(self.file, bytes.as_mut_ptr().cast(), bytes.len()) };
        if read != bytes.len() {
            Err::<(), _>(internal("a temporary file is shorter than it was")).unwrap_or_report();
        }
    }

    fn close(&mut self) {
        let file = std::mem::replace(&mut self.file, std::ptr::null_mut());
        self.filed = 0;
        if !file.is_null() {
            // SAFETY: the file is open.
            unsafe { pg_sys::BufFileClose(file) };
        }
    }
}

/// C's SEEK_SET.
const SEEK_SET: i32 = 0;

impl Drop for Spool {
    fn drop(&mut self) {
        // After an error the transaction's abort closes the file.
        if !panicking() {
            self.close();
        }
    }
}
