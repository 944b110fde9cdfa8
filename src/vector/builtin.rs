//! PostgreSQL's own types as these functions need them: without copies, and without a guarded call per element.

#![allow(unsafe_code, reason = "maps memory that PostgreSQL owns")]

use std::ffi::c_char;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;
use std::slice;

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::{Datum, FromDatum};
use pgrx::{direct_function_call, impl_sql_translatable, pg_sys, set_varsize_4b, varatt_is_4b_u, varsize_4b};

/// `VARHDRSZ` and what follows in a `bit` value: its length in bits.
const VARLENA_HEADER: usize = 4;
const BITS_HEADER: usize = 8;

/// What precedes the elements of a one-dimensional array without nulls.
const ARRAY_HEADER: usize = (size_of::<pg_sys::ArrayType>() + 8).next_multiple_of(8);

/// The longest a number gets in PostgreSQL's shortest form, including a final zero byte: `FLOAT_SHORTEST_DECIMAL_LEN`.
const SHORTEST_LENGTH: usize = 16;

unsafe extern "C" {
    /// PostgreSQL's own writer of numbers, which decides the digits and the layout of `float4` output. It neither
    /// allocates nor raises errors; it is not among pgrx's bindings.
    fn float_to_shortest_decimal_bufn(value: f32, result: *mut c_char) -> i32;
}

/// A `cstring` to return, with room reserved for what is going to be written.
pub struct CStringBuf {
    start: NonNull<u8>,
    length: usize,
    capacity: usize,
}

impl CStringBuf {
    /// Room for `count` numbers, their separators and brackets.
    pub fn with_room_for_numbers(count: usize) -> Self {
        let capacity = count * SHORTEST_LENGTH + 3;
        // SAFETY: palloc returns that many bytes or does not return.
        let start = unsafe { NonNull::new_unchecked(pg_sys::palloc(capacity).cast()) };
        Self { start, length: 0, capacity }
    }

    /// Appends one byte.
    #[inline]
    pub fn push(&mut self, byte: u8) {
        assert!(self.length < self.capacity, "text buffer is full");
        // SAFETY: just checked to lie within the allocation.
        unsafe { self.start.as_ptr().add(self.length).write(byte) };
        self.length += 1;
    }

    /// Appends a number in its shortest exact form.
    #[inline]
    pub fn push_shortest(&mut self, value: f32) {
        assert!(self.capacity - self.length >= SHORTEST_LENGTH, "text buffer is full");
        // SAFETY: the function writes less than `SHORTEST_LENGTH` bytes, for which there is room.
        let written = unsafe { float_to_shortest_decimal_bufn(value, self.start.as_ptr().add(self.length).cast()) };
        self.length += written as usize;
    }
}

/// A `bytea` to return.
pub struct Bytes(NonNull<pg_sys::varlena>);

impl Bytes {
    /// `length` zero bytes.
    pub fn zeros(length: usize) -> Self {
        Self(varlena(VARLENA_HEADER + length))
    }

    /// The bytes, for writing.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: `zeros` allocated the header and the bytes that its length counts.
        unsafe { body_mut(self.0, VARLENA_HEADER) }
    }
}

/// A `bit` string to return.
pub struct Bits(NonNull<pg_sys::varlena>);

impl Bits {
    /// `length` bits, all off.
    pub fn zeros(length: usize) -> Self {
        let varlena = varlena(BITS_HEADER + length.div_ceil(8));
        // SAFETY: the number of bits follows the varlena header, within the allocation and aligned like it.
        unsafe { varlena.cast::<i32>().add(1).write(length as i32) };
        Self(varlena)
    }

    /// The bits, eight to a byte and the first on top, for writing. Those past the last one stay off.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: `zeros` allocated both headers and the bytes that follow.
        unsafe { body_mut(self.0, BITS_HEADER) }
    }
}

/// The message from which a receive function reads.
pub struct Message<'fcx> {
    buffer: NonNull<pg_sys::StringInfoData>,
    _message: PhantomData<&'fcx mut pg_sys::StringInfoData>,
}

impl Message<'_> {
    /// What has not been read yet.
    pub fn rest(&self) -> &[u8] {
        // SAFETY: PostgreSQL keeps `0 <= cursor <= len`, and `len` bytes at `data`.
        unsafe {
            let buffer = self.buffer.as_ref();
            slice::from_raw_parts(buffer.data.cast::<u8>(), buffer.len as usize).split_at(buffer.cursor as usize).1
        }
    }

    /// Marks bytes as read.
    pub fn advance(&mut self, bytes: usize) {
        assert!(bytes <= self.rest().len(), "read past the end of a message");
        // SAFETY: the receive function has the message to itself while it runs.
        unsafe { self.buffer.as_mut().cursor += bytes as i32 };
    }
}

/// The numbers in parentheses after a type's name.
pub struct TypmodList<'fcx>(&'fcx [i32]);

impl Deref for TypmodList<'_> {
    type Target = [i32];

    fn deref(&self) -> &[i32] {
        self.0
    }
}

/// An array argument of any element type.
pub struct ArrayArg<'fcx> {
    array: NonNull<pg_sys::ArrayType>,
    copied: bool,
    _array: PhantomData<&'fcx pg_sys::ArrayType>,
}

impl ArrayArg<'_> {
    /// Number of array dimensions; none if the array is empty.
    pub fn rank(&self) -> i32 {
        // SAFETY: `array` points to a complete array for as long as `self` lives.
        unsafe { self.array.as_ref().ndim }
    }

    /// SQL type of the elements.
    pub fn element_type(&self) -> pg_sys::Oid {
        // SAFETY: as in `rank`.
        unsafe { self.array.as_ref().elemtype }
    }

    /// Whether an element is null.
    pub fn contains_nulls(&self) -> bool {
        // SAFETY: as in `rank`.
        self.has_null_bitmap() && unsafe { pg_sys::array_contains_nulls(self.array.as_ptr()) }
    }

    /// Whether there is a null bitmap, which need not have a null in it.
    pub fn has_null_bitmap(&self) -> bool {
        // SAFETY: as in `rank`.
        unsafe { self.array.as_ref().dataoffset != 0 }
    }

    /// Elements of an array of rank zero or one.
    pub fn len(&self) -> usize {
        // SAFETY: an array's header is followed by one length per dimension.
        if self.rank() == 0 { 0 } else { unsafe { *self.array.as_ptr().add(1).cast::<i32>() as usize } }
    }

    /// The elements of an array without nulls, if they are `T`s.
    pub fn elements<T: FixedElement>(&self) -> Option<&[T]> {
        if self.element_type() != T::OID || self.contains_nulls() {
            return None;
        }
        // SAFETY: without nulls the elements lie side by side from the data pointer, which is aligned for any type;
        // the type just checked is stored as `T`.
        Some(unsafe { slice::from_raw_parts(self.data().cast(), self.len()) })
    }

    /// The elements of a `numeric[]` without nulls, rounded to `real`; too great a number is an error.
    pub fn numerics(&self) -> Vec<f32> {
        let mut datums = std::ptr::null_mut();
        let mut count = 0;
        // SAFETY: the array is of type numeric, whose length, passing and alignment these are.
        unsafe {
            pg_sys::deconstruct_array(
                self.array.as_ptr(),
                pg_sys::NUMERICOID,
                -1,
                false,
                pg_sys::TYPALIGN_INT as c_char,
                &mut datums,
                std::ptr::null_mut(),
                &mut count,
            );
        }
        // SAFETY: `deconstruct_array` palloc'd that many datums.
        let numbers = unsafe { slice::from_raw_parts(datums, count as usize) };
        let rounded = numbers
            .iter()
            // SAFETY: `numeric_float4` takes one numeric and gives a real.
            .filter_map(|&number| unsafe { direct_function_call(pg_sys::numeric_float4, &[Some(number)]) })
            .collect();
        // SAFETY: palloc'd by `deconstruct_array` and no longer used; the elements belong to the array.
        unsafe { pg_sys::pfree(datums.cast()) };
        rounded
    }

    /// Turns the argument into storage to write to, if it lies plain in memory.
    ///
    /// # Safety
    /// No one else reads the datum: it is the transition value of the aggregate that is being computed.
    pub unsafe fn into_state(self) -> Result<ArrayBuf, Self> {
        if self.copied { Err(self) } else { Ok(ArrayBuf(self.array)) }
    }

    fn data(&self) -> *const u8 {
        // SAFETY: the header of a whole array is readable, and says at which offset within the array its elements begin.
        unsafe { data_of(self.array) }
    }
}

impl Drop for ArrayArg<'_> {
    fn drop(&mut self) {
        if self.copied {
            // SAFETY: detoasting palloc'd the copy, and nothing borrowed from it outlives `self`.
            unsafe { pg_sys::pfree(self.array.as_ptr().cast()) };
        }
    }
}

/// A number that arrays store as it lies in memory.
pub trait FixedElement: Copy {
    /// Its SQL type.
    const OID: pg_sys::Oid;
}

impl FixedElement for i32 {
    const OID: pg_sys::Oid = pg_sys::INT4OID;
}

impl FixedElement for f32 {
    const OID: pg_sys::Oid = pg_sys::FLOAT4OID;
}

impl FixedElement for f64 {
    const OID: pg_sys::Oid = pg_sys::FLOAT8OID;
}

/// A one-dimensional array to return.
pub struct ArrayBuf(NonNull<pg_sys::ArrayType>);

impl ArrayBuf {
    /// An array of zeros.
    pub fn zeros<T: FixedElement>(length: usize) -> Self {
        let array = varlena(ARRAY_HEADER + length * size_of::<T>()).cast::<pg_sys::ArrayType>();
        // SAFETY: the allocation holds the header, then one length and one lower bound, then the elements.
        unsafe {
            (*array.as_ptr()).ndim = 1;
            (*array.as_ptr()).elemtype = T::OID;
            let bounds = array.as_ptr().add(1).cast::<i32>();
            bounds.write(length as i32);
            bounds.add(1).write(1);
        }
        Self(array)
    }

    /// The elements, for writing. `T` is the type with which the array was made.
    pub fn elements_mut<T: FixedElement>(&mut self) -> &mut [T] {
        // SAFETY: the array is one-dimensional, its length follows its header, and `self` alone owns it.
        unsafe {
            assert_eq!(self.0.as_ref().elemtype, T::OID, "array of another element type");
            let length = *self.0.as_ptr().add(1).cast::<i32>() as usize;
            slice::from_raw_parts_mut(data_of(self.0).cast_mut().cast(), length)
        }
    }
}

/// # Safety
/// `array` points to a complete array.
unsafe fn data_of(array: NonNull<pg_sys::ArrayType>) -> *const u8 {
    // SAFETY: `ARR_DATA_PTR`: after the null bitmap if there is one, else after the header and two numbers per
    // dimension, rounded up to the strictest alignment.
    unsafe {
        let offset = match array.as_ref().dataoffset {
            0 => (size_of::<pg_sys::ArrayType>() + 8 * array.as_ref().ndim as usize).next_multiple_of(8),
            offset => offset as usize,
        };
        array.as_ptr().cast::<u8>().add(offset)
    }
}

/// Opens an argument of a varlena type that is not a vector: its plain form, and whether that is a copy.
///
/// # Safety
/// `datum` is a non-null datum of a varlena type stored as `T`.
unsafe fn plain<T>(datum: pg_sys::Datum) -> (NonNull<T>, bool) {
    let original = datum.cast_mut_ptr::<pg_sys::varlena>();
    // SAFETY: the caller's promise; the copy is palloc'd with a plain header.
    unsafe {
        if varatt_is_4b_u(original) {
            (NonNull::new_unchecked(original.cast()), false)
        } else {
            (NonNull::new_unchecked(pg_sys::pg_detoast_datum(original).cast()), true)
        }
    }
}

impl FromDatum for ArrayArg<'_> {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Self> {
        if is_null {
            return None;
        }
        // SAFETY: the caller passes an array, and keeps it for as long as it uses the result.
        let (array, copied) = unsafe { plain(datum) };
        Some(Self { array, copied, _array: PhantomData })
    }
}

impl FromDatum for Message<'_> {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Self> {
        if is_null {
            return None;
        }
        Some(Self { buffer: NonNull::new(datum.cast_mut_ptr())?, _message: PhantomData })
    }
}

impl FromDatum for TypmodList<'_> {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Self> {
        if is_null {
            return None;
        }
        let mut count = 0;
        // SAFETY: the caller passes a `cstring[]`; the numbers are palloc'd in the context of the call.
        unsafe {
            let (array, _) = plain(datum);
            let numbers = pg_sys::ArrayGetIntegerTypmods(array.as_ptr(), &mut count);
            Some(Self(slice::from_raw_parts(numbers, count as usize)))
        }
    }
}

macro_rules! argument {
    ($type:ident, $sql:literal) => {
        // SAFETY: functions that take the type are STRICT and declare the argument with the SQL type below.
        unsafe impl<'fcx> ArgAbi<'fcx> for $type<'fcx> {
            unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
                // SAFETY: an argument outlives the call.
                unsafe { arg.unbox_arg_using_from_datum() }.expect("a strict function is never called with a null")
            }
        }

        impl_sql_translatable!($type<'_>, $sql);
    };
}

argument!(ArrayArg, "anyarray");
argument!(Message, "internal");
argument!(TypmodList, "cstring[]");

macro_rules! result {
    ($type:ident, $sql:literal, $pointer:expr) => {
        // SAFETY: the pointer is a complete, palloc'd value of the SQL type that the install script declares.
        unsafe impl BoxRet for $type {
            unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
                // SAFETY: as above.
                unsafe { fcinfo.return_raw_datum(pg_sys::Datum::from($pointer(self))) }
            }
        }

        impl_sql_translatable!($type, $sql);
    };
}

result!(ArrayBuf, "anyarray", |array: ArrayBuf| array.0.as_ptr());
result!(Bits, "bit", |bits: Bits| bits.0.as_ptr());
result!(Bytes, "bytea", |bytes: Bytes| bytes.0.as_ptr());
result!(CStringBuf, "cstring", |mut text: CStringBuf| {
    text.push(0);
    text.start.as_ptr()
});

/// Allocates a zeroed varlena of `length` bytes, header included.
fn varlena(length: usize) -> NonNull<pg_sys::varlena> {
    // SAFETY: palloc0 returns aligned memory of that length or does not return.
    unsafe {
        let varlena = pg_sys::palloc0(length).cast::<pg_sys::varlena>();
        set_varsize_4b(varlena, length as i32);
        NonNull::new_unchecked(varlena)
    }
}

/// # Safety
/// `varlena` has a plain header, its length covers `offset`, and the caller owns it for the lifetime it picks.
unsafe fn body_mut<'a>(varlena: NonNull<pg_sys::varlena>, offset: usize) -> &'a mut [u8] {
    // SAFETY: as above.
    unsafe {
        slice::from_raw_parts_mut(varlena.as_ptr().cast::<u8>().add(offset), varsize_4b(varlena.as_ptr()) - offset)
    }
}
