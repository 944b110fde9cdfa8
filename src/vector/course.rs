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
use std::ptr;

use pgrx::pg_sys;

const PAGE: usize = pg_sys::BLCKSZ as usize;

/// The least that lies before the first row of a page: the page's header and one line pointer.
const PAGE_HEADER: usize = 28;

/// What lies between the start of a row and the elements of a vector in its first column: the row's header and the vector's.
const ROW_HEADER: usize = 32;

/// The rows that a call site has seen, as offsets into the shared buffers.
#[derive(Default)]
pub struct Course {
    /// The elements of the last row.
    last: usize,
    /// From the page before the last one to the last one, modulo 2⁶⁴.
    jump: usize,
    /// Whether the jump before that was the same.
    steady: bool,
    /// Where the elements of the first row in the page began.
    first: usize,
}

impl Course {
    /// The place where the elements of the row after this one are expected, or null.
    #[inline(always)]
    pub fn next<E>(&mut self, row: &[E]) -> *const E {
        // SAFETY: both were set when the server started, and stay.
        let (pool, pages) = unsafe { (pg_sys::BufferBlocks.cast_const().cast::<u8>(), pg_sys::NBuffers as usize) };
        let place = row.as_ptr().addr().wrapping_sub(pool.addr());
        if place >= pages * PAGE {
            return ptr::null();
        }
        match self.expect(place, size_of_val(row)) {
            Some(next) if next < pages * PAGE => {
                if next / PAGE != place / PAGE {
                    kernels::prefetch(pool.wrapping_add(next - next % PAGE));
                }
                let next = pool.wrapping_add(next);
                kernels::prefetch(next.wrapping_sub(ROW_HEADER));
                next.cast()
            }
            _ => ptr::null(),
        }
    }

    /// Takes note of the row at `place` and tells where the next one should be.
    #[inline(always)]
    fn expect(&mut self, place: usize, bytes: usize) -> Option<usize> {
        let page = place - place % PAGE;
        let last = replace(&mut self.last, place);
        let step = if last / PAGE == place / PAGE {
            last.wrapping_sub(place)
        } else {
            let jump = page.wrapping_sub(last - last % PAGE);
            self.steady = replace(&mut self.jump, jump) == jump;
            self.first = place - page;
            if !self.steady {
                return None;
            }
            bytes + ROW_HEADER
        };
        if !(bytes..PAGE).contains(&step) {
            return None;
        }
        if place - page >= step + PAGE_HEADER {
            return Some(place - step);
        }
        self.steady.then(|| page.wrapping_add(self.jump).wrapping_add(self.first))
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
        let mut course = Course::default();
        let expected: Vec<_> = places.iter().map(|&place| course.expect(place, bytes)).collect();
        let pairs = || expected.iter().zip(&places[1..]);
        let right = pairs().filter(|&(guess, place)| *guess == Some(*place)).count();
        (right, pairs().filter(|(guess, _)| guess.is_some()).count() - right)
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
