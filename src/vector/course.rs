//! Where the scan that feeds a distance function will find its next row.
//!
//! A sequential scan reads a page from its end downwards, since rows are added there: the next row lies below the current
//! one, about as far as the previous one lay above it. After the lowest row comes the first row of the next block, and
//! blocks that were loaded one after the other lie side by side in the shared buffers, upwards or downwards. Postgres
//! itself touches a row only when its turn comes, so most of the time of a scan over more memory than the caches hold is
//! spent waiting. Nothing here is read, and a wrong guess costs a few cache lines that are fetched in vain; while rows
//! come in no such order, as from most indexes, there is no guess.

#![allow(unsafe_code, reason = "asks where PostgreSQL's buffers lie")]

use std::mem::replace;

use pgrx::pg_sys;

const PAGE: usize = pg_sys::BLCKSZ as usize;

/// The least that lies before the first row of a page: the page's header and one line pointer.
const PAGE_HEADER: usize = 28;

/// What lies between the start of a row and the elements of a vector in its first column: the row's header and the vector's.
const ROW_HEADER: usize = 32;

/// The rows that a call site has seen. Places are offsets into the shared buffers, modulo 2⁶⁴.
pub struct Course {
    /// Where the shared buffers begin, and how long they are.
    pool: *const u8,
    size: usize,
    /// The elements of the last row.
    last: usize,
    /// Where the elements of the next row are expected, or nowhere.
    next: usize,
    /// From a row to the one below it, elements to elements.
    step: usize,
    /// From the page before the last one to the last one.
    jump: usize,
    /// Whether the jump before that was the same.
    steady: bool,
    /// Where the elements of the first row in the page began.
    first: usize,
}

/// No row begins there: pages begin with their header.
const NOWHERE: usize = 0;

impl Course {
    /// A course that begins.
    pub fn new() -> Self {
        // SAFETY: both were set when the server started, and stay.
        let (pool, pages) = unsafe { (pg_sys::BufferBlocks.cast_const().cast(), pg_sys::NBuffers as usize) };
        Self::over(pool, pages * PAGE)
    }

    fn over(pool: *const u8, size: usize) -> Self {
        Self { pool, size, last: NOWHERE, next: NOWHERE, step: 0, jump: 0, steady: false, first: 0 }
    }

    /// If the row comes where it was expected: the place of the elements of the next one. Asks for what lies before them.
    #[inline(always)]
    pub fn follow<E>(&mut self, row: &[E]) -> Option<*const E> {
        let place = row.as_ptr().addr().wrapping_sub(self.pool.addr());
        if place != self.next {
            return None;
        }
        self.keep(place);
        Some(self.ask(place))
    }

    /// The same for any row; its own place where nothing is known of the next one.
    pub fn find<E>(&mut self, row: &[E]) -> *const E {
        let place = row.as_ptr().addr().wrapping_sub(self.pool.addr());
        self.note(place, size_of_val(row));
        if self.next == NOWHERE { row.as_ptr() } else { self.ask(place) }
    }

    /// Takes note of a row.
    fn note(&mut self, place: usize, bytes: usize) {
        if place == self.next { self.keep(place) } else { self.search(place, bytes) }
    }

    /// Asks for what lies before the elements of the next row, and tells where they are.
    #[inline(always)]
    fn ask<E>(&self, place: usize) -> *const E {
        let elements = self.pool.wrapping_add(self.next);
        if (self.next ^ place) >= PAGE {
            kernels::prefetch(elements.wrapping_sub(self.next % PAGE));
        }
        kernels::prefetch(elements.wrapping_sub(ROW_HEADER));
        elements.cast()
    }

    /// Takes note of the row that was expected.
    #[inline(always)]
    fn keep(&mut self, place: usize) {
        self.last = place;
        self.next = self.after(place);
    }

    /// The place after one from which the course goes on as before: below it, or in the next page.
    #[inline(always)]
    fn after(&self, place: usize) -> usize {
        let offset = place % PAGE;
        if offset >= self.step + PAGE_HEADER {
            place - self.step
        } else if self.steady {
            (place - offset).wrapping_add(self.jump).wrapping_add(self.first)
        } else {
            NOWHERE
        }
    }

    /// Finds out where the rows lie, from one that was not expected.
    fn search(&mut self, place: usize, bytes: usize) {
        self.next = NOWHERE;
        if place >= self.size {
            return;
        }
        let page = place - place % PAGE;
        let last = replace(&mut self.last, place);
        self.step = if last / PAGE == place / PAGE {
            last.wrapping_sub(place)
        } else {
            let jump = page.wrapping_sub(last - last % PAGE);
            self.steady = replace(&mut self.jump, jump) == jump;
            self.first = place - page;
            if !self.steady {
                return;
            }
            bytes + ROW_HEADER
        };
        if (bytes..PAGE).contains(&self.step) {
            self.next = self.after(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: usize = 1536;
    const STEP: usize = ROW + 32;

    /// Places of the rows of whole pages, which lie in the buffers with these numbers.
    fn scan(buffers: impl IntoIterator<Item = usize>, step: usize) -> Vec<usize> {
        buffers
            .into_iter()
            .flat_map(|buffer| (1..=(PAGE - 64) / step).map(move |row| buffer * PAGE + PAGE - row * step + 32))
            .collect()
    }

    /// How many rows of a scan come where they were expected, and how many guesses were wrong.
    fn guesses(places: &[usize], bytes: usize) -> (usize, usize) {
        let mut course = Course::over(std::ptr::null(), 100 * PAGE);
        let mut expect = |&place| {
            course.note(place, bytes);
            course.next
        };
        let expected: Vec<_> = places.iter().map(&mut expect).collect();
        let pairs = || expected.iter().zip(&places[1..]);
        let right = pairs().filter(|(guess, place)| guess == place).count();
        (right, pairs().filter(|&(&guess, _)| guess != NOWHERE).count() - right)
    }

    #[test]
    fn a_scan_is_followed_from_the_third_page_on() {
        for places in [scan(5..25, STEP), scan((5..25).rev(), STEP)] {
            assert_eq!(places.len(), 100);
            let (right, wrong) = guesses(&places, ROW);
            assert!(right >= 95, "{right}");
            assert_eq!(wrong, 0);
        }
    }

    #[test]
    fn a_row_as_large_as_a_page_is_followed() {
        let places = scan(5..25, 6144 + 32);
        assert_eq!(places.len(), 20);
        assert_eq!(guesses(&places, 6144), (17, 0));
    }

    #[test]
    fn pages_in_no_order_are_not_guessed() {
        let buffers = [9, 2, 14, 3, 11, 30, 1, 22];
        let (right, wrong) = guesses(&scan(buffers, STEP), ROW);
        assert_eq!(wrong, 0);
        assert_eq!(right, 3 * buffers.len(), "the first row of a page tells nothing, the last one has none below it");
    }

    #[test]
    fn rows_in_no_order_are_hardly_guessed() {
        let mut places = scan(5..45, STEP);
        let count = places.len();
        for i in 0..count {
            places.swap(i, (i * 7919 + 13) % count);
        }
        let (right, wrong) = guesses(&places, ROW);
        assert!(right + wrong < count / 10, "{right} {wrong}");
    }

    #[test]
    fn the_same_row_again_tells_nothing() {
        assert_eq!(guesses(&[70_000; 10], ROW), (0, 0));
    }
}
