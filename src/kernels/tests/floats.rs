//! Every set of float kernels against sums in f64, within the bounds that the crate states.

use std::any::TypeId;

use half::f16;
use kernels::{Element, Kernels, available};
use proptest::prelude::*;

const U: f64 = 1.0 / (1 << 24) as f64;
const U64: f64 = f64::EPSILON / 2.0;

trait Value: Element + Into<f64> + std::fmt::Debug {
    fn from_f32(x: f32) -> Self;
}

impl Value for f32 {
    fn from_f32(x: f32) -> Self {
        x
    }
}

impl Value for f16 {
    fn from_f32(x: f32) -> Self {
        f16::from_f32_const(x)
    }
}

/// Miri interprets AVX-512 (with `-Ctarget-feature`) but for the conversions from f16 and to f64.
fn converts(k: &Kernels) -> bool {
    !(cfg!(miri) && k.name().starts_with("avx512"))
}

/// The kernels to test with elements of `T`.
fn sets<T: 'static>() -> impl Iterator<Item = &'static Kernels> {
    let is_f32 = TypeId::of::<T>() == TypeId::of::<f32>();
    available().iter().copied().filter(move |k| is_f32 || converts(k))
}

fn dims() -> Vec<usize> {
    if cfg!(miri) {
        return [0, 1, 5, 17, 33, 131].to_vec();
    }
    (0..=67).chain([96, 127, 128, 129, 384, 768, 1536, 2000, 15_999, 16_000, 16_001]).collect()
}

/// Numbers in -1..1 from a small generator, the same on every run.
fn numbers<T: Value>(n: usize, seed: u64) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        T::from_f32((state >> 40) as f32 / (1 << 23) as f32 - 1.0)
    };
    (0..n).map(|_| next()).collect()
}

fn wide<T: Value>(a: &[T]) -> Vec<f64> {
    a.iter().map(|&x| x.into()).collect()
}

struct Exact {
    dot: f64,
    dot_abs: f64,
    l2: f64,
    l1: f64,
    squares: [f64; 2],
}

fn exact<A: Value, B: Value>(a: &[A], b: &[B]) -> Exact {
    let pairs: Vec<(f64, f64)> = wide(a).into_iter().zip(wide(b)).collect();
    let sum = |term: fn(f64, f64) -> f64| pairs.iter().map(|&(a, b)| term(a, b)).sum();
    Exact {
        dot: sum(|a, b| a * b),
        dot_abs: sum(|a, b| (a * b).abs()),
        l2: sum(|a, b| (a - b) * (a - b)),
        l1: sum(|a, b| (a - b).abs()),
        squares: [sum(|a, _| a * a), sum(|_, b| b * b)],
    }
}

/// `got` is within `terms · u · scale` of `want`, and what underflow may add; both may be the same non-finite value.
#[track_caller]
fn assert_near(what: &str, k: &Kernels, n: usize, got: f64, want: f64, terms: usize, scale: f64) {
    let bound = (n + terms) as f64 * U * scale + n as f64 * f64::from_bits(0x3690_0000_0000_0000);
    assert!((got - want).abs() <= bound, "{} {what} of {n}: {got:e}, expected {want:e} within {bound:e}", k.name());
}

fn check_pair<T: Value>(k: &Kernels, a: &[T], b: &[T]) {
    let (n, e) = (a.len(), exact(a, b));
    assert_near("dot", k, n, k.dot(a, b).into(), e.dot, 1, e.dot_abs);
    assert_near("l2", k, n, k.l2_squared(a, b).into(), e.l2, 3, e.l2);
    assert_eq!(k.l2_distance(a, b), f64::from(k.l2_squared(a, b)).sqrt());
    assert_near("l1", k, n, k.l1(a, b).into(), e.l1, 1, e.l1);
    if converts(k) {
        let norm = e.squares[0].sqrt();
        assert!((k.norm(a) - norm).abs() <= (n + 3) as f64 * U64 * norm, "{} norm of {n}", k.name());
    }
    let lengths = (e.squares[0] * e.squares[1]).sqrt();
    if lengths > 1e-30 {
        let cosine = 1.0 - (e.dot / lengths).clamp(-1.0, 1.0);
        assert_near("cosine", k, n, k.cosine_distance(a, b), cosine, 3, 2.0);
    } else {
        assert!(k.cosine_distance(a, b).is_nan(), "{} cosine of {n} with a zero vector", k.name());
    }
}

/// A query that was widened before gives the same bits, whatever is asked for meanwhile.
fn check_row<T: Value>(k: &Kernels, query: &[T], row: &[T]) {
    let wide: Vec<f32> = query.iter().map(|&x| x.into() as f32).collect();
    for next in [std::ptr::null(), row.as_ptr(), std::ptr::without_provenance(8)] {
        assert_eq!(k.dot_row(&wide, row, next).to_bits(), k.dot(query, row).to_bits());
        assert_eq!(k.l2_squared_row(&wide, row, next).to_bits(), k.l2_squared(query, row).to_bits());
        assert_eq!(k.l2_distance_row(&wide, row, next).to_bits(), k.l2_distance(query, row).to_bits());
        assert_eq!(k.l1_row(&wide, row, next).to_bits(), k.l1(query, row).to_bits());
        let (got, want) = (k.cosine_distance_row(&wide, k.dot(&wide, &wide), row, next), k.cosine_distance(query, row));
        assert!(got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(), "{got} {want}");
    }
}

fn check_many<T: Value>(k: &Kernels, query: &[f32], rows: &[T]) {
    let n = query.len();
    let count = rows.len() / n;
    let mut out = vec![f32::NAN; 4 * count];
    let (dots, rest) = out.split_at_mut(count);
    let (l2s, rest) = rest.split_at_mut(count);
    let (l1s, cosines) = rest.split_at_mut(count);
    k.dot_many(query, rows, dots);
    k.l2_squared_many(query, rows, l2s);
    k.l1_many(query, rows, l1s);
    k.cosine_distance_many(query, rows, cosines);
    for (r, row) in rows.chunks_exact(n).enumerate() {
        let e = exact(query, row);
        assert_near("dot_many", k, n, dots[r].into(), e.dot, 1, e.dot_abs);
        assert_near("l2_squared_many", k, n, l2s[r].into(), e.l2, 3, e.l2);
        assert_near("l1_many", k, n, l1s[r].into(), e.l1, 1, e.l1);
        let cosine = 1.0 - (e.dot / (e.squares[0] * e.squares[1]).sqrt()).clamp(-1.0, 1.0);
        assert_near("cosine_distance_many", k, n, cosines[r].into(), cosine, 4, 2.0);
    }
}

fn all_dims<T: Value>() {
    for k in sets::<T>() {
        for n in dims() {
            // One element of offset makes the slices unaligned for every register width.
            let (a, b) = (numbers::<T>(n + 1, 1), numbers::<T>(n + 3, 2));
            check_pair(k, &a[..n], &b[..n]);
            check_pair(k, &a[1..], &b[3..]);
            check_row(k, &a[1..], &b[3..]);
            if n > 0 {
                for count in [1, 3, 4, 5, 8, 11] {
                    let query = numbers::<f32>(n + 1, 3);
                    let rows = numbers::<T>(count * n + 1, 4);
                    check_many(k, &query[1..], &rows[1..]);
                }
            }
        }
    }
}

#[test]
fn f32_of_every_dimension() {
    all_dims::<f32>();
}

#[test]
fn f16_of_every_dimension() {
    all_dims::<f16>();
}

#[test]
fn avx512_was_tested_or_its_absence_is_told() {
    let names: Vec<&str> = available().iter().map(|k| k.name()).collect();
    assert_eq!(names[0], "scalar");
    assert_eq!(names.last(), Some(&kernels::best().name()));
    if !names.contains(&"avx512+vnni+vpopcntdq") {
        assert!(std::env::var_os("EXPECT_AVX512").is_none(), "AVX-512 was expected of this CPU, which runs {names:?}");
        println!("notice: this CPU runs {names:?}; the other instruction sets were not tested");
    }
}

/// One special value at each place of vectors of every shape, for each metric.
fn special_values<T: Value>() {
    let sizes = if cfg!(miri) { vec![9, 21] } else { vec![1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 67, 131] };
    for k in sets::<T>() {
        for &n in &sizes {
            for at in 0..n {
                let zeros = vec![T::from_f32(0.0); n];
                let ones = vec![T::from_f32(1.0); n];
                let mut a = ones.clone();

                a[at] = T::from_f32(f32::NAN);
                assert!(k.dot(&a, &ones).is_nan() && k.dot(&ones, &a).is_nan());
                assert!(k.l2_squared(&a, &ones).is_nan() && k.l1(&a, &ones).is_nan());
                assert!(k.cosine_distance(&a, &ones).is_nan() && (!converts(k) || k.norm(&a).is_nan()));
                let mut out = [0.0; 5];
                let rows = [ones.clone(), a.clone(), ones.clone(), ones.clone(), a.clone()].concat();
                let query = vec![1.0; n];
                for many in
                    [Kernels::dot_many, Kernels::l2_squared_many, Kernels::l1_many, Kernels::cosine_distance_many]
                {
                    many(k, &query, &rows, &mut out);
                    assert_eq!(out.map(f32::is_nan), [false, true, false, false, true]);
                }

                a[at] = T::from_f32(f32::NEG_INFINITY);
                assert_eq!(k.dot(&a, &ones), f32::NEG_INFINITY);
                assert!(k.dot(&a, &zeros).is_nan());
                assert_eq!(k.l2_distance(&a, &ones), f64::INFINITY);
                assert_eq!(k.l1(&ones, &a), f32::INFINITY);
                assert!(k.l1(&a, &a).is_nan() && k.l2_squared(&a, &a).is_nan());
                assert!(k.cosine_distance(&a, &ones).is_nan());
                assert!(!converts(k) || k.norm(&a) == f64::INFINITY);
            }
        }
    }
}

#[test]
fn f32_special_values() {
    special_values::<f32>();
}

#[test]
fn f16_special_values() {
    special_values::<f16>();
}

#[test]
fn extremes_follow_pgvector() {
    for k in sets::<f16>() {
        assert_eq!(k.l2_distance(&[3e38_f32], &[-3e38]), f64::INFINITY);
        assert_eq!(k.dot(&[3e38_f32], &[3e38]), f32::INFINITY);
        assert!(k.cosine_distance(&[1.0_f32, 1.0], &[0.0, 0.0]).is_nan());
        assert!(k.cosine_distance(&[3e38_f32], &[3e38]).is_nan());
        assert_eq!(k.cosine_distance(&[1.0_f32, 1.0], &[1.1, 1.1]), 0.0);
        assert_eq!(k.cosine_distance(&[1.0_f32, 1.0], &[-1.1, -1.1]), 2.0);
        assert_eq!(k.cosine_distance(&[1.0_f32, 2.0], &[2.0, 4.0]), 0.0);
        assert_eq!(k.norm(&[3e37_f32, 4e37]) as f32, 5e37);
        assert_eq!(k.norm(&[f16::ZERO, f16::ONE]), 1.0);
        assert_eq!(k.l2_distance(&[0.0_f32, 0.0], &[3.0, 4.0]), 5.0);
        assert_eq!(k.l1(&[3e38_f32], &[-3e38]), f32::INFINITY);
        assert_eq!(k.dot(&[f16::MAX, f16::MAX], &[f16::MAX, f16::MAX]), 2.0 * 65504.0 * 65504.0);
    }
}

#[test]
fn subnormals_are_not_flushed() {
    let tiny = f32::from_bits(1);
    for k in sets::<f16>() {
        for n in [1, 5, 8, 16, 37] {
            assert_eq!(k.dot(&vec![tiny; n], &vec![1.0; n]), tiny * n as f32, "{}", k.name());
            assert_eq!(k.l1(&vec![tiny; n], &vec![0.0; n]), tiny * n as f32);
            assert_eq!(k.dot(&vec![1e-30_f32; n], &vec![1e-30; n]), 0.0);
            assert!(k.norm(&vec![tiny; n]) > 0.0);
            let half = f16::from_bits(1);
            assert_eq!(k.dot(&vec![half; n], &vec![f16::ONE; n]), half.to_f32_const() * n as f32);
        }
    }
}

#[test]
fn empty_and_zero_vectors() {
    for k in sets::<f16>() {
        assert_eq!((k.dot::<f32>(&[], &[]), k.l1::<f16>(&[], &[]), k.norm::<f32>(&[])), (0.0, 0.0, 0.0));
        assert!(k.cosine_distance::<f32>(&[], &[]).is_nan());
        let mut out = [f32::NAN; 7];
        k.dot_many::<f32>(&[], &[], &mut out);
        assert_eq!(out, [0.0; 7]);
        k.l1_many(&[1.0; 9], &[f16::ZERO; 63], &mut out);
        assert_eq!(out, [9.0; 7]);
        k.cosine_distance_many(&[1.0; 9], &[0.0_f32; 63], &mut out);
        assert!(out.iter().all(|d| d.is_nan()));
        k.dot_many::<f32>(&[1.0; 9], &[], &mut []);
    }
}

#[test]
#[should_panic(expected = "vectors must have the same dimension")]
fn different_dimensions_panic() {
    kernels::best().dot(&[1.0_f32, 2.0], &[1.0]);
}

#[test]
#[should_panic(expected = "rows must be as many as results")]
fn missing_rows_panic() {
    kernels::best().l2_squared_many(&[1.0, 2.0], &[1.0_f32; 5], &mut [0.0; 3]);
}

/// Few where the processor is an interpreter or an emulator.
fn cases() -> u32 {
    if cfg!(miri) {
        2
    } else if std::env::var_os("EXPECT_AVX512").is_some() {
        32
    } else {
        256
    }
}

fn pairs() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    let element = || prop_oneof![4 => -1.0_f32..1.0, 1 => -1e6_f32..1e6, 1 => -1e-12_f32..1e-12, 1 => Just(0.0)];
    let longest: usize = if cfg!(miri) { 40 } else { 300 };
    (0..longest).prop_flat_map(move |n| (prop::collection::vec(element(), n), prop::collection::vec(element(), n)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_f32_pair_is_within_bounds((a, b) in pairs()) {
        for k in available() {
            check_pair(k, &a, &b);
            check_row(k, &a, &b);
        }
    }

    #[test]
    fn any_f16_pair_is_within_bounds((a, b) in pairs()) {
        let narrow = |v: Vec<f32>| v.into_iter().map(|x| f16::from_f32_const(x.clamp(-60_000.0, 60_000.0))).collect::<Vec<_>>();
        let (a, b) = (narrow(a), narrow(b));
        for k in sets::<f16>() {
            check_pair(k, &a, &b);
            check_row(k, &a, &b);
        }
    }

    #[test]
    fn distances_are_symmetric((a, b) in pairs()) {
        for k in available() {
            prop_assert_eq!(k.l2_squared(&a, &b), k.l2_squared(&b, &a));
            prop_assert_eq!(k.l1(&a, &b), k.l1(&b, &a));
            prop_assert_eq!(k.dot(&a, &b), k.dot(&b, &a));
        }
    }
}
