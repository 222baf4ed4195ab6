//! Answers of uploads and downloads that are not files.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::store;

/// How many bytes of an upload are stored.
pub(in crate::server) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");

/// How many bytes the file has.
pub(in crate::server) const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");

/// The body of an error.
#[derive(Serialize)]
struct Fault<'f> {
    error: &'f str,
}

/// Why there is no file, or none was taken.
pub(in crate::server) struct FileError {
    status: StatusCode,
    message: String,
    /// How many bytes of an upload are stored.
    offset: Option<i64>,
}

impl FileError {
    pub(in crate::server) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), offset: None }
    }

    /// Whether another upload was faster.
    pub(super) fn is_conflict(&self) -> bool {
        self.status == StatusCode::CONFLICT
    }

    pub(super) fn at(self, offset: i64) -> Self {
        Self { offset: Some(offset), ..self }
    }

    /// The answer for files that do not exist.
    pub(in crate::server) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such file, or it was deleted")
    }
}

impl From<store::Error> for FileError {
    fn from(error: store::Error) -> Self {
        let status = match &error {
            store::Error::UploadMoved => StatusCode::CONFLICT,
            store::Error::TooManyBytes(_) => StatusCode::PAYLOAD_TOO_LARGE,
            store::Error::WrongHash => StatusCode::UNPROCESSABLE_ENTITY,
            store::Error::BeingErased | store::Error::FilesDisabled => return Self::not_found(),
            store::Error::Unavailable(_) | store::Error::Busy => {
                tracing::warn!(%error, "a file could not be read or written");
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, "try again later");
            }
            _ => {
                tracing::error!(%error, "a file could not be read or written");
                return Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal server error");
            }
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for FileError {
    fn into_response(self) -> Response {
        let mut response = json(self.status, &Fault { error: &self.message });
        let headers = response.headers_mut();
        if let Some(offset) = self.offset {
            headers.insert(UPLOAD_OFFSET, HeaderValue::from(offset));
        }
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(RETRY_AFTER, HeaderValue::from(1));
        }
        response
    }
}

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let body = serde_json::to_string(value).unwrap_or_default();
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}
