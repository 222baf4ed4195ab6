//! HTTP responses that carry a GraphQL response.

use async_graphql::Response;
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response as HttpResponse};

use super::body;
use super::media_type::MediaType;

/// An HTTP response with an error.
pub(in crate::server) fn write(
    status: StatusCode,
    media_type: MediaType,
    response: &Response,
) -> HttpResponse {
    let mut bytes = Vec::new();
    body::write(&mut bytes, response, usize::MAX);
    respond(status, media_type, Body::from(bytes))
}

pub(in crate::server) fn respond(status: StatusCode, media_type: MediaType, body: Body) -> HttpResponse {
    let headers = [
        (header::CONTENT_TYPE, media_type.content_type()),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, body).into_response()
}
