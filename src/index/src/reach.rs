//! How many lists a search has to read.
//!
//! A search reads lists in the order of their centroids' distances from the query, and has to know when those that are
//! left are unlikely to hold one of the nearest rows. No bound helps: in many dimensions a list reaches much further than
//! the distance between two of them. But where a neighbour of the query lies can be told with some probability.
//!
//! A row x at the distance r from the query q is in the list of the centroid c that is nearest to it, and
//!
//! |x − c|² = |q − c|² + r² + 2·r·⟨u, q − c⟩, where u is the direction from q to x.
//!
//! In a direction that has nothing to do with the centroids, what tells list i from the nearest one is the gap between their
//! squared distances from q, against noise of a normal distribution whose deviation is proportional to r. So list i is taken
//! to hold a part of the neighbours that is proportional to
//!
//! wᵢ = Φ((|q − c₁|² − |q − cᵢ|²) / σ),  σ = s · 2·r·√(variance / mean)
//!
//! where mean and variance are those of |q − c|² over all lists; the number of dimensions that count follows from them.
//!
//! The factor s is not one: neighbours that share a topic with the query lie in the direction of their centroid (s below
//! one), and the structureless lie anywhere (s above). It is found while the search goes on. Each of [`SPREADS`] gives the
//! rows that were found so far a likelihood, by the lists that they are from; their mean with these weights is the
//! forecast. Measured on 200,000 vectors of 384 dimensions: where every topic has a hundred rows, six of two hundred lists are
//! read; where it has ten, sixteen; and of random vectors all but a few.
//!
//! Distances on the sphere stand for cosines, and for inner products relative to the greatest norm that was met.

use std::sync::LazyLock;

/// What s may be.
const SPREADS: [f32; 6] = [0.35, 0.5, 0.7, 1.0, 1.4, 2.0];
/// Steps of the table of the normal distribution, for one deviation and in all.
const STEPS: f32 = 16.0;
const TABLE: usize = 96;
/// Added to r², in parts of the mean: what bounds leave open.
const LEFT_OPEN: f32 = 0.005;
/// A spread that is less likely is not looked at.
const UNLIKELY: f32 = 1e-4;

/// The upper tail of the normal distribution.
static TAIL: LazyLock<[f32; TABLE + 2]> = LazyLock::new(|| {
    // Sums the density from the far end, by the trapezoidal rule in steps a sixteenth of the table's.
    let fine = f64::from(STEPS) * 16.0;
    let density = |z: f64| (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt();
    let mut tail = [0.0; TABLE + 2];
    let mut sum = 0.0;
    for i in (0..TABLE).rev() {
        for j in (0..16).rev() {
            let z = (i * 16 + j) as f64 / fine;
            sum += (density(z) + density(z + 1.0 / fine)) / 2.0 / fine;
        }
        tail[i] = sum as f32;
    }
    tail
});

#[inline]
fn upper_tail(z: f32) -> f32 {
    let at = (z * STEPS).clamp(0.0, TABLE as f32);
    let (place, part) = (at as usize, at.fract());
    TAIL[place] + (TAIL[place + 1] - TAIL[place]) * part
}

/// The lists of a search, as far as a forecast needs to know them.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    /// How much further than the nearest each list is, squared, in ascending order.
    gaps: Vec<f32>,
    mean: f32,
    /// Deviation of the noise for r = 1 and s = 1.
    noise: f32,
    /// Whether nothing is known.
    blind: bool,
    parts: Vec<f32>,
}

impl Reach {
    /// For lists with these squared distances from the query, in ascending order.
    pub(crate) fn new(squares: impl Iterator<Item = f32>) -> Self {
        let mut gaps: Vec<f32> = squares.collect();
        let count = gaps.len().max(1) as f32;
        let nearest = gaps.first().copied().unwrap_or(0.0);
        let mean = gaps.iter().sum::<f32>() / count;
        let variance = gaps.iter().map(|square| (square - mean).powi(2)).sum::<f32>() / count;
        gaps.iter_mut().for_each(|gap| *gap -= nearest);
        let noise = 2.0 * (variance / mean).sqrt();
        let blind = !noise.is_finite() || mean <= 0.0;
        Self { gaps, mean, noise, blind, parts: Vec::new() }
    }

    /// The gap of the list at a place.
    #[cfg(test)]
    pub(crate) fn gap(&self, place: usize) -> f32 {
        self.gaps.get(place).copied().unwrap_or(0.0)
    }

    /// How many lists must be read so that all others together hold no more than `missing` of the rows within a distance
    /// whose square is given. `read` have been, and `found` are the gaps of the lists that such rows were found in.
    pub(crate) fn lists_needed(&mut self, read: usize, square: f32, found: &[f32], missing: f32) -> usize {
        let all = self.gaps.len();
        if square.is_nan() {
            // No row is nearer than another.
            return read;
        }
        if self.blind || found.is_empty() || !square.is_finite() {
            return all;
        }
        let deviation = self.noise * (square.max(0.0) + LEFT_OPEN * self.mean).sqrt();
        // A gap in steps of the deviation; where there is no deviation, nothing is far but what is farther.
        let steps = SPREADS.map(|spread| 1.0 / (spread * deviation).max(f32::MIN_POSITIVE));
        let weight = |gap: f32, step: f32| upper_tail(gap * step).max(f32::MIN_POSITIVE);
        let sum = |gaps: &[f32], step: f32| gaps.iter().map(|&gap| upper_tail(gap * step)).sum::<f32>();
        let likelihoods = steps.map(|step| {
            let known = sum(&self.gaps[..read], step).max(f32::MIN_POSITIVE);
            found.iter().map(|&gap| (weight(gap, step) / known).ln()).sum::<f32>()
        });
        let best = likelihoods.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let odds = likelihoods.map(|likelihood| (likelihood - best).exp());
        let total = odds.iter().sum::<f32>();
        self.parts.clear();
        self.parts.resize(all, 0.0);
        for (step, odds) in steps.into_iter().zip(odds).filter(|&(_, odds)| odds > UNLIKELY * total) {
            let share = odds / total / sum(&self.gaps, step).max(f32::MIN_POSITIVE);
            for (part, &gap) in self.parts.iter_mut().zip(&self.gaps) {
                *part += share * upper_tail(gap * step);
            }
        }
        let mut left: f32 = self.parts[read..].iter().sum();
        let mut needed = read;
        while needed < all && left > missing {
            left -= self.parts[needed];
            needed += 1;
        }
        needed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_that_of_the_normal_distribution() {
        for (z, tail) in [(0.0, 0.5), (1.0, 0.158_655), (1.96, 0.024_998), (3.03, 0.001_223), (5.0, 2.87e-7)] {
            assert!((upper_tail(z) - tail).abs() < tail * 0.02 + 1e-8, "{z}: {} {tail}", upper_tail(z));
        }
        assert_eq!(upper_tail(100.0), 0.0);
        assert!(upper_tail(f32::INFINITY) == 0.0);
    }

    #[test]
    fn what_is_found_decides() {
        let squares = || (0..200_u8).map(|i| 1.2 + f32::from(i).sqrt() / 14.0);
        let mut reach = Reach::new(squares());
        let near = vec![0.0; 10];
        let far: Vec<f32> = (0..10).map(|i| reach.gap(i * 2)).collect();
        let few = reach.lists_needed(20, 0.4, &near, 0.01);
        let many = reach.lists_needed(20, 0.4, &far, 0.01);
        assert_eq!(few, 20, "rows that are all in the nearest list are not looked for in the others");
        assert!(many > 30, "{many}");
        assert!(reach.lists_needed(20, 1.6, &far, 0.01) > many, "what is further away is spread wider");
        assert!(reach.lists_needed(20, 0.4, &far, 0.001) > many, "who wants to miss less reads more");
        assert_eq!(reach.lists_needed(20, 0.4, &[], 0.01), 200, "nothing found is no reason to stop");
        assert_eq!(reach.lists_needed(20, f32::NEG_INFINITY, &near, 0.01), 200);
        assert_eq!(reach.lists_needed(200, 0.4, &far, 0.0), 200);
        assert_eq!(reach.lists_needed(2, f32::NAN, &far, 0.01), 2, "no row is nearer than another");
    }

    #[test]
    fn alike_and_alone() {
        let mut alike = Reach::new([1.0; 50].into_iter());
        assert_eq!(alike.lists_needed(2, 0.5, &[0.0; 10], 0.01), 50, "nothing tells one list from another");
        let mut alone = Reach::new([1.0].into_iter());
        assert_eq!(alone.lists_needed(1, 0.5, &[0.0; 10], 0.01), 1);
        let mut blind = Reach::new([f32::NEG_INFINITY; 3].into_iter());
        assert_eq!(blind.lists_needed(1, 0.5, &[0.0; 10], 0.01), 3);
    }
}
