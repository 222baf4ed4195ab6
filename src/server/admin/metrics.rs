//! `/metrics` for Prometheus.

use axum::Router;
use axum::extract;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response as HttpResponse};
use axum::routing::get;

use crate::server::metrics::Snapshot;
use crate::server::state::HandlerState;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The route `/metrics` of the admin listener.
pub(in crate::server) fn router() -> Router<HandlerState> {
    Router::new().route("/metrics", get(show))
}

async fn show(extract::State(state): extract::State<HandlerState>) -> HttpResponse {
    let shared = &state.0;
    let (used, idle) = shared.store.connections();
    let (readers, (reserved, requests)) = (shared.api.readers(), shared.api.memory_in_use());
    let (unindexed, indexed) = shared.store.index_figures();
    let retention = shared.store.retention_figures();
    let webhooks = shared.settings.webhooks.read();
    let snapshot =
        Snapshot { used, idle, readers, indexed, unindexed, retention, webhooks, reserved, requests };
    match shared.metrics.text(&snapshot) {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot write the metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
