//! Float kernels, written once for every instruction set.
//!
//! An instruction set gives a register type and about fifteen operations ([`Lanes`], [`Load`]); the loops below are generic over
//! them. Every function here is `#[inline(always)]` and has no target feature of its own: it becomes part of the entry function
//! that names the features (`table.rs`), so the intrinsics inline there. For the same reason there are no closures.

#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop, reason = "an index addresses several arrays of registers at once")]

use std::ptr;

use crate::dispatch::prefetch;

/// A register of `N` f32 lanes.
///
/// # Safety
/// Every method requires that the CPU has the features of the implementing instruction set.
pub(crate) trait Lanes {
    /// Lanes of one register.
    const N: usize;
    /// `N` lanes of f32.
    type F: Copy;
    /// Lanes of f64, as many registers as the instruction set wants.
    type D: Copy;

    unsafe fn zero() -> Self::F;
    unsafe fn add(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn sub(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn abs(a: Self::F) -> Self::F;
    /// `a * b + acc`, rounded once.
    unsafe fn fma(acc: Self::F, a: Self::F, b: Self::F) -> Self::F;
    unsafe fn xor(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn sum(a: Self::F) -> f32;
    unsafe fn zero_f64() -> Self::D;
    /// `acc + a²` in f64.
    unsafe fn square_f64(acc: Self::D, a: Self::F) -> Self::D;
    unsafe fn sum_f64(a: Self::D) -> f64;
    /// The sign bit in each lane whose code bit is clear; `code` points at the byte of the first lane's bit, which is bit
    /// `first % 8` of it. Reads only the bytes that hold the bits of `n` lanes; lanes from `n` on are unspecified.
    unsafe fn flips(code: *const u8, first: usize, n: usize) -> Self::F;
}

/// Loads of `T`, widened to f32 lanes.
///
/// # Safety
/// As [`Lanes`]; `load` reads `N` elements and `load_part` reads `n < N`, from any alignment. Absent lanes are zero.
pub(crate) trait Load<T>: Lanes {
    unsafe fn load(p: *const T) -> Self::F;
    unsafe fn load_part(p: *const T, n: usize) -> Self::F;
}

/// What a kernel sums: `S` sums over pairs of elements. A pair of zeros adds nothing, so tails may be padded.
pub(crate) trait Metric<const S: usize> {
    unsafe fn step<L: Lanes>(acc: [L::F; S], a: L::F, b: L::F) -> [L::F; S];
}

/// Σ a·b
pub(crate) struct Dot;
/// Σ (a − b)²
pub(crate) struct L2;
/// Σ |a − b|
pub(crate) struct L1;
/// Σ a·b and Σ b²
pub(crate) struct DotNorm;
/// Σ a·b, Σ a² and Σ b²
pub(crate) struct Cosine;

impl Metric<1> for Dot {
    #[inline(always)]
    unsafe fn step<L: Lanes>(acc: [L::F; 1], a: L::F, b: L::F) -> [L::F; 1] {
        // SAFETY: the caller vouches for the CPU features.
        unsafe { [L::fma(acc[0], a, b)] }
    }
}

impl Metric<1> for L2 {
    #[inline(always)]
    unsafe fn step<L: Lanes>(acc: [L::F; 1], a: L::F, b: L::F) -> [L::F; 1] {
        // SAFETY: the caller vouches for the CPU features.
        unsafe {
            let d = L::sub(a, b);
            [L::fma(acc[0], d, d)]
        }
    }
}

impl Metric<1> for L1 {
    #[inline(always)]
    unsafe fn step<L: Lanes>(acc: [L::F; 1], a: L::F, b: L::F) -> [L::F; 1] {
        // SAFETY: the caller vouches for the CPU features.
        unsafe { [L::add(acc[0], L::abs(L::sub(a, b)))] }
    }
}

impl Metric<2> for DotNorm {
    #[inline(always)]
    unsafe fn step<L: Lanes>(acc: [L::F; 2], a: L::F, b: L::F) -> [L::F; 2] {
        // SAFETY: the caller vouches for the CPU features.
        unsafe { [L::fma(acc[0], a, b), L::fma(acc[1], b, b)] }
    }
}

impl Metric<3> for Cosine {
    #[inline(always)]
    unsafe fn step<L: Lanes>(acc: [L::F; 3], a: L::F, b: L::F) -> [L::F; 3] {
        // SAFETY: the caller vouches for the CPU features.
        unsafe { [L::fma(acc[0], a, b), L::fma(acc[1], a, a), L::fma(acc[2], b, b)] }
    }
}

/// Rows in a block, which lie one after the other, are prefetched by software up to so many bytes. Measured on Zen 3 with rows in
/// memory: 768 bytes gain a third to a half, 1,536 nothing; from the last-level cache 6,144 bytes would lose a half.
const SHORT_ROW: usize = 1024;

/// How far ahead, in bytes, memory is asked for while a row is computed on. Up to that length the next row is asked for as a whole.
/// Of a longer row the end is asked for first and then the beginning of the next one, so that what comes stays for a short time only in
/// the first-level cache. Measured on Zen 3 with rows of 6,144 bytes: 2,560 to 3,328 bytes are equal, more or less are worse.
const LEAD: usize = 3072;

/// The one loop: `S` sums of `M` between `query` and each of `R` rows, with `U` independent accumulators per sum to hide the
/// latency of the multiply-add. A query register is loaded once for `R` rows. With `AHEAD`, memory is asked for meanwhile, line by line,
/// since the processor drops prefetches that come all at once: for the rows that lie from `next` on, and before that, up to the element
/// `turn`, for the elements of the rows themselves that lie `LEAD` further on. `turn` is a multiple of `U * N`.
///
/// # Safety
/// The CPU has the features of `L`; `query` and every row are readable for `n` elements.
#[inline(always)]
unsafe fn block<L, M, Q, T, const S: usize, const R: usize, const U: usize, const AHEAD: bool>(
    query: *const Q,
    rows: [*const T; R],
    n: usize,
    next: *const T,
    turn: usize,
) -> [[f32; S]; R]
where
    L: Load<Q> + Load<T>,
    M: Metric<S>,
{
    // SAFETY: every load ends at or before `n`: whole registers while `i + N <= n`, then `n - i` elements.
    unsafe {
        let mut acc = [[[L::zero(); S]; U]; R];
        let whole = n - n % (U * L::N);
        let mut i = 0;
        if AHEAD {
            while i < turn {
                ask::<L, T, R, U>(rows[0].wrapping_byte_add(LEAD), n, i);
                acc = steps::<L, M, Q, T, S, R, U>(acc, query, rows, i);
                i += U * L::N;
            }
        }
        while i < whole {
            if AHEAD {
                ask::<L, T, R, U>(next.wrapping_sub(turn), n, i);
            }
            acc = steps::<L, M, Q, T, S, R, U>(acc, query, rows, i);
            i += U * L::N;
        }
        if i < n {
            while i + L::N <= n {
                let a = <L as Load<Q>>::load(query.add(i));
                for r in 0..R {
                    acc[r][0] = M::step::<L>(acc[r][0], a, <L as Load<T>>::load(rows[r].add(i)));
                }
                i += L::N;
            }
            if i < n {
                let a = <L as Load<Q>>::load_part(query.add(i), n - i);
                for r in 0..R {
                    acc[r][U - 1] = M::step::<L>(acc[r][U - 1], a, <L as Load<T>>::load_part(rows[r].add(i), n - i));
                }
            }
        }
        let mut sums = [[0.0; S]; R];
        for r in 0..R {
            for s in 0..S {
                let mut total = acc[r][0][s];
                for u in 1..U {
                    total = L::add(total, acc[r][u][s]);
                }
                sums[r][s] = L::sum(total);
            }
        }
        sums
    }
}

/// The part of [`block`] that takes `U` registers from the element `i` on.
///
/// # Safety
/// As for [`block`], and all these registers end at or before `n`.
#[inline(always)]
unsafe fn steps<L, M, Q, T, const S: usize, const R: usize, const U: usize>(
    mut acc: [[[L::F; S]; U]; R],
    query: *const Q,
    rows: [*const T; R],
    i: usize,
) -> [[[L::F; S]; U]; R]
where
    L: Load<Q> + Load<T>,
    M: Metric<S>,
{
    // SAFETY: the caller's promise.
    unsafe {
        for u in 0..U {
            let a = <L as Load<Q>>::load(query.add(i + u * L::N));
            for r in 0..R {
                acc[r][u] = M::step::<L>(acc[r][u], a, <L as Load<T>>::load(rows[r].add(i + u * L::N)));
            }
        }
        acc
    }
}

/// Asks for what [`block`] will load for the element `i` of the `R` rows of `n` elements at `rows`, which need not be readable.
#[inline(always)]
fn ask<L: Lanes, T, const R: usize, const U: usize>(rows: *const T, n: usize, i: usize) {
    for r in 0..R {
        for line in 0..(U * L::N * size_of::<T>()).div_ceil(64) {
            prefetch(rows.wrapping_add(r * n + i).wrapping_byte_add(64 * line));
        }
    }
}

/// The `S` sums of `M` over two vectors, with `U` accumulators each.
///
/// # Safety
/// The CPU has the features of `L`; `a` and `b` have the same length.
#[inline(always)]
pub(crate) unsafe fn pair<L: Load<T>, M: Metric<S>, T, const S: usize, const U: usize>(a: &[T], b: &[T]) -> [f32; S] {
    // SAFETY: both slices hold `a.len()` elements; the features are the caller's promise.
    unsafe { block::<L, M, T, T, S, 1, U, false>(a.as_ptr(), [b.as_ptr()], a.len(), ptr::null(), 0)[0] }
}

/// The same over a query that is f32 already and a row, while the row at `next` is asked for.
///
/// # Safety
/// As for [`pair`]; `next` need not be readable.
#[inline(always)]
pub(crate) unsafe fn row<L, M, T, const S: usize, const U: usize>(query: &[f32], row: &[T], next: *const T) -> [f32; S]
where
    L: Load<f32> + Load<T>,
    M: Metric<S>,
{
    let lead = LEAD / size_of::<T>();
    let turn = if row.len() > lead { (row.len() - lead) / (U * L::N) * (U * L::N) } else { 0 };
    // SAFETY: as in `pair`.
    unsafe { block::<L, M, f32, T, S, 1, U, true>(query.as_ptr(), [row.as_ptr()], query.len(), next, turn)[0] }
}

/// The sums of `M` between `query` and every row, handed to [`Finish`]; `4 · S · U` accumulators have to fit the registers.
///
/// # Safety
/// The CPU has the features of `L`; `rows` holds `out.len()` rows of `query.len()` elements.
#[inline(always)]
pub(crate) unsafe fn many<L, M, T, const S: usize, const U: usize>(
    query: &[f32],
    rows: &[T],
    out: &mut [f32],
    finish: impl Finish<S>,
) where
    L: Load<f32> + Load<T>,
    M: Metric<S>,
{
    let n = query.len();
    let query = query.as_ptr();
    let mut row = rows.as_ptr();
    let mut blocks = out.chunks_exact_mut(4);
    // SAFETY: each turn consumes as many rows as it fills places of `out`.
    unsafe {
        for four in &mut blocks {
            let group = [row, row.add(n), row.add(2 * n), row.add(3 * n)];
            let sums = if n * size_of::<T>() <= SHORT_ROW {
                block::<L, M, f32, T, S, 4, U, true>(query, group, n, row.wrapping_add(4 * n), 0)
            } else {
                block::<L, M, f32, T, S, 4, U, false>(query, group, n, ptr::null(), 0)
            };
            for r in 0..4 {
                four[r] = finish.finish(sums[r]);
            }
            row = row.add(4 * n);
        }
        for one in blocks.into_remainder() {
            *one = finish.finish(block::<L, M, f32, T, S, 1, 4, false>(query, [row], n, ptr::null(), 0)[0]);
            row = row.add(n);
        }
    }
}

/// Turns a row's sums into the value that is stored.
pub(crate) trait Finish<const S: usize>: Copy {
    fn finish(self, sums: [f32; S]) -> f32;
}

/// Stores the sum itself.
#[derive(Clone, Copy)]
pub(crate) struct Plain;

impl Finish<1> for Plain {
    #[inline(always)]
    fn finish(self, sums: [f32; 1]) -> f32 {
        sums[0]
    }
}

/// Stores the cosine distance, given the squared norm of the query.
#[derive(Clone, Copy)]
pub(crate) struct ToCosine(pub(crate) f32);

impl Finish<2> for ToCosine {
    #[inline(always)]
    fn finish(self, [dot, row]: [f32; 2]) -> f32 {
        cosine_distance(dot, self.0, row) as f32
    }
}

/// `1 - clamp(dot / √(a·b), -1, 1)` in f64; NaN where a squared norm is zero, as in pgvector.
#[inline(always)]
pub(crate) fn cosine_distance(dot: f32, a: f32, b: f32) -> f64 {
    let similarity = f64::from(dot) / (f64::from(a) * f64::from(b)).sqrt();
    1.0 - similarity.clamp(-1.0, 1.0)
}

/// Σ a² in f64.
///
/// # Safety
/// The CPU has the features of `L`.
#[inline(always)]
pub(crate) unsafe fn square_sum<L: Load<T>, T>(a: &[T]) -> f64 {
    let (p, n) = (a.as_ptr(), a.len());
    // SAFETY: every load ends at or before `n`.
    unsafe {
        let mut acc = [L::zero_f64(); 4];
        let mut i = 0;
        while i + 4 * L::N <= n {
            for u in 0..4 {
                acc[u] = L::square_f64(acc[u], L::load(p.add(i + u * L::N)));
            }
            i += 4 * L::N;
        }
        while i + L::N <= n {
            acc[0] = L::square_f64(acc[0], L::load(p.add(i)));
            i += L::N;
        }
        if i < n {
            acc[3] = L::square_f64(acc[3], L::load_part(p.add(i), n - i));
        }
        (L::sum_f64(acc[0]) + L::sum_f64(acc[1])) + (L::sum_f64(acc[2]) + L::sum_f64(acc[3]))
    }
}

/// Signed sums Σ ±q of every code with every query: `out[code * queries + query]`.
///
/// # Safety
/// The CPU has the features of `L`; `queries` holds whole vectors of `dim > 0` elements, `codes` whole codes of `dim` bits and
/// `out` one place for each pair.
#[inline(always)]
pub(crate) unsafe fn sign_dots<L: Load<f32>>(queries: &[f32], dim: usize, codes: &[u8], out: &mut [f32]) {
    let count = queries.len() / dim;
    // SAFETY: `q` counts whole queries and each turn of the outer loop takes one code and `count` places.
    unsafe {
        for (code, out) in codes.chunks_exact(dim.div_ceil(8)).zip(out.chunks_exact_mut(count.max(1))) {
            let mut q = 0;
            while q + 4 <= count {
                let at = queries.as_ptr().add(q * dim);
                let group = [at, at.add(dim), at.add(2 * dim), at.add(3 * dim)];
                let sums = sign_block::<L, 4, 1>(group, code.as_ptr(), dim);
                out[q..q + 4].copy_from_slice(&sums);
                q += 4;
            }
            while q < count {
                out[q] = sign_block::<L, 1, 4>([queries.as_ptr().add(q * dim)], code.as_ptr(), dim)[0];
                q += 1;
            }
        }
    }
}

/// Σ ±q of one code with `Q` queries; the signs are expanded once for all of them.
///
/// # Safety
/// The CPU has the features of `L`; every query is readable for `n` elements and `code` for `n` bits.
#[inline(always)]
unsafe fn sign_block<L: Load<f32>, const Q: usize, const U: usize>(
    queries: [*const f32; Q],
    code: *const u8,
    n: usize,
) -> [f32; Q] {
    // SAFETY: loads of queries end at or before `n`; `flips` reads the bytes of the named lanes only.
    unsafe {
        let mut acc = [[L::zero(); U]; Q];
        let mut i = 0;
        while i + U * L::N <= n {
            for u in 0..U {
                let at = i + u * L::N;
                let flips = L::flips(code.add(at / 8), at, L::N);
                for q in 0..Q {
                    acc[q][u] = L::add(acc[q][u], L::xor(L::load(queries[q].add(at)), flips));
                }
            }
            i += U * L::N;
        }
        while i < n {
            let lanes = (n - i).min(L::N);
            let flips = L::flips(code.add(i / 8), i, lanes);
            for q in 0..Q {
                let part =
                    if lanes == L::N { L::load(queries[q].add(i)) } else { L::load_part(queries[q].add(i), lanes) };
                acc[q][0] = L::add(acc[q][0], L::xor(part, flips));
            }
            i += L::N;
        }
        let mut sums = [0.0; Q];
        for q in 0..Q {
            let mut total = acc[q][0];
            for u in 1..U {
                total = L::add(total, acc[q][u]);
            }
            sums[q] = L::sum(total);
        }
        sums
    }
}
