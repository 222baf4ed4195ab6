//! Liveness and readiness.

use std::time::Duration;

use axum::Router;
use axum::extract;
use axum::http::StatusCode;
use axum::routing::get;

use crate::server::state::HandlerState;

/// Timeout of the database check.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

/// `/livez`: the process runs. `/readyz`: the database responds, there are keys to verify tokens with, and no
/// shutdown has begun.
pub(in crate::server) fn router() -> Router<HandlerState> {
    Router::new().route("/livez", get(async || "ok\n")).route("/readyz", get(ready))
}

async fn ready(extract::State(state): extract::State<HandlerState>) -> (StatusCode, &'static str) {
    if state.0.closing.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n");
    }
    if !state.0.authenticator.is_ready() {
        return (StatusCode::SERVICE_UNAVAILABLE, "no keys to verify tokens with\n");
    }
    match tokio::time::timeout(DATABASE_TIMEOUT, state.0.store.ping()).await {
        Ok(Ok(())) => (StatusCode::OK, "ok\n"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}
