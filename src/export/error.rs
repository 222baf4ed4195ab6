//! Why there is no export.

use std::io;

use crate::model::ConversationId;
use crate::store;

/// Why there is no export, or no whole one.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The user has no such conversation.
    #[error("there is no conversation {0}")]
    NotFound(ConversationId),
    /// The database or the storage of files failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The file cannot be written, or its reader has gone.
    #[error("cannot write the export: {0}")]
    Output(#[from] io::Error),
}
