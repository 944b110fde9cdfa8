//! A page that will be read soon, and probably is in memory already: memory is asked for its bytes before they are needed.
//!
//! Asking for a whole page at once makes the processor wait until most of it has come. So a search, which computes on every byte of
//! one page, asks for the bytes of the next one meanwhile, at the same pace.

use kernels::prefetch;

use crate::page::{CODES, Leaf, PAGE};

/// Bytes that memory hands over at once.
const LINE: usize = 64;

/// Where such a page is, if that is known. Nothing is read there, so a wrong place does no harm.
#[derive(Debug, Clone, Copy)]
pub struct Ahead(Option<*const u8>);

impl Ahead {
    /// The page probably is at this address.
    pub fn at(page: *const u8) -> Self {
        Self(Some(page))
    }

    /// Nothing is known.
    pub fn unknown() -> Self {
        Self(None)
    }

    /// Asks for the page.
    pub(crate) fn ask(self) {
        self.ask_for(0..PAGE);
    }

    /// Asks for what lies beside the codes, if there are as many as on `leaf`, and returns where these are. If nothing is known, it
    /// is where they are on `leaf`.
    pub(crate) fn ask_beside_codes(self, leaf: &Leaf<'_>) -> *const i8 {
        let codes = leaf.codes();
        self.ask_for(0..CODES);
        self.ask_for(CODES + codes.len()..PAGE);
        self.0.map_or(codes.as_ptr(), |page| page.wrapping_add(CODES).cast())
    }

    fn ask_for(self, bytes: std::ops::Range<usize>) {
        if let Some(page) = self.0 {
            bytes.step_by(LINE).for_each(|at| prefetch(page.wrapping_add(at)));
        }
    }
}
