//! Headers of requests that several handlers read.

use axum::http::header::IF_NONE_MATCH;
use axum::http::{HeaderMap, HeaderName};

/// A list header, with the values of repeated headers joined.
pub(super) fn list(headers: &HeaderMap, name: &HeaderName) -> String {
    let values: Vec<_> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}

/// Whether the client has the version with this ETag. Weak and strong ETags match (RFC 9110, 13.1.2).
pub(super) fn has_version(headers: &HeaderMap, etag: &str) -> bool {
    let tags = list(headers, &IF_NONE_MATCH);
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}
