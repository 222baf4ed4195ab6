//! Spans of requests, for all routes of the public listener.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::Next;
use axum::response::Response;

use super::request_header;
use super::state::HandlerState;
use crate::traces::{Kind, Parent};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Records a request if it is sampled, and puts the [`crate::traces::Trace`] for its parts into its extensions. Paths contain secrets
/// of shares, so only the route is recorded.
pub(super) async fn trace_requests(
    State(HandlerState(shared)): State<HandlerState>,
    mut request: Request,
    next: Next,
) -> Response {
    let parent = parent(request.headers());
    let mut span = shared.settings.tracer.begin("HTTP", Kind::Server, parent.as_ref());
    if !span.is_sampled() {
        return next.run(request).await;
    }
    let method = method(&request);
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    span.rename(match &route {
        Some(route) => format!("{method} {route}"),
        None => method.to_owned(),
    });
    span.set("http.request.method", method);
    span.set("url.scheme", "http");
    if let Some(route) = route {
        span.set("http.route", route);
    }
    // The operation keeps its own times.
    request.extensions_mut().insert(span.trace(false, shared.store.system_name()));
    let response = next.run(request).await;
    let status = response.status();
    span.set("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.fail(status.as_u16().to_string());
    }
    response
}

/// The caller's part of the trace. Headers that occur several times are not valid.
fn parent(headers: &HeaderMap) -> Option<Parent> {
    let mut given = headers.get_all(TRACEPARENT).iter();
    let (Some(parent), None) = (given.next(), given.next()) else { return None };
    let state = request_header::list(headers, &TRACESTATE);
    Parent::parse(parent.to_str().ok()?, (!state.is_empty()).then_some(&state))
}

/// Clients can make up methods, so others than the known ones have one name (as the conventions say).
fn method(request: &Request) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"];
    known.into_iter().find(|known| request.method() == *known).unwrap_or("_OTHER")
}
