//! Kernels over int8 and bit codes, written once for every instruction set; see `lanes.rs` for how they are compiled.
//!
//! All sums are exact: they are integers, and with at most [`crate::MAX_CODE_DIM`] elements none leaves i32; what leaves it on the way
//! wraps and comes back.

#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop, reason = "an index addresses several arrays of registers at once")]

use crate::dispatch::prefetch;

/// A register of `WIDTH` bytes, and of i32 lanes for sums.
///
/// # Safety
/// Every method requires that the CPU has the features of the implementing instruction set.
pub(crate) trait Bytes {
    /// Bytes of one register.
    const WIDTH: usize;
    /// Longest run of bytes whose masked sums fit the narrow lanes of [`Bytes::masked_sum`]; a multiple of `WIDTH`.
    const RUN: usize;
    /// One register.
    type V: Copy;
    /// A selection of bytes, made from `WIDTH` code bits.
    type Mask: Copy;

    unsafe fn zero() -> Self::V;
    /// Reads `WIDTH` bytes.
    unsafe fn load(p: *const u8) -> Self::V;
    /// Reads `n < WIDTH` bytes, the rest is zero.
    unsafe fn load_part(p: *const u8, n: usize) -> Self::V;
    unsafe fn add_i32(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sum_i32(a: Self::V) -> i32;

    /// Gathers what [`Bytes::dot_excess`] must know about the query.
    unsafe fn dot_query(seen: Self::V, query: Self::V) -> Self::V;
    /// Adds the products of int8 to i32 lanes.
    unsafe fn dot(acc: Self::V, query: Self::V, row: Self::V) -> Self::V;
    /// What every dot product has too much, or `None` where the query holds a value that [`Bytes::dot`] cannot take.
    unsafe fn dot_excess(seen: Self::V) -> Option<i32>;
    /// Adds the products of a register of int16 with as many int8, `WIDTH / 2`, at `row`.
    unsafe fn dot_wide(acc: Self::V, query: Self::V, row: *const i8) -> Self::V;

    /// Adds the number of bits that differ.
    unsafe fn hamming(acc: Self::V, a: Self::V, b: Self::V) -> Self::V;
    /// Adds the bits of `code` under four planes, weighted 1, 2, 4 and -8.
    unsafe fn planes(acc: Self::V, code: Self::V, planes: [Self::V; 4]) -> Self::V;

    /// The selection for `n <= WIDTH` code bits; reads `n.div_ceil(8)` bytes.
    unsafe fn mask(code: *const u8, n: usize) -> Self::Mask;
    /// Adds the selected int8 to narrow lanes.
    unsafe fn masked_sum(acc: Self::V, mask: Self::Mask, query: Self::V) -> Self::V;
    /// Every byte selected.
    unsafe fn all() -> Self::Mask;
    /// Narrow lanes to i32 lanes.
    unsafe fn widen(narrow: Self::V) -> Self::V;
}

/// A sum between one register of the query and one of a row.
trait Step<const P: usize> {
    unsafe fn step<B: Bytes>(acc: B::V, query: [B::V; P], row: B::V) -> B::V;
}

struct Hamming;
struct Planes;

impl Step<1> for Hamming {
    #[inline(always)]
    unsafe fn step<B: Bytes>(acc: B::V, query: [B::V; 1], row: B::V) -> B::V {
        // SAFETY: the caller vouches for the CPU features.
        unsafe { B::hamming(acc, query[0], row) }
    }
}

impl Step<4> for Planes {
    #[inline(always)]
    unsafe fn step<B: Bytes>(acc: B::V, query: [B::V; 4], row: B::V) -> B::V {
        // SAFETY: the caller vouches for the CPU features.
        unsafe { B::planes(acc, row, query) }
    }
}

/// The sum of `M` between a query of `P` planes of `n` bytes each and `R` rows of `n` bytes.
///
/// # Safety
/// The CPU has the features of `B`; `query` is readable for `P * n` bytes and every row for `n`.
#[inline(always)]
unsafe fn block<B: Bytes, M: Step<P>, const P: usize, const R: usize>(
    query: *const u8,
    rows: [*const u8; R],
    n: usize,
) -> [i32; R] {
    // SAFETY: every load ends at or before `n` of its plane or row.
    unsafe {
        let mut acc = [B::zero(); R];
        let mut i = 0;
        while i + B::WIDTH <= n {
            let mut planes = [B::zero(); P];
            for p in 0..P {
                planes[p] = B::load(query.add(p * n + i));
            }
            for r in 0..R {
                acc[r] = M::step::<B>(acc[r], planes, B::load(rows[r].add(i)));
            }
            i += B::WIDTH;
        }
        if i < n {
            let mut planes = [B::zero(); P];
            for p in 0..P {
                planes[p] = B::load_part(query.add(p * n + i), n - i);
            }
            for r in 0..R {
                acc[r] = M::step::<B>(acc[r], planes, B::load_part(rows[r].add(i), n - i));
            }
        }
        let mut sums = [0; R];
        for r in 0..R {
            sums[r] = B::sum_i32(acc[r]);
        }
        sums
    }
}

/// [`block`] over all rows, `R` at a time.
///
/// # Safety
/// The CPU has the features of `B`; `query` holds `P` planes of `n` bytes and `rows` holds `out.len()` rows of `n` bytes.
#[inline(always)]
unsafe fn block_many<B: Bytes, M: Step<P>, const P: usize, const R: usize>(
    query: &[u8],
    rows: &[u8],
    n: usize,
    out: &mut [i32],
) {
    let query = query.as_ptr();
    let mut row = rows.as_ptr();
    let mut blocks = out.chunks_exact_mut(R);
    // SAFETY: each turn consumes as many rows as it fills places of `out`.
    unsafe {
        for group in &mut blocks {
            let mut starts = [row; R];
            for r in 1..R {
                starts[r] = row.add(r * n);
            }
            group.copy_from_slice(&block::<B, M, P, R>(query, starts, n));
            row = row.add(R * n);
        }
        for one in blocks.into_remainder() {
            *one = block::<B, M, P, 1>(query, [row], n)[0];
            row = row.add(n);
        }
    }
}

/// Bits that differ between `query` and every row.
///
/// # Safety
/// The CPU has the features of `B`; `rows` holds `out.len()` rows as long as `query`.
#[inline(always)]
pub(crate) unsafe fn hamming_many<B: Bytes>(query: &[u8], rows: &[u8], out: &mut [i32]) {
    // SAFETY: the caller's promise is that of `block_many` with one plane.
    unsafe { block_many::<B, Hamming, 1, 4>(query, rows, query.len(), out) }
}

/// Bits of every row under the four planes of a query, weighted 1, 2, 4 and -8.
///
/// # Safety
/// The CPU has the features of `B`; `planes` holds four planes and `rows` holds `out.len()` rows as long as one plane.
#[inline(always)]
pub(crate) unsafe fn planes_many<B: Bytes>(planes: &[u8], rows: &[u8], out: &mut [i32]) {
    // SAFETY: the caller's promise is that of `block_many` with four planes.
    unsafe { block_many::<B, Planes, 4, 2>(planes, rows, planes.len() / 4, out) }
}

/// Dot products of one int8 query with `R` rows; `None` as in [`Bytes::dot_excess`].
///
/// # Safety
/// The CPU has the features of `B`; `query` and every row are readable for `n` bytes.
#[inline(always)]
unsafe fn dot_block<B: Bytes, const R: usize, const U: usize>(
    query: *const i8,
    rows: [*const i8; R],
    n: usize,
) -> Option<[i32; R]> {
    let query = query.cast::<u8>();
    // SAFETY: every load ends at or before `n`.
    unsafe {
        let mut seen = B::zero();
        let mut acc = [[B::zero(); U]; R];
        let mut i = 0;
        while i + U * B::WIDTH <= n {
            for u in 0..U {
                let a = B::load(query.add(i + u * B::WIDTH));
                seen = B::dot_query(seen, a);
                for r in 0..R {
                    acc[r][u] = B::dot(acc[r][u], a, B::load(rows[r].cast::<u8>().add(i + u * B::WIDTH)));
                }
            }
            i += U * B::WIDTH;
        }
        while i < n {
            let width = (n - i).min(B::WIDTH);
            let whole = width == B::WIDTH;
            let a = if whole { B::load(query.add(i)) } else { B::load_part(query.add(i), width) };
            seen = B::dot_query(seen, a);
            for r in 0..R {
                let at = rows[r].cast::<u8>().add(i);
                let b = if whole { B::load(at) } else { B::load_part(at, width) };
                acc[r][0] = B::dot(acc[r][0], a, b);
            }
            i += width;
        }
        let excess = B::dot_excess(seen)?;
        let mut sums = [0; R];
        for r in 0..R {
            let mut total = acc[r][0];
            for u in 1..U {
                total = B::add_i32(total, acc[r][u]);
            }
            sums[r] = B::sum_i32(total).wrapping_sub(excess);
        }
        Some(sums)
    }
}

/// Dot product of int8.
///
/// # Safety
/// The CPU has the features of `B`; `a` and `b` have the same length.
#[inline(always)]
pub(crate) unsafe fn dot_i8<B: Bytes>(a: &[i8], b: &[i8]) -> i32 {
    // SAFETY: both slices hold `a.len()` bytes.
    let sums = unsafe { dot_block::<B, 1, 2>(a.as_ptr(), [b.as_ptr()], a.len()) };
    match sums {
        Some([sum]) => sum,
        None => crate::scalar::dot_i8(a, b),
    }
}

/// Dot products of an int8 query with every row.
///
/// # Safety
/// The CPU has the features of `B`; `rows` holds `out.len()` rows as long as `query`.
#[inline(always)]
pub(crate) unsafe fn dot_i8_many<B: Bytes>(query: &[i8], rows: &[i8], out: &mut [i32]) {
    let n = query.len();
    let mut row = rows.as_ptr();
    let mut blocks = out.chunks_exact_mut(4);
    // SAFETY: each turn consumes as many rows as it fills places of `out`.
    unsafe {
        for four in &mut blocks {
            let group = [row, row.add(n), row.add(2 * n), row.add(3 * n)];
            match dot_block::<B, 4, 1>(query.as_ptr(), group, n) {
                Some(sums) => four.copy_from_slice(&sums),
                None => return crate::scalar::dot_i8_many(query, rows, out),
            }
            row = row.add(4 * n);
        }
        for one in blocks.into_remainder() {
            *one = dot_i8::<B>(query, std::slice::from_raw_parts(row, n));
            row = row.add(n);
        }
    }
}

/// Registers of the query that a turn of [`wide_block`] takes.
const WIDE_TURN: usize = 2;

/// Dot products of one int16 query with `R` rows of int8. Meanwhile memory is asked for as many bytes at `next`, a few lines in
/// each turn, since the processor waits when it is asked for many at once.
///
/// # Safety
/// The CPU has the features of `B`; `query` and every row are readable for `n` elements.
#[inline(always)]
unsafe fn wide_block<B: Bytes, const R: usize>(
    query: *const i16,
    rows: [*const i8; R],
    n: usize,
    next: *const i8,
) -> [i32; R] {
    // SAFETY: every load ends at or before `n`, or reads a copy of what is left.
    unsafe {
        let step = B::WIDTH / 2;
        let mut acc = [B::zero(); R];
        let mut i = 0;
        while i + WIDE_TURN * step <= n {
            for line in (0..R * WIDE_TURN * step).step_by(64) {
                prefetch(next.wrapping_add(R * i + line));
            }
            for _ in 0..WIDE_TURN {
                let part = B::load(query.add(i).cast());
                for r in 0..R {
                    acc[r] = B::dot_wide(acc[r], part, rows[r].add(i));
                }
                i += step;
            }
        }
        while i + step <= n {
            let part = B::load(query.add(i).cast());
            for r in 0..R {
                acc[r] = B::dot_wide(acc[r], part, rows[r].add(i));
            }
            i += step;
        }
        if i < n {
            let part = B::load_part(query.add(i).cast(), 2 * (n - i));
            for r in 0..R {
                let mut rest = [0; 64];
                rows[r].add(i).copy_to_nonoverlapping(rest.as_mut_ptr(), n - i);
                acc[r] = B::dot_wide(acc[r], part, rest.as_ptr());
            }
        }
        let mut sums = [0; R];
        for r in 0..R {
            sums[r] = B::sum_i32(acc[r]);
        }
        sums
    }
}

/// [`wide_block`] over rows that lie one after the other, `R` at a time; returns what is left of rows, places and `next`.
///
/// # Safety
/// As for [`dot_wide_many`].
#[inline(always)]
unsafe fn wide_groups<'a, B: Bytes, const R: usize>(
    query: &[i16],
    (rows, out, mut next): (&'a [i8], &'a mut [i32], *const i8),
) -> (&'a [i8], &'a mut [i32], *const i8) {
    let n = query.len();
    let (groups, rest) = out.as_chunks_mut::<R>();
    let (rows, left) = rows.split_at(groups.len() * R * n);
    let mut row = rows.as_ptr();
    // SAFETY: each turn consumes as many rows as it fills places of `out`.
    unsafe {
        for group in groups {
            let mut starts = [row; R];
            for r in 1..R {
                starts[r] = row.add(r * n);
            }
            *group = wide_block::<B, R>(query.as_ptr(), starts, n, next);
            row = row.add(R * n);
            next = next.wrapping_add(R * n);
        }
    }
    (left, rest, next)
}

/// Dot products of an int16 query with every row of int8, while memory is asked for as many bytes at `next`.
///
/// # Safety
/// The CPU has the features of `B`; `rows` holds `out.len()` rows as long as `query`.
#[inline(always)]
pub(crate) unsafe fn dot_wide_many<B: Bytes>(query: &[i16], rows: &[i8], next: *const i8, out: &mut [i32]) {
    // The few rows that are left at the end go together, too, as each group loads the query anew.
    // SAFETY: the caller's promise, for what each step leaves to the next.
    unsafe {
        let left = wide_groups::<B, 4>(query, (rows, out, next));
        let left = wide_groups::<B, 3>(query, left);
        let left = wide_groups::<B, 2>(query, left);
        wide_groups::<B, 1>(query, left);
    }
}

/// Signed sums Σ ±q of every code with every int8 query: `out[code * queries + query]`.
///
/// With S₊ the sum of the elements whose bit is set, Σ ±q = 2·S₊ − Σ q; the second term is the same for every code.
///
/// # Safety
/// The CPU has the features of `B`; `queries` holds whole vectors of `dim > 0` elements, `codes` whole codes of `dim` bits and
/// `out` one place for each pair.
#[inline(always)]
pub(crate) unsafe fn sign_dots<B: Bytes>(queries: &[i8], dim: usize, codes: &[u8], out: &mut [i32]) {
    let count = queries.len() / dim;
    // SAFETY: `q` counts whole queries; each code has the bits of `dim` elements.
    unsafe {
        let mut q = 0;
        while q + 4 <= count {
            let at = queries.as_ptr().add(q * dim);
            let group = [at, at.add(dim), at.add(2 * dim), at.add(3 * dim)];
            let totals = masked_block::<B, 4, true>(group, std::ptr::null(), dim);
            for (c, code) in codes.chunks_exact(dim.div_ceil(8)).enumerate() {
                let sums = masked_block::<B, 4, false>(group, code.as_ptr(), dim);
                for k in 0..4 {
                    out[c * count + q + k] = 2 * sums[k] - totals[k];
                }
            }
            q += 4;
        }
        while q < count {
            let at = [queries.as_ptr().add(q * dim)];
            let total = masked_block::<B, 1, true>(at, std::ptr::null(), dim)[0];
            for (c, code) in codes.chunks_exact(dim.div_ceil(8)).enumerate() {
                out[c * count + q] = 2 * masked_block::<B, 1, false>(at, code.as_ptr(), dim)[0] - total;
            }
            q += 1;
        }
    }
}

/// Sums of the elements of `Q` int8 queries that `code` selects, or with `ALL` of every element (`code` is not read).
///
/// # Safety
/// The CPU has the features of `B`; every query is readable for `n` bytes and, without `ALL`, `code` for `n` bits.
#[inline(always)]
unsafe fn masked_block<B: Bytes, const Q: usize, const ALL: bool>(
    queries: [*const i8; Q],
    code: *const u8,
    n: usize,
) -> [i32; Q] {
    // SAFETY: loads of queries end at or before `n`; `mask` reads the bytes of the named bits only. `WIDTH` is a multiple of 8.
    unsafe {
        let mut total = [B::zero(); Q];
        let mut i = 0;
        while i < n {
            let end = n.min(i + B::RUN);
            let mut acc = [B::zero(); Q];
            while i + B::WIDTH <= end {
                let mask = if ALL { B::all() } else { B::mask(code.add(i / 8), B::WIDTH) };
                for q in 0..Q {
                    acc[q] = B::masked_sum(acc[q], mask, B::load(queries[q].cast::<u8>().add(i)));
                }
                i += B::WIDTH;
            }
            if i < end {
                let mask = if ALL { B::all() } else { B::mask(code.add(i / 8), end - i) };
                for q in 0..Q {
                    let part = B::load_part(queries[q].cast::<u8>().add(i), end - i);
                    acc[q] = B::masked_sum(acc[q], mask, part);
                }
                i = end;
            }
            for q in 0..Q {
                total[q] = B::add_i32(total[q], B::widen(acc[q]));
            }
        }
        let mut sums = [0; Q];
        for q in 0..Q {
            sums[q] = B::sum_i32(total[q]);
        }
        sums
    }
}
