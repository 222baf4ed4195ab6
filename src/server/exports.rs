//! `GET /v1/export`: the conversations of a user as a file.
//!
//! Credentials, rate limits and the form of errors are those of `/graphql`. The file is sent while it is written, from one
//! state of the database. A transfer that fails is broken off, so that a client does not take a part for the whole.

mod body;
mod error;
mod parameters;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tokio::sync::mpsc;

use super::files::download::disposition;
use super::graphql::credentials::RequestCredentials;
use super::graphql::http::REQUEST_ID;
use super::metrics::GaugeGuard;
use super::refusal::Refusal;
use super::state::{HandlerState, ServerState};
use crate::export::{Export, ExportError};
use body::{Chunk, ChunkSender, body};
use error::failed;

/// The chunks that wait for the client to read them. A chunk has 64 KiB.
const CHUNKS: usize = 2;

/// The route.
pub(super) fn router() -> Router<HandlerState> {
    Router::new().route("/v1/export", any(export))
}

async fn export(
    State(HandlerState(shared)): State<HandlerState>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let id = shared.new_request();
    let query = query.unwrap_or_default();
    let answered = match method {
        Method::GET => answer(&shared, &query, &headers).await,
        _ => Err(Refusal::Method("GET")),
    };
    let mut response = answered.unwrap_or_else(Refusal::into_response);
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

async fn answer(shared: &Arc<ServerState>, query: &str, headers: &HeaderMap) -> Result<Response, Refusal> {
    let viewer = RequestCredentials::of_headers(headers)?.viewer(shared).await?;
    shared.check_rate(&viewer).map_err(Refusal::RateLimited)?;
    let wanted = parameters::parse(query)?;
    let of_owner = shared.export_quota.try_acquire(&viewer.owner);
    let of_owner = of_owner.ok_or(Refusal::TooManyOfOwner("exports", shared.settings.exports_per_owner))?;
    let of_all = shared.exports.clone().try_acquire_owned().map_err(|_| Refusal::TooMany("exports"))?;
    let export = Export::begin(&shared.store.viewed_by(&viewer), wanted).await?;
    export.audit().await?;
    let headers = headers_of(&export);

    let (sender, mut chunks) = mpsc::channel(CHUNKS);
    let running = (of_owner, of_all, GaugeGuard::new(&shared.metrics.exports));
    let (abort, timeout) = (shared.abort.clone(), shared.settings.exports_timeout);
    shared.tasks.spawn(async move {
        let _running = running;
        let mut sender = ChunkSender(sender);
        let fault = tokio::select! {
            written = export.write(&mut sender) => written.err(),
            () = abort.cancelled() => Some(stopped("the server is shutting down".into())),
            () = tokio::time::sleep(timeout) => Some(stopped(too_long(timeout))),
        };
        sender.finish(fault).await;
    });
    // What fails at once still gets a status.
    match chunks.recv().await {
        Some(Chunk::Failed) | None => Err(failed()),
        Some(first) => Ok((headers, body(first, chunks)).into_response()),
    }
}

fn stopped(reason: String) -> ExportError {
    ExportError::Output(io::Error::other(reason))
}

fn too_long(timeout: Duration) -> String {
    format!("it exceeded `exports.timeout` ({})", humantime::format_duration(timeout))
}

fn headers_of(export: &Export) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(export.media_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    if let Ok(value) = HeaderValue::from_str(&disposition(Some(&export.file_name()))) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    headers
}
