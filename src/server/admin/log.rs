//! `/log`: the filter of the running log, per module.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::get;

use crate::server::state::HandlerState;
use crate::telemetry;

/// The longest filter, in bytes.
const MAX_BYTES: usize = 4096;

/// The route `/log` of the admin listener. Browsers send no PUT to another origin without asking first, and this server
/// does not allow it.
pub(in crate::server) fn router() -> Router<HandlerState> {
    Router::new().route("/log", get(show).put(change)).layer(DefaultBodyLimit::max(MAX_BYTES))
}

async fn show() -> (StatusCode, String) {
    match telemetry::filter() {
        Some(filter) => (StatusCode::OK, filter + "\n"),
        None => (StatusCode::SERVICE_UNAVAILABLE, "this program has not started logging\n".to_owned()),
    }
}

/// An empty body is the filter of the settings.
async fn change(body: String) -> (StatusCode, String) {
    if telemetry::filter().is_none() {
        return show().await;
    }
    let text = body.trim();
    match telemetry::set_filter((!text.is_empty()).then_some(text)) {
        Ok(()) => show().await,
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error:#}\n")),
    }
}
