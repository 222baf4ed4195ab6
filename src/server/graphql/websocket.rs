//! GraphQL over WebSocket, subprotocol graphql-transport-ws:
//! <https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>.
//!
//! One task owns the WebSocket. Every operation runs in its own task and sends its messages through a short
//! queue, so a slow reader delays only its own operations and memory is bounded. A panic ends only its
//! operation. The WebSocket is closed when the credentials expire, when the client is silent for too long or
//! does not read, and when the server shuts down.

mod client_socket;
mod connection;
mod frame_meter;
mod handshake;
mod metered_stream;
mod operation;
mod protocol;

use std::sync::Arc;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use tokio_util::sync::CancellationToken;

use self::client_socket::ClientSocket;
use self::connection::Connection;
use super::credentials::{self, RequestCredentials};
use super::media_type::MediaType;
use super::origin;
use crate::memory::UNRESERVED_REQUEST_BYTES;
use crate::server::listener::connection::{ConnectionGuard, UpgradedConnection};
use crate::server::metrics::GaugeGuard;
use crate::server::state::ServerState;
pub(in crate::server) use handshake::WebSocketUpgrade;
use protocol::ClientMessage;
pub(in crate::server) use protocol::Close;

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
    let response = upgrade.response();
    let (tracker, abort, metrics) = (shared.tasks.clone(), shared.abort.clone(), shared.metrics.clone());
    let has_subprotocol = upgrade.has_subprotocol;
    // Boxed, because the task keeps the size of what it awaits for as long as it runs.
    let opening = Box::pin(open(shared, upgrade, credentials));
    tokio::spawn(async move {
        // The client can leave before the response is sent.
        let Some(connection) = opening.await else { return };
        let gauge = GaugeGuard::new(&metrics.sockets);
        let serving = async move {
            run(connection, has_subprotocol, upgraded, &abort).await;
            drop((connection_guard, gauge));
        };
        tracker.track_future(serving).await;
    });
    response
}

/// Waits until the response is sent. The connection is boxed early: every future that it moves through would
/// otherwise include its size.
async fn open(
    shared: Arc<ServerState>,
    upgrade: WebSocketUpgrade,
    credentials: RequestCredentials,
) -> Option<Box<Connection>> {
    let upgraded = TokioIo::new(upgrade.on_upgrade.await.ok()?);
    // A client without credentials sends only `connection_init`.
    let limit = shared.settings.message_limit;
    let socket = ClientSocket::new(upgraded, limit.min(UNRESERVED_REQUEST_BYTES), limit).await;
    Some(Box::new(Connection::new(shared, socket, credentials)))
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
