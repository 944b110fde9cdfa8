mod bounds;
mod lists;
mod order;
mod recall;
mod reshape;
mod store;
mod threads;
mod trees;

use kernels::Kernels;

use crate::code::{Code, Metric, Query};
use crate::insert::{insert, plant};
use crate::key::{ABSENT, DIRECTIONLESS, Key, PLAIN, Space};
use crate::page::{Entry, ROOT};
use crate::pages::Pages;
use store::Store;

/// A small, repeatable source of numbers.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }

    pub fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u64 << 24) as f32 * 2.0 - 1.0
    }

    pub fn vector(&mut self, dim: usize) -> Vec<f32> {
        (0..dim).map(|_| self.unit()).collect()
    }
}

/// An empty index.
pub fn planted(pages: usize, metric: Metric) -> Store {
    let store = Store::new(pages);
    let mut root = store.exclusive(ROOT);
    store.change([&mut root], |[page]| plant(page, metric.factors()));
    drop(root);
    store
}

/// Adds a row as the extension does.
pub fn add(store: &Store, metric: Metric, space: u64, row: u64, vector: Option<&[f32]>) {
    let mut code = Code::default();
    let kernels = kernels::best();
    code.encode(kernels, metric, vector.unwrap_or(&[])).unwrap();
    let list = match vector {
        None => ABSENT,
        Some(_) if code.directionless => DIRECTIONLESS,
        Some(_) => PLAIN,
    };
    let key = Key::new(vector.map_or(0, <[f32]>::len) as u16, Space(space), list);
    insert(store, Entry { id: key.id, row, factors: code.factors(), code: code.bytes() }).unwrap();
}

/// The distance that the executor computes.
pub fn distance(kernels: &Kernels, metric: Metric, a: &[f32], b: &[f32]) -> f64 {
    match metric {
        Metric::Cosine => kernels.cosine_distance(a, b),
        Metric::InnerProduct => f64::from(-kernels.dot(a, b)),
        Metric::L2 => kernels.l2_distance(a, b),
    }
}

pub fn query(metric: Metric, vector: &[f32]) -> Query {
    Query::new(kernels::best(), metric, vector)
}
