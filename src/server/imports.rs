//! `POST /v1/import`: conversations from an export of another system, or of Scrollback.
//!
//! Credentials, rate limits and the form of errors are those of `/graphql`. The body is imported while it arrives; an archive
//! is copied to a temporary file first. The response is a report, or its progress as server-sent events. An import that ends
//! early keeps what it has written, and can be repeated.

mod body;
mod events;
mod parameters;
mod run;

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::{RawQuery, Request, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, routing::any};

use super::graphql::credentials::RequestCredentials;
use super::graphql::http::REQUEST_ID;
use super::graphql::media_type::MediaType;
use super::metrics::GaugeGuard;
use super::refusal::Refusal;
use super::state::{HandlerState, ServerState};
use crate::import::{ConversationReport, Observer};
use body::{BodyReader, too_large};
use run::Run;

/// The route.
pub(super) fn router() -> Router<HandlerState> {
    Router::new().route("/v1/import", any(import))
}

async fn import(
    State(HandlerState(shared)): State<HandlerState>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let id = shared.new_request();
    let mut response = match *request.method() {
        Method::POST => answer(&shared, &query.unwrap_or_default(), request).await,
        _ => Err(Refusal::Method("POST")),
    }
    .unwrap_or_else(Refusal::into_response);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID, value);
    }
    response
}

async fn answer(shared: &Arc<ServerState>, query: &str, request: Request) -> Result<Response, Refusal> {
    let viewer = RequestCredentials::of_headers(request.headers())?.viewer(shared).await?;
    shared.check_rate(&viewer).map_err(Refusal::RateLimited)?;
    let parameters = parameters::parse(query)?;
    let most = shared.settings.import_bytes;
    if request.body().size_hint().exact().is_some_and(|bytes| bytes > most) {
        return Err(too_large(most));
    }
    let per_owner = shared.settings.imports_per_owner;
    let of_owner = shared.import_quota.try_acquire(&viewer.owner);
    let of_owner = of_owner.ok_or(Refusal::TooManyOfOwner("imports", per_owner))?;
    let of_all = shared.imports.clone().try_acquire_owned().map_err(|_| Refusal::TooMany("imports"))?;
    let permits = (of_owner, of_all, GaugeGuard::new(&shared.metrics.imports));
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    let is_stream = MediaType::accepted(accept) == Some(MediaType::EventStream);
    let run = Run { shared: shared.clone(), viewer, parameters };
    let (reader, fault) = BodyReader::start(shared, request.into_body());
    if is_stream {
        return Ok(events::respond(run, reader, fault, permits));
    }
    let report = run.to_end(reader, fault, &mut Nobody).await?;
    drop(permits);
    let is_refused = report.rejected > 0 && !report.has_usable();
    let status = if is_refused { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, Json(report)).into_response())
}

/// Sees nothing: the report has the sums and the first rejections.
struct Nobody;

impl Observer for Nobody {
    fn conversation(&mut self, _: &ConversationReport) -> io::Result<()> {
        Ok(())
    }
}
