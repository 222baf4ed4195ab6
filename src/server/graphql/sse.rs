//! GraphQL over SSE, distinct connections mode:
//! <https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md>.
//!
//! Events of a subscription that can be resumed have its cursor as `id:`. A client that reconnects
//! automatically sends the last one as `Last-Event-ID`, which overrides the argument. An invalid id is
//! rejected, not ignored. The stream ends when the credentials expire and when the server shuts down, and the
//! client reconnects.

use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_graphql::Response;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response as HttpResponse};
use futures_util::{Stream, StreamExt, stream};

use super::http::RequestError;
use super::recorder::Recorder;
use crate::graphql::{Code, Operation, RequestId, SubscriptionStarted, panicked};
use crate::memory::MemoryReservation;
use crate::model::{OwnerId, Viewer};
use crate::server::listener::connection::ResponseAbortHandle;
use crate::server::quota::QuotaPermit;
use crate::server::state::ServerState;

/// The cursor of a client that reconnects.
pub(in crate::server) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The cursor of a client that reconnects.
///
/// # Errors
/// The header is not a valid id.
pub(in crate::server) fn resume(headers: &HeaderMap) -> Result<Option<String>, RequestError> {
    let mut given = headers.get_all(LAST_EVENT_ID).iter();
    let wrong = |rule| RequestError {
        status: StatusCode::BAD_REQUEST,
        code: Code::BadUserInput,
        message: format!("`Last-Event-ID` {rule}"),
    };
    match (given.next(), given.next()) {
        (None, _) => Ok(None),
        (Some(id), None) => {
            let id = id.to_str().map_err(|_| wrong("must be the id of an event: a cursor, in ASCII"))?;
            Ok(Some(id.to_owned()).filter(|id| !id.is_empty()))
        }
        (Some(_), Some(_)) => Err(wrong("must be given once")),
    }
}

/// Streams the events of an operation, then `complete`. The response starts when the operation has started,
/// so that a client that has the response headers gets every event from then on.
pub(in crate::server) async fn stream(
    shared: &Arc<ServerState>,
    viewer: &Viewer,
    operation: Operation,
    id: RequestId,
    (resume, recorder): (Option<String>, Recorder),
    share: QuotaPermit<OwnerId>,
) -> HttpResponse {
    let ended = shared.ended(viewer);
    let started = SubscriptionStarted::default();
    let events = shared.stream(viewer, operation, id, resume, started.clone(), recorder);
    let events = AssertUnwindSafe(events).catch_unwind();
    let panic_state = shared.clone();
    // The reservation of the last event. It is dropped when the next one is requested: then the last one was
    // sent.
    let mut held = MemoryReservation::default();
    let abort_handle = ResponseAbortHandle::default();
    let handle = abort_handle.clone();
    let events = events.map(move |event| {
        // The quota permit is kept until the stream ends.
        let _ = &share;
        let (answer, cursor) = event.unwrap_or_else(|_| (panic_state.render_error(panicked(id)), None));
        drop(std::mem::replace(&mut held, answer.held));
        let handle = handle.clone();
        held.sending(move || handle.abort());
        let sent = data(&answer.bytes);
        cursor.into_iter().fold(sent, Event::id)
    });
    let events = events.chain(stream::once(async { complete() })).take_until(ended);
    let mut events = Box::pin(events.boxed().peekable());
    poll_fn(|task| match events.as_mut().poll_peek(task) {
        Poll::Pending if !started.has_started() => Poll::Pending,
        _ => Poll::Ready(()),
    })
    .await;
    let mut response = write(events, shared.settings.ping_interval);
    abort_handle.attach_to(&mut response);
    response
}

/// Sends the error of an operation as an event, because browsers do not expose other responses.
pub(in crate::server) fn reject(shared: &ServerState, response: Response) -> HttpResponse {
    write(
        stream::iter([data(&shared.render_error(response).bytes), complete()]),
        shared.settings.ping_interval,
    )
}

/// Sends a comment at this interval if there are no events, so that proxies keep the connection.
fn write(events: impl Stream<Item = Event> + Send + 'static, interval: Duration) -> HttpResponse {
    let keep_alive = KeepAlive::new().interval(interval);
    let mut response = Sse::new(events.map(Ok::<_, Infallible>)).keep_alive(keep_alive).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Disables buffering in nginx.
    response
        .headers_mut()
        .insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

fn data(bytes: &[u8]) -> Event {
    // JSON is always UTF-8.
    Event::default().event("next").data(std::str::from_utf8(bytes).unwrap_or_default())
}

fn complete() -> Event {
    // Browsers ignore events without data.
    Event::default().event("complete").data("")
}
