//! The one error type of the crate.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a checkpoint could not be packed or a packed model could not be used.
#[derive(Debug)]
pub enum Error {
    /// The operating system refused a file operation.
    Io {
        /// The file or directory concerned.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is not a packed model at all.
    NotAModel,
    /// The file is a packed model of a format this build does not read.
    FormatVersion(u32),
    /// The file is a packed model, but its content contradicts itself or its checksum.
    Damaged(&'static str),
    /// The checkpoint is well formed, but not of a kind this encoder computes.
    Unsupported(String),
    /// The checkpoint is incomplete or malformed.
    Checkpoint(String),
}

impl Error {
    /// Wraps an I/O error with the path it happened on.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { path, source } => write!(f, "could not access \"{}\": {source}", path.display()),
            Error::NotAModel => write!(f, "the file is not a packed model"),
            Error::FormatVersion(version) => write!(f, "packed model format {version} is not supported"),
            Error::Damaged(what) => write!(f, "the packed model is damaged: {what}"),
            Error::Unsupported(what) => write!(f, "the checkpoint is not supported: {what}"),
            Error::Checkpoint(what) => write!(f, "the checkpoint is not usable: {what}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
