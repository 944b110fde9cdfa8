//! The two element types. Everything else in this module is written once, for both.

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::fault::Fault;

/// How many elements an operation widens at a time: little enough to stay in registers and the nearest cache.
const BLOCK: usize = 64;

/// A number that a vector is made of: `f32` makes `vector`, `f16` makes `halfvec`.
pub trait Element: kernels::Element + Default + PartialOrd {
    /// SQL name of the vector type with these elements.
    const KIND: &'static str;

    /// Width of an element in memory and on the wire.
    const BYTES: usize = size_of::<Self>();

    /// Rounds to the nearest element; what is too great becomes infinite.
    fn round(value: f32) -> Self;

    /// The exact value.
    fn widen(self) -> f32;

    /// Reads an element from its big-endian form, which is `BYTES` long.
    fn from_wire(bytes: &[u8]) -> Self;

    /// Appends the big-endian form.
    fn to_wire(self, out: &mut [u8]);

    /// Rounds each value; the slices have the same length.
    fn round_all(values: &[f32], out: &mut [Self]);

    /// Widens each element; the slices have the same length.
    fn widen_all(elements: &[Self], out: &mut [f32]);

    /// Whether the element is an infinity.
    fn is_infinite(self) -> bool;

    /// Whether the element is neither an infinity nor NaN.
    fn is_finite(self) -> bool;

    /// Refuses what a vector may not hold.
    #[inline]
    fn check(self) -> Result<Self, Fault> {
        if self.is_finite() {
            Ok(self)
        } else if self.is_infinite() {
            Err(Fault::Infinite { kind: Self::KIND })
        } else {
            Err(Fault::NotANumber { kind: Self::KIND })
        }
    }

    /// Rounds numbers from outside, which must be finite and in range.
    fn convert(values: &[f32], out: &mut [Self]) -> Result<(), Fault> {
        Self::round_all(values, out);
        if out.iter().fold(true, |finite, element| finite & element.is_finite()) {
            return Ok(());
        }
        for (&value, element) in values.iter().zip(out.iter()) {
            if element.is_infinite() && value.is_finite() {
                return Err(Fault::OutOfRange { kind: Self::KIND, number: shortest(value) });
            }
            element.check()?;
        }
        Ok(())
    }

    /// Changes each element of `out` to the result of an operation on it and its partner, in single precision.
    #[inline]
    fn update(out: &mut [Self], partners: &[Self], operation: impl Fn(f32, f32) -> f32) -> Result<(), Fault> {
        let (mut a, mut b) = ([0.0; BLOCK], [0.0; BLOCK]);
        for (out, partners) in out.chunks_mut(BLOCK).zip(partners.chunks(BLOCK)) {
            let (a, b) = (&mut a[..out.len()], &mut b[..out.len()]);
            Self::widen_all(out, a);
            Self::widen_all(partners, b);
            for (a, b) in a.iter_mut().zip(b) {
                *a = operation(*a, *b);
            }
            Self::round_all(a, out);
        }
        check_overflow(out)
    }
}

/// Refuses the result of an operation on finite elements if it has overflowed.
pub fn check_overflow<E: Element>(result: &[E]) -> Result<(), Fault> {
    // without an early end, which would keep the loop from using vector instructions
    let overflown = result.iter().fold(false, |found, element| found | element.is_infinite());
    if overflown { Err(Fault::Overflow) } else { Ok(()) }
}

/// Writes a number the way PostgreSQL does: with an exponent from a million up. Only numbers too great for an element
/// come here, so small ones are of no concern.
fn shortest(value: f32) -> String {
    if value.abs() < 1e6 {
        return value.to_string();
    }
    let scientific = format!("{value:e}");
    match scientific.split_once('e') {
        Some((digits, exponent)) => format!("{digits}e+{exponent:0>2}"),
        None => scientific,
    }
}

impl Element for f32 {
    const KIND: &'static str = "vector";

    #[inline]
    fn round(value: f32) -> Self {
        value
    }

    #[inline]
    fn widen(self) -> f32 {
        self
    }

    #[inline]
    fn round_all(values: &[f32], out: &mut [Self]) {
        out.copy_from_slice(values);
    }

    #[inline]
    fn widen_all(elements: &[Self], out: &mut [f32]) {
        out.copy_from_slice(elements);
    }

    #[inline]
    fn is_infinite(self) -> bool {
        self.is_infinite()
    }

    #[inline]
    fn is_finite(self) -> bool {
        self.is_finite()
    }

    #[inline]
    fn from_wire(bytes: &[u8]) -> Self {
        Self::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }

    #[inline]
    fn to_wire(self, out: &mut [u8]) {
        out.copy_from_slice(&self.to_be_bytes());
    }
}

impl Element for f16 {
    const KIND: &'static str = "halfvec";

    #[inline]
    fn round(value: f32) -> Self {
        Self::from_f32(value)
    }

    #[inline]
    fn widen(self) -> f32 {
        self.to_f32()
    }

    #[inline]
    fn round_all(values: &[f32], out: &mut [Self]) {
        out.convert_from_f32_slice(values);
    }

    #[inline]
    fn widen_all(elements: &[Self], out: &mut [f32]) {
        elements.convert_to_f32_slice(out);
    }

    #[inline]
    fn is_infinite(self) -> bool {
        self.is_infinite()
    }

    #[inline]
    fn is_finite(self) -> bool {
        self.is_finite()
    }

    #[inline]
    fn from_wire(bytes: &[u8]) -> Self {
        Self::from_be_bytes([bytes[0], bytes[1]])
    }

    #[inline]
    fn to_wire(self, out: &mut [u8]) {
        out.copy_from_slice(&self.to_be_bytes());
    }
}
