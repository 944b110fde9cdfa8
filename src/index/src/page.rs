//! What lies on a page. The frame is that of every PostgreSQL page, so that checksums, page inspection and the
//! write-ahead log work, with the unused middle between `lower` and `upper`:
//!
//! ```text
//!   0        12     14     16       24    25     26   28      30       32                               8168    8192
//!   ┌────────┬──────┬──────┬────────┬─────┬──────┬────┬───────┬────────┬──────────┬────────┬────────────┬─────────┐
//!   │ frame… │lower │upper │special…│kind │level │dim │count  │factors │ codes  → │ unused │ ← places   │ special │
//!   └────────┴──────┴──────┴────────┴─────┴──────┴────┴───────┴────────┴──────────┴────────┴────────────┴─────────┘
//!   leaf      codes grow up from 32, one after the other, `dim` bytes each: one call of a kernel compares them all
//!             places grow down from 8168: id (8), row (block 4, offset 2), factors (4 each)
//!   inner     children grow up from 32: id (8), dim (2), unused (2), child (4)
//!   special   right (4), changes of structure (4), upper limit: id (8), dim (2), magic (2), unused (4)
//! ```
//!
//! All entries of a leaf have vectors of one length. Numbers are in the machine's own byte order, as everywhere in
//! PostgreSQL's files.

mod meta;

use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::fault::{Fault, Result};
use crate::key::Key;

pub use meta::{FORMAT, Meta, generation, init_meta, next_generation, read_meta};

/// Bytes of a page.
pub const PAGE: usize = 8192;

/// A page.
pub type Page = [u8; PAGE];

/// The page that says what the index is.
pub const META: u32 = 0;
/// The root, which never moves.
pub const ROOT: u32 = 1;
/// No page.
pub const NONE: u32 = 0;

const LOWER: usize = 12;
const UPPER: usize = 14;
const SPECIAL: usize = 16;
const VERSION: usize = 18;
const KIND: usize = 24;
const LEVEL: usize = 25;
const DIM: usize = 26;
const COUNT: usize = 28;
const FACTORS: usize = 30;
const BODY: usize = 32;
/// Where the codes of a leaf begin.
pub(crate) const CODES: usize = BODY;
const TAIL: usize = PAGE - 24;
const RIGHT: usize = TAIL;
const CHANGES: usize = TAIL + 4;
const HIGH_ID: usize = TAIL + 8;
const HIGH_DIM: usize = TAIL + 16;
const MAGIC: usize = TAIL + 18;

/// PostgreSQL's page layout version, beside the size of the page.
const FRAME_VERSION: u16 = PAGE as u16 | 4;
const MAGIC_VALUE: u16 = 0x5356;

const LEAF: u8 = 1;
const INNER: u8 = 2;
const FREE: u8 = 3;
const META_KIND: u8 = 4;

const CHILD: usize = 16;
/// Children that an inner page can have.
pub const MAX_CHILDREN: usize = (TAIL - BODY) / CHILD;
/// Factors that an entry can have.
pub const MAX_FACTORS: usize = 3;

/// The longest vector whose code fits a page together with its place.
pub const MAX_DIMENSIONS: usize = 8000;

#[inline]
fn u16_at(page: &Page, at: usize) -> u16 {
    u16::from_ne_bytes([page[at], page[at + 1]])
}

#[inline]
fn u32_at(page: &Page, at: usize) -> u32 {
    u32::from_ne_bytes([page[at], page[at + 1], page[at + 2], page[at + 3]])
}

#[inline]
fn u64_at(page: &Page, at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&page[at..at + 8]);
    u64::from_ne_bytes(bytes)
}

fn put<const N: usize>(page: &mut Page, at: usize, bytes: [u8; N]) {
    page[at..at + N].copy_from_slice(&bytes);
}

fn put_u16(page: &mut Page, at: usize, value: usize) {
    put(page, at, (value as u16).to_ne_bytes());
}

/// Bytes of an entry's place.
const fn place_len(factors: usize) -> usize {
    14 + 4 * factors
}

/// What lies beside a code, as bytes: for loops over all entries of a leaf.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Place<const FACTORS: usize> {
    id: [u8; 8],
    block: [u8; 4],
    offset: [u8; 2],
    factors: [[u8; 4]; FACTORS],
}

impl<const FACTORS: usize> Place<FACTORS> {
    /// A factor.
    #[inline(always)]
    pub fn factor(&self, which: usize) -> f32 {
        f32::from_ne_bytes(self.factors[which])
    }

    /// Namespace and list.
    #[inline(always)]
    pub fn id(&self) -> u64 {
        u64::from_ne_bytes(self.id)
    }

    /// The row: block and offset.
    #[inline(always)]
    pub fn row(&self) -> u64 {
        u64::from(u32::from_ne_bytes(self.block)) << 16 | u64::from(u16::from_ne_bytes(self.offset))
    }
}

/// Bytes that an entry takes.
pub const fn entry_len(dim: usize, factors: usize) -> usize {
    dim + place_len(factors)
}

/// Entries that a leaf can have.
pub const fn leaf_capacity(dim: usize, factors: usize) -> usize {
    (TAIL - BODY) / entry_len(dim, factors)
}

/// Whether the page was never written.
pub fn is_new(page: &Page) -> bool {
    u16_at(page, UPPER) == 0
}

/// Whether the page belongs to nothing, so that it can be used again.
pub fn is_unused(page: &Page) -> bool {
    is_new(page) || (has_magic(page) && page[KIND] == FREE)
}

/// Whether the page is the index's root or part of its tree.
pub fn is_in_use(page: &Page) -> bool {
    !is_new(page) && has_magic(page) && matches!(page[KIND], LEAF | INNER)
}

fn has_magic(page: &Page) -> bool {
    u16_at(page, MAGIC) == MAGIC_VALUE
}

/// How often the page was linked, unlinked, split or merged.
pub fn changes(page: &Page) -> u32 {
    u32_at(page, CHANGES)
}

/// Empties the page for a new purpose; only the count of changes goes on.
fn init(page: &mut Page, kind: u8, level: u8) {
    let changes = if is_new(page) { 0 } else { changes(page) };
    page.fill(0);
    put_u16(page, LOWER, BODY);
    put_u16(page, UPPER, TAIL);
    put_u16(page, SPECIAL, TAIL);
    put(page, VERSION, FRAME_VERSION.to_ne_bytes());
    page[KIND] = kind;
    page[LEVEL] = level;
    put(page, CHANGES, changes.wrapping_add(1).to_ne_bytes());
    put(page, MAGIC, MAGIC_VALUE.to_ne_bytes());
}

/// Makes the page belong to nothing.
pub fn set_free(page: &mut Page) {
    init(page, FREE, 0);
}

/// Makes the page an empty leaf.
pub fn init_leaf(page: &mut Page, dim: u16, factors: usize, right: u32, high: Key) {
    init(page, LEAF, 0);
    put_u16(page, DIM, usize::from(dim));
    put_u16(page, FACTORS, factors);
    set_neighbour(page, right, high);
}

/// Makes the page an inner page with these children, of which the first one's key is not looked at.
pub fn init_inner(page: &mut Page, level: u8, children: &[(Key, u32)]) {
    init(page, INNER, level);
    for (i, &(key, child)) in children.iter().enumerate() {
        let at = BODY + CHILD * i;
        put(page, at, key.id.to_ne_bytes());
        put(page, at + 8, key.dim.to_ne_bytes());
        put(page, at + 12, child.to_ne_bytes());
    }
    put_u16(page, COUNT, children.len());
    put_u16(page, LOWER, BODY + CHILD * children.len());
}

#[cfg(test)]
pub(crate) fn plant_for_tests(page: &mut Page, dim: u16, factors: usize) {
    init_leaf(page, dim, factors, NONE, Key::MAX);
}

/// Says which leaf comes next, and the least key that it may hold.
pub fn set_neighbour(page: &mut Page, right: u32, high: Key) {
    put(page, RIGHT, right.to_ne_bytes());
    put(page, HIGH_ID, high.id.to_ne_bytes());
    put(page, HIGH_DIM, high.dim.to_ne_bytes());
}

/// Makes `to` what `from` is, except for the frame and the count of changes.
pub fn copy_body(from: &Page, to: &mut Page) {
    let changes = changes(to).wrapping_add(1);
    to[LOWER..LOWER + 4].copy_from_slice(&from[LOWER..LOWER + 4]);
    to[KIND..].copy_from_slice(&from[KIND..]);
    put(to, CHANGES, changes.to_ne_bytes());
}

/// A page of the tree.
pub enum Node<'a> {
    /// With entries.
    Leaf(Leaf<'a>),
    /// With children.
    Inner(Inner<'a>),
}

/// Reads a page of the tree, which must be one.
pub fn node(page: &Page, block: u32) -> Result<Node<'_>> {
    let damaged = |what| Err(Fault::Damaged { block, what });
    if is_new(page) {
        return damaged("it is empty");
    }
    if !has_magic(page) {
        return damaged("it is not a page of this index");
    }
    match page[KIND] {
        LEAF => Leaf::open(page, block).map(Node::Leaf),
        INNER => Inner::open(page, block).map(Node::Inner),
        FREE => damaged("it was freed while it is in use"),
        _ => damaged("it is of an unknown kind"),
    }
}

/// Reads a page that must be a leaf.
pub fn leaf(page: &Page, block: u32) -> Result<Leaf<'_>> {
    match node(page, block)? {
        Node::Leaf(leaf) => Ok(leaf),
        Node::Inner(_) => Err(Fault::Damaged { block, what: "it is not a leaf" }),
    }
}

/// A leaf.
#[derive(Clone, Copy)]
pub struct Leaf<'a> {
    page: &'a Page,
    block: u32,
    dim: usize,
    count: usize,
    factors: usize,
}

/// An entry, on a page or on its way there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry<'a> {
    /// Namespace and list.
    pub id: u64,
    /// The row: block and offset.
    pub row: u64,
    /// What is known about the vector beside its code.
    pub factors: &'a [f32],
    /// The code.
    pub code: &'a [u8],
}

impl<'a> Leaf<'a> {
    fn open(page: &'a Page, block: u32) -> Result<Self> {
        let leaf = Self {
            page,
            block,
            dim: usize::from(u16_at(page, DIM)),
            count: usize::from(u16_at(page, COUNT)),
            factors: usize::from(u16_at(page, FACTORS)),
        };
        let (lower, upper) = (usize::from(u16_at(page, LOWER)), usize::from(u16_at(page, UPPER)));
        if leaf.factors > MAX_FACTORS
            || leaf.count > TAIL
            || lower != BODY + leaf.count * leaf.dim
            || upper + leaf.count * place_len(leaf.factors) != TAIL
            || lower > upper
        {
            return Err(Fault::Damaged { block, what: "its entries do not fit its size" });
        }
        Ok(leaf)
    }

    /// The page itself.
    pub fn page(&self) -> &'a Page {
        self.page
    }

    /// The number of the page.
    pub fn block(&self) -> u32 {
        self.block
    }

    /// Dimensions of its vectors.
    pub fn dim(&self) -> u16 {
        self.dim as u16
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Factors of each entry.
    pub fn factor_count(&self) -> usize {
        self.factors
    }

    /// The next leaf, or [`NONE`].
    pub fn right(&self) -> u32 {
        u32_at(self.page, RIGHT)
    }

    /// No key here is above it, no key of the next leaf is below it.
    pub fn high(&self) -> Key {
        Key { dim: u16_at(self.page, HIGH_DIM), id: u64_at(self.page, HIGH_ID) }
    }

    /// The codes of all entries, one after the other.
    #[inline]
    pub fn codes(&self) -> &'a [i8] {
        as_codes(&self.page[BODY..BODY + self.count * self.dim])
    }

    /// The places of all entries, if they have so many factors, else of none.
    #[inline]
    pub fn places<const FACTORS: usize>(&self) -> impl ExactSizeIterator<Item = &'a Place<FACTORS>> + use<'a, FACTORS> {
        let count = if self.factors == FACTORS { self.count } else { 0 };
        let bytes = &self.page[TAIL - count * place_len(FACTORS)..TAIL];
        <[Place<FACTORS>]>::ref_from_bytes(bytes).unwrap_or(&[]).iter().rev()
    }

    #[inline]
    fn place(&self, i: usize) -> usize {
        TAIL - (i + 1) * place_len(self.factors)
    }

    /// Namespace and list of an entry.
    #[inline]
    pub fn id(&self, i: usize) -> u64 {
        u64_at(self.page, self.place(i))
    }

    /// The key of an entry.
    pub fn key(&self, i: usize) -> Key {
        Key { dim: self.dim(), id: self.id(i) }
    }

    /// The row of an entry: its block and offset.
    #[inline]
    pub fn row(&self, i: usize) -> u64 {
        let at = self.place(i) + 8;
        u64::from(u32_at(self.page, at)) << 16 | u64::from(u16_at(self.page, at + 4))
    }

    /// A factor of an entry.
    #[inline]
    pub fn factor(&self, i: usize, which: usize) -> f32 {
        f32::from_bits(u32_at(self.page, self.place(i) + 14 + 4 * which))
    }

    /// Hands an entry to `take`.
    pub fn entry<R>(&self, i: usize, take: impl FnOnce(Entry<'_>) -> R) -> R {
        let mut factors = [0.0; MAX_FACTORS];
        for (which, factor) in factors[..self.factors].iter_mut().enumerate() {
            *factor = self.factor(i, which);
        }
        take(Entry {
            id: self.id(i),
            row: self.row(i),
            factors: &factors[..self.factors],
            code: &self.page[BODY + i * self.dim..][..self.dim],
        })
    }

    /// Bytes that are still unused.
    pub fn room(&self) -> usize {
        TAIL - BODY - self.used()
    }

    /// Bytes that entries take.
    pub fn used(&self) -> usize {
        self.count * entry_len(self.dim, self.factors)
    }

    /// Whether an entry of that dimension can be added.
    pub fn takes(&self, dim: u16, factors: usize) -> bool {
        let length = entry_len(usize::from(dim), factors);
        if self.is_empty() {
            length <= TAIL - BODY
        } else {
            self.dim() == dim && self.factors == factors && length <= self.room()
        }
    }
}

/// Bytes as codes.
#[inline]
pub fn as_codes(bytes: &[u8]) -> &[i8] {
    <[i8]>::ref_from_bytes(bytes).expect("bytes of any length and place are codes")
}

/// Adds an entry to a leaf that takes it.
pub fn push(page: &mut Page, entry: Entry<'_>) {
    let factors = entry.factors.len();
    if u16_at(page, COUNT) == 0 {
        put_u16(page, DIM, entry.code.len());
        put_u16(page, FACTORS, factors);
    }
    let count = usize::from(u16_at(page, COUNT));
    let lower = usize::from(u16_at(page, LOWER));
    let upper = usize::from(u16_at(page, UPPER)) - place_len(factors);
    page[lower..lower + entry.code.len()].copy_from_slice(entry.code);
    put(page, upper, entry.id.to_ne_bytes());
    put(page, upper + 8, ((entry.row >> 16) as u32).to_ne_bytes());
    put(page, upper + 12, (entry.row as u16).to_ne_bytes());
    for (i, factor) in entry.factors.iter().enumerate() {
        put(page, upper + 14 + 4 * i, factor.to_ne_bytes());
    }
    put_u16(page, COUNT, count + 1);
    put_u16(page, LOWER, lower + entry.code.len());
    put_u16(page, UPPER, upper);
}

/// Removes the entries at these places, which are in ascending order; the last entries move into the gaps.
pub fn remove(page: &mut Page, places: &[usize]) {
    let dim = usize::from(u16_at(page, DIM));
    let place = place_len(usize::from(u16_at(page, FACTORS)));
    let mut count = usize::from(u16_at(page, COUNT));
    for &i in places.iter().rev() {
        count -= 1;
        if i < count {
            page.copy_within(BODY + count * dim..BODY + (count + 1) * dim, BODY + i * dim);
            let from = TAIL - (count + 1) * place;
            page.copy_within(from..from + place, TAIL - (i + 1) * place);
        }
    }
    put_u16(page, COUNT, count);
    let (lower, upper) = (BODY + count * dim, TAIL - count * place);
    page[lower..upper].fill(0);
    put_u16(page, LOWER, lower);
    put_u16(page, UPPER, upper);
}

/// Puts an entry into another namespace or list, without moving it.
pub fn set_id(page: &mut Page, i: usize, id: u64) {
    let at = place_at(page, i);
    put(page, at, id.to_ne_bytes());
}

/// Gives an entry another row id.
pub fn set_row(page: &mut Page, i: usize, row: u64) {
    let at = place_at(page, i) + 8;
    put(page, at, ((row >> 16) as u32).to_ne_bytes());
    put(page, at + 4, (row as u16).to_ne_bytes());
}

fn place_at(page: &Page, i: usize) -> usize {
    TAIL - (i + 1) * place_len(usize::from(u16_at(page, FACTORS)))
}

/// An inner page.
#[derive(Clone, Copy)]
pub struct Inner<'a> {
    page: &'a Page,
    count: usize,
}

impl<'a> Inner<'a> {
    fn open(page: &'a Page, block: u32) -> Result<Self> {
        let count = usize::from(u16_at(page, COUNT));
        if count == 0 || count > MAX_CHILDREN || page[LEVEL] == 0 {
            return Err(Fault::Damaged { block, what: "its number of children is impossible" });
        }
        Ok(Self { page, count })
    }

    /// Its height above the leaves.
    pub fn level(&self) -> u8 {
        self.page[LEVEL]
    }

    /// How many children there are; never none.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The least key of a child; of the first one there is none.
    pub fn key(&self, i: usize) -> Key {
        if i == 0 {
            return Key::MIN;
        }
        let at = BODY + CHILD * i;
        Key { dim: u16_at(self.page, at + 8), id: u64_at(self.page, at) }
    }

    /// The page of a child.
    pub fn child(&self, i: usize) -> u32 {
        u32_at(self.page, BODY + CHILD * i + 12)
    }

    /// The first child whose subtree can hold the key.
    pub fn first_for(&self, key: Key) -> usize {
        self.last_where(|separator| separator < key)
    }

    /// The last child whose subtree can hold the key.
    pub fn last_for(&self, key: Key) -> usize {
        self.last_where(|separator| separator <= key)
    }

    fn last_where(&self, fits: impl Fn(Key) -> bool) -> usize {
        let (mut low, mut high) = (0, self.count);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if fits(self.key(middle)) { low = middle } else { high = middle }
        }
        low
    }

    /// All children, the first one with the least key.
    pub fn children(&self) -> Vec<(Key, u32)> {
        (0..self.count).map(|i| (self.key(i), self.child(i))).collect()
    }
}
