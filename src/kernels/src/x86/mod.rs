//! x86-64 instruction sets.

#![allow(unsafe_code)]

pub(crate) mod avx2;
pub(crate) mod avx512;

/// Up to eight bytes as a little-endian number; the rest is zero.
///
/// # Safety
/// `p` is readable for `n <= 8` bytes.
#[inline(always)]
unsafe fn read_le(p: *const u8, n: usize) -> u64 {
    let mut value = 0;
    for i in 0..n {
        // SAFETY: `i < n`.
        value |= u64::from(unsafe { *p.add(i) }) << (8 * i);
    }
    value
}
