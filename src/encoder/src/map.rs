//! The read-only map of a packed file, and the one place that views its bytes as numbers.
//!
//! A mapped file must not shrink while it is mapped: reading past its new end kills the process. The packer therefore
//! never writes to a published file; it replaces it by rename, which leaves existing maps on the old content.
#![allow(unsafe_code, reason = "mapping a file and viewing bytes as numbers need it; nothing else in here does")]

use crate::Error;
use memmap2::Mmap;
use std::fs::File;
use std::ops::Range;
use std::path::Path;

/// A number whose every bit pattern is a valid value, so that any bytes may be viewed as it.
///
/// # Safety
/// Implementors have no padding, no invalid bit patterns and no interior mutability.
pub unsafe trait Plain: Copy + 'static {}

// SAFETY: every bit pattern of an integer is one, without padding.
unsafe impl Plain for i8 {}
// SAFETY: as of every integer.
unsafe impl Plain for u8 {}
// SAFETY: as of every integer.
unsafe impl Plain for u16 {}
// SAFETY: as of every integer.
unsafe impl Plain for u32 {}
// SAFETY: every bit pattern is a float, of which some are not numbers; there is no padding.
unsafe impl Plain for f32 {}

/// A whole file, mapped read only and shared.
#[derive(Debug)]
pub struct Map(Mmap);

impl Map {
    /// Maps the file at `path`.
    pub fn open(path: &Path) -> Result<Map, Error> {
        let file = File::open(path).map_err(Error::io(path))?;
        let metadata = file.metadata().map_err(Error::io(path))?;
        if !metadata.is_file() {
            return Err(Error::NotAModel);
        }
        // SAFETY: the map is read only and packed files are replaced by rename, never changed in place (module header).
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io(path))?;
        Ok(Map(map))
    }

    /// All bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// A section viewed as numbers; empty if it lies outside the file, is misaligned or has a partial element, none
    /// of which a section checked by `Layout` is.
    pub fn section<T: Plain>(&self, range: &Range<usize>) -> &[T] {
        self.0.get(range.clone()).and_then(view).unwrap_or(&[])
    }
}

fn view<T: Plain>(bytes: &[u8]) -> Option<&[T]> {
    // SAFETY: `Plain` admits every bit pattern, and `align_to` puts only whole, aligned elements in the middle.
    let (before, middle, after) = unsafe { bytes.align_to::<T>() };
    (before.is_empty() && after.is_empty()).then_some(middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misaligned_or_partial_view_is_refused() {
        let words = [1u32, 2, 3, 4];
        // SAFETY: viewing integers as their bytes is always valid.
        let bytes = unsafe { words.align_to::<u8>() }.1;
        assert_eq!(view::<u32>(bytes), Some(&words[..]));
        assert_eq!(view::<u32>(&bytes[1..]), None);
        assert_eq!(view::<u32>(&bytes[..7]), None);
    }
}
