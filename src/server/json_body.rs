//! Reads JSON bodies of requests, within limits of size, time and memory.

use axum::body::{Body, HttpBody};
use axum::http::{StatusCode, header};
use futures_util::StreamExt;

use super::settings::Settings;
use crate::graphql::Code;
use crate::memory::{MemoryError, MemoryReservation, UNRESERVED_REQUEST_BYTES};
use crate::model::{JsonFault, JsonValue};

/// The bytes of a body that are read without a memory reservation.
const UNRESERVED_BODY_BYTES: usize = UNRESERVED_REQUEST_BYTES / COPIES;

/// The copies of a body's texts: received and parsed.
const COPIES: usize = 2;

/// The reason why an HTTP request is rejected before it is run.
#[derive(Debug)]
pub(in crate::server) struct RequestError {
    pub(in crate::server) status: StatusCode,
    pub(in crate::server) code: Code,
    pub(in crate::server) message: String,
}

impl RequestError {
    pub(in crate::server) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, code: Code::BadRequest, message: message.into() }
    }

    pub(in crate::server) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    fn out_of_memory(refused: MemoryError) -> Self {
        let fault = Self::new(StatusCode::SERVICE_UNAVAILABLE, refused.to_string());
        Self { code: Code::Unavailable, ..fault }
    }

    /// The input is not JSON, or nests too deep.
    pub(in crate::server) fn not_json(subject: &str, fault: JsonFault) -> Self {
        let code = if fault == JsonFault::TooDeep { Code::QueryTooComplex } else { Code::BadRequest };
        Self { code, ..Self::bad(format!("{subject} {fault}")) }
    }
}

/// Reads the body of a request within its limits of size and time. Its memory is reserved until the reservation is dropped.
pub(super) async fn read(
    request: axum::extract::Request,
    settings: &Settings,
    reserve_request: impl Fn(usize) -> Result<MemoryReservation, MemoryError>,
) -> Result<(JsonValue, MemoryReservation), RequestError> {
    let (limit, time) = (settings.body_limit, settings.body_timeout);
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !content_type.is_some_and(is_json) {
        let message = "the body must be `content-type: application/json` in UTF-8";
        return Err(RequestError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    // A body that declares a larger size is not read. A client that waits for `100 Continue` does not send
    // it. Others get the response while the connection closes.
    if request.body().size_hint().lower() > limit as u64 {
        return Err(too_large(limit));
    }
    let reading = read_bytes(request.into_body(), limit, reserve_request);
    let read = tokio::time::timeout(time, reading).await;
    let (bytes, held) = read.unwrap_or_else(|_| {
        let message = format!("the body must arrive within {}", humantime::format_duration(time));
        Err(RequestError::new(StatusCode::REQUEST_TIMEOUT, message))
    })?;
    let value = JsonValue::read(&bytes).map_err(|fault| RequestError::not_json("the body", fault))?;
    Ok((value, held))
}

/// Reads a body until it exceeds the limit or its memory cannot be reserved. The connection discards the
/// rest.
async fn read_bytes(
    body: Body,
    limit: usize,
    reserve_request: impl Fn(usize) -> Result<MemoryReservation, MemoryError>,
) -> Result<(Vec<u8>, MemoryReservation), RequestError> {
    let expected = body.size_hint().upper().and_then(|size| usize::try_from(size).ok());
    let expected = expected.map_or(limit, |size| size.min(limit));
    let mut chunks = body.into_data_stream();
    let (mut bytes, mut held) = (Vec::new(), MemoryReservation::default());
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| RequestError::bad("the body is incomplete"))?;
        let size = bytes.len() + chunk.len();
        if size > limit {
            return Err(too_large(limit));
        }
        if bytes.len() <= UNRESERVED_BODY_BYTES && size > UNRESERVED_BODY_BYTES {
            held = reserve_request(COPIES * expected).map_err(RequestError::out_of_memory)?;
            bytes.reserve_exact(expected.saturating_sub(bytes.len()));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((bytes, held))
}

fn too_large(limit: usize) -> RequestError {
    RequestError {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        code: Code::PayloadTooLarge,
        message: format!("the body must be at most {limit} bytes"),
    }
}

/// Whether the type is `application/json`, in UTF-8 if there is a charset.
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    json && parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_in_utf8_is_json() {
        for yes in
            ["application/json", "Application/JSON; charset=utf-8", "application/json;charset=\"UTF-8\""]
        {
            assert!(is_json(yes), "{yes}");
        }
        for no in
            ["text/plain", "application/json; charset=utf-16", "application/jsonp", "multipart/form-data", ""]
        {
            assert!(!is_json(no), "{no}");
        }
    }
}
