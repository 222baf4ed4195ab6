//! `/metrics` for Prometheus: in its text format, or in that of OpenMetrics for those that accept it.

use axum::Router;
use axum::extract;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response as HttpResponse};
use axum::routing::get;

use super::text_format::prometheus_text;
use crate::server::state::HandlerState;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The route `/metrics` of the admin listener.
pub(in crate::server) fn router() -> Router<HandlerState> {
    Router::new().route("/metrics", get(show))
}

async fn show(extract::State(state): extract::State<HandlerState>, headers: HeaderMap) -> HttpResponse {
    let accepted = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    match state.0.metrics.text() {
        Ok(text) if accepted.contains("application/openmetrics-text") => {
            ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response()
        }
        Ok(text) => ([(CONTENT_TYPE, PROMETHEUS_TEXT)], prometheus_text(&text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot write the metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
