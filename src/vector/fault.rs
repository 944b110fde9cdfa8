//! What can be wrong with a vector: plain data, so that the parsers need no Postgres. `errors` gives each its SQLSTATE.

use std::fmt;

/// A refused vector, in the words that PostgreSQL shows. `kind` is the SQL name of the type concerned.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Two operands differ in length.
    DifferentDimensions { kind: &'static str, left: usize, right: usize },
    /// The value does not have the dimensions that its column or cast declares.
    UndeclaredDimensions { kind: &'static str, declared: i32, actual: usize },
    /// A row's dimensions differ from those of the rows aggregated before it.
    UnevenRows { expected: usize, actual: usize },
    /// A vector without elements.
    NoDimensions { kind: &'static str },
    /// More elements than the type holds.
    TooManyDimensions { kind: &'static str },
    /// An element is not a number.
    NotANumber { kind: &'static str },
    /// An element is infinite.
    Infinite { kind: &'static str },
    /// The text is not a vector; the detail says why where that is not plain to see.
    Syntax { kind: &'static str, text: String, detail: Option<&'static str> },
    /// A number that the element type cannot hold, as it was written.
    OutOfRange { kind: &'static str, number: String },
    /// The result of an operation on elements does not fit the element type.
    Overflow,
    /// The product of two elements other than zero is too small for the element type.
    Underflow,
    /// The binary form's reserved field is in use.
    ReservedField { value: u16 },
    /// The binary form ends early.
    Truncated,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DifferentDimensions { kind, left, right } => {
                write!(f, "different {kind} dimensions {left} and {right}")
            }
            Self::UndeclaredDimensions { declared, actual, .. } => {
                write!(f, "expected {declared} dimensions, not {actual}")
            }
            Self::UnevenRows { expected, actual } => write!(f, "expected {expected} dimensions, not {actual}"),
            Self::NoDimensions { kind } => write!(f, "{kind} must have at least 1 dimension"),
            Self::TooManyDimensions { kind } => {
                write!(f, "{kind} cannot have more than {} dimensions", super::MAX_DIMENSIONS)
            }
            Self::NotANumber { kind } => write!(f, "NaN not allowed in {kind}"),
            Self::Infinite { kind } => write!(f, "infinite value not allowed in {kind}"),
            Self::Syntax { kind, text, .. } => write!(f, "invalid input syntax for type {kind}: \"{text}\""),
            Self::OutOfRange { kind, number } => write!(f, "\"{number}\" is out of range for type {kind}"),
            Self::Overflow => f.write_str("value out of range: overflow"),
            Self::Underflow => f.write_str("value out of range: underflow"),
            Self::ReservedField { value } => write!(f, "expected unused to be 0, not {value}"),
            Self::Truncated => f.write_str("insufficient data left in message"),
        }
    }
}
