//! Shares for readers without credentials: `GET /shared/{secret}`, as a page or as JSON.
//!
//! Whatever is wrong with a secret, the answer is the same. The secret is in the URL, which is in no log of this server and is
//! not sent on by browsers (`referrer-policy: no-referrer`).

mod file_path;
mod html;
mod json;

use std::net::IpAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{Extension, Path, State};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, RETRY_AFTER, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::files::download;
use super::files::error::FileError;
use super::listener::address::ClientAddress;
use super::request_header;
use super::state::HandlerState;
use crate::model::{AttachmentId, SharedConversation};
use crate::rate_limit::RateLimiter;

const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

/// Pages that are made at the same time.
pub(super) const PAGES_AT_ONCE: usize = 4;

/// How long a cache may show a share that was revoked.
const CACHED: &str = "public, max-age=60";

/// The form of an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Html,
    Json,
}

/// The route.
pub(super) fn router() -> Router<HandlerState> {
    Router::new().route("/shared/{secret}", get(shared))
}

/// The route of files.
pub(super) fn file_router() -> Router<HandlerState> {
    Router::new().route("/shared/{secret}/files/{id}", get(shared_file))
}

/// A file that a message of a share refers to.
async fn shared_file(
    State(state): State<HandlerState>,
    Path((secret, id)): Path<(String, String)>,
    address: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
) -> Result<Response, FileError> {
    let found = match AttachmentId::parse("id", &id) {
        Ok(id) => state.0.store.shared_file(&secret, id).await?,
        Err(_) => None,
    };
    match found {
        Some(file) => Ok(download::respond(file, &headers)),
        // Only who guesses is slowed down: a page may have many images.
        None if check_rate(&state.0.settings.share_views, address).is_err() => {
            Err(FileError::new(StatusCode::TOO_MANY_REQUESTS, "too many requests: try again later"))
        }
        None => Err(FileError::not_found()),
    }
}

async fn shared(
    State(state): State<HandlerState>,
    Path(secret): Path<String>,
    address: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
) -> Response {
    let form = form(&headers);
    if let Err(wait) = check_rate(&state.0.settings.share_views, address) {
        let seconds = HeaderValue::from(wait.as_secs() + 1);
        let mut response = refuse(form, StatusCode::TOO_MANY_REQUESTS, "Too many requests. Try again later.");
        response.headers_mut().insert(RETRY_AFTER, seconds);
        return response;
    }
    let Ok(_permit) = state.0.share_pages.acquire().await else {
        return refuse(form, StatusCode::SERVICE_UNAVAILABLE, "Try again later.");
    };
    match state.0.store.shared(&secret).await {
        Ok(Some(found)) => respond(form, (&found, &secret), &headers, state.0.settings.share_images),
        Ok(None) => refuse(
            form,
            StatusCode::NOT_FOUND,
            "There is no such conversation, or it is not shared any more.",
        ),
        Err(error) => {
            tracing::warn!(%error, "cannot read a share");
            refuse(form, StatusCode::SERVICE_UNAVAILABLE, "Try again later.")
        }
    }
}

fn check_rate(
    limiter: &RateLimiter<IpAddr>,
    address: Option<Extension<ClientAddress>>,
) -> Result<(), Duration> {
    address.map_or(Ok(()), |Extension(ClientAddress(address))| limiter.check(&address))
}

/// JSON for clients that name it before HTML, the page for all others.
fn form(headers: &HeaderMap) -> Form {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let first = accept.split(',').map(|entry| entry.split(';').next().unwrap_or_default().trim());
    match first.into_iter().find(|entry| ["text/html", "application/json"].contains(entry)) {
        Some("application/json") => Form::Json,
        _ => Form::Html,
    }
}

fn respond(
    form: Form,
    (found, secret): (&SharedConversation, &str),
    request: &HeaderMap,
    images: bool,
) -> Response {
    let tag = match form {
        Form::Html => format!("\"{}-html\"", found.share.id.0.simple()),
        Form::Json => format!("\"{}-json\"", found.share.id.0.simple()),
    };
    let mut response = if request_header::has_version(request, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match form {
            Form::Html => page(html::page(found, secret, images)),
            Form::Json => {
                ([(CONTENT_TYPE, "application/json; charset=utf-8")], json::document(found, secret))
                    .into_response()
            }
        }
    };
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(CACHED));
    finish(response, images)
}

fn refuse(form: Form, status: StatusCode, text: &str) -> Response {
    let mut response = match form {
        Form::Html => page(html::notice(text)),
        Form::Json => {
            ([(CONTENT_TYPE, "application/json; charset=utf-8")], json::error(text)).into_response()
        }
    };
    *response.status_mut() = status;
    finish(response, false)
}

fn page(text: String) -> Response {
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
}

fn finish(mut response: Response, images: bool) -> Response {
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&html::policy(images)) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(ROBOTS, HeaderValue::from_static("noindex, nofollow, noarchive"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_get_the_page_and_programs_json() {
        let of = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            form(&headers) == Form::Json
        };
        assert!(of("application/json"));
        assert!(of("application/json, text/plain, */*"));
        assert!(!of("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
        assert!(!of("*/*"));
        assert!(form(&HeaderMap::new()) == Form::Html);
    }
}
