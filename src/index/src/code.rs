//! Codes of vectors, and bounds on distances from them.
//!
//! A vector x is stored as int8 codes c and a scale s, so that x = s·c + r with a small residual r whose norm ρ is stored
//! too. The query is coded the same way, but in 16 bits, q = t·d + e with |e| = ε: it is one, and what its code leaves out
//! would come on top of what every other leaves out. The dot product I = Σ cᵢ·dᵢ is an exact integer, and Cauchy and Schwarz
//! bound what the codes left out:
//!
//! ⟨q, x⟩ = t·s·I + ⟨e, s·c⟩ + ⟨q, r⟩ ≤ t·s·I + ε·|s·c| + |q|·ρ
//!
//! From it follows, for each metric, a number that the distance is never below:
//!
//! | metric | distance | stored | bound |
//! |---|---|---|---|
//! | cosine | 1 − ⟨q, x⟩/(\|q\|·\|x\|) | s/\|x\|, ρ/\|x\| | 1 − (t·s·I + ε·(\|x\| + ρ))/(\|q\|·\|x\|) − ρ/\|x\| |
//! | inner product | −⟨q, x⟩ | s, ρ, \|x\| | −t·s·I − ε·(\|x\| + ρ) − \|q\|·ρ |
//! | L2 | \|q − x\| | s, ρ, \|s·c\| | \|t·d − s·c\| − ε − ρ |
//!
//! The executor computes the distance in floats, and may come out below the true one by what `kernels` states for its
//! sums: every bound is lowered by that much, and by the rounding of its own arithmetic. These margins hold while norms
//! are within [`SMALLEST_NORM`] and [`LARGEST_NORM`], where no square underflows or overflows; other vectors get a residual
//! of infinity, and with it the bound −∞: they are always looked at.

use kernels::Kernels;

use crate::ahead::Ahead;
use crate::page::{Leaf, MAX_DIMENSIONS, MAX_FACTORS, Place};
use crate::{Fault, Result};

/// Norms below it are not bounded.
pub const SMALLEST_NORM: f64 = 1.0 / (1_u64 << 50) as f64;
/// Norms above it are not bounded.
pub const LARGEST_NORM: f64 = (1_u64 << 60) as f64;

/// Unit of the rounding of f32.
const U: f64 = 1.0 / (1_u64 << 24) as f64;
/// More than the rounding of any bound's own arithmetic in f32, whose terms are near one.
const OWN_ROUNDING: f64 = 1e-6;

/// What the distance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// One minus the cosine of the angle.
    Cosine,
    /// The negative inner product.
    InnerProduct,
    /// The Euclidean distance.
    L2,
}

impl Metric {
    /// Reads the number that stands for it on the first page.
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::Cosine, Self::InnerProduct, Self::L2].get(usize::from(number)).copied()
    }

    /// The number that stands for it.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// How many factors an entry has.
    pub fn factors(self) -> usize {
        match self {
            Self::Cosine => 2,
            Self::InnerProduct | Self::L2 => 3,
        }
    }
}

/// A vector's code.
#[derive(Debug, Clone, Default)]
pub struct Code {
    /// The codes.
    pub codes: Vec<i8>,
    factors: [f32; MAX_FACTORS],
    count: usize,
    /// Whether the distance to everything is NaN, since the vector has no direction.
    pub directionless: bool,
}

impl Code {
    /// Codes `x` in place of what was here before.
    pub fn encode(&mut self, kernels: &Kernels, metric: Metric, x: &[f32]) -> Result<()> {
        if x.len() > MAX_DIMENSIONS {
            return Err(Fault::TooLong { dimensions: x.len() });
        }
        self.codes.resize(x.len(), 0);
        self.count = metric.factors();
        let norm = kernels.norm(x);
        self.directionless = metric == Metric::Cosine && norm == 0.0;
        let coded = Coded::new(kernels, x, norm, &mut self.codes);
        self.factors = match (metric, coded) {
            (Metric::Cosine, Some(c)) => [(c.scale / norm) as f32, up(c.residual / norm), 0.0],
            (Metric::InnerProduct, Some(c)) => [c.scale as f32, up(c.residual), up(norm)],
            (Metric::L2, Some(c)) => [c.scale as f32, up(c.residual), c.norm as f32],
            (_, None) => [0.0, f32::INFINITY, 0.0],
        };
        Ok(())
    }

    /// What is stored beside the codes.
    pub fn factors(&self) -> &[f32] {
        &self.factors[..self.count]
    }

    /// The codes as bytes.
    pub fn bytes(&self) -> &[u8] {
        zerocopy::IntoBytes::as_bytes(self.codes.as_slice())
    }
}

/// Rounds up, so that what was an upper bound remains one.
fn up(value: f64) -> f32 {
    ((value * (1.0 + 1e-6)) as f32).next_up()
}

/// A vector within bounds, split into what its code holds and what not.
struct Coded {
    scale: f64,
    /// Norm of what the code holds.
    norm: f64,
    /// Norm of what it left out.
    residual: f64,
}

impl Coded {
    fn new(kernels: &Kernels, x: &[f32], norm: f64, codes: &mut [i8]) -> Option<Self> {
        let scale = f64::from(kernels.quantize(x, codes));
        if !(SMALLEST_NORM..=LARGEST_NORM).contains(&norm) || scale == 0.0 {
            codes.fill(0);
            return None;
        }
        let residual = norm_of(x.len(), |i| f64::from(x[i]) - scale * f64::from(codes[i]));
        let norm = scale * f64::from(kernels.dot_i8(codes, codes)).sqrt();
        Some(Self { scale, norm, residual })
    }

    /// Codes a query with as many bits as leave the dot product with any code an i32.
    fn wide(q: &[f32], norm: f64) -> (Vec<i16>, Option<Self>) {
        let largest = q.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
        if !(SMALLEST_NORM..=LARGEST_NORM).contains(&norm) || largest < f32::MIN_POSITIVE {
            return (vec![0; q.len()], None);
        }
        let steps = (i32::MAX / (128 * q.len() as i32)).min(i32::from(i16::MAX)) as f32;
        let (scale, inverse) = (f64::from(largest) / f64::from(steps), steps / largest);
        // Adding it leaves an integer in the lowest bits of a small number, rounded.
        const ROUNDER: f32 = (3 << 22) as f32;
        let code = |x: f32| ((x * inverse + ROUNDER).to_bits() as i32).wrapping_sub(ROUNDER.to_bits() as i32) as i16;
        let codes: Vec<i16> = q.iter().map(|&x| code(x)).collect();
        let residual = norm_of(q.len(), |i| f64::from(q[i]) - scale * f64::from(codes[i]));
        let norm = scale * norm_of(q.len(), |i| f64::from(codes[i]));
        (codes, Some(Self { scale, norm, residual }))
    }
}

/// The norm of the vector with these elements, summed in several parts that do not wait for each other.
#[inline(always)]
fn norm_of(len: usize, element: impl Fn(usize) -> f64) -> f64 {
    let mut parts = [0.0; 8];
    let whole = len - len % parts.len();
    for start in (0..whole).step_by(parts.len()) {
        for (i, part) in parts.iter_mut().enumerate() {
            let element = element(start + i);
            *part += element * element;
        }
    }
    let rest = (whole..len).map(|i| element(i) * element(i)).sum::<f64>();
    (parts.iter().sum::<f64>() + rest).sqrt()
}

/// A vector to compare with.
#[derive(Debug, Clone)]
pub struct Query {
    metric: Metric,
    norm: f32,
    codes: Vec<i16>,
    bound: Bound,
}

/// How a bound follows from the integer I and the factors of an entry.
#[derive(Debug, Clone, Copy)]
enum Bound {
    /// The distance to everything is NaN.
    Nothing,
    /// Nothing is known.
    Open,
    /// `base − I·slope·f₀ − f₁·weight`
    Cosine { base: f32, slope: f32, weight: f32 },
    /// `−I·slope·f₀ − f₁·residual − f₂·norm`
    InnerProduct { slope: f32, residual: f32, norm: f32 },
    /// `(√(square + f₂² − 2·I·slope·f₀) − f₁ − residual)·shrink`
    L2 { square: f64, slope: f64, residual: f64, shrink: f64 },
}

impl Bound {
    /// For a query of `n` dimensions and norm `norm` that is coded with `scale`, where `coded` is the norm of what the codes
    /// hold, and `residual` that of what they leave out.
    fn new(metric: Metric, n: f64, norm: f64, Coded { scale, norm: coded, residual }: &Coded) -> Self {
        match metric {
            Metric::Cosine => {
                let open = residual / norm;
                let margin = OWN_ROUNDING + 2.02 * (n + 2.0) * U;
                Self::Cosine {
                    base: ((1.0 - open - margin) as f32).next_down(),
                    slope: (scale / norm) as f32,
                    weight: up(1.0 + open),
                }
            }
            Metric::InnerProduct => Self::InnerProduct {
                slope: *scale as f32,
                residual: up(residual + norm),
                norm: up(residual + norm * (OWN_ROUNDING + 1.01 * (n + 1.0) * U)),
            },
            Metric::L2 => Self::L2 {
                square: coded * coded * (1.0 - 1e-9),
                slope: 2.0 * scale,
                residual: residual * (1.0 + 1e-9) + 1e-18,
                shrink: 1.0 - 1.01 * (n + 3.0) * U,
            },
        }
    }
}

impl Query {
    /// Prepares a vector for comparisons.
    pub fn new(kernels: &Kernels, metric: Metric, q: &[f32]) -> Self {
        let norm = kernels.norm(q);
        let (codes, coded) = Coded::wide(q, norm);
        let bound = match (metric, coded) {
            (Metric::Cosine, None) if norm == 0.0 => Bound::Nothing,
            (Metric::InnerProduct, None) if norm == 0.0 => Bound::InnerProduct { slope: 0.0, residual: 0.0, norm: 0.0 },
            (_, None) => Bound::Open,
            (_, Some(coded)) => Bound::new(metric, q.len() as f64, norm, &coded),
        };
        Self { metric, norm: norm as f32, codes, bound }
    }

    /// Dimensions.
    pub fn dim(&self) -> u16 {
        self.codes.len() as u16
    }

    /// The square of the Euclidean distance that a bound stands for: between the vectors, or between their directions. For
    /// inner products `norm` is that of the vector.
    pub(crate) fn square(&self, bound: f32, norm: f32) -> f32 {
        match self.metric {
            Metric::Cosine => 2.0 * bound,
            Metric::InnerProduct => 2.0 + 2.0 * bound / (self.norm * norm),
            Metric::L2 => bound * bound,
        }
    }

    /// The greatest norm of a row of a leaf, where it matters to [`Query::square`].
    pub(crate) fn greatest_norm(&self, leaf: &Leaf<'_>) -> f32 {
        match self.metric {
            Metric::InnerProduct => leaf.places::<3>().map(|place| place.factor(2)).fold(0.0, f32::max),
            Metric::Cosine | Metric::L2 => 1.0,
        }
    }

    /// How much less than the distance the bound of a leaf's first entry is, but for what little the codes err.
    pub(crate) fn slack(&self, leaf: &Leaf<'_>) -> f32 {
        if leaf.is_empty() {
            return 0.0;
        }
        let factor = |k| leaf.factor(0, k);
        let slack = match self.bound {
            Bound::Cosine { base, weight, .. } => 1.0 - base + factor(1) * weight,
            Bound::InnerProduct { residual, norm, .. } => factor(1) * residual + factor(2) * norm,
            Bound::L2 { residual, .. } => factor(1) + residual as f32,
            Bound::Nothing | Bound::Open => 0.0,
        };
        if slack.is_finite() { slack } else { 0.0 }
    }

    /// Hands to `take`, for every entry of a leaf of this dimension, a number that its distance is not below, NaN where the
    /// distance is NaN; and its id and row. Meanwhile memory is asked for the next leaf. `sums` is for its own use.
    #[inline]
    pub fn bounds(
        &self,
        kernels: &Kernels,
        leaf: &Leaf<'_>,
        ahead: Ahead,
        sums: &mut Vec<i32>,
        mut take: impl FnMut(f32, u64, u64),
    ) {
        match self.bound {
            Bound::Nothing => same(leaf, f32::NAN, &mut take),
            Bound::Open => same(leaf, f32::NEG_INFINITY, &mut take),
            bound => {
                sums.resize(leaf.len(), 0);
                kernels.dot_wide_many(&self.codes, leaf.codes(), ahead.ask_beside_codes(leaf), sums);
                bound.each(leaf, sums, take);
            }
        }
    }
}

impl Bound {
    #[inline(always)]
    fn each(self, leaf: &Leaf<'_>, sums: &[i32], take: impl FnMut(f32, u64, u64)) {
        match self {
            Self::Cosine { base, slope, weight } => each(leaf, sums, take, |sum, place: &Place<2>| {
                base - sum as f32 * (slope * place.factor(0)) - place.factor(1) * weight
            }),
            Self::InnerProduct { slope, residual, norm } => each(leaf, sums, take, |sum, place: &Place<3>| {
                let product = sum as f32 * (slope * place.factor(0));
                -product - place.factor(1) * residual - place.factor(2) * norm
            }),
            Self::L2 { square, slope, residual, shrink } => each(leaf, sums, take, |sum, place: &Place<3>| {
                let norm = f64::from(place.factor(2));
                let product = f64::from(sum) * slope * f64::from(place.factor(0));
                let far = square + norm * norm * (1.0 - 3e-7) - product;
                let distance = (far.max(0.0).sqrt() - f64::from(place.factor(1)) - residual) * shrink;
                (distance.max(0.0) as f32).next_down()
            }),
            Self::Nothing | Self::Open => {}
        }
    }
}

/// Hands every entry to `take` with its bound, in one pass: a search does little else than this and the sums.
#[inline(always)]
fn each<const FACTORS: usize>(
    leaf: &Leaf<'_>,
    sums: &[i32],
    mut take: impl FnMut(f32, u64, u64),
    bound: impl Fn(i32, &Place<FACTORS>) -> f32,
) {
    let places = leaf.places::<FACTORS>();
    if places.len() != sums.len() {
        // A damaged page has a number of factors that does not fit.
        return same(leaf, f32::NEG_INFINITY, &mut take);
    }
    for (&sum, place) in sums.iter().zip(places) {
        let bound = bound(sum, place);
        // A product of zero and infinity says nothing.
        take(if bound.is_nan() { f32::NEG_INFINITY } else { bound }, place.id(), place.row());
    }
}

/// Hands every entry to `take` with the same bound.
#[cold]
fn same(leaf: &Leaf<'_>, bound: f32, take: &mut dyn FnMut(f32, u64, u64)) {
    for i in 0..leaf.len() {
        take(bound, leaf.id(i), leaf.row(i));
    }
}
