//! Why there is no export, as a response.

use std::time::Duration;

use axum::http::header::{ALLOW, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use crate::auth::AuthError;
use crate::export::ExportError;
use crate::graphql::{Code, error_response};
use crate::model::Invalid;
use crate::server::graphql::media_type::MediaType;
use crate::server::graphql::response::write;
use crate::server::graphql::{credentials, too_many_requests};
use crate::store;

/// Why there is no export.
pub(super) enum Refusal {
    /// The method is not GET.
    Method,
    Credentials(AuthError),
    /// The time to wait.
    RateLimited(Duration),
    Invalid(Invalid),
    /// The owner has so many exports running.
    TooManyOfOwner(usize),
    TooMany,
    Export(ExportError),
    /// It failed before it had written anything. The error is in the log.
    Failed,
}

impl From<AuthError> for Refusal {
    fn from(error: AuthError) -> Self {
        Self::Credentials(error)
    }
}

impl From<Invalid> for Refusal {
    fn from(error: Invalid) -> Self {
        Self::Invalid(error)
    }
}

impl From<ExportError> for Refusal {
    fn from(error: ExportError) -> Self {
        Self::Export(error)
    }
}

impl Refusal {
    /// The response: errors as those of `/graphql`.
    pub(super) fn into_response(self) -> Response {
        let (status, code, message) = match self {
            Self::Credentials(error) => return credentials::reject(MediaType::Json, &error),
            Self::RateLimited(wait) => return too_many_requests::reject(MediaType::Json, wait),
            Self::Method => {
                (StatusCode::METHOD_NOT_ALLOWED, Code::BadRequest, "only GET is allowed".to_owned())
            }
            Self::Invalid(invalid) => (StatusCode::BAD_REQUEST, Code::BadUserInput, invalid.to_string()),
            Self::TooManyOfOwner(most) => {
                let message = format!("an owner may have at most {most} exports running: retry later");
                (StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, message)
            }
            Self::TooMany => {
                let message = "too many exports are running: retry later".to_owned();
                (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message)
            }
            Self::Failed => {
                let message = "the export failed: retry later".to_owned();
                (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message)
            }
            Self::Export(error) => of_export(&error),
        };
        let mut response = write(status, MediaType::Json, &error_response(code, message));
        let headers = response.headers_mut();
        match status {
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(ALLOW, HeaderValue::from_static("GET"));
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response
    }
}

fn of_export(error: &ExportError) -> (StatusCode, Code, String) {
    match error {
        ExportError::NotFound(_) => (StatusCode::NOT_FOUND, Code::NotFound, error.to_string()),
        ExportError::Store(store::Error::BeingErased) => {
            (StatusCode::CONFLICT, Code::BeingErased, error.to_string())
        }
        ExportError::Store(store::Error::Unavailable(_) | store::Error::Busy) => {
            tracing::warn!(%error, "an export cannot begin");
            let message = "the database is not available just now: retry later".to_owned();
            (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message)
        }
        ExportError::Store(_) | ExportError::Output(_) => {
            tracing::error!(%error, "an export cannot begin");
            (StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, "internal server error".to_owned())
        }
    }
}
