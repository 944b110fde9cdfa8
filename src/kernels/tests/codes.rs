//! Every set of kernels over int8 and bit codes against plain integer arithmetic.

use kernels::{Kernels, MAX_CODE_DIM, NibbleQuery, available, sign_code_len};
use proptest::prelude::*;

fn dims() -> Vec<usize> {
    if cfg!(miri) {
        return vec![0, 1, 9, 64, 131];
    }
    (0..=67).chain([96, 127, 128, 129, 255, 257, 384, 768, 1536, 2000, 15_999, 16_000, 16_001]).collect()
}

fn bytes(n: usize, seed: u64) -> Vec<u8> {
    let mut state = seed << 32;
    let mut next = || {
        // SplitMix64.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed >> 56) as u8
    };
    (0..n).map(|_| next()).collect()
}

fn ints(n: usize, seed: u64) -> Vec<i8> {
    bytes(n, seed).into_iter().map(|b| b as i8).collect()
}

fn floats(n: usize, seed: u64) -> Vec<f32> {
    bytes(2 * n, seed).chunks(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0).collect()
}

fn dot(a: &[i8], b: &[i8]) -> i64 {
    a.iter().zip(b).map(|(&a, &b)| i64::from(a) * i64::from(b)).sum()
}

fn sign(code: &[u8], i: usize) -> i32 {
    if code[i / 8] & 1 << (i % 8) != 0 { 1 } else { -1 }
}

fn sign_dot_i8(query: &[i8], code: &[u8]) -> i32 {
    query.iter().enumerate().map(|(i, &q)| sign(code, i) * i32::from(q)).sum()
}

/// Every row of `rows` by one query, through the one-to-many form, at an offset.
fn check_dot(k: &Kernels, query: &[i8], rows: &[i8]) {
    let n = query.len();
    let mut out = vec![0; rows.len() / n];
    k.dot_i8_many(query, rows, &mut out);
    for (row, &sum) in rows.chunks_exact(n).zip(&out) {
        assert_eq!(i64::from(sum), dot(query, row), "{} dot_i8_many of {n}", k.name());
        assert_eq!(i64::from(k.dot_i8(query, row)), dot(query, row), "{} dot_i8 of {n}", k.name());
    }
}

#[test]
fn int8_dots_are_exact() {
    for k in available() {
        assert_eq!(k.dot_i8(&[], &[]), 0);
        for n in dims().into_iter().filter(|&n| n > 0) {
            for count in [1, 4, 6] {
                // Random bytes hold -128 on either side.
                check_dot(k, &ints(n + 1, 5)[1..], &ints(count * n + 3, 6)[3..]);
            }
            for (a, b) in [(-128, -128), (-128, 127), (127, -128), (-127, 127), (-128, -127)] {
                check_dot(k, &vec![a; n], &vec![b; 5 * n]);
            }
        }
    }
}

#[test]
fn int8_dot_holds_at_the_largest_dimension() {
    if cfg!(miri) {
        return;
    }
    for k in available() {
        for (a, b) in [(-128, -128), (-128, 127), (127, 127)] {
            check_dot(k, &vec![a; MAX_CODE_DIM], &vec![b; MAX_CODE_DIM]);
        }
    }
}

/// Every row by one query of int16, wrapping as i32 does.
fn check_wide(k: &Kernels, query: &[i16], rows: &[i8]) {
    let n = query.len();
    let mut out = vec![0; rows.len() / n];
    k.dot_wide_many(query, rows, std::ptr::null(), &mut out);
    for (row, &sum) in rows.chunks_exact(n).zip(&out) {
        let exact: i64 = query.iter().zip(row).map(|(&q, &r)| i64::from(q) * i64::from(r)).sum();
        assert_eq!(sum, exact as i32, "{} dot_wide_many of {n}", k.name());
    }
}

#[test]
fn wide_dots_are_exact() {
    for k in available() {
        for n in dims().into_iter().filter(|&n| n > 0) {
            let wide: Vec<i16> = bytes(2 * n + 2, 5)[2..].chunks(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
            for count in [1, 2, 3, 7, 12, 19] {
                check_wide(k, &wide, &ints(count * n + 3, 6)[3..]);
            }
            for (q, r) in [(i16::MIN, -128), (i16::MIN, 127), (i16::MAX, -128), (i16::MAX, 127)] {
                check_wide(k, &vec![q; n], &vec![r; 5 * n]);
            }
        }
    }
}

#[test]
#[should_panic(expected = "codes must not exceed 65536 dimensions")]
fn too_long_codes_panic() {
    let long = vec![0; MAX_CODE_DIM + 1];
    kernels::best().dot_i8(&long, &long);
}

#[test]
fn scaled_dots_take_both_scales() {
    for k in available() {
        for (n, count) in [(1, 1), (5, 63), (5, 64), (5, 65), (9, 130)] {
            let (query, rows) = (ints(n, 7), ints(n * count, 8));
            let scales: Vec<f32> = (0..count).map(|r| 0.5 + r as f32).collect();
            let mut out = vec![0.0; count];
            k.dot_sq8_many(&query, 0.25, &rows, &scales, &mut out);
            for r in 0..count {
                assert_eq!(out[r], 0.25 * scales[r] * dot(&query, &rows[r * n..][..n]) as f32);
            }
        }
        let mut out = [1.0; 70];
        k.dot_sq8_many(&[], 1.0, &[], &[1.0; 70], &mut out);
        assert_eq!(out, [0.0; 70]);
    }
}

#[test]
fn quantizing_errs_by_half_a_step() {
    for k in available() {
        for n in dims() {
            let x: Vec<f32> = floats(n, 9).iter().map(|v| v * 3.0).collect();
            let (mut codes, mut back) = (vec![0; n], vec![0.0; n]);
            let scale = k.quantize(&x, &mut codes);
            k.dequantize(&codes, scale, &mut back);
            assert!(codes.iter().all(|&c| c != i8::MIN));
            assert!(n == 0 || codes.iter().any(|c| c.abs() == 127), "{} {n}", k.name());
            for (x, y) in x.iter().zip(&back) {
                assert!((x - y).abs() <= scale * 0.500_01, "{} {x} became {y} at scale {scale}", k.name());
            }
        }
    }
}

#[test]
fn quantizing_odd_values() {
    for k in available() {
        let mut codes = [1; 20];
        assert_eq!(k.quantize(&[0.0; 20], &mut codes), 0.0);
        assert_eq!(codes, [0; 20]);
        assert_eq!(k.quantize(&[1e-37; 20], &mut codes), 0.0);
        assert_eq!(codes, [0; 20]);
        let mut x = [127.0; 20];
        x[..5].copy_from_slice(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 2.5, -3.5]);
        x[19] = f32::NAN;
        assert_eq!(k.quantize(&x, &mut codes), 1.0);
        assert_eq!(codes[..6], [0, 127, -127, 2, -4, 127]);
        assert_eq!(codes[19], 0);
        assert!(k.quantize(&[f32::MAX, -f32::MAX], &mut codes[..2]).is_finite());
        assert_eq!(codes[..2], [127, -127]);
    }
}

#[test]
fn hamming_counts_bits() {
    for k in available() {
        assert_eq!(k.hamming(&[], &[]), 0);
        for n in dims().into_iter().filter(|&n| n > 0 && 8 * n <= MAX_CODE_DIM) {
            for count in [1, 4, 7] {
                let (query, rows) = (&bytes(n + 1, 10)[1..], &bytes(n * count + 3, 11)[3..]);
                let mut out = vec![0; count];
                k.hamming_many(query, rows, &mut out);
                for (row, &got) in rows.chunks_exact(n).zip(&out) {
                    let want = query.iter().zip(row).map(|(a, b)| (a ^ b).count_ones() as i32).sum();
                    assert_eq!((got, k.hamming(query, row)), (want, want), "{} hamming of {n}", k.name());
                }
            }
            assert_eq!(k.hamming(&vec![255; n], &vec![0; n]), 8 * n as i32);
        }
    }
}

#[test]
fn signs_are_packed_from_the_lowest_bit() {
    for k in available() {
        let mut code = [0; 2];
        k.pack_signs(&[1.0, -1.0, 0.0, -0.0, f32::NAN, f32::INFINITY, 1e-45, -1e-45, 2.0, -2.0, 3.0], &mut code);
        assert_eq!(code, [0b0110_0001, 0b0000_0101]);
        for n in dims() {
            let x = floats(n, 12);
            let mut code = vec![255; sign_code_len(n)];
            k.pack_signs(&x, &mut code);
            for (i, v) in x.iter().enumerate() {
                assert_eq!(sign(&code, i) == 1, *v > 0.0, "{} {i} of {n}", k.name());
            }
        }
    }
}

/// The nibbles that the documentation promises, and their sum over the set bits.
fn nibbles(query: &[f32]) -> (f32, Vec<i32>) {
    let step = query.iter().fold(0.0, |max: f32, q| max.max(q.abs())) / 7.5;
    (step, query.iter().map(|q| (q / step).round_ties_even().clamp(-8.0, 7.0) as i32).collect())
}

#[test]
fn nibble_sums_are_exact_and_estimates_close() {
    for k in available() {
        for n in dims().into_iter().filter(|&n| n > 0) {
            let query = floats(n, 13);
            let (step, nibbles) = nibbles(&query);
            let nibble_query = NibbleQuery::new(&query);
            let len = sign_code_len(n);
            assert_eq!(nibble_query.code_len(), len);
            for count in [1, 4, if cfg!(miri) { 5 } else { 65 }] {
                // Bits past the dimension are random here and must not count.
                let rows = &bytes(len * count + 1, 14)[1..];
                let factors: Vec<f32> = (0..count).map(|r| 1.0 + r as f32).collect();
                let (mut sums, mut estimates) = (vec![0; count], vec![0.0; count]);
                k.nibble_sums(&nibble_query, rows, &mut sums);
                k.nibble_estimates(&nibble_query, rows, &factors, &mut estimates);
                for (r, row) in rows.chunks_exact(len).enumerate() {
                    let want: i32 = (0..n).filter(|&i| sign(row, i) == 1).map(|i| nibbles[i]).sum();
                    assert_eq!(sums[r], want, "{} nibble_sums of {n}", k.name());
                    assert_eq!(estimates[r], factors[r] * nibble_query.estimate(want));
                    let signed: f64 = (0..n).map(|i| f64::from(sign(row, i)) * f64::from(query[i])).sum();
                    let error = (f64::from(nibble_query.estimate(want)) - signed).abs();
                    assert!(error <= n as f64 * f64::from(step) * 0.500_01, "{} estimate of {n}", k.name());
                }
            }
        }
        let zero = NibbleQuery::new(&[0.0; 9]);
        let mut out = [1.0; 2];
        k.nibble_estimates(&zero, &[255; 4], &[1.0; 2], &mut out);
        assert_eq!(out, [0.0; 2]);
    }
}

#[test]
fn nibble_extremes_do_not_wrap() {
    for k in available() {
        for n in [8, 256, 512, 1 << 15].into_iter().take(if cfg!(miri) { 2 } else { 4 }) {
            for value in [7.5, -7.5] {
                let query = NibbleQuery::new(&vec![value; n]);
                let mut out = [0];
                k.nibble_sums(&query, &vec![255; n / 8], &mut out);
                assert_eq!(out[0], n as i32 * if value > 0.0 { 7 } else { -8 }, "{} of {n}", k.name());
            }
        }
    }
}

/// The rotated-code estimate of inner products is unbiased and as close as its essay says.
#[test]
fn factors_turn_sign_dots_into_inner_products() {
    if cfg!(miri) {
        return;
    }
    let k = kernels::best();
    let dim = 1024;
    // Independent normal numbers (Box and Muller) stand for a random rotation.
    let normal = |seed: u64| -> Vec<f32> {
        let uniform = |b: &[u8]| (f64::from(u16::from_le_bytes([b[0], b[1]])) + 0.5) / 65_536.0;
        let turn = |b: &[u8]| (-2.0 * uniform(b).ln()).sqrt() * (std::f64::consts::TAU * uniform(&b[2..])).cos();
        bytes(dim * 4, seed).chunks(4).map(|b| turn(b) as f32).collect()
    };
    let rows = 300;
    let (mut error_sum, mut beyond) = (0.0, 0);
    for r in 0..rows {
        let (query, noise) = (normal(1000 + r), normal(2000 + r));
        let nibble_query = NibbleQuery::new(&query);
        let row: Vec<f32> = query.iter().zip(&noise).map(|(q, n)| 0.5 * q + n).collect();
        let l1 = k.l1(&row, &vec![0.0; dim]);
        let norm = k.norm(&row);
        let mut code = vec![0; sign_code_len(dim)];
        k.pack_signs(&row, &mut code);
        let mut out = [0.0];
        k.nibble_estimates(&nibble_query, &code, &[(norm * norm) as f32 / l1], &mut out);
        let c = f64::from(l1) / ((dim as f64).sqrt() * norm);
        let bound = 1.9 * ((1.0 - c * c) / (c * c * (dim - 1) as f64)).sqrt();
        let error = f64::from(out[0] - k.dot(&row, &query)) / (norm * k.norm(&query));
        error_sum += error;
        beyond += usize::from(error.abs() > bound);
    }
    assert!((error_sum / rows as f64).abs() < 0.005, "biased by {}", error_sum / rows as f64);
    assert!(beyond < rows as usize / 10, "{beyond} of {rows} beyond the bound");
}

#[test]
fn sign_dots_of_every_dimension() {
    for k in available() {
        for n in dims().into_iter().filter(|&n| n > 0) {
            let len = sign_code_len(n);
            let (small, large) = (&ints(n + 1, 15)[1..], &floats(n + 1, 16)[1..]);
            for count in [1, 5] {
                let codes = &bytes(len * count + 1, 17)[1..];
                let (mut exact, mut near) = (vec![0; count], vec![0.0; count]);
                k.sign_dot_i8_many(small, codes, &mut exact);
                k.sign_dot_f32_many(large, codes, &mut near);
                for (r, code) in codes.chunks_exact(len).enumerate() {
                    assert_eq!(exact[r], sign_dot_i8(small, code), "{} sign_dot_i8 of {n}", k.name());
                    let want: f64 = (0..n).map(|i| f64::from(sign(code, i)) * f64::from(large[i])).sum();
                    let bound = n as f64 / (1 << 24) as f64 * large.iter().map(|q| f64::from(q.abs())).sum::<f64>();
                    assert!((f64::from(near[r]) - want).abs() <= bound, "{} sign_dot_f32 of {n}", k.name());
                }
            }
            for (value, byte) in [(-128, 255), (-128, 0), (127, 255), (127, 0)] {
                let (query, codes) = (vec![value; n], vec![byte; len]);
                let mut out = [0];
                k.sign_dot_i8_many(&query, &codes, &mut out);
                assert_eq!(out[0], sign_dot_i8(&query, &codes), "{} extremes of {n}", k.name());
            }
        }
        let mut out = [1, 2];
        k.sign_dot_i8_many(&[], &[], &mut out);
        assert_eq!(out, [0, 0]);
    }
}

#[test]
fn maxsim_takes_the_best_code_of_each_token() {
    let shapes: &[(usize, usize, usize)] = if cfg!(miri) {
        &[(5, 6, 20)]
    } else {
        &[(1, 1, 7), (5, 6, 20), (32, 40, 384), (65, 17, 128), (130, 1100, 33)]
    };
    for k in available() {
        for &(tokens, count, dim) in shapes {
            let len = sign_code_len(dim);
            let codes = bytes(len * count, 18);
            let queries = ints(tokens * dim, 19);
            let scales: Vec<f32> = (0..tokens).map(|t| 0.5 + (t % 3) as f32).collect();
            let best = |query: &[i8]| codes.chunks_exact(len).map(|code| sign_dot_i8(query, code)).max().unwrap();
            let bests: Vec<i32> = queries.chunks_exact(dim).map(best).collect();
            let want: f32 = bests.iter().zip(&scales).map(|(&b, s)| s * b as f32).sum();
            assert_eq!(k.maxsim_i8(&queries, &scales, dim, &codes), want, "{} {tokens} {count} {dim}", k.name());

            // Small integers are exact in f32 too.
            let large: Vec<f32> = queries.iter().map(|&q| f32::from(q)).collect();
            let want: f32 = bests.iter().map(|&b| b as f32).sum();
            assert_eq!(k.maxsim_f32(&large, dim, &codes), want, "{} f32 {tokens} {count} {dim}", k.name());
        }
        assert_eq!(k.maxsim_i8(&[1, 2], &[1.0], 2, &[]), f32::NEG_INFINITY);
        assert_eq!(k.maxsim_f32(&[1.0, 2.0], 2, &[]), f32::NEG_INFINITY);
        assert_eq!(k.maxsim_i8(&[], &[], 2, &[1]), 0.0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_kernels_agree_on_codes(
        query in prop::collection::vec(any::<i8>(), 1..600),
        seed in any::<u64>(),
        count in 1_usize..9,
    ) {
        let n = query.len();
        let len = sign_code_len(n);
        let (rows, codes) = (ints(n * count, seed), bytes(len * count, seed ^ 1));
        let as_float: Vec<f32> = query.iter().map(|&q| f32::from(q)).collect();
        let nibble_query = NibbleQuery::new(&as_float);
        let run = |k: &Kernels| {
            let mut sums = vec![0; 4 * count];
            let (dots, rest) = sums.split_at_mut(count);
            let (bits, rest) = rest.split_at_mut(count);
            let (nibbles, signs) = rest.split_at_mut(count);
            k.dot_i8_many(&query, &rows, dots);
            k.hamming_many(&codes[..len], &codes, bits);
            k.nibble_sums(&nibble_query, &codes, nibbles);
            k.sign_dot_i8_many(&query, &codes, signs);
            let mut quantized = vec![0; n];
            let scale = k.quantize(&as_float, &mut quantized);
            let mut code = vec![0; len];
            k.pack_signs(&as_float, &mut code);
            (sums, scale, quantized, code)
        };
        let want = run(available()[0]);
        for k in &available()[1..] {
            prop_assert_eq!(run(k), want.clone(), "{}", k.name());
        }
    }
}
