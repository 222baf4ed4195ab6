//! GraphQL over WebSocket, subprotocol graphql-transport-ws:
//! <https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>.
//!
//! One task owns the WebSocket. Every operation runs in its own task and sends its messages through a short
//! queue, so a slow reader delays only its own operations and memory is bounded. A panic ends only its
//! operation. The WebSocket is closed when the credentials expire, when the client is silent for too long or
//! does not read, and when the server shuts down.

mod connection;
mod operation;
mod protocol;

use std::sync::Arc;

use axum::extract::Request;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;

use self::connection::Connection;
use super::credentials::{self, RequestCredentials};
use super::media_type::MediaType;
use super::origin;
use crate::server::listener::connection::{ConnectionGuard, UpgradedConnection};
use crate::server::metrics::GaugeGuard;
use crate::server::state::ServerState;
pub(in crate::server) use protocol::Close;
use protocol::{ClientMessage, SUBPROTOCOL};

/// The read buffer, large enough for most client messages. The default of the library costs 128 KiB for each
/// WebSocket.
const READ_BUFFER_BYTES: usize = 512;

/// The write buffer. Messages are flushed when no more are waiting.
const WRITE_BUFFER_BYTES: usize = 16 * 1024;

/// Upgrades the request, unless the origin is not allowed. Headers may contain credentials, which those of
/// `connection_init` override.
pub(in crate::server) fn upgrade(
    shared: Arc<ServerState>,
    upgrade: WebSocketUpgrade,
    request: &Request,
) -> Response {
    let headers = request.headers();
    if !origin::may_open(headers, request.uri(), &shared.settings.cors_origins) {
        let message = "this origin may not open a socket: it is not in `server.cors_origins`\n";
        return (StatusCode::FORBIDDEN, message).into_response();
    }
    let credentials = match RequestCredentials::of_headers(headers) {
        Ok(credentials) => credentials,
        Err(refused) => return credentials::reject(MediaType::Json, &refused),
    };
    let connection_guard = request.extensions().get::<ConnectionGuard>().cloned();
    let upgraded = request.extensions().get::<UpgradedConnection>().cloned();
    // Messages up to twice the limit are read, so that the client can read the close frame.
    let limit = shared.settings.message_limit.saturating_mul(2);
    upgrade
        .protocols([SUBPROTOCOL])
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(limit)
        .max_frame_size(limit)
        .on_upgrade(move |socket| {
            let (tracker, abort) = (shared.tasks.clone(), shared.abort.clone());
            let gauge = GaugeGuard::new(&shared.metrics.sockets);
            let has_subprotocol = socket.protocol().is_some_and(|protocol| protocol == SUBPROTOCOL);
            // Boxed early: every future that it moves through would otherwise include its size.
            let connection = Box::new(Connection::new(shared, socket, credentials));
            tracker.track_future(async move {
                run(connection, has_subprotocol, upgraded, &abort).await;
                drop((connection_guard, gauge));
            })
        })
}

async fn run(
    mut connection: Box<Connection>,
    has_subprotocol: bool,
    upgraded: Option<UpgradedConnection>,
    abort: &CancellationToken,
) {
    let serving = async {
        let close = if has_subprotocol { connection.run().await } else { Some(Close::SUBPROTOCOL) };
        if let Some(close) = close {
            let is_answered = connection.close(close).await;
            if let Some(upgraded) = upgraded.filter(|_| !is_answered) {
                upgraded.linger();
            }
        }
    };
    tokio::select! {
        () = serving => {}
        () = abort.cancelled() => {}
    }
}

/// Parses a client message, and the request or the credentials in it.
pub(in crate::server) fn parse_message(text: &str) -> Result<Option<async_graphql::Request>, Close> {
    match ClientMessage::parse(text)? {
        ClientMessage::Subscribe { payload, .. } => protocol::request(payload).map(Some),
        ClientMessage::ConnectionInit { payload } => {
            let credentials = RequestCredentials::default().with_payload(&payload.unwrap_or_default());
            credentials.map(|_| None).map_err(|refused| credentials::close(&refused))
        }
        _ => Ok(None),
    }
}
