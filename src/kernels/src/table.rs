//! The table of kernels and the macro that fills it for one instruction set.

#![allow(unsafe_code)]

use half::f16;

/// Kernels over vectors of `T`.
///
/// # Safety
/// The functions require the features of the instruction set whose table they stand in, vectors of equal length, and for
/// `*_many` as many rows as places in the output. The pointers at the end of `*_row` need not be readable.
pub(crate) struct FloatOps<T: 'static> {
    pub(crate) dot: unsafe fn(&[T], &[T]) -> f32,
    pub(crate) l2: unsafe fn(&[T], &[T]) -> f32,
    pub(crate) l1: unsafe fn(&[T], &[T]) -> f32,
    pub(crate) cosine: unsafe fn(&[T], &[T]) -> f64,
    pub(crate) square_sum: unsafe fn(&[T]) -> f64,
    pub(crate) dot_row: unsafe fn(&[f32], &[T], *const T) -> f32,
    pub(crate) l2_row: unsafe fn(&[f32], &[T], *const T) -> f32,
    pub(crate) l1_row: unsafe fn(&[f32], &[T], *const T) -> f32,
    pub(crate) cosine_row: unsafe fn(&[f32], f32, &[T], *const T) -> f64,
    pub(crate) dot_many: unsafe fn(&[f32], &[T], &mut [f32]),
    pub(crate) l2_many: unsafe fn(&[f32], &[T], &mut [f32]),
    pub(crate) l1_many: unsafe fn(&[f32], &[T], &mut [f32]),
    pub(crate) cosine_many: unsafe fn(&[f32], &[T], &mut [f32]),
}

/// Kernels over int8 and bit codes; safety as for [`FloatOps`].
pub(crate) struct CodeOps {
    pub(crate) dot_i8: unsafe fn(&[i8], &[i8]) -> i32,
    pub(crate) dot_i8_many: unsafe fn(&[i8], &[i8], &mut [i32]),
    pub(crate) dot_wide_many: unsafe fn(&[i16], &[i8], *const i8, &mut [i32]),
    pub(crate) hamming_many: unsafe fn(&[u8], &[u8], &mut [i32]),
    pub(crate) planes_many: unsafe fn(&[u8], &[u8], &mut [i32]),
    pub(crate) sign_dots_i8: unsafe fn(&[i8], usize, &[u8], &mut [i32]),
    pub(crate) sign_dots_f32: unsafe fn(&[f32], usize, &[u8], &mut [f32]),
    pub(crate) quantize: unsafe fn(&[f32], &mut [i8]) -> f32,
    pub(crate) dequantize: unsafe fn(&[i8], f32, &mut [f32]),
    pub(crate) pack_signs: unsafe fn(&[f32], &mut [u8]),
}

/// The kernels of one instruction set. Whoever holds a reference may call them: references are handed out by [`crate::best`] and
/// [`crate::available`] only, after the CPU has been asked.
pub struct Kernels {
    pub(crate) name: &'static str,
    pub(crate) f32: FloatOps<f32>,
    pub(crate) f16: FloatOps<f16>,
    pub(crate) codes: CodeOps,
}

impl std::fmt::Debug for Kernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Kernels").field(&self.name).finish()
    }
}

/// A function compiled for the named features that runs one generic kernel.
macro_rules! entry {
    ($features:literal, ($($arg:ident: $ty:ty),*) $(-> $ret:ty)?, $body:expr) => {{
        #[target_feature(enable = $features)]
        unsafe fn entry($($arg: $ty),*) $(-> $ret)? {
            // SAFETY: the caller's promise is the kernel's, and this function has the features of its instruction set.
            #[allow(unused_unsafe, reason = "some bodies are safe code, compiled for the features")]
            unsafe { $body }
        }
        entry
    }};
}

macro_rules! float_ops {
    ($features:literal, $lanes:ty, $t:ty) => {{
        use crate::lanes::{self, Cosine, Dot, DotNorm, L1, L2, Plain, ToCosine};
        $crate::table::FloatOps::<$t> {
            dot: entry!($features, (a: &[$t], b: &[$t]) -> f32, lanes::pair::<$lanes, Dot, $t, 1, 4>(a, b)[0]),
            l2: entry!($features, (a: &[$t], b: &[$t]) -> f32, lanes::pair::<$lanes, L2, $t, 1, 4>(a, b)[0]),
            l1: entry!($features, (a: &[$t], b: &[$t]) -> f32, lanes::pair::<$lanes, L1, $t, 1, 4>(a, b)[0]),
            cosine: entry!($features, (a: &[$t], b: &[$t]) -> f64, {
                let [dot, a, b] = lanes::pair::<$lanes, Cosine, $t, 3, 4>(a, b);
                lanes::cosine_distance(dot, a, b)
            }),
            dot_row: entry!($features, (query: &[f32], row: &[$t], next: *const $t) -> f32,
                lanes::row::<$lanes, Dot, $t, 1, 4>(query, row, next)[0]),
            l2_row: entry!($features, (query: &[f32], row: &[$t], next: *const $t) -> f32,
                lanes::row::<$lanes, L2, $t, 1, 4>(query, row, next)[0]),
            l1_row: entry!($features, (query: &[f32], row: &[$t], next: *const $t) -> f32,
                lanes::row::<$lanes, L1, $t, 1, 4>(query, row, next)[0]),
            cosine_row: entry!($features, (query: &[f32], squared: f32, row: &[$t], next: *const $t) -> f64, {
                let [dot, row] = lanes::row::<$lanes, DotNorm, $t, 2, 4>(query, row, next);
                lanes::cosine_distance(dot, squared, row)
            }),
            square_sum: entry!($features, (a: &[$t]) -> f64, lanes::square_sum::<$lanes, $t>(a)),
            dot_many: entry!($features, (query: &[f32], rows: &[$t], out: &mut [f32]),
                lanes::many::<$lanes, Dot, $t, 1, 2>(query, rows, out, Plain)),
            l2_many: entry!($features, (query: &[f32], rows: &[$t], out: &mut [f32]),
                lanes::many::<$lanes, L2, $t, 1, 2>(query, rows, out, Plain)),
            l1_many: entry!($features, (query: &[f32], rows: &[$t], out: &mut [f32]),
                lanes::many::<$lanes, L1, $t, 1, 2>(query, rows, out, Plain)),
            cosine_many: entry!($features, (query: &[f32], rows: &[$t], out: &mut [f32]), {
                let finish = ToCosine(lanes::pair::<$lanes, Dot, f32, 1, 4>(query, query)[0]);
                lanes::many::<$lanes, DotNorm, $t, 2, 1>(query, rows, out, finish)
            }),
        }
    }};
}

/// The table of an instruction set: its name, the features its functions are compiled for, and its two register types.
macro_rules! kernels {
    ($name:literal, $features:literal, $lanes:ty, $bytes:ty) => {
        $crate::table::Kernels {
            name: $name,
            f32: float_ops!($features, $lanes, f32),
            f16: float_ops!($features, $lanes, half::f16),
            codes: {
                use crate::{bytes, lanes, scalar};
                $crate::table::CodeOps {
                    dot_i8: entry!($features, (a: &[i8], b: &[i8]) -> i32, bytes::dot_i8::<$bytes>(a, b)),
                    dot_i8_many: entry!($features, (query: &[i8], rows: &[i8], out: &mut [i32]),
                        bytes::dot_i8_many::<$bytes>(query, rows, out)),
                    dot_wide_many: entry!($features,
                        (query: &[i16], rows: &[i8], next: *const i8, out: &mut [i32]),
                        bytes::dot_wide_many::<$bytes>(query, rows, next, out)),
                    hamming_many: entry!($features, (query: &[u8], rows: &[u8], out: &mut [i32]),
                        bytes::hamming_many::<$bytes>(query, rows, out)),
                    planes_many: entry!($features, (planes: &[u8], rows: &[u8], out: &mut [i32]),
                        bytes::planes_many::<$bytes>(planes, rows, out)),
                    sign_dots_i8: entry!($features, (queries: &[i8], dim: usize, codes: &[u8], out: &mut [i32]),
                        bytes::sign_dots::<$bytes>(queries, dim, codes, out)),
                    sign_dots_f32: entry!($features, (queries: &[f32], dim: usize, codes: &[u8], out: &mut [f32]),
                        lanes::sign_dots::<$lanes>(queries, dim, codes, out)),
                    quantize: entry!($features, (x: &[f32], codes: &mut [i8]) -> f32, scalar::quantize(x, codes)),
                    dequantize: entry!($features, (codes: &[i8], scale: f32, out: &mut [f32]),
                        scalar::dequantize(codes, scale, out)),
                    pack_signs: entry!($features, (x: &[f32], code: &mut [u8]), scalar::pack_signs(x, code)),
                }
            },
        }
    };
}
