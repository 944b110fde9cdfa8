//! The tree against a plain list of rows: insertion, bulk loading, search, vacuum.

use std::collections::{BTreeMap, HashSet};

use super::store::Store;
use super::{Random, add, distance, planted, query};
use crate::check::{Census, census};
use crate::code::{Code, Metric};
use crate::key::{Key, PLAIN, Space, Span};
use crate::load::{Loader, Sink};
use crate::page::{Entry, Page, ROOT};
use crate::scan::{Distance, Hit, Scan};
use crate::vacuum::{shrink, sweep};

const METRIC: Metric = Metric::Cosine;

#[derive(Clone)]
struct Row {
    space: u64,
    vector: Option<Vec<f32>>,
}

type Rows = BTreeMap<u64, Row>;

fn one(space: u64) -> Span {
    Span { first: Space(space), last: Space(space) }
}

fn hits(store: &Store, spans: Vec<Span>, q: Option<&[f32]>) -> Vec<Hit> {
    let mut scan = Scan::new(kernels::best(), spans, q.map(|q| query(METRIC, q)));
    let mut hits = Vec::new();
    while let Some(hit) = scan.next(store).unwrap() {
        hits.push(hit);
    }
    hits
}

/// The search gives exactly the rows of these namespaces, in the order of their bounds, and no bound is too high.
fn check_search(store: &Store, rows: &Rows, spans: &[Span], q: &[f32]) {
    let inside = |row: &Row| spans.iter().any(|span| (span.first.0..=span.last.0).contains(&row.space));
    let fits = |row: &Row| row.vector.as_ref().is_none_or(|vector| vector.len() == q.len());
    let expected: HashSet<u64> = rows.iter().filter(|(_, row)| inside(row) && fits(row)).map(|(&id, _)| id).collect();
    let found = hits(store, spans.to_vec(), Some(q));
    assert_eq!(found.len(), expected.len());
    assert_eq!(found.iter().map(|hit| hit.row).collect::<HashSet<_>>(), expected);
    let mut last = f64::NEG_INFINITY;
    let mut rank = 0;
    for hit in found {
        let exact = rows[&hit.row].vector.as_ref().map(|vector| distance(kernels::best(), METRIC, q, vector));
        let this = match hit.distance {
            Distance::AtLeast(bound) => {
                assert!(f64::from(bound) <= exact.unwrap() && f64::from(bound) >= last);
                last = f64::from(bound);
                0
            }
            Distance::NotANumber => {
                assert!(exact.unwrap().is_nan());
                1
            }
            Distance::Null => {
                assert!(exact.is_none());
                2
            }
        };
        assert!(this >= rank);
        rank = this;
    }
}

fn check_all(store: &Store, rows: &Rows, random: &mut Random, dims: &[usize]) -> Census {
    let all = census(store, |_, _| {}).unwrap();
    assert_eq!(all.rows, rows.len() as u64);
    assert_eq!(all.blocks.len() + 1 + store.free_pages(), store.len() as usize, "no page is lost");
    for &dim in dims {
        let q = random.vector(dim);
        let spaces: HashSet<u64> = rows.values().map(|row| row.space).collect();
        for &space in spaces.iter().take(5) {
            check_search(store, rows, &[one(space)], &q);
        }
        check_search(store, rows, &[Span::ALL], &q);
        check_search(store, rows, &[one(1), one(3), one(3), one(1 << 40)], &q);
        check_search(store, rows, &[Span { first: Space(2), last: Space(5) }], &q);
        check_search(store, rows, &[one(1)], &vec![0.0; dim]);
    }
    let everything: HashSet<u64> = hits(store, vec![Span::ALL], None).iter().map(|hit| hit.row).collect();
    assert_eq!(everything, rows.keys().copied().collect());
    all
}

fn random_row(random: &mut Random, spaces: u64, dims: &[usize]) -> Row {
    let dim = dims[random.below(dims.len() as u64) as usize];
    let vector = match random.below(40) {
        0 => None,
        1 => Some(vec![0.0; dim]),
        _ => Some(random.vector(dim)),
    };
    // Few large namespaces and many small ones.
    let space = if random.below(2) == 0 { random.below(4) } else { random.below(spaces) };
    Row { space, vector }
}

fn grow(store: &Store, rows: &mut Rows, random: &mut Random, count: u64, spaces: u64, dims: &[usize]) {
    for _ in 0..count {
        let id = (random.below(1 << 30) << 16) | (1 + random.below(200));
        if rows.contains_key(&id) {
            continue;
        }
        let row = random_row(random, spaces, dims);
        add(store, METRIC, row.space, id, row.vector.as_deref());
        rows.insert(id, row);
    }
}

fn vacuum(store: &Store, rows: &mut Rows, mut dead: impl FnMut(u64) -> bool) -> u64 {
    let before = rows.len();
    rows.retain(|&id, _| !dead(id));
    let mut swept = sweep(store, |id| !rows.contains_key(&id)).unwrap();
    assert_eq!(swept.removed as usize, before - rows.len());
    assert_eq!(swept.kept as usize, rows.len());
    shrink(store, &mut swept).unwrap()
}

#[test]
fn grows_and_shrinks() {
    let size = if cfg!(miri) { 24 } else { 6_000 };
    for (seed, dims) in [(1, &[60_usize][..]), (2, &[3, 700, 1500]), (3, &[1, 8000])] {
        let mut random = Random(seed);
        let store = planted(20_000, METRIC);
        let mut rows = Rows::new();
        check_all(&store, &rows, &mut random, dims);
        grow(&store, &mut rows, &mut random, size, 300, dims);
        let full = check_all(&store, &rows, &mut random, dims);
        vacuum(&store, &mut rows, |id| id % 3 == 0);
        check_all(&store, &rows, &mut random, dims);
        grow(&store, &mut rows, &mut random, size / 4, 300, dims);
        check_all(&store, &rows, &mut random, dims);
        vacuum(&store, &mut rows, |id| id % 16 != 1);
        let small = check_all(&store, &rows, &mut random, dims);
        assert!(small.blocks.len() * 2 < full.blocks.len() || cfg!(miri), "pages are given back");
        let pages = store.len();
        grow(&store, &mut rows, &mut random, size / 4, 300, dims);
        assert!(store.len() == pages || cfg!(miri), "freed pages are used again");
        check_all(&store, &rows, &mut random, dims);
        vacuum(&store, &mut rows, |_| true);
        let empty = check_all(&store, &rows, &mut random, dims);
        assert!(empty.blocks.len() <= 2, "an empty index is as small as a new one");
        grow(&store, &mut rows, &mut random, if cfg!(miri) { 10 } else { 50 }, 3, dims);
        check_all(&store, &rows, &mut random, dims);
    }
}

#[test]
fn namespaces_share_pages() {
    let store = planted(2_000, METRIC);
    let mut random = Random(5);
    let count = if cfg!(miri) { 50 } else { 10_000 };
    for row in 0..count {
        add(&store, METRIC, random.below(1 << 48), row << 16 | 1, Some(&random.vector(128)));
    }
    let all = census(&store, |_, _| {}).unwrap();
    assert_eq!(all.rows, count);
    assert!(all.namespaces > count - 3);
    assert!(all.used * 10 > all.leaves * 8136 * 6, "pages are filled by more than 60 %");
}

#[test]
fn a_namespace_fills_its_pages() {
    let store = planted(2_000, METRIC);
    let mut random = Random(6);
    let count = if cfg!(miri) { 50 } else { 5_000 };
    for row in 0..count {
        add(&store, METRIC, 7, row << 16 | 1, Some(&random.vector(128)));
    }
    let all = census(&store, |_, _| {}).unwrap();
    assert_eq!((all.rows, all.namespaces), (count, 1));
    assert!(all.used * 10 > all.leaves * 8136 * 9 || cfg!(miri), "pages are filled by more than 90 %");
}

struct Into<'a>(&'a Store);

impl Sink for Into<'_> {
    fn write(&mut self, block: u32, page: &Page) {
        self.0.write(block, page);
    }
}

#[test]
fn loads_in_bulk() {
    for (count, spaces, fill) in
        [(0, 1, 100), (1, 1, 100), (15, 3, 90), (4_000, 500, 90), (4_000, 2, 100), (20_000, 1, 50)]
    {
        let count = if cfg!(miri) { count.min(40) } else { count };
        let mut random = Random(count + 9);
        let dims = &[5, 700];
        let mut rows = Rows::new();
        for id in 0..count {
            rows.insert(id << 16 | 1, random_row(&mut random, spaces, dims));
        }
        let mut entries = Vec::new();
        for (&id, row) in &rows {
            let mut code = Code::default();
            code.encode(kernels::best(), METRIC, row.vector.as_deref().unwrap_or(&[])).unwrap();
            let list = match &row.vector {
                None => crate::key::ABSENT,
                Some(_) if code.directionless => crate::key::DIRECTIONLESS,
                Some(_) => PLAIN,
            };
            entries.push((Key::new(code.codes.len() as u16, Space(row.space), list), id, code));
        }
        entries.sort_by_key(|&(key, id, _)| (key, id));
        let store = Store::new(20_000);
        let mut loader = Loader::new(Into(&store), METRIC.factors(), fill);
        for (key, row, code) in &entries {
            loader.add(Entry { id: key.id, row: *row, factors: code.factors(), code: code.bytes() }).unwrap();
        }
        loader.finish();
        assert!(store.len() > ROOT);
        check_all(&store, &rows, &mut random, dims);
        grow(&store, &mut rows, &mut random, if cfg!(miri) { 20 } else { 300 }, spaces + 5, dims);
        check_all(&store, &rows, &mut random, dims);
        vacuum(&store, &mut rows, |id| id & 0x3_0000 != 0);
        check_all(&store, &rows, &mut random, dims);
    }
}

#[test]
fn damage_is_an_error() {
    let store = planted(500, METRIC);
    let mut random = Random(11);
    for row in 0..if cfg!(miri) { 60 } else { 200 } {
        add(&store, METRIC, row % 3, row << 16 | 1, Some(&random.vector(500)));
    }
    let clean: Vec<Page> =
        (0..store.len()).map(|block| *crate::pages::Guard::page(&crate::pages::Pages::shared(&store, block))).collect();
    for round in 0..if cfg!(miri) { 5 } else { 2_000 } {
        let block = 1 + random.below(u64::from(store.len()) - 1) as u32;
        let mut page = clean[block as usize];
        match round % 3 {
            0 => page.fill(0),
            1 => page[24..32].fill(random.next() as u8),
            _ => page[12 + random.below(20) as usize] ^= 1 << random.below(8),
        }
        // A right link out of the file would be an error of the file's reader.
        store.write(block, &page);
        let checked = census(&store, |_, _| {});
        let mut scan = Scan::new(kernels::best(), vec![Span::ALL], Some(query(METRIC, &random.vector(500))));
        let found = loop {
            match scan.next(&store) {
                Ok(Some(_)) => {}
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        if round % 3 == 0 {
            assert!(checked.is_err() && !found);
        }
        store.write(block, &clean[block as usize]);
    }
    census(&store, |_, _| {}).unwrap();
}
