//! `/v1/conversations`: OpenAI's Conversations API, for its own packages.
//!
//! Credentials, rate limits, memory and time limits are those of `/graphql`. Errors have OpenAI's form. `/v1/openapi.json`
//! describes the API, without credentials.

mod context;
mod conversations;
mod error;
mod files;
mod item_list;
mod items;
mod list;
mod parameters;
mod response;
mod route;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures_util::FutureExt;

use super::graphql::credentials::RequestCredentials;
use super::graphql::http::REQUEST_ID;
use super::json_body;
use super::state::{HandlerState, ServerState};
use crate::memory::MemoryReservation;
use crate::model::{JsonObject, JsonValue, Viewer};
use crate::traces::Trace;
use context::Context;
use error::ApiError;
use response::Answer;
use route::Route;

/// The description of the API.
const DOCUMENT: &str = include_str!("../../docs/openapi.json");

/// The headers that OpenAI's packages send from browsers.
pub(super) const REQUEST_HEADERS: [&str; 12] = [
    "idempotency-key",
    "openai-organization",
    "openai-project",
    "x-stainless-arch",
    "x-stainless-helper-method",
    "x-stainless-lang",
    "x-stainless-os",
    "x-stainless-package-version",
    "x-stainless-retry-count",
    "x-stainless-runtime",
    "x-stainless-runtime-version",
    "x-stainless-timeout",
];

/// The routes.
pub(super) fn router() -> Router<HandlerState> {
    Router::new()
        .route("/v1/conversations", any(handle))
        .route("/v1/conversations/{*path}", any(handle))
        .route("/v1/openapi.json", any(document))
}

async fn document(method: Method) -> Response {
    if ![Method::GET, Method::HEAD].contains(&method) {
        return ApiError::method("GET, HEAD").into_response();
    }
    ([(CONTENT_TYPE, "application/json; charset=utf-8"), (CACHE_CONTROL, "max-age=300")], DOCUMENT)
        .into_response()
}

async fn handle(State(HandlerState(shared)): State<HandlerState>, request: Request) -> Response {
    let id = shared.new_request();
    let answered = AssertUnwindSafe(answer(&shared, request)).catch_unwind().await;
    let answered = answered.unwrap_or_else(|_| Err(ApiError::internal(&format!("request {id} panicked"))));
    let mut response = answered.unwrap_or_else(ApiError::into_response);
    shared.metrics.http_response(response.status().as_u16());
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID, value);
    }
    response
}

async fn answer(shared: &Arc<ServerState>, mut request: Request) -> Result<Response, ApiError> {
    let route = Route::of(request.uri().path());
    if let Some(allowed) = route.as_ref().map(Route::methods)
        && !allowed.contains(&request.method().as_str())
    {
        return Err(ApiError::method(&allowed.join(", ")));
    }
    let viewer = RequestCredentials::of_headers(request.headers())?.viewer(shared).await?;
    shared.check_rate(&viewer).map_err(ApiError::rate_limited)?;
    let route = route.ok_or_else(|| ApiError::not_found("There is no such endpoint.".to_owned()))?;
    let budget = shared.api.memory_budget(&viewer.owner);
    let trace = request.extensions_mut().remove::<Trace>().unwrap_or_default();
    let scope = shared.store.viewed_by(&viewer).within(budget.clone()).traced(trace);
    let context = Context { shared, scope, budget, key: parameters::idempotency_key(request.headers())? };
    let running = run(&context, &viewer, route, request);
    let limit = shared.settings.execution_timeout;
    match tokio::time::timeout(limit, running).await {
        Ok(answer) => response::write(&context.budget, shared.api.max_response_bytes(), answer?).await,
        Err(_) => Err(ApiError::unavailable("The request exceeded its time limit: retry later.")),
    }
}

async fn run(
    context: &Context<'_>,
    viewer: &Viewer,
    route: Route,
    request: Request,
) -> Result<Answer, ApiError> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let method = request.method().clone();
    match (route, method) {
        (Route::Conversations, Method::GET) => conversations::list(context, &query).await,
        (Route::Conversations, _) => {
            parameters::none(&query)?;
            let (body, _held) = body(context, viewer, request).await?;
            conversations::create(context, body).await
        }
        (Route::Conversation(id), Method::GET) => {
            parameters::none(&query)?;
            conversations::retrieve(context, &id).await
        }
        (Route::Conversation(id), Method::DELETE) => {
            parameters::none(&query)?;
            conversations::delete(context, &id).await
        }
        (Route::Conversation(id), _) => {
            parameters::none(&query)?;
            let (body, _held) = body(context, viewer, request).await?;
            conversations::update(context, &id, body).await
        }
        (Route::Items(id), Method::GET) => items::list(context, &id, &query).await,
        (Route::Items(id), _) => {
            parameters::include_only(&query)?;
            let (body, _held) = body(context, viewer, request).await?;
            items::create(context, &id, body).await
        }
        (Route::Item(id, item), Method::DELETE) => {
            parameters::none(&query)?;
            items::delete(context, &id, &item).await
        }
        (Route::Item(id, item), _) => {
            parameters::include_only(&query)?;
            items::retrieve(context, &id, &item).await
        }
    }
}

/// The object in the body. No body is an empty object.
async fn body(
    context: &Context<'_>,
    viewer: &Viewer,
    request: Request,
) -> Result<(JsonObject, MemoryReservation), ApiError> {
    use axum::body::HttpBody as _;
    if request.body().size_hint().exact() == Some(0) {
        return Ok((JsonObject::new(), MemoryReservation::default()));
    }
    let reserve = |bytes| context.shared.api.reserve_request_bytes(viewer, bytes);
    match json_body::read(request, &context.shared.settings, reserve).await? {
        (JsonValue::Object(fields), held) => Ok((fields, held)),
        _ => Err(ApiError::invalid(None, "The body must be a JSON object.".to_owned())),
    }
}
