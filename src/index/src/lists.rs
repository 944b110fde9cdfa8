//! Lists: how a large namespace is divided so that a search need not look at all of it.
//!
//! The rows of a namespace are grouped around centroids that k-means finds on a sample, and each group gets a list of
//! its own, which is a run of leaves like any namespace. The centroids are entries too, coded as vectors are; in place of a
//! row they have the number of their list. A new row goes to the list of its nearest centroid ([`crate::route`]). A search
//! begins with the lists whose centroids are nearest, and goes on to others as long as they may hold what is wanted
//! ([`crate::reach`]), or more rows are: to all of them, in the end. A build makes lists, and a vacuum keeps them in shape ([`crate::reshape`]).
//!
//! Everything here works on codes: what counts is which centroid is nearest, and for that they are precise enough. For
//! cosine and inner product the centroids have norm one, so that the greatest product decides, for L2 the least distance.

use kernels::Kernels;
use rayon::prelude::*;

use crate::code::{Code, Metric};
use crate::fault::Result;
use crate::key::{CENTROIDS, FIRST_LIST, Key, LAST_LIST};
use crate::page::{Entry, as_codes};

/// Leaves that a list should fill at least.
const LEAVES_PER_LIST: usize = 5;
/// Rows of the sample for each list: k-means hardly gains by more.
pub const SAMPLES_PER_LIST: usize = 32;
/// Rounds of k-means, likewise.
pub const ROUNDS: usize = 8;

/// How many lists a namespace of so many rows gets, where a leaf holds `capacity` of them: the root of the number of rows, since
/// searches compare with all centroids and with the rows of a few lists.
pub fn list_count(rows: usize, capacity: usize) -> usize {
    let fills = LEAVES_PER_LIST * capacity.max(1);
    (rows / fills).min(rows.isqrt()).clamp(1, usize::from(LAST_LIST - FIRST_LIST))
}

/// How many rows a list should have in a namespace of so many rows.
pub(crate) fn rows_wanted(rows: usize, capacity: usize) -> usize {
    rows.div_ceil(list_count(rows, capacity)).max(LEAVES_PER_LIST * capacity)
}

/// How many lists a search typically reads, for estimates of its cost.
pub fn typical_probes(lists: usize) -> usize {
    lists.min(8)
}

/// Centroids in memory.
#[derive(Debug, Clone)]
pub struct Centroids {
    metric: Metric,
    dim: usize,
    codes: Vec<i8>,
    scales: Vec<f32>,
    squares: Vec<f32>,
}

impl Centroids {
    /// No centroid yet.
    pub(crate) fn new(metric: Metric, dim: usize) -> Self {
        Self { metric, dim, codes: Vec::new(), scales: Vec::new(), squares: Vec::new() }
    }

    /// Takes up a centroid from its entry.
    pub(crate) fn take(&mut self, entry: &Entry<'_>) {
        self.codes.extend(as_codes(entry.code));
        self.scales.push(entry.factors[SCALE]);
        self.squares.push(square(self.metric, entry.factors));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.scales.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.scales.is_empty()
    }

    fn push(&mut self, kernels: &Kernels, mean: &mut [f32]) {
        if self.metric != Metric::L2 {
            let norm = kernels.norm(mean) as f32;
            if norm > 0.0 {
                mean.iter_mut().for_each(|x| *x /= norm);
            }
        }
        let at = self.codes.len();
        self.codes.resize(at + self.dim, 0);
        let codes = &mut self.codes[at..];
        let scale = kernels.quantize(mean, codes);
        self.scales.push(scale);
        self.squares.push(scale * scale * kernels.dot_i8(codes, codes) as f32);
    }

    /// The place of the centroid that is nearest to a vector with these codes and scale.
    pub fn nearest(&self, kernels: &Kernels, codes: &[i8], scale: f32, sums: &mut Vec<i32>) -> usize {
        sums.resize(self.len(), 0);
        kernels.dot_i8_many(codes, &self.codes, sums);
        let far = |i: usize| remoteness(self.metric, sums[i], scale, self.scales[i], self.squares[i]);
        (0..self.len()).min_by(|&a, &b| far(a).total_cmp(&far(b))).unwrap_or(0)
    }

    /// Hands the entries of all centroids to `take`, for the namespace of `key`; their lists are numbered from `first` on.
    pub fn entries(&self, kernels: &Kernels, key: Key, first: u16, mut take: impl FnMut(Entry<'_>)) -> Result<()> {
        let mut code = Code::default();
        let mut vector = vec![0.0; self.dim];
        for i in 0..self.len() {
            kernels.dequantize(&self.codes[i * self.dim..][..self.dim], self.scales[i], &mut vector);
            code.encode(kernels, self.metric, &vector)?;
            let id = Key::new(key.dim, key.space(), CENTROIDS).id;
            take(Entry { id, row: u64::from(first) + i as u64, factors: code.factors(), code: code.bytes() });
        }
        Ok(())
    }
}

/// The number that a build gives the list of the centroid at a place.
pub fn number(place: usize) -> u16 {
    FIRST_LIST + place as u16
}

/// A number that is the smaller the nearer a vector is to a centroid.
#[inline]
pub(crate) fn remoteness(metric: Metric, sum: i32, scale: f32, centroid_scale: f32, square: f32) -> f32 {
    let product = sum as f32 * centroid_scale;
    if metric == Metric::L2 { square - 2.0 * scale * product } else { -product }
}

/// The squared norm of a centroid, where its distance depends on it.
pub(crate) fn square(metric: Metric, factors: &[f32]) -> f32 {
    if metric == Metric::L2 { factors[2].powi(2) } else { 0.0 }
}

/// k-means, round by round, so that the caller can look for interrupts in between.
#[derive(Debug)]
pub struct Training {
    kernels: &'static Kernels,
    metric: Metric,
    dim: usize,
    codes: Vec<i8>,
    scales: Vec<f32>,
    centroids: Centroids,
}

impl Training {
    /// Starts with a sample of rows in random order, of which the first become centroids.
    pub fn new(
        kernels: &'static Kernels,
        metric: Metric,
        dim: usize,
        codes: Vec<i8>,
        scales: Vec<f32>,
        lists: usize,
    ) -> Self {
        let mut training = Self { kernels, metric, dim, codes, scales, centroids: Centroids::new(metric, dim) };
        let mut mean = vec![0.0; dim];
        for i in 0..lists.min(training.scales.len()) {
            training.row(i, &mut mean);
            training.centroids.push(kernels, &mut mean);
        }
        training
    }

    fn row(&self, i: usize, out: &mut [f32]) {
        self.kernels.dequantize(&self.codes[i * self.dim..][..self.dim], self.scales[i], out);
    }

    /// Moves every centroid to the middle of the rows that are nearest to it. One that has none starts anew from a row of the
    /// largest group. Runs on the current pool of rayon.
    pub fn round(&mut self) {
        let rows = self.scales.len();
        let places: Vec<usize> = (0..rows)
            .into_par_iter()
            .with_min_len(64)
            .map_init(Vec::new, |sums, i| {
                self.centroids.nearest(self.kernels, &self.codes[i * self.dim..][..self.dim], self.scales[i], sums)
            })
            .collect();
        let lists = self.centroids.len();
        let mut members = vec![Vec::new(); lists];
        for (row, &place) in places.iter().enumerate() {
            members[place].push(row);
        }
        for empty in 0..lists {
            if members[empty].is_empty()
                && let Some(largest) = (0..lists).max_by_key(|&i| members[i].len())
                && members[largest].len() > 1
                && let Some(row) = members[largest].pop()
            {
                members[empty].push(row);
            }
        }
        let mut next = Centroids::new(self.metric, self.dim);
        let mut vector = vec![0.0; self.dim];
        for members in &members {
            let mut mean = vec![0.0; self.dim];
            for &row in members {
                self.row(row, &mut vector);
                let weight = if self.metric == Metric::InnerProduct {
                    1.0 / self.kernels.norm(&vector).max(f64::MIN_POSITIVE) as f32
                } else {
                    1.0 / members.len() as f32
                };
                mean.iter_mut().zip(&vector).for_each(|(mean, x)| *mean += x * weight);
            }
            next.push(self.kernels, &mut mean);
        }
        self.centroids = next;
    }

    /// The centroids.
    pub fn finish(self) -> Centroids {
        self.centroids
    }
}

/// The lists of many rows at once, on the current pool of rayon.
pub fn assign(kernels: &Kernels, centroids: &Centroids, codes: &[i8], scales: &[f32]) -> Vec<u16> {
    let dim = centroids.dim;
    (0..scales.len())
        .into_par_iter()
        .with_min_len(16)
        .map_init(Vec::new, |sums, i| number(centroids.nearest(kernels, &codes[i * dim..][..dim], scales[i], sums)))
        .collect()
}

/// Which factor of a row's entry scales its codes, as far as lists are concerned.
pub const SCALE: usize = 0;
