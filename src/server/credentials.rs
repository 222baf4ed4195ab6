//! Who is asking, on every transport alike, and how a refusal is told.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response as HttpResponse;

use super::http::write;
use super::negotiate::MediaType;
use super::websocket::Close;
use crate::auth::Refused;
use crate::graphql::{Code, error_response};

/// How long a client may wait before it tries credentials again that could not be looked at, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// The value of `Authorization`.
pub(super) fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok())
}

/// The answer to a request whose credentials were refused: before anything else of it is read, so the
/// status says so whatever the media type.
pub(super) fn refuse(media_type: MediaType, refused: &Refused) -> HttpResponse {
    let (status, code, challenge) = match refused {
        Refused::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, None),
        Refused::Missing => (StatusCode::UNAUTHORIZED, Code::Unauthenticated, Some("Bearer")),
        // RFC 6750, 3.1.
        Refused::Expired | Refused::Invalid | Refused::TooLong => {
            (StatusCode::UNAUTHORIZED, Code::Unauthenticated, Some("Bearer error=\"invalid_token\""))
        }
    };
    let mut response = write(status, media_type, &error_response(code, refused.to_string()));
    if let Some(challenge) = challenge {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if *refused == Refused::Unavailable {
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}

/// How a socket is closed whose credentials were refused.
pub(super) fn close(refused: &Refused) -> Close {
    match refused {
        Refused::Unavailable => Close::try_again_later(&refused.to_string()),
        _ => Close::forbidden(&refused.to_string()),
    }
}
