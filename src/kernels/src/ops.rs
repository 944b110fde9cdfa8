//! The safe interface to float kernels: checks lengths, calls through the table, finishes in f64.

#![allow(unsafe_code)]
#![allow(clippy::not_unsafe_ptr_arg_deref, reason = "the place of the next row is asked for and never read")]

use half::f16;

use crate::table::{FloatOps, Kernels};

mod sealed {
    use crate::table::{FloatOps, Kernels};

    /// Finds the kernels of an element type.
    pub trait Table: Sized + 'static {
        #[doc(hidden)]
        #[allow(private_interfaces, reason = "the trait cannot be named outside the crate")]
        fn ops(kernels: &Kernels) -> &FloatOps<Self>;
    }
}

/// An element of a float vector: `f32` or [`half::f16`].
pub trait Element: sealed::Table + Copy {}

impl Element for f32 {}
impl Element for f16 {}

impl sealed::Table for f32 {
    #[inline(always)]
    #[allow(private_interfaces, reason = "the trait cannot be named outside the crate")]
    fn ops(kernels: &Kernels) -> &FloatOps<Self> {
        &kernels.f32
    }
}

impl sealed::Table for f16 {
    #[inline(always)]
    #[allow(private_interfaces, reason = "the trait cannot be named outside the crate")]
    fn ops(kernels: &Kernels) -> &FloatOps<Self> {
        &kernels.f16
    }
}

#[inline(always)]
#[track_caller]
fn check_pair(a: usize, b: usize) {
    assert_eq!(a, b, "vectors must have the same dimension");
}

#[inline(always)]
#[track_caller]
pub(crate) fn check_rows(dim: usize, elements: usize, rows: usize) {
    assert_eq!(Some(elements), dim.checked_mul(rows), "rows must be as many as results");
}

impl Kernels {
    /// The instruction set, such as `avx2`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Σ aᵢ·bᵢ
    #[inline]
    pub fn dot<T: Element>(&self, a: &[T], b: &[T]) -> f32 {
        check_pair(a.len(), b.len());
        // SAFETY: the CPU has this table's features and the lengths are equal.
        unsafe { (T::ops(self).dot)(a, b) }
    }

    /// Σ (aᵢ − bᵢ)²
    #[inline]
    pub fn l2_squared<T: Element>(&self, a: &[T], b: &[T]) -> f32 {
        check_pair(a.len(), b.len());
        // SAFETY: the CPU has this table's features and the lengths are equal.
        unsafe { (T::ops(self).l2)(a, b) }
    }

    /// √Σ (aᵢ − bᵢ)², the operator `<->`; the sum is f32, the root f64.
    #[inline]
    pub fn l2_distance<T: Element>(&self, a: &[T], b: &[T]) -> f64 {
        f64::from(self.l2_squared(a, b)).sqrt()
    }

    /// Σ |aᵢ − bᵢ|, the operator `<+>`
    #[inline]
    pub fn l1<T: Element>(&self, a: &[T], b: &[T]) -> f32 {
        check_pair(a.len(), b.len());
        // SAFETY: the CPU has this table's features and the lengths are equal.
        unsafe { (T::ops(self).l1)(a, b) }
    }

    /// `1 - clamp(dot / √(|a|²·|b|²), -1, 1)`, the operator `<=>`; NaN if a squared norm is zero in f32.
    #[inline]
    pub fn cosine_distance<T: Element>(&self, a: &[T], b: &[T]) -> f64 {
        check_pair(a.len(), b.len());
        // SAFETY: the CPU has this table's features and the lengths are equal.
        unsafe { (T::ops(self).cosine)(a, b) }
    }

    /// √Σ aᵢ², summed in f64.
    #[inline]
    pub fn norm<T: Element>(&self, a: &[T]) -> f64 {
        // SAFETY: the CPU has this table's features.
        unsafe { (T::ops(self).square_sum)(a) }.sqrt()
    }

    /// [`Kernels::dot`] of a query that was widened once with one row of many, to the same bits. Meanwhile memory is asked for the row
    /// that the caller expects to need next; `next` need not point to anything, and is `row` itself where the caller expects nothing.
    #[inline]
    pub fn dot_row<T: Element>(&self, query: &[f32], row: &[T], next: *const T) -> f32 {
        check_pair(query.len(), row.len());
        // SAFETY: the CPU has this table's features and the lengths are equal.
        unsafe { (T::ops(self).dot_row)(query, row, next) }
    }

    /// [`Kernels::l2_squared`] in the same way.
    #[inline]
    pub fn l2_squared_row<T: Element>(&self, query: &[f32], row: &[T], next: *const T) -> f32 {
        check_pair(query.len(), row.len());
        // SAFETY: the CPU has this table's features and the lengths are equal.
        unsafe { (T::ops(self).l2_row)(query, row, next) }
    }

    /// [`Kernels::l2_distance`] in the same way.
    #[inline]
    pub fn l2_distance_row<T: Element>(&self, query: &[f32], row: &[T], next: *const T) -> f64 {
        f64::from(self.l2_squared_row(query, row, next)).sqrt()
    }

    /// [`Kernels::l1`] in the same way.
    #[inline]
    pub fn l1_row<T: Element>(&self, query: &[f32], row: &[T], next: *const T) -> f32 {
        check_pair(query.len(), row.len());
        // SAFETY: the CPU has this table's features and the lengths are equal.
        unsafe { (T::ops(self).l1_row)(query, row, next) }
    }

    /// [`Kernels::cosine_distance`] in the same way, given the query's product with itself by [`Kernels::dot`].
    #[inline]
    pub fn cosine_distance_row<T: Element>(&self, query: &[f32], squared: f32, row: &[T], next: *const T) -> f64 {
        check_pair(query.len(), row.len());
        // SAFETY: the CPU has this table's features and the lengths are equal.
        unsafe { (T::ops(self).cosine_row)(query, squared, row, next) }
    }

    /// [`Kernels::dot`] of `query` with every row; `rows` holds `out.len()` rows one after the other.
    #[inline]
    pub fn dot_many<T: Element>(&self, query: &[f32], rows: &[T], out: &mut [f32]) {
        check_rows(query.len(), rows.len(), out.len());
        // SAFETY: the CPU has this table's features and there are `out.len()` rows.
        unsafe { (T::ops(self).dot_many)(query, rows, out) }
    }

    /// [`Kernels::l2_squared`] of `query` with every row.
    #[inline]
    pub fn l2_squared_many<T: Element>(&self, query: &[f32], rows: &[T], out: &mut [f32]) {
        check_rows(query.len(), rows.len(), out.len());
        // SAFETY: the CPU has this table's features and there are `out.len()` rows.
        unsafe { (T::ops(self).l2_many)(query, rows, out) }
    }

    /// [`Kernels::l1`] of `query` with every row.
    #[inline]
    pub fn l1_many<T: Element>(&self, query: &[f32], rows: &[T], out: &mut [f32]) {
        check_rows(query.len(), rows.len(), out.len());
        // SAFETY: the CPU has this table's features and there are `out.len()` rows.
        unsafe { (T::ops(self).l1_many)(query, rows, out) }
    }

    /// [`Kernels::cosine_distance`] of `query` with every row, rounded to f32. For rows of norm one,
    /// `1 - dot` of [`Kernels::dot_many`] is the same for less.
    #[inline]
    pub fn cosine_distance_many<T: Element>(&self, query: &[f32], rows: &[T], out: &mut [f32]) {
        check_rows(query.len(), rows.len(), out.len());
        // SAFETY: the CPU has this table's features and there are `out.len()` rows.
        unsafe { (T::ops(self).cosine_many)(query, rows, out) }
    }
}
