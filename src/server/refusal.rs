//! Why a request to `/v1` is refused, as a response. Errors have the form of those of `/graphql`.

use std::time::Duration;

use axum::http::header::{ALLOW, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use super::graphql::body::write as write_body;
use super::graphql::media_type::MediaType;
use super::graphql::response::write;
use super::graphql::{credentials, too_many_requests};
use crate::auth::AuthError;
use crate::graphql::{Code, error_response};
use crate::model::Invalid;
use crate::store;

/// Why a request is refused.
pub(super) enum Refusal {
    /// The method is not this one.
    Method(&'static str),
    Credentials(AuthError),
    /// The time to wait.
    RateLimited(Duration),
    Invalid(Invalid),
    /// The owner has so many of these running.
    TooManyOfOwner(&'static str, usize),
    /// Too many of these are running.
    TooMany(&'static str),
    Other(StatusCode, Code, String),
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

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::BeingErased => {
                Self::Other(StatusCode::CONFLICT, Code::BeingErased, error.to_string())
            }
            store::Error::Unavailable(_) | store::Error::Busy => {
                tracing::warn!(%error, "a request to /v1 failed");
                Self::unavailable("the database is not available just now: retry later")
            }
            error => Self::internal(&error),
        }
    }
}

impl Refusal {
    /// A retry can succeed.
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self::Other(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message.into())
    }

    /// A fault of the server, which is in its log.
    pub(super) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request to /v1 failed");
        Self::Other(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, "internal server error".to_owned())
    }

    /// The error as JSON, for an event.
    pub(super) fn into_json(self) -> String {
        let (_, code, message) = self.parts();
        let mut body = Vec::new();
        write_body(&mut body, &error_response(code, message), usize::MAX);
        String::from_utf8(body).unwrap_or_default()
    }

    fn parts(self) -> (StatusCode, Code, String) {
        match self {
            Self::Credentials(error) => (StatusCode::UNAUTHORIZED, Code::Unauthenticated, error.to_string()),
            Self::RateLimited(_) => {
                (StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, "too many operations".to_owned())
            }
            Self::Method(allowed) => {
                (StatusCode::METHOD_NOT_ALLOWED, Code::BadRequest, format!("only {allowed} is allowed"))
            }
            Self::Invalid(invalid) => (StatusCode::BAD_REQUEST, Code::BadUserInput, invalid.to_string()),
            Self::TooManyOfOwner(what, most) => {
                let message = format!("an owner may have at most {most} {what} running: retry later");
                (StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, message)
            }
            Self::TooMany(what) => {
                let message = format!("too many {what} are running: retry later");
                (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message)
            }
            Self::Other(status, code, message) => (status, code, message),
        }
    }

    /// The status, and the error as JSON.
    pub(super) fn into_response(self) -> Response {
        let allowed = match self {
            Self::Credentials(error) => return credentials::reject(MediaType::Json, &error),
            Self::RateLimited(wait) => return too_many_requests::reject(MediaType::Json, wait),
            Self::Method(allowed) => allowed,
            _ => "",
        };
        let (status, code, message) = self.parts();
        let mut response = write(status, MediaType::Json, &error_response(code, message));
        let headers = response.headers_mut();
        match status {
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response
    }
}
