//! Sends files.

use std::fmt::Write;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_RANGE, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::range::{Wanted, wanted};
use crate::model::{Attachment, hex};
use crate::server::request_header;
use crate::store::StoredFile;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// A file is data for the client, whatever it contains: if a browser opens it, it has no rights and its scripts do not run.
const POLICY: &str =
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'";

/// A file never changes. It may be deleted.
const CACHED: &str = "private, max-age=300";

/// The file, or the range that the request wants.
pub(in crate::server) fn respond(file: StoredFile, request: &HeaderMap) -> Response {
    let size = file.attachment.byte_size;
    let tag = format!("\"{}\"", hex(&file.attachment.sha256));
    let mut headers = headers_of(&file.attachment, &tag);
    if request_header::has_version(request, &tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let range = match asked(request, &tag, size) {
        Wanted::All => None,
        Wanted::Part(range) => Some(range),
        Wanted::Nothing => {
            insert(&mut headers, CONTENT_RANGE, &format!("bytes */{size}"));
            return (StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response();
        }
    };
    let status = match &range {
        None => StatusCode::OK,
        Some(range) => {
            insert(&mut headers, CONTENT_RANGE, &format!("bytes {}-{}/{size}", range.start, range.end - 1));
            StatusCode::PARTIAL_CONTENT
        }
    };
    let range = range.unwrap_or(0..size);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
    (status, headers, Body::from_stream(file.read(range))).into_response()
}

/// A range of another version of the file is of no use.
fn asked(request: &HeaderMap, tag: &str, size: i64) -> Wanted {
    let text = |name: HeaderName| request.get(name).and_then(|value| value.to_str().ok());
    match text(IF_RANGE) {
        Some(version) if version != tag => Wanted::All,
        _ => wanted(text(RANGE), size),
    }
}

fn headers_of(attachment: &Attachment, tag: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    insert(&mut headers, CONTENT_TYPE, &attachment.media_type);
    insert(&mut headers, CONTENT_DISPOSITION, &disposition(attachment.filename.as_deref()));
    insert(&mut headers, ETAG, tag);
    for (name, value) in [
        (ACCEPT_RANGES, "bytes"),
        (CACHE_CONTROL, CACHED),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Pages of other origins may show it: the URL is the credential.
        (RESOURCE_POLICY, "cross-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// `Content-Disposition` with the name in ASCII and in UTF-8 (RFC 6266, RFC 8187).
pub(in crate::server) fn disposition(filename: Option<&str>) -> String {
    let Some(filename) = filename else { return "attachment".into() };
    let is_plain = |char: char| char.is_ascii_alphanumeric() || " ._-()".contains(char);
    let plain: String = filename.chars().map(|char| if is_plain(char) { char } else { '_' }).collect();
    let mut value = format!("attachment; filename=\"{plain}\"");
    if plain != filename {
        value.push_str("; filename*=UTF-8''");
        for byte in filename.bytes() {
            if byte.is_ascii_alphanumeric() || b"._-".contains(&byte) {
                value.push(char::from(byte));
            } else {
                let _ = write!(value, "%{byte:02X}");
            }
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_cannot_leave_their_quotes() {
        assert_eq!(disposition(None), "attachment");
        assert_eq!(disposition(Some("a b.png")), "attachment; filename=\"a b.png\"");
        assert_eq!(
            disposition(Some("../é\".png")),
            "attachment; filename=\".._e_.png\"; filename*=UTF-8''..%2F%C3%A9%22.png".replace("_e_", "___")
        );
    }
}
