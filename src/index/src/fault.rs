//! What can be wrong with an index: plain data; the extension gives each its SQLSTATE.

use std::fmt;

/// Why an operation on the index gave up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A page does not hold what its place in the index requires.
    Damaged {
        /// The page.
        block: u32,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The pages do not fit together.
    Inconsistent {
        /// The page where it shows.
        block: u32,
        /// What does not fit.
        what: &'static str,
    },
    /// The index was written by another version of the format.
    Version {
        /// The version that was found.
        found: u32,
    },
    /// A vector too long to have its code on a page.
    TooLong {
        /// Its dimensions.
        dimensions: usize,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { block, what } => write!(f, "page {block} is damaged: {what}"),
            Self::Inconsistent { block, what } => write!(f, "the structure is damaged at page {block}: {what}"),
            Self::Version { found } => write!(f, "the index has format version {found}"),
            Self::TooLong { dimensions } => {
                write!(
                    f,
                    "vectors of more than {} dimensions cannot be indexed, not {dimensions}",
                    crate::MAX_DIMENSIONS
                )
            }
        }
    }
}

impl std::error::Error for Fault {}

/// The result of an operation on the index.
pub type Result<T> = std::result::Result<T, Fault>;
