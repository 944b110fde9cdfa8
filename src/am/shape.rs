//! What the columns of an index are: keys and their hashes, the vector and its metric.

use index::key::{ABSENT, DIRECTIONLESS, Key, PLAIN, Space, space};
use index::page::{Entry, Meta};
use index::{Code, Metric};
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::wal::Store;
use super::{EQUAL, HASH, METRIC, checked};
use crate::error::{internal, report};
use crate::vector::{HalfVector, Vector};
use pgrx::pg_sys::panic::ErrorReportable;

/// Key columns that an index can have.
const MAX_COLUMNS: usize = 2;

/// The type of the vector column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `vector`
    Single,
    /// `halfvec`
    Half,
}

/// An index, as its definition has it.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub relation: pg_sys::Relation,
    pub metric: Metric,
    pub kind: Kind,
    /// Key columns, before the vector.
    pub columns: usize,
    /// Dimensions that the column declares, or zero.
    pub dimensions: u16,
    /// The number of the vector's column in the table, or zero if an expression is indexed.
    pub column: i16,
}

/// The number that a vector class gives for its metric and the type of its elements.
const fn class(metric: Metric, kind: Kind) -> i32 {
    metric as i32 | (kind as i32) << 4
}

macro_rules! classes {
    ($($function:ident => $metric:ident, $kind:ident;)+) => {
        $(
            #[pg_extern(sql = false)]
            fn $function(_call: pg_sys::FunctionCallInfo) -> i32 {
                const { class(Metric::$metric, Kind::$kind) }
            }
        )+
    };
}

classes! {
    scoped_vector_cosine => Cosine, Single;
    scoped_vector_ip => InnerProduct, Single;
    scoped_vector_l2 => L2, Single;
    scoped_halfvec_cosine => Cosine, Half;
    scoped_halfvec_ip => InnerProduct, Half;
    scoped_halfvec_l2 => L2, Half;
}

impl Shape {
    /// Reads the definition of an index that is about to be built, and refuses what cannot be.
    ///
    /// # Safety
    /// `relation` is an open index of this access method.
    pub unsafe fn of_new(relation: pg_sys::Relation) -> Self {
        // SAFETY: an open index has its row of pg_index and a family for each column.
        unsafe {
            let columns = usize::try_from((*(*relation).rd_index).indnkeyatts).unwrap_or(1) - 1;
            let vector_last =
                (0..=columns).all(|i| (procedure(relation, i, METRIC) != pg_sys::InvalidOid) == (i == columns));
            if !vector_last {
                refuse("the vector must be the last column of a scoped_vector index, and the only vector");
            }
            if columns > MAX_COLUMNS {
                refuse("a scoped_vector index cannot have more than two columns before the vector");
            }
            let class = pg_sys::OidFunctionCall1Coll(
                procedure(relation, columns, METRIC),
                pg_sys::InvalidOid,
                pg_sys::Datum::from(0),
            )
            .value() as u8;
            let kind = if class >> 4 == 0 { Kind::Single } else { Kind::Half };
            let Some(metric) = Metric::from_number(class & 15) else { refuse("the metric is unknown") };
            let (mut kind_id, mut modifier, mut collation) = (pg_sys::InvalidOid, -1, pg_sys::InvalidOid);
            let column = columns as i16 + 1;
            pg_sys::get_atttypetypmodcoll((*relation).rd_id, column, &mut kind_id, &mut modifier, &mut collation);
            let dimensions = u16::try_from(modifier).unwrap_or(0);
            if usize::from(dimensions) > index::MAX_DIMENSIONS {
                checked(relation, Err(index::Fault::TooLong { dimensions: usize::from(dimensions) }))
            }
            let column = *(*(*relation).rd_index).indkey.values.as_ptr().add(columns);
            Self { relation, metric, kind, columns, dimensions, column }
        }
    }

    /// Reads what an existing index is. The relation cache keeps it, beside the proof that this version can read it.
    ///
    /// # Safety
    /// `relation` is an open index of this access method.
    pub unsafe fn of(relation: pg_sys::Relation) -> Self {
        // SAFETY: as above. PostgreSQL frees what `rd_amcache` points to, and forgets it, when the definition changes.
        unsafe {
            let known = (*relation).rd_amcache.cast::<Self>();
            if !known.is_null() {
                return Self { relation, ..*known };
            }
            let shape = Self::of_new(relation);
            let meta = checked(relation, Store::new(relation).meta());
            // A column may cease to declare its dimensions (`ALTER COLUMN … TYPE vector`), for which PostgreSQL does not
            // rebuild the index: entries know how long they are, so it stays good.
            let undeclared = Meta { dimensions: 0, ..meta };
            if meta != shape.meta() && undeclared != shape.meta() {
                checked(relation, Err(index::Fault::Damaged { block: 0, what: "it does not fit the definition" }))
            }
            let cached = pg_sys::MemoryContextAlloc((*relation).rd_indexcxt, size_of::<Self>()).cast::<Self>();
            *cached = shape;
            (*relation).rd_amcache = cached.cast();
            shape
        }
    }

    /// What the first page says.
    pub fn meta(&self) -> Meta {
        Meta { metric: self.metric.number(), columns: self.columns as u8, dimensions: self.dimensions }
    }

    /// The hash of a key value, whose type is `kind` or, if that is invalid, the column's own.
    ///
    /// # Safety
    /// `value` is not null and of that type.
    pub unsafe fn hash(&self, column: usize, value: pg_sys::Datum, kind: pg_sys::Oid) -> u64 {
        let seed = pg_sys::Datum::from(0_i64);
        // SAFETY: the relation is open; the function is the class's hash of that type.
        unsafe {
            let collation = *(*self.relation).rd_indcollation.add(column);
            let own = *(*self.relation).rd_opcintype.add(column);
            if kind == pg_sys::InvalidOid || kind == own {
                let function = pg_sys::index_getprocinfo(self.relation, column as i16 + 1, HASH);
                return pg_sys::FunctionCall2Coll(function, collation, value, seed).value() as u64;
            }
            let family = *(*self.relation).rd_opfamily.add(column);
            let function = pg_sys::get_opfamily_proc(family, kind, kind, HASH as i16);
            if function == pg_sys::InvalidOid {
                Err::<(), _>(internal("the operator family lacks a hash function")).unwrap_or_report();
            }
            pg_sys::OidFunctionCall2Coll(function, collation, value, seed).value() as u64
        }
    }

    /// The namespace of a row.
    ///
    /// # Safety
    /// `values` and `nulls` are those of a row of the index.
    pub unsafe fn space(&self, values: *const pg_sys::Datum, nulls: *const bool) -> Space {
        let mut hashes = [None; MAX_COLUMNS];
        for (i, hash) in hashes[..self.columns].iter_mut().enumerate() {
            // SAFETY: as above.
            unsafe {
                if !*nulls.add(i) {
                    *hash = Some(self.hash(i, *values.add(i), pg_sys::InvalidOid));
                }
            }
        }
        space(&hashes[..self.columns])
    }

    /// Hands the elements of a vector to `take`.
    ///
    /// # Safety
    /// `value` is not null and of the type of the vector column.
    pub unsafe fn elements<R>(
        &self,
        value: pg_sys::Datum,
        widened: &mut Vec<f32>,
        take: impl FnOnce(&[f32]) -> R,
    ) -> R {
        match self.kind {
            Kind::Single => {
                // SAFETY: as above.
                let vector = unsafe { Vector::open(value) };
                take(&vector)
            }
            Kind::Half => {
                // SAFETY: as above.
                let vector = unsafe { HalfVector::open(value) };
                widened.clear();
                widened.extend(vector.iter().map(|element| element.to_f32()));
                take(widened)
            }
        }
    }
}

/// Turns rows into entries, again and again.
#[derive(Default)]
pub struct Coder {
    code: Code,
    widened: Vec<f32>,
}

impl Coder {
    /// Hands the entry of a row and its key to `take`.
    ///
    /// # Safety
    /// `values` and `nulls` are those of a row of the index.
    pub unsafe fn entry<R>(
        &mut self,
        shape: &Shape,
        values: *const pg_sys::Datum,
        nulls: *const bool,
        row: u64,
        take: impl FnOnce(Key, Entry<'_>) -> R,
    ) -> R {
        let Self { code, widened } = self;
        // SAFETY: as above; the vector is the last column.
        let (absent, coded) = unsafe {
            if *nulls.add(shape.columns) {
                (true, code.encode(kernels::best(), shape.metric, &[]))
            } else {
                let encode = |elements: &[f32]| code.encode(kernels::best(), shape.metric, elements);
                (false, shape.elements(*values.add(shape.columns), widened, encode))
            }
        };
        // SAFETY: as above.
        let space = unsafe {
            checked(shape.relation, coded);
            shape.space(values, nulls)
        };
        let list = match (absent, code.directionless) {
            (true, _) => ABSENT,
            (false, true) => DIRECTIONLESS,
            (false, false) => PLAIN,
        };
        let key = Key::new(code.codes.len() as u16, space, list);
        take(key, Entry { id: key.id, row, factors: code.factors(), code: code.bytes() })
    }
}

/// A row id as one number: block and offset.
///
/// # Safety
/// The pointer is valid.
pub unsafe fn row_of(tid: pg_sys::ItemPointer) -> u64 {
    // SAFETY: as above.
    let (block, offset) = unsafe { ((*tid).ip_blkid, (*tid).ip_posid) };
    u64::from(block.bi_hi) << 32 | u64::from(block.bi_lo) << 16 | u64::from(offset)
}

/// The row id of a number.
pub fn tid_of(row: u64) -> pg_sys::ItemPointerData {
    pg_sys::ItemPointerData {
        ip_blkid: pg_sys::BlockIdData { bi_hi: (row >> 32) as u16, bi_lo: (row >> 16) as u16 },
        ip_posid: row as u16,
    }
}

/// A support function of a column, counted from zero.
///
/// # Safety
/// `relation` is an open index.
unsafe fn procedure(relation: pg_sys::Relation, column: usize, number: u16) -> pg_sys::Oid {
    // SAFETY: as above.
    unsafe { pg_sys::index_getprocid(relation, column as i16 + 1, number) }
}

fn refuse(message: &str) -> ! {
    let report = report(PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED, message)
        .set_hint("CREATE INDEX … USING scoped_vector (key, embedding scoped_vector_cosine_ops)");
    std::panic::panic_any(report)
}

/// Whether an operator class has what the access method needs of it: a key class `=` and a hash, a vector class an order
/// and a metric.
#[pg_guard]
pub unsafe extern "C-unwind" fn amvalidate(class: pg_sys::Oid) -> bool {
    // SAFETY: look-ups in the catalogue by id.
    unsafe {
        let (family, kind) = (pg_sys::get_opclass_family(class), pg_sys::get_opclass_input_type(class));
        let has = |number: u16| pg_sys::get_opfamily_proc(family, kind, kind, number as i16) != pg_sys::InvalidOid;
        let member =
            |strategy: u16| pg_sys::get_opfamily_member(family, kind, kind, strategy as i16) != pg_sys::InvalidOid;
        let valid = (has(HASH) && member(EQUAL)) || (has(METRIC) && member(2));
        if !valid {
            pgrx::info!("operator class {} lacks an operator or a support function", class.to_u32());
        }
        valid
    }
}
