//! Parses GraphQL requests from HTTP requests.

use async_graphql::Request;
use axum::body::{Body, HttpBody};
use axum::http::{StatusCode, header};
use futures_util::StreamExt;

use crate::graphql::{Code, DOCUMENT_ID, value_of, variables_of};
use crate::memory::{MemoryError, MemoryReservation, UNRESERVED_REQUEST_BYTES};
use crate::model::{JsonFault, JsonObject, JsonValue};
use crate::server::settings::Settings;

/// The extension of automatic persisted queries.
const PERSISTED_QUERY: &str = "persistedQuery";

/// The bytes of a body that are read without a memory reservation.
const UNRESERVED_BODY_BYTES: usize = UNRESERVED_REQUEST_BYTES / COPIES;

/// The copies of a body's texts: received and parsed.
const COPIES: usize = 2;

/// The reason why an HTTP request is not a valid GraphQL request.
#[derive(Debug)]
pub(in crate::server) struct RequestError {
    pub(in crate::server) status: StatusCode,
    pub(in crate::server) code: Code,
    pub(in crate::server) message: String,
}

impl RequestError {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, code: Code::BadRequest, message: message.into() }
    }

    fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    fn out_of_memory(refused: MemoryError) -> Self {
        let fault = Self::new(StatusCode::SERVICE_UNAVAILABLE, refused.to_string());
        Self { code: Code::Unavailable, ..fault }
    }

    /// The input is not JSON, or nests too deep.
    fn not_json(subject: &str, fault: JsonFault) -> Self {
        let code = if fault == JsonFault::TooDeep { Code::QueryTooComplex } else { Code::BadRequest };
        Self { code, ..Self::bad(format!("{subject} {fault}")) }
    }
}

/// Reads the body of a POST within its limits of size and time. Its memory is reserved meanwhile.
pub(super) async fn from_body(
    request: axum::extract::Request,
    settings: &Settings,
    reserve_request: impl Fn(usize) -> Result<MemoryReservation, MemoryError>,
) -> Result<Request, RequestError> {
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
    let read = tokio::time::timeout(time, read(request.into_body(), limit, reserve_request)).await;
    let (bytes, _held) = read.unwrap_or_else(|_| {
        let message = format!("the body must arrive within {}", humantime::format_duration(time));
        Err(RequestError::new(StatusCode::REQUEST_TIMEOUT, message))
    })?;
    let value = JsonValue::read(&bytes).map_err(|fault| RequestError::not_json("the body", fault))?;
    match value {
        JsonValue::Object(parameters) => from_parameters(parameters),
        JsonValue::Array(_) => Err(RequestError::bad("batches are not supported")),
        _ => Err(RequestError::bad("the body must be a JSON object")),
    }
}

/// Reads a body until it exceeds the limit or its memory cannot be reserved. The connection discards the
/// rest.
async fn read(
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

/// Parses the query string of a GET.
pub(super) fn from_query(query: &str) -> Result<Request, RequestError> {
    let mut parameters = JsonObject::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = match &*name {
            "query" | "operationName" | DOCUMENT_ID => JsonValue::String(value.into_owned()),
            "variables" | "extensions" if value.is_empty() => continue,
            "variables" | "extensions" => JsonValue::read(value.as_bytes())
                .map_err(|fault| RequestError::not_json(&format!("`{name}`"), fault))?,
            _ => continue,
        };
        parameters.insert(name.into_owned(), value);
    }
    from_parameters(parameters)
}

/// Parses the parameters of a request. Unknown ones are ignored, as the specification requires. A document
/// may be sent as text or by id.
pub(in crate::server) fn from_parameters(mut parameters: JsonObject) -> Result<Request, RequestError> {
    let extensions = match parameters.swap_remove("extensions") {
        None | Some(JsonValue::Null) => JsonObject::new(),
        Some(JsonValue::Object(extensions)) => extensions,
        Some(_) => return Err(RequestError::bad("`extensions` must be an object")),
    };
    let named = [extensions.get_key_value(PERSISTED_QUERY), parameters.get_key_value(DOCUMENT_ID)];
    let named: Vec<_> = named.into_iter().flatten().filter(|(_, value)| **value != JsonValue::Null).collect();
    let mut request = match parameters.get("query") {
        Some(JsonValue::String(query)) => Request::new(query),
        None | Some(JsonValue::Null) if !named.is_empty() => Request::new(""),
        _ => return Err(RequestError::bad("`query` must be given as a string")),
    };
    for (name, value) in named {
        request.extensions.insert(name.clone(), value_of(value.clone()));
    }
    match parameters.swap_remove("operationName") {
        None | Some(JsonValue::Null) => {}
        Some(JsonValue::String(name)) => request = request.operation_name(name),
        Some(_) => return Err(RequestError::bad("`operationName` must be a string")),
    }
    match parameters.swap_remove("variables") {
        None | Some(JsonValue::Null) => {}
        Some(JsonValue::Object(given)) => request = request.variables(variables_of(given)),
        Some(_) => return Err(RequestError::bad("`variables` must be an object")),
    }
    Ok(request)
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

    #[test]
    fn a_query_string_holds_the_parameters() {
        let request =
            from_query("query=%7Bviewer%7Bid%7D%7D&variables=%7B%22a%22%3A1%7D&operationName=A&other=1");
        let request = request.unwrap();
        assert_eq!(request.query, "{viewer{id}}");
        assert_eq!(request.operation_name.as_deref(), Some("A"));
        assert_eq!(serde_json::to_string(&request.variables).unwrap(), r#"{"a":1}"#);
        for wrong in
            ["", "query=", "query=x&variables=%7B", "query=x&variables=%5B%5D", "query=x&extensions=1"]
        {
            assert!(from_query(wrong).is_err() == (wrong != "query="), "{wrong}");
        }
    }
}
