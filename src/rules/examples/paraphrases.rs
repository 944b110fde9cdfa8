//! Measures on hand-written pairs which statements are taken for one: `paraphrases MODEL`, MODEL being a packed encoder.
//!
//! `data/en.paraphrases` has pairs that say the same and pairs that look alike and differ. Printed are precision and recall of
//! the cosine of the sentence vectors alone, at several thresholds, of the words alone, and of both together as the product
//! has them, and what the words make of the pairs of each section.

use std::error::Error;

use encoder::{Model, Output, Scratch};
use rules::same::{MIN_COSINE, Relation, Statement};

/// A subject without a name.
const NOBODY: &[&str] = &[];

struct Pair {
    section: &'static str,
    cosine: f64,
    words: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: paraphrases MODEL")?;
    let model = Model::open(path)?;
    let mut scratch = Scratch::default();
    let mut vector = |text: &str| model.encode_passage(text, Output::Sentence, &mut scratch).vector;
    let mut pairs = Vec::new();
    let mut section = "";
    for line in include_str!("../data/en.paraphrases").lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((a, b)) = line.split_once(" | ") {
            let (va, vb) = (vector(a), vector(b));
            let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(x * y)).sum::<f64>();
            let cosine = dot(&va, &vb) / (dot(&va, &va) * dot(&vb, &vb)).sqrt();
            let statements = Statement::read(a, NOBODY).zip(Statement::read(b, NOBODY));
            let words = statements.is_some_and(|(a, b)| a.relation_to(&b) == Some(Relation::Same));
            pairs.push(Pair { section, cosine, words });
        }
    }
    println!("{:<34} {:>9} {:>9} {:>6} {:>6}", "", "precision", "recall", "right", "wrong");
    for threshold in [0.7, 0.8, 0.85, 0.9, 0.95, 0.98] {
        report(&format!("cosine of at least {threshold}"), &pairs, |pair| pair.cosine >= threshold);
    }
    report("the words", &pairs, |pair| pair.words);
    report(&format!("the words, and a cosine of {MIN_COSINE}"), &pairs, |pair| pair.words && pair.cosine >= MIN_COSINE);
    println!("\n{:<16} {:>6} {:>10} {:>16} {:>16}", "", "pairs", "taken for", "least cosine", "largest cosine");
    let mut sections: Vec<&str> = pairs.iter().map(|pair| pair.section).collect();
    sections.dedup();
    for section in sections {
        let of: Vec<&Pair> = pairs.iter().filter(|pair| pair.section == section).collect();
        let (least, largest) =
            of.iter().fold((f64::MAX, f64::MIN), |(low, high), pair| (low.min(pair.cosine), high.max(pair.cosine)));
        let taken = of.iter().filter(|pair| pair.words && pair.cosine >= MIN_COSINE).count();
        println!("{section:<16} {:>6} {taken:>10} {least:>16.3} {largest:>16.3}", of.len());
    }
    let least = pairs.iter().filter(|pair| pair.words && pair.section == "same").map(|pair| pair.cosine);
    println!("\nleast cosine of those that the words found right: {:.3}", least.fold(f64::MAX, f64::min));
    Ok(())
}

fn report(label: &str, pairs: &[Pair], is_same: impl Fn(&Pair) -> bool) {
    let taken = pairs.iter().filter(|pair| is_same(pair)).count();
    let right = pairs.iter().filter(|pair| is_same(pair) && pair.section == "same").count();
    let all = pairs.iter().filter(|pair| pair.section == "same").count();
    println!(
        "{label:<34} {:>9.3} {:>9.3} {right:>6} {:>6}",
        right as f64 / taken.max(1) as f64,
        right as f64 / all as f64,
        taken - right
    );
}
