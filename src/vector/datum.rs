//! How a vector lies in memory: the only code here that knows about varlena headers and TOAST.
//!
//! ```text
//!   0        4        6        8
//!   ┌────────┬────────┬────────┬───────────┬───────────┬───
//!   │ length │  dims  │ unused │ element 0 │ element 1 │ …      elements: f32 (vector) or f16 (halfvec)
//!   └────────┴────────┴────────┴───────────┴───────────┴───
//! ```
//!
//! The layout is pgvector's, so casts between the two extensions' types need not touch a byte. A datum that lies plain
//! in its tuple is used where it is; one that is packed (short header, so its elements are not aligned), compressed or
//! stored out of line is expanded into a copy, which goes away with the argument.

#![allow(unsafe_code, reason = "maps memory that PostgreSQL owns")]

use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::slice;

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::{Datum, FromDatum, IntoDatum};
use pgrx::nullable::Nullable;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::wrappers::regtypein;
use pgrx::{
    PgSqlErrorCode, function_name, pg_sys, set_varsize_4b, varatt_is_1b, varatt_is_1b_e, varatt_is_4b_u, vardata_any,
    varsize_4b, varsize_any_exhdr,
};

use super::element::Element;
use super::fault::Fault;

#[repr(C)]
struct Header {
    length: u32,
    dimensions: u16,
    unused: u16,
}

const HEADER: usize = size_of::<Header>();

/// A vector argument: a slice of its elements, borrowed from the caller's datum wherever possible.
pub struct Dense<'fcx, E> {
    storage: Storage<'fcx, E>,
}

enum Storage<'fcx, E> {
    /// The caller's datum, where it lies.
    Plain(&'fcx [E]),
    /// Elements copied out of a packed datum.
    Unpacked(Vec<E>),
    /// The plain copy that PostgreSQL made of a compressed or far datum; its header precedes the slice.
    Expanded(&'fcx [E]),
}

impl<E: Element> Dense<'_, E> {
    /// Opens a datum of the SQL type with these elements.
    ///
    /// # Safety
    /// `datum` is a non-null datum of that type, and lives as long as the result.
    #[inline]
    pub unsafe fn open(datum: pg_sys::Datum) -> Self {
        let varlena = datum.cast_mut_ptr::<pg_sys::varlena>();
        // SAFETY: the caller's promise. Each branch has made sure of the form of the datum that it reads; the expanded
        // copy is plain and stays until `self` is dropped.
        let storage = unsafe {
            if varatt_is_4b_u(varlena) {
                plain_elements(varlena).map(Storage::Plain)
            } else if varatt_is_1b(varlena) && !varatt_is_1b_e(varlena) {
                unpack(varlena).map(Storage::Unpacked)
            } else {
                plain_elements(pg_sys::pg_detoast_datum(varlena)).map(Storage::Expanded)
            }
        };
        match storage {
            Some(storage) => Self { storage },
            None => damaged::<E>(),
        }
    }

    /// Gives the vector back as a result, without a copy if it has a header already.
    pub fn into_result(mut self) -> DenseBuf<E> {
        match std::mem::replace(&mut self.storage, Storage::Plain(&[])) {
            Storage::Plain(elements) | Storage::Expanded(elements) => DenseBuf {
                // SAFETY: `plain_elements` made the slice from the memory after a header.
                header: unsafe { NonNull::from(elements).cast::<Header>().sub(1) },
                _elements: PhantomData,
            },
            Storage::Unpacked(elements) => DenseBuf::from_slice(&elements),
        }
    }

    /// Turns the argument into storage to write to, if it lies plain in memory.
    ///
    /// # Safety
    /// No one else reads the datum: it is the transition value of the aggregate that is being computed.
    pub unsafe fn into_state(self) -> Result<DenseBuf<E>, Self> {
        if matches!(self.storage, Storage::Plain(_)) { Ok(self.into_result()) } else { Err(self) }
    }
}

impl<E> Deref for Dense<'_, E> {
    type Target = [E];

    #[inline]
    fn deref(&self) -> &[E] {
        match &self.storage {
            Storage::Plain(elements) | Storage::Expanded(elements) => elements,
            Storage::Unpacked(elements) => elements,
        }
    }
}

impl<E> Drop for Dense<'_, E> {
    #[inline]
    fn drop(&mut self) {
        if let Storage::Expanded(elements) = self.storage {
            // SAFETY: `open` had PostgreSQL palloc the copy, which starts with its header, and nothing borrowed from it
            // outlives `self`.
            unsafe { pg_sys::pfree(elements.as_ptr().cast_mut().cast::<Header>().sub(1).cast()) };
        }
    }
}

/// The two vectors of a call if both lie plain in memory. Neither panics nor calls Postgres.
///
/// # Safety
/// The function called is STRICT and declared with two arguments of the type whose elements are `E`.
#[inline(always)]
pub unsafe fn plain_pair<'fcx, E: Element>(call: pg_sys::FunctionCallInfo) -> Option<(&'fcx [E], &'fcx [E])> {
    // SAFETY: as above; arguments outlive the call, and their form is checked before they are read.
    unsafe {
        let [a, b] = pair(call);
        Some((plain(a)?, plain(b)?))
    }
}

/// The elements of a vector if it lies plain in memory. Neither panics nor calls Postgres.
///
/// # Safety
/// `datum` is a non-null datum of the type whose elements are `E`, and lives as long as the result.
#[inline(always)]
pub unsafe fn plain<'a, E: Element>(datum: pg_sys::Datum) -> Option<&'a [E]> {
    let varlena = datum.cast_mut_ptr::<pg_sys::varlena>();
    // SAFETY: the caller's promise; the form is checked before the elements are read.
    unsafe { if varatt_is_4b_u(varlena) { plain_elements(varlena) } else { None } }
}

/// The form of a plain vector of a certain number of dimensions.
pub struct Form {
    length: u32,
    dimensions: u32,
}

impl Form {
    /// Of vectors with elements `E`.
    pub fn of<E: Element>(dimensions: usize) -> Self {
        let mut header = Header { length: 0, dimensions: 0, unused: 0 };
        // SAFETY: a plain varlena begins with its length word.
        unsafe { set_varsize_4b(ptr::from_mut(&mut header).cast(), (HEADER + dimensions * E::BYTES) as i32) };
        Self { length: header.length, dimensions: dimensions as u32 }
    }

    /// How many dimensions these vectors have.
    #[inline(always)]
    pub fn dimensions(&self) -> usize {
        self.dimensions as usize
    }

    /// The elements of a vector if it has this form: [`plain`] in two comparisons. Neither panics nor calls Postgres.
    ///
    /// # Safety
    /// `datum` is a non-null datum of the type whose elements are `E`, as the form's are, and lives as long as the result.
    #[inline(always)]
    pub unsafe fn elements<'a, E: Element>(&self, datum: pg_sys::Datum) -> Option<&'a [E]> {
        let header = datum.cast_mut_ptr::<Header>().cast_const();
        // SAFETY: a datum of these types is at least four bytes long, at any address while its form is not known. A length
        // word that is equal to a plain one says that it is plain, so aligned, and as long as these elements are.
        unsafe {
            let length = (&raw const (*header).length).read_unaligned();
            if length != self.length || u32::from((*header).dimensions) != self.dimensions {
                return None;
            }
            Some(slice::from_raw_parts(header.add(1).cast::<E>(), self.dimensions()))
        }
    }
}

/// The two arguments of a call.
///
/// # Safety
/// The function called is STRICT and declared with two arguments.
#[inline(always)]
pub unsafe fn pair(call: pg_sys::FunctionCallInfo) -> [pg_sys::Datum; 2] {
    // SAFETY: the call record is followed by as many arguments as the function is declared with.
    unsafe {
        let arguments = (*call).args.as_ptr();
        [(*arguments).value, (*arguments.add(1)).value]
    }
}

/// The elements of a plain datum; nothing if its length and its dimensions contradict each other.
///
/// # Safety
/// `varlena` points to a varlena with a plain header, which lives as long as the result.
#[inline(always)]
unsafe fn plain_elements<'a, E: Element>(varlena: *const pg_sys::varlena) -> Option<&'a [E]> {
    let header = varlena.cast::<Header>();
    // SAFETY: a plain header is four bytes long and readable.
    let length = unsafe { varsize_4b(varlena) };
    if length < HEADER {
        return None;
    }
    // SAFETY: the length just checked covers the dimensions.
    let dimensions = usize::from(unsafe { (*header).dimensions });
    if length != HEADER + dimensions * E::BYTES {
        return None;
    }
    // SAFETY: the length just checked covers the elements. The alignment of the SQL types (`int4`) puts plain datums on
    // a multiple of four, which suits both element types, for which all bit patterns are valid.
    Some(unsafe { slice::from_raw_parts(header.add(1).cast::<E>(), dimensions) })
}

/// Copies the elements of a packed datum, which lie at any address; nothing if the datum contradicts itself.
///
/// # Safety
/// `varlena` points to a varlena with a short header.
unsafe fn unpack<E: Element>(varlena: *const pg_sys::varlena) -> Option<Vec<E>> {
    // SAFETY: the body of a varlena is as long as its header says.
    let body = unsafe { slice::from_raw_parts(vardata_any(varlena).cast::<u8>(), varsize_any_exhdr(varlena)) };
    let (prefix, bytes) = body.split_at_checked(HEADER - size_of::<u32>())?;
    let dimensions = usize::from(u16::from_ne_bytes([prefix[0], prefix[1]]));
    if bytes.len() != dimensions * E::BYTES {
        return None;
    }
    let mut elements = vec![E::default(); dimensions];
    // SAFETY: both sides are `dimensions` elements long, all bit patterns are valid elements, and the copy is by bytes.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), elements.as_mut_ptr().cast(), bytes.len()) };
    Some(elements)
}

/// A new vector in the current memory context, to be filled and returned.
pub struct DenseBuf<E> {
    header: NonNull<Header>,
    _elements: PhantomData<E>,
}

impl<E: Element> DenseBuf<E> {
    /// A vector of zeros. `dimensions` has passed `check_dimensions`.
    pub fn zeros(dimensions: usize) -> Self {
        debug_assert!((1..=super::MAX_DIMENSIONS).contains(&dimensions));
        let length = HEADER + dimensions * E::BYTES;
        // SAFETY: palloc0 returns `length` zeroed bytes, aligned for any type, or does not return.
        let header = unsafe {
            let header = pg_sys::palloc0(length).cast::<Header>();
            set_varsize_4b(header.cast(), length as i32);
            (*header).dimensions = dimensions as u16;
            NonNull::new_unchecked(header)
        };
        Self { header, _elements: PhantomData }
    }

    /// A copy of `elements`.
    pub fn from_slice(elements: &[E]) -> Self {
        let mut buffer = Self::zeros(elements.len());
        buffer.elements_mut().copy_from_slice(elements);
        buffer
    }

    /// Numbers from outside, which must be finite and in range.
    pub fn convert(numbers: &[f32]) -> Result<Self, Fault> {
        let mut buffer = Self::zeros(numbers.len());
        E::convert(numbers, buffer.elements_mut())?;
        Ok(buffer)
    }

    /// The elements.
    #[inline]
    pub fn elements(&self) -> &[E] {
        // SAFETY: `header` is followed by as many elements as it says.
        unsafe {
            let dimensions = usize::from((*self.header.as_ptr()).dimensions);
            slice::from_raw_parts(self.header.as_ptr().add(1).cast(), dimensions)
        }
    }

    /// The elements, for writing.
    #[inline]
    pub fn elements_mut(&mut self) -> &mut [E] {
        // SAFETY: `header` is followed by as many elements as it says, and `self` is their only owner.
        unsafe {
            let dimensions = usize::from((*self.header.as_ptr()).dimensions);
            slice::from_raw_parts_mut(self.header.as_ptr().add(1).cast(), dimensions)
        }
    }
}

#[cold]
fn damaged<E: Element>() -> ! {
    let report = ErrorReport::new(
        PgSqlErrorCode::ERRCODE_DATA_CORRUPTED,
        format!("stored {} is damaged", E::KIND),
        function_name!(),
    )
    .set_detail("Its length does not match its dimensions.")
    .set_hint("Restore the row from a backup, or compute its embedding again.");
    std::panic::panic_any(report)
}

impl<E: Element> FromDatum for Dense<'_, E> {
    #[inline]
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Self> {
        // SAFETY: the caller passes a datum of this SQL type, and keeps it for as long as it uses the result.
        if is_null { None } else { Some(unsafe { Self::open(datum) }) }
    }
}

// SAFETY: `open` is given datums of the SQL type that `SqlTranslatable` below and the install script name.
unsafe impl<'fcx, E: Element> ArgAbi<'fcx> for Dense<'fcx, E> {
    #[inline]
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: an argument outlives the call; functions that take one are STRICT, so it is there.
        unsafe { arg.unbox_arg_using_from_datum() }.expect("a strict function is never called with a null")
    }

    #[inline]
    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        // SAFETY: as above.
        unsafe { arg.unbox_arg_using_from_datum() }.into()
    }
}

// SAFETY: the pointer is a complete, palloc'd varlena of the SQL type named below.
unsafe impl<E: Element> BoxRet for DenseBuf<E> {
    #[inline]
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        // SAFETY: as above.
        unsafe { fcinfo.return_raw_datum(self.header.as_ptr().into()) }
    }
}

impl<E: Element> IntoDatum for DenseBuf<E> {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        Some(self.header.as_ptr().into())
    }

    fn type_oid() -> pg_sys::Oid {
        regtypein(&format!("memory_profile.{}", E::KIND))
    }
}

macro_rules! sql_name {
    ($type:ty) => {
        // SAFETY: both types read and write exactly the varlena that this SQL type stores.
        unsafe impl<E: Element> SqlTranslatable for $type {
            const TYPE_IDENT: &'static str = E::KIND;
            const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
            const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal(E::KIND));
            const RETURN_SQL: Result<ReturnsRef, ReturnsError> = Ok(ReturnsRef::One(SqlMappingRef::literal(E::KIND)));
        }
    };
}

sql_name!(Dense<'_, E>);
sql_name!(DenseBuf<E>);
