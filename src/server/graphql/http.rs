//! GraphQL over HTTP: <https://graphql.github.io/graphql-over-http/draft/>.
//!
//! POST accepts only JSON, so that forms of other sites cannot send requests. GET runs only queries. Batches
//! are rejected. Credentials are checked before the body is read.

mod request;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use axum::body::Body;
use axum::extract::{self, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response as HttpResponse;
use futures_util::FutureExt;

use super::body;
use super::credentials;
use super::credentials::RequestCredentials;
use super::media_type::MediaType;
use super::response::{respond, write};
use super::sse;
use super::too_many_requests;
use super::websocket;
use crate::auth::AuthError;
use crate::graphql::{Code, RenderedResponse, RequestId, error_response, panicked};
use crate::model::Viewer;
use crate::server::state::HandlerState;
use crate::server::state::ServerState;
use crate::traces::Trace;
pub(in crate::server) use request::{RequestError, from_parameters};
use request::{from_body, from_query};

/// The id of the request, as in the log: `x-request-id`.
pub(in crate::server) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The handler of `/graphql`, including WebSocket upgrades.
pub(in crate::server) async fn graphql(
    extract::State(HandlerState(shared)): extract::State<HandlerState>,
    mut request: Request,
) -> HttpResponse {
    if let Some(upgrade) = websocket::WebSocketUpgrade::of_request(&mut request) {
        return websocket::upgrade(shared, upgrade, &request);
    }
    let id = shared.new_request();
    let answered = AssertUnwindSafe(answer(&shared, request, id)).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| broken(id));
    shared.metrics.http_response(response.status().as_u16());
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

async fn answer(shared: &Arc<ServerState>, mut request: Request, id: RequestId) -> HttpResponse {
    let trace = request.extensions_mut().remove::<Trace>().unwrap_or_default();
    if ![Method::GET, Method::POST].contains(request.method()) {
        let fault = RequestError::new(StatusCode::METHOD_NOT_ALLOWED, "only GET and POST are allowed");
        return with_allow(fault.into_response(MediaType::Json), "GET, POST");
    }
    let Some(media_type) = MediaType::accepted(text_of(request.headers(), header::ACCEPT)) else {
        let message = "the response can be application/graphql-response+json, application/json or \
                       text/event-stream";
        return RequestError::new(StatusCode::NOT_ACCEPTABLE, message).into_response(MediaType::Json);
    };
    let viewer = match viewer(shared, request.headers()).await {
        Ok(viewer) => viewer,
        Err(refused) => return credentials::reject(media_type, &refused),
    };
    if let Err(wait) = shared.check_rate(&viewer) {
        return too_many_requests::reject(media_type, wait);
    }
    let is_get = request.method() == Method::GET;
    let is_stream = media_type == MediaType::EventStream;
    let resume = match sse::resume(request.headers()) {
        Err(fault) if is_stream => return fault.into_response(media_type),
        resume => resume.unwrap_or_default(),
    };
    let read = if is_get {
        from_query(request.uri().query().unwrap_or_default())
    } else {
        let reserve_request = |bytes| shared.api.reserve_request_bytes(&viewer, bytes);
        from_body(request, &shared.settings, reserve_request).await
    };
    let request = match read {
        Ok(request) => request,
        Err(fault) => return fault.into_response(media_type),
    };
    let mut recorder = shared.record_request(&trace, id);
    let mut operation = match shared.prepare(request, &mut recorder) {
        Ok(operation) => operation,
        Err(response) if is_stream => return sse::reject(shared, *response),
        Err(response) => return executed(media_type, shared.render_error(*response)),
    };
    if let Err(response) = shared.reserve_request(&viewer, &mut operation, &mut recorder) {
        return write(StatusCode::SERVICE_UNAVAILABLE, media_type, &response);
    }
    match operation.kind {
        OperationType::Mutation if is_get => {
            recorder.reject(Code::BadRequest);
            let fault =
                RequestError::new(StatusCode::METHOD_NOT_ALLOWED, "a mutation must be sent with POST");
            with_allow(fault.into_response(media_type), "POST")
        }
        _ if is_stream => match shared.stream_quota.try_acquire(&viewer.owner) {
            Some(share) => sse::stream(shared, &viewer, operation, id, (resume, recorder), share).await,
            None => {
                recorder.reject(Code::RateLimited);
                let most = shared.settings.streams_per_owner;
                let message = format!("an owner may have at most {most} streams open");
                RequestError::new(StatusCode::TOO_MANY_REQUESTS, message).into_response(media_type)
            }
        },
        OperationType::Subscription => {
            recorder.reject(Code::BadRequest);
            let message = "a subscription needs `accept: text/event-stream`, or a WebSocket with the \
                           subprotocol graphql-transport-ws";
            RequestError::new(StatusCode::NOT_ACCEPTABLE, message).into_response(media_type)
        }
        _ => executed(media_type, shared.execute(&viewer, operation, id, recorder).await),
    }
}

async fn viewer(shared: &ServerState, headers: &HeaderMap) -> Result<Viewer, AuthError> {
    RequestCredentials::of_headers(headers)?.viewer(shared).await
}

fn text_of(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The response of an executed operation or a rejected document. With `application/json` the status is always
/// 200.
fn executed(media_type: MediaType, answer: RenderedResponse) -> HttpResponse {
    let refused = media_type == MediaType::GraphqlResponse && answer.is_request_error;
    let status = if refused { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let mut response = respond(status, media_type, Body::empty());
    body::fill(&mut response, answer.bytes, answer.held);
    response
}

impl RequestError {
    fn into_response(self, media_type: MediaType) -> HttpResponse {
        write(self.status, media_type, &error_response(self.code, self.message))
    }
}

fn with_allow(mut response: HttpResponse, methods: &'static str) -> HttpResponse {
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}

/// The response after a panic.
fn broken(id: RequestId) -> HttpResponse {
    write(StatusCode::INTERNAL_SERVER_ERROR, MediaType::Json, &panicked(id))
}
