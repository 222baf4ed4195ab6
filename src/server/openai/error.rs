//! Errors in OpenAI's form: `{"error": {"message", "type", "param", "code"}}`.

use std::time::Duration;

use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::auth::AuthError;
use crate::memory::MemoryError;
use crate::model::Invalid;
use crate::server::graphql::{credentials, too_many_requests};
use crate::server::json_body::RequestError;
use crate::store;

/// Why a request is refused.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    error: Body,
    /// Boxed, because errors are returned often and it is large.
    headers: Box<HeaderMap>,
}

#[derive(Debug, Serialize)]
struct Body {
    message: String,
    r#type: &'static str,
    param: Option<String>,
    code: Option<&'static str>,
}

#[derive(Serialize)]
struct Document<'b> {
    error: &'b Body,
}

const INVALID_REQUEST: &str = "invalid_request_error";

/// Seconds after which a client should retry.
const RETRY_SECONDS: &str = "5";

impl ApiError {
    fn new(status: StatusCode, code: Option<&'static str>, message: impl Into<String>) -> Self {
        let kind = match status {
            StatusCode::TOO_MANY_REQUESTS => "requests",
            status if status.is_server_error() => "server_error",
            _ => INVALID_REQUEST,
        };
        let error = Body { message: message.into(), r#type: kind, param: None, code };
        Self { status, error, headers: Box::default() }
    }

    fn with_param(mut self, param: Option<String>) -> Self {
        self.error.param = param;
        self
    }

    fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The endpoint has only these methods.
    pub(super) fn method(allowed: &str) -> Self {
        let error = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            Some("method_not_supported"),
            format!("Only {allowed} is allowed here."),
        );
        match HeaderValue::from_str(allowed) {
            Ok(value) => error.with_header(ALLOW, value),
            Err(_) => error,
        }
    }

    /// There is no such thing, or it is not the caller's.
    pub(super) fn not_found(message: String) -> Self {
        Self::new(StatusCode::NOT_FOUND, None, message)
    }

    /// There is no such conversation.
    pub(super) fn no_conversation(id: &str) -> Self {
        Self::not_found(format!("Conversation with id '{}' not found.", shortened(id)))
    }

    /// There is no such item in the conversation.
    pub(super) fn no_item(id: &str, conversation: &str) -> Self {
        let (id, conversation) = (shortened(id), shortened(conversation));
        Self::not_found(format!("Item with id '{id}' not found in conversation '{conversation}'."))
    }

    /// A repeated request created an item that is no longer there.
    pub(super) fn created_item_was_deleted() -> Self {
        let message =
            "An item that an earlier request with this `Idempotency-Key` created was deleted. Use a new key.";
        Self::not_found(message.to_owned())
    }

    /// A value is not valid.
    pub(super) fn invalid(param: Option<&str>, message: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Some("invalid_value"), message)
            .with_param(param.map(str::to_owned))
    }

    /// There is no such parameter.
    pub(super) fn unknown_parameter(name: &str) -> Self {
        let name = shortened(name);
        Self::new(StatusCode::BAD_REQUEST, Some("unknown_parameter"), format!("Unknown parameter: '{name}'."))
            .with_param(Some(name))
    }

    /// The owner has made too many requests.
    pub(super) fn rate_limited(wait: Duration) -> Self {
        let millis = wait.as_nanos().div_ceil(1_000_000);
        let message = format!("The rate limit is exceeded: retry in {millis} ms.");
        Self::new(StatusCode::TOO_MANY_REQUESTS, Some("rate_limit_exceeded"), message)
            .with_header(RETRY_AFTER, too_many_requests::retry_after(wait))
    }

    /// A retry can succeed.
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Some("unavailable"), message)
            .with_header(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS))
    }

    /// A fault of the server, which is in its log.
    pub(super) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request to /v1/conversations failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, None, "Internal server error.")
    }

    /// The response.
    pub(super) fn into_response(self) -> Response {
        let body = serde_json::to_string(&Document { error: &self.error }).unwrap_or_default();
        let mut response =
            (self.status, [(CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response();
        response.headers_mut().extend(*self.headers);
        response
    }
}

/// The beginning of a text of the client.
fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        let (status, _, challenge) = credentials::refusal(&error);
        let code = match status {
            StatusCode::UNAUTHORIZED => "invalid_api_key",
            StatusCode::FORBIDDEN => "insufficient_scope",
            StatusCode::BAD_REQUEST => "invalid_value",
            _ => "unavailable",
        };
        let mut refused = Self::new(status, Some(code), error.to_string());
        credentials::add_headers(&mut refused.headers, challenge, &error);
        refused
    }
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        let RequestError { status, message, .. } = error;
        match status {
            StatusCode::SERVICE_UNAVAILABLE => Self::unavailable(message),
            _ => Self::new(status, Some("invalid_body"), message),
        }
    }
}

impl From<Invalid> for ApiError {
    fn from(error: Invalid) -> Self {
        Self::invalid(Some(&error.argument), error.to_string())
    }
}

impl From<MemoryError> for ApiError {
    fn from(error: MemoryError) -> Self {
        match error {
            MemoryError::OperationTooLarge(_) | MemoryError::ResponseTooLarge(_) => {
                Self::new(StatusCode::BAD_REQUEST, Some("response_too_large"), error.to_string())
            }
            MemoryError::Exhausted | MemoryError::RequestsExhausted | MemoryError::ReservationRequired => {
                Self::unavailable(error.to_string())
            }
        }
    }
}

impl From<store::Error> for ApiError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NotFound(_) => Self::not_found(error.to_string()),
            store::Error::Conflict
            | store::Error::HeadMoved(_)
            | store::Error::State(_)
            | store::Error::Trashed
            | store::Error::BeingErased
            | store::Error::AttachmentInUse
            | store::Error::UploadMoved => {
                Self::new(StatusCode::CONFLICT, Some("conflict"), error.to_string())
            }
            store::Error::ScopeRequired(_) | store::Error::FilesDisabled => {
                Self::new(StatusCode::FORBIDDEN, Some("forbidden"), error.to_string())
            }
            store::Error::Invalid(invalid) => invalid.into(),
            store::Error::Memory(refused) => refused.into(),
            store::Error::Unavailable(_) | store::Error::Busy => {
                tracing::warn!(%error, "a request to /v1/conversations failed");
                Self::unavailable("The database is not available just now: retry later.")
            }
            error => Self::internal(&error),
        }
    }
}
