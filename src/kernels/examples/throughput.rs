//! Prints what the kernels cost: `throughput [--seconds S] [--large ROWS] [NAME [ROWS]]`, with a name or rows those lines alone.
//!
//! Rows lie in memory that fits the first-level cache (8 rows of 384), the last-level cache (1,000) or none (100,000, or as
//! many as `--large` says). `one` calls a kernel for each row, `row` one that knows the query as f32 and asks for the next row,
//! `many` once for all. GB/s count the bytes of rows. Each kernel is run for a tenth of a second, or as long as `--seconds`
//! says. Two yardsticks are run in turn with it, so that other load on the machine hits both alike, and the medians of the
//! ratios are printed:
//!
//! * `units`: the time that the kernel's own vector operations of the scarcest kind (loads, multiply-adds, f16 conversions, or all of
//!   them on four pipes) take by themselves, in registers or the first-level cache. Only for AVX2. What is scarcest is said for Zen 3,
//!   which in a cycle does two loads, two multiply-adds, and two of conversions and subtractions together. A request for a line
//!   ahead is a load, one for 64 bytes of a row.
//! * `read`: the time to read the same rows and do nothing with them.

#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop, reason = "an index addresses several arrays at once")]

use std::hint::black_box;
use std::str::FromStr;
use std::time::Instant;

use half::f16;
use kernels::{Element, Kernels, NibbleQuery, available, best, sign_code_len};

/// The vector operations that limit a kernel, for 32 bytes of a row.
#[derive(Clone, Copy)]
enum Need {
    Loads(f64),
    MultiplyAdds(f64),
    Conversions(f64),
    Operations(f64),
}

/// Nanoseconds of one call, `calls` times.
fn time(calls: usize, call: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        call();
    }
    start.elapsed().as_nanos() as f64 / calls as f64
}

/// Calls that take about 100 µs.
fn calls(call: &mut dyn FnMut()) -> usize {
    time(1, call);
    (1e5 / time(1, call).max(1.0)).ceil() as usize
}

/// The shortest time of `call`, run for some seconds, in ns, and the median of its ratio to each yardstick, all run in turn.
fn compare(seconds: f64, call: &mut dyn FnMut(), yardsticks: &mut [&mut dyn FnMut()]) -> (f64, Vec<f64>) {
    let repeat = calls(call);
    let repeats: Vec<usize> = yardsticks.iter_mut().map(|y| calls(*y)).collect();
    let rounds = (seconds * 1e9 / (time(1, call) * repeat as f64)).clamp(11.0, 301.0) as usize;
    let mut shortest = f64::INFINITY;
    let mut ratios = vec![Vec::new(); yardsticks.len()];
    for _ in 0..rounds {
        let ns = time(repeat, call);
        shortest = shortest.min(ns);
        for ((yardstick, &repeat), ratios) in yardsticks.iter_mut().zip(&repeats).zip(&mut ratios) {
            ratios.push(time(repeat, *yardstick) / ns);
        }
    }
    let median = |mut r: Vec<f64>| {
        r.sort_by(f64::total_cmp);
        r[r.len() / 2]
    };
    (shortest, ratios.into_iter().map(median).collect())
}

/// A vector whose elements begin with a cache line, so that no load straddles two. Rows in pages of Postgres lie on multiples of 32
/// bytes, which is as good.
struct Aligned<T> {
    storage: Vec<T>,
    start: usize,
}

impl<T> Aligned<T> {
    fn new(len: usize, element: impl Fn(usize) -> T) -> Self {
        let mut storage: Vec<T> = Vec::with_capacity(len + 64 / size_of::<T>());
        let start = storage.as_ptr().align_offset(64);
        storage.extend((0..start + len).map(|i: usize| element(i.saturating_sub(start))));
        Self { storage, start }
    }
}

impl<T> std::ops::Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.storage[self.start..]
    }
}

/// What the loads of [`units`] read, 4 kB on a line of its own.
#[repr(align(64))]
struct Source([f32; 1024]);

/// Reads all whole words of `data`.
fn read<T>(data: &[T]) {
    // SAFETY: every bit pattern is a word.
    let (_, words, _) = unsafe { data.align_to::<u64>() };
    let mut mixed = [0_u64; 32];
    for chunk in words.chunks_exact(32) {
        for i in 0..32 {
            mixed[i] ^= chunk[i];
        }
    }
    black_box(mixed);
}

/// Repetitions of each kind of operation in [`units`].
const UNIT_OPS: usize = 8 * 128;

#[cfg(target_arch = "x86_64")]
mod units {
    use std::arch::x86_64::*;
    use std::hint::black_box;

    #[target_feature(enable = "avx2")]
    pub fn loads(from: &super::Source) {
        let mut mixed = [_mm256_setzero_ps(); 8];
        for chunk in from.0.as_chunks::<64>().0.iter().cycle().take(super::UNIT_OPS / 8) {
            for i in 0..8 {
                // SAFETY: eight elements from `8 * i` lie within the chunk.
                mixed[i] = _mm256_xor_ps(mixed[i], unsafe { _mm256_loadu_ps(chunk.as_ptr().add(8 * i)) });
            }
        }
        black_box(mixed);
    }

    #[target_feature(enable = "avx2,fma")]
    pub fn multiply_adds() {
        let factor = black_box(_mm256_set1_ps(0.5));
        let mut sums = [factor; 8];
        for _ in 0..super::UNIT_OPS / 8 {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, factor, factor);
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx2,f16c")]
    pub fn conversions(from: &super::Source) {
        let mut mixed = [_mm256_setzero_ps(); 8];
        for chunk in from.0.as_chunks::<64>().0.iter().cycle().take(super::UNIT_OPS / 8) {
            for i in 0..8 {
                // SAFETY: sixteen bytes from element `8 * i` lie within the chunk.
                let halves = unsafe { _mm_loadu_si128(chunk.as_ptr().add(8 * i).cast()) };
                mixed[i] = _mm256_xor_ps(mixed[i], _mm256_cvtph_ps(halves));
            }
        }
        black_box(mixed);
    }

    #[target_feature(enable = "avx2")]
    pub fn operations() {
        let mut lanes = black_box([_mm256_set1_epi8(3); 8]);
        for _ in 0..super::UNIT_OPS / 8 {
            for i in 0..8 {
                lanes[i] = _mm256_add_epi8(lanes[i], lanes[(i + 3) % 8]);
            }
        }
        black_box(lanes);
    }
}

/// Runs [`UNIT_OPS`] operations of the kind that limits a kernel.
fn run_units(need: Need, from: &Source) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: called for the AVX2 kernels only, so the CPU has AVX2, FMA and F16C.
    unsafe {
        match need {
            Need::Loads(_) => units::loads(from),
            Need::MultiplyAdds(_) => units::multiply_adds(),
            Need::Conversions(_) => units::conversions(from),
            Need::Operations(_) => units::operations(),
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (need, from);
}

/// A kernel of a query with its product with itself, a row, and the place of the next.
type RowKernel<T> = fn(&Kernels, &[f32], f32, &[T], *const T) -> f64;

/// Lines about one shape of data.
struct Report<'a> {
    kernels: &'static Kernels,
    filter: &'a str,
    seconds: f64,
    dim: usize,
    rows: usize,
}

impl Report<'_> {
    /// One line about a call that goes through `data` once for each of `queries` queries.
    fn line<T>(&self, name: &str, data: &[T], queries: usize, need: Need, mut call: impl FnMut()) {
        if !name.contains(self.filter) {
            return;
        }
        let from = black_box(Source([0.5; 1024]));
        let bytes = size_of_val(data);
        let mut reading = || read(data);
        let mut unit = || run_units(need, black_box(&from));
        let (ns, ratios, units);
        if self.kernels.name() == "avx2" {
            (ns, ratios) = compare(self.seconds, &mut call, &mut [&mut reading, &mut unit]);
            let (Need::Loads(n) | Need::MultiplyAdds(n) | Need::Conversions(n) | Need::Operations(n)) = need;
            let wanted = n * (bytes * queries) as f64 / 32.0;
            units = format!("{:5.0} %", 100.0 * ratios[1] * wanted / UNIT_OPS as f64);
        } else {
            (ns, ratios) = compare(self.seconds, &mut call, &mut [&mut reading]);
            units = String::from("      -");
        }
        let pairs = (self.rows * queries) as f64;
        println!(
            "{name:20} {:5} {:7} {:8.1} ns {:7.1} GB/s  units {units}  read {:4.0} %",
            self.dim,
            self.rows,
            ns / pairs,
            (bytes * queries) as f64 / ns,
            100.0 * ratios[0] * queries as f64
        );
    }

    /// The line of a kernel that is called for each row and told where the next one lies.
    fn by_row<T: Element>(&self, name: &str, query: &[f32], data: &[T], need: Need, f: RowKernel<T>) {
        let squared = self.kernels.dot(query, query);
        self.line(name, data, 1, need, || {
            for row in data.chunks_exact(self.dim) {
                black_box(f(self.kernels, black_box(query), squared, row, row.as_ptr_range().end));
            }
        });
    }

    fn floats(&self) {
        let (k, dim, rows) = (self.kernels, self.dim, self.rows);
        let query = Aligned::new(dim, |i| (i % 17) as f32 - 8.0);
        let data = Aligned::new(dim * rows, |i| (i % 23) as f32 - 11.0);
        let mut out = vec![0.0; rows];
        let one = |name: &str, need: Need, f: fn(&Kernels, &[f32], &[f32]) -> f64| {
            self.line(name, &data, 1, need, || {
                for row in data.chunks_exact(dim) {
                    black_box(f(k, black_box(&query), row));
                }
            });
        };
        one("f32 dot one", Need::Loads(2.0), |k, a, b| k.dot(a, b).into());
        one("f32 l2 one", Need::Loads(2.0), Kernels::l2_distance);
        one("f32 l1 one", Need::Loads(2.0), |k, a, b| k.l1(a, b).into());
        one("f32 cosine one", Need::MultiplyAdds(3.0), Kernels::cosine_distance);
        one("f32 norm one", Need::Operations(4.0), |k, _, b| k.norm(b));
        self.by_row("f32 dot row", &query, &data, Need::Loads(2.5), |k, a, _, b, next| k.dot_row(a, b, next).into());
        self.by_row("f32 cosine row", &query, &data, Need::Loads(2.5), Kernels::cosine_distance_row);
        let mut many = |name: &str, need: Need, f: fn(&Kernels, &[f32], &[f32], &mut [f32])| {
            self.line(name, &data, 1, need, || f(k, black_box(&query), &data, &mut out));
        };
        many("f32 dot many", Need::Loads(1.25), Kernels::dot_many);
        many("f32 l2 many", Need::Loads(1.25), Kernels::l2_squared_many);
        many("f32 cosine many", Need::MultiplyAdds(2.0), Kernels::cosine_distance_many);
    }

    fn halves(&self) {
        let (k, dim, rows) = (self.kernels, self.dim, self.rows);
        let query = Aligned::new(dim, |i| (i % 17) as f32 - 8.0);
        let half_query = Aligned::new(dim, |i| f16::from_f32(query[i]));
        let data = Aligned::new(dim * rows, |i| f16::from_f32((i % 23) as f32 - 11.0));
        let mut out = vec![0.0; rows];
        let one = |name: &str, need: Need, f: fn(&Kernels, &[f16], &[f16]) -> f64| {
            self.line(name, &data, 1, need, || {
                for row in data.chunks_exact(dim) {
                    black_box(f(k, black_box(&half_query), row));
                }
            });
        };
        one("f16 dot one", Need::Conversions(4.0), |k, a, b| k.dot(a, b).into());
        one("f16 l2 one", Need::Conversions(6.0), Kernels::l2_distance);
        one("f16 cosine one", Need::MultiplyAdds(6.0), Kernels::cosine_distance);
        self.by_row("f16 dot row", &query, &data, Need::Loads(4.5), |k, a, _, b, next| k.dot_row(a, b, next).into());
        self.by_row("f16 cosine row", &query, &data, Need::Loads(4.5), Kernels::cosine_distance_row);
        let mut many = |name: &str, need: Need, f: fn(&Kernels, &[f32], &[f16], &mut [f32])| {
            self.line(name, &data, 1, need, || f(k, black_box(&query), &data, &mut out));
        };
        many("f16 dot many", Need::Loads(2.5), Kernels::dot_many);
        many("f16 l2 many", Need::Conversions(4.0), Kernels::l2_squared_many);
        many("f16 cosine many", Need::MultiplyAdds(4.0), Kernels::cosine_distance_many);
    }

    fn codes(&self) {
        let (k, dim, rows) = (self.kernels, self.dim, self.rows);
        let floats: Vec<f32> = (0..dim).map(|i| ((i * 37) % 101) as f32 - 50.0).collect();
        let query: Vec<i8> = floats.iter().map(|&x| x as i8).collect();
        let data: Vec<i8> = (0..dim * rows).map(|i| (i * 31 % 251) as i8).collect();
        let mut sums = vec![0; rows];
        self.line("i8 dot one", &data, 1, Need::Operations(6.0), || {
            for row in data.chunks_exact(dim) {
                black_box(k.dot_i8(black_box(&query), row));
            }
        });
        self.line("i8 dot many", &data, 1, Need::Operations(5.25), || {
            k.dot_i8_many(black_box(&query), &data, &mut sums);
        });

        let len = sign_code_len(dim);
        let codes: Vec<u8> = (0..len * rows).map(|i| (i * 131 % 253) as u8).collect();
        let nibbles = NibbleQuery::new(&floats);
        self.line("1-bit hamming many", &codes, 1, Need::Operations(9.0), || {
            k.hamming_many(black_box(&codes[..len]), &codes, &mut sums);
        });
        self.line("1-bit nibble many", &codes, 1, Need::Operations(32.0), || {
            k.nibble_sums(black_box(&nibbles), &codes, &mut sums);
        });
        self.line("1-bit sign i8 many", &codes, 1, Need::Operations(48.0), || {
            k.sign_dot_i8_many(black_box(&query), &codes, &mut sums);
        });
        let mut out = vec![0.0; rows];
        self.line("1-bit sign f32 many", &codes, 1, Need::Operations(128.0), || {
            k.sign_dot_f32_many(black_box(&floats), &codes, &mut out);
        });
        if rows <= 1000 {
            let (queries, scales, large) = (query.repeat(32), vec![1.0; 32], floats.repeat(32));
            self.line("1-bit maxsim i8", &codes, 32, Need::Operations(30.0), || {
                black_box(k.maxsim_i8(black_box(&queries), &scales, dim, &codes));
            });
            self.line("1-bit maxsim f32", &codes, 32, Need::Operations(80.0), || {
                black_box(k.maxsim_f32(black_box(&large), dim, &codes));
            });
        }
    }
}

const USAGE: &str = "usage: throughput [--seconds S] [--large ROWS] [NAME [ROWS]]";

fn number<T: FromStr>(argument: Option<String>) -> Result<T, &'static str> {
    argument.and_then(|text| text.parse().ok()).ok_or(USAGE)
}

fn main() -> Result<(), &'static str> {
    let mut arguments = std::env::args().skip(1).peekable();
    let (mut seconds, mut large) = (0.1, 100_000);
    while let Some(option) = arguments.next_if(|argument| argument.starts_with("--")) {
        match option.as_str() {
            "--seconds" => seconds = number(arguments.next())?,
            "--large" => large = number(arguments.next())?,
            _ => return Err(USAGE),
        }
    }
    let filter = arguments.next().unwrap_or_default();
    let mut sizes = vec![8, 1_000, large];
    sizes.dedup();
    if arguments.peek().is_some() {
        sizes = vec![number(arguments.next())?];
    }
    let names: Vec<&str> = available().iter().map(|k| k.name()).collect();
    println!("kernels: {}, out of {names:?}", best().name());
    for bytes in [24 << 10, 4 << 20, 512 << 20] {
        let data = vec![1_u64; bytes / 8];
        let (ns, _) = compare(seconds, &mut || read(&data), &mut []);
        println!("read bandwidth over {:6} kB: {:.1} GB/s", bytes >> 10, bytes as f64 / ns);
    }
    for rows in sizes {
        for dim in [384, 1536] {
            let report = Report { kernels: best(), filter: &filter, seconds, dim, rows };
            report.floats();
            report.halves();
            report.codes();
        }
    }
    Ok(())
}
