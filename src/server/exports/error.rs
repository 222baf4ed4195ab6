//! Why there is no export.

use axum::http::StatusCode;

use crate::export::ExportError;
use crate::graphql::Code;
use crate::server::refusal::Refusal;

impl From<ExportError> for Refusal {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::NotFound(_) => Self::Other(StatusCode::NOT_FOUND, Code::NotFound, error.to_string()),
            ExportError::Store(error) => error.into(),
            ExportError::Output(error) => Self::internal(&error),
        }
    }
}

/// The export failed before it had written anything. The error is in the log.
pub(super) fn failed() -> Refusal {
    Refusal::unavailable("the export failed: retry later")
}
