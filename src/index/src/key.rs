//! Where an entry belongs: its dimension, its namespace and its list in that order.
//!
//! ```text
//!   no key column     0 ............................ 0 │ list 16
//!   one key column    hash 48 ...................... ... │ list 16
//!   two key columns   hash 32 .......... │ hash 16 ..... │ list 16
//! ```
//!
//! A namespace is known by the hash of its key values. Two keys with one hash share a namespace, which costs their
//! searches some comparisons and nothing else: whoever searches compares the rows' own key values afterwards. In
//! exchange every key has one length, and equal keys of different types meet in one namespace.
//!
//! With two key columns a search may name the first alone; its namespaces lie side by side.

/// Rows that belong to no list: all of a small namespace, a few of one that has lists.
pub const PLAIN: u16 = 0;
/// The centroids of a namespace that has lists. Their row id is the number of the list, and [`CLOSING`].
pub const CENTROIDS: u16 = 1;
/// Set in the row id of a centroid whose list is about to be given up: nothing is added to it, and its rows move on.
pub const CLOSING: u64 = 1 << 16;
/// The first number a list can have.
pub const FIRST_LIST: u16 = 2;
/// The last number a list can have.
pub const LAST_LIST: u16 = 0xFFFD;
/// Rows whose distance to everything is NaN.
pub const DIRECTIONLESS: u16 = 0xFFFE;
/// Rows without a vector; their dimension is zero.
pub const ABSENT: u16 = 0xFFFF;

/// What stands for the hash of a key value that is null.
const NULL_HASH: u64 = 0x9E37_79B9_7F4A_7C15;

/// The place of an entry in the order of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key {
    /// Dimensions of the vector; a page holds vectors of one length.
    pub dim: u16,
    /// Namespace and list.
    pub id: u64,
}

impl Key {
    /// Before every other key.
    pub const MIN: Self = Self { dim: 0, id: 0 };
    /// After every other key.
    pub const MAX: Self = Self { dim: u16::MAX, id: u64::MAX };

    /// The key of a list in the namespace of `space`.
    pub fn new(dim: u16, space: Space, list: u16) -> Self {
        Self { dim, id: space.0 << 16 | u64::from(list) }
    }

    /// The list.
    pub fn list(self) -> u16 {
        list_of(self.id)
    }

    /// The namespace.
    pub fn space(self) -> Space {
        Space(self.id >> 16)
    }
}

/// The list in the lower half of an id.
#[inline]
pub fn list_of(id: u64) -> u16 {
    id as u16
}

/// A namespace: 48 bits made of the hashes of its key values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Space(pub u64);

/// Namespaces side by side, first and last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first namespace.
    pub first: Space,
    /// The last namespace.
    pub last: Space,
}

impl Span {
    /// Every namespace.
    pub const ALL: Self = Self { first: Space(0), last: Space((1 << 48) - 1) };

    /// Whether it is one namespace.
    pub fn is_single(&self) -> bool {
        self.first == self.last
    }

    /// The first and last key of these namespaces, of one list or of all.
    pub fn keys(&self, dim: u16, lists: std::ops::RangeInclusive<u16>) -> (Key, Key) {
        (Key::new(dim, self.first, *lists.start()), Key::new(dim, self.last, *lists.end()))
    }
}

/// The namespace of a row; `hashes` has one place for each key column, empty for null.
pub fn space(hashes: &[Option<u64>]) -> Space {
    let hash = |i: usize| hashes[i].unwrap_or(NULL_HASH);
    match hashes.len() {
        0 => Space(0),
        1 => Space(hash(0) >> 16),
        _ => Space(hash(0) >> 32 << 16 | hash(1) >> 48),
    }
}

/// The namespaces whose key begins with these hashes, in an index of `columns` key columns.
pub fn span(hashes: &[Option<u64>], columns: usize) -> Span {
    if hashes.len() >= columns {
        let one = space(&hashes[..columns]);
        return Span { first: one, last: one };
    }
    match hashes.first() {
        None => Span::ALL,
        Some(_) => {
            let first = space(&[hashes[0], Some(0)]);
            Span { first, last: Space(first.0 | 0xFFFF) }
        }
    }
}
