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
//! squared distances from q, against noise whose deviation is proportional to r. So list i holds a part of the neighbours
//! that is proportional to
//!
//! wᵢ = tail((|q − cᵢ|² − |q − c₁|²) / (s·σ)),  σ = 2·r·√(variance / mean)
//!
//! where mean and variance are those of |q − c|² over all lists; the number of dimensions that count follows from them.
//!
//! The factor s is not one, and it is not the same for all neighbours: those that share a topic with the query lie in the
//! direction of its centroid (s below one), and beyond them come the structureless, which lie anywhere (s above). So the
//! neighbours are taken for a mixture of [`SPREADS`], and what each has contributed is estimated while the search goes on,
//! from the lists that the rows found so far are from, by expectation and maximization. A spread of which a tenth of the
//! lists were read has ten rows for each that was found. [`PRIOR`] rows of each spread are taken to be found beforehand: who
//! has found ten rows close together has seen no sign of others, which is not yet a proof that there are none.
//!
//! The last of the spreads is without end. Who asks for something that the namespace has no topic of finds rows that have
//! this or that in common with the question, in lists that have nothing to do with it.
//!
//! Distances on the sphere stand for cosines, and for inner products relative to the greatest norm that was met.

/// What s may be, from step to step by the root of two, and for rows that are in any list as likely as in another.
const SPREADS: [f32; COUNT] = [0.354, 0.5, 0.707, 1.0, 1.414, 2.0, f32::INFINITY];
const COUNT: usize = 7;
/// Rows of each spread that are taken to be found beforehand. With fewer, searches that find no sign of further rows stop
/// too soon; with more, those that have found all go on.
const PRIOR: f32 = 0.008;
/// The same for rows that may be in any list; counted in all lists together, not in those that were read. What one can say
/// of a spread that ends soon from the first lists, one can say of this from all of them only.
const PRIOR_ANYWHERE: f32 = 0.02;
/// Steps of the estimate, which is good enough before it has converged.
const ROUNDS: usize = 60;
/// Added to r², in parts of the mean: what bounds leave open.
const LEFT_OPEN: f32 = 0.005;
/// How many deviations the tail reaches.
const END: f32 = 5.0;
/// Parts of a sum that do not wait for each other.
const LANES: usize = 8;

/// Twice the upper tail of the normal distribution, as far as it matters: so it costs five multiplications.
#[inline(always)]
fn tail(z: f32) -> f32 {
    let left = (1.0 - z / END).max(0.0);
    let square = left * left;
    square * square * square
}

/// The tails of all gaps, in ascending order, at so many deviations for each unit.
fn sum(gaps: &[f32], step: f32) -> f32 {
    let near = &gaps[..gaps.partition_point(|&gap| gap * step < END)];
    let (chunks, rest) = near.as_chunks::<LANES>();
    let mut parts = [0.0; LANES];
    for chunk in chunks {
        for (part, &gap) in parts.iter_mut().zip(chunk) {
            *part += tail(gap * step);
        }
    }
    parts.iter().sum::<f32>() + rest.iter().map(|&gap| tail(gap * step)).sum::<f32>()
}

/// Lists at the same gap that were read, and the rows that were found there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Found {
    pub(crate) gap: f32,
    pub(crate) rows: f32,
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
    /// How likely the spreads are where rows were found.
    tails: Vec<[f32; COUNT]>,
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
        Self { gaps, mean, noise, blind, tails: Vec::new() }
    }

    /// How many lists must be read so that all others together hold no more than `missing` of the rows within a distance
    /// whose square is given. `read` have been, and `found` says where such rows were found.
    pub(crate) fn lists_needed(&mut self, read: usize, square: f32, found: &[Found], missing: f32) -> usize {
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
        let (near, far) = self.gaps.split_at(read.min(all));
        let known = steps.map(|step| sum(near, step).max(f32::MIN_POSITIVE));
        self.tails.clear();
        self.tails.extend(
            found
                .iter()
                .map(|found| std::array::from_fn(|k| (tail(found.gap * steps[k]) / known[k]).max(f32::MIN_POSITIVE))),
        );
        let mut prior = [PRIOR; COUNT];
        prior[COUNT - 1] = PRIOR_ANYWHERE * read as f32 / all as f32;
        let shares = estimate(found, &self.tails, prior);
        // Of each spread, rows in all lists for each that is in a list that was read.
        let scales: [f32; COUNT] = std::array::from_fn(|k| shares[k] / known[k]);
        let unread: f32 = (0..COUNT).map(|k| scales[k] * sum(far, steps[k])).sum();
        let mut left = unread / (unread + shares.iter().sum::<f32>());
        let scale = left / unread.max(f32::MIN_POSITIVE);
        let mut needed = read;
        for &gap in far {
            if left <= missing {
                break;
            }
            left -= scale * (0..COUNT).map(|k| scales[k] * tail(gap * steps[k])).sum::<f32>();
            needed += 1;
        }
        needed
    }
}

/// The part that each spread has in the rows that were found and in those of the prior, by how likely each is where they were.
fn estimate(found: &[Found], tails: &[[f32; COUNT]], prior: [f32; COUNT]) -> [f32; COUNT] {
    let rows = prior.iter().sum::<f32>() + found.iter().map(|found| found.rows).sum::<f32>();
    let mut shares = [1.0 / COUNT as f32; COUNT];
    for _ in 0..ROUNDS {
        let mut next = prior;
        for (found, tails) in found.iter().zip(tails) {
            let parts: [f32; COUNT] = std::array::from_fn(|k| shares[k] * tails[k]);
            let weight = found.rows / parts.iter().sum::<f32>().max(f32::MIN_POSITIVE);
            next.iter_mut().zip(parts).for_each(|(next, part)| *next += weight * part);
        }
        shares = next.map(|share| share / rows);
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(gaps: impl IntoIterator<Item = f32>) -> Vec<Found> {
        gaps.into_iter().map(|gap| Found { gap, rows: 1.0 }).collect()
    }

    #[test]
    fn the_tail_is_near_that_of_the_normal_distribution() {
        for (z, upper) in [(0.0, 0.5), (0.5, 0.308_538), (1.0, 0.158_655), (1.5, 0.066_807), (2.0, 0.022_750)] {
            assert!((tail(z) - 2.0 * upper).abs() < 0.09, "{z}: {} {upper}", tail(z));
        }
        assert!(tail(4.0) < 1e-3 && tail(END) == 0.0 && tail(f32::INFINITY) == 0.0);
        let gaps: Vec<f32> = (0..37_u8).map(|i| f32::from(i) / 5.0).collect();
        let plain: f32 = gaps.iter().map(|&gap| tail(gap)).sum();
        assert!((sum(&gaps, 1.0) - plain).abs() < 1e-5);
    }

    #[test]
    fn what_is_found_decides() {
        let squares = || (0..200_u8).map(|i| 1.2 + f32::from(i).sqrt() / 14.0);
        let mut reach = Reach::new(squares());
        let gaps = reach.gaps.clone();
        let near = [Found { gap: 0.0, rows: 20.0 }];
        let far = at((0..20).map(|i| gaps[i]));
        let few = reach.lists_needed(30, 0.4, &near, 0.01);
        let many = reach.lists_needed(30, 0.4, &far, 0.01);
        assert_eq!(few, 30, "rows that are all in the nearest list are not looked for in the others");
        assert!(many > 40, "{many}");
        assert!(reach.lists_needed(2, 0.4, &[Found { gap: 0.0, rows: 3.0 }], 0.01) > 2, "few rows prove little");
        assert!(reach.lists_needed(30, 1.6, &far, 0.01) > many, "what is further away is spread wider");
        assert!(reach.lists_needed(30, 0.4, &far, 0.001) > many, "who wants to miss less reads more");
        assert_eq!(reach.lists_needed(30, 0.4, &[], 0.01), 200, "nothing found is no reason to stop");
        assert_eq!(reach.lists_needed(30, f32::NEG_INFINITY, &near, 0.01), 200);
        assert_eq!(reach.lists_needed(200, 0.4, &far, 0.0), 200);
        assert_eq!(reach.lists_needed(2, f32::NAN, &far, 0.01), 2, "no row is nearer than another");
    }

    /// Rows of two kinds: most of a topic that is close by, some from anywhere.
    #[test]
    fn those_from_anywhere_are_not_overlooked() {
        let mut reach = Reach::new((0..200_u8).map(|i| 1.2 + f32::from(i) / 300.0));
        let gaps = reach.gaps.clone();
        let topic = [Found { gap: 0.0, rows: 300.0 }];
        let mut both = topic.to_vec();
        both.extend(at((0..30).map(|i| gaps[i * 3])));
        let one = reach.lists_needed(100, 0.4, &topic, 0.005);
        let two = reach.lists_needed(100, 0.4, &both, 0.005);
        assert!(one == 100 && two > 120, "{one} {two}");
    }

    #[test]
    fn alike_and_alone() {
        let found = [Found { gap: 0.0, rows: 10.0 }];
        let mut alike = Reach::new([1.0; 50].into_iter());
        assert_eq!(alike.lists_needed(2, 0.5, &found, 0.01), 50, "nothing tells one list from another");
        let mut alone = Reach::new([1.0].into_iter());
        assert_eq!(alone.lists_needed(1, 0.5, &found, 0.01), 1);
        let mut blind = Reach::new([f32::NEG_INFINITY; 3].into_iter());
        assert_eq!(blind.lists_needed(1, 0.5, &found, 0.01), 3);
    }
}
