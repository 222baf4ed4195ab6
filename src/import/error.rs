//! Errors of imports.

use std::io;

/// The reason why nothing can be imported, or why an import ended.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file cannot be read.
    #[error("cannot read {0}: {1}")]
    File(String, String),
    /// A file cannot be imported: its name, and why.
    #[error("{0} {1}")]
    NotUsable(String, String),
    /// The database failed. What was written is kept, and the same import continues from there.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    /// The report cannot be written.
    #[error("cannot write the report: {0}")]
    Report(io::Error),
}

impl ImportError {
    pub(super) fn file(name: &str, error: &io::Error) -> Self {
        Self::File(name.to_owned(), error.to_string())
    }

    pub(super) fn not_usable(name: &str, why: impl Into<String>) -> Self {
        Self::NotUsable(name.to_owned(), why.into())
    }
}
