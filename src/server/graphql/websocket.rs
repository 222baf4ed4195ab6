//! GraphQL over WebSocket, subprotocol graphql-transport-ws:
//! <https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>.
//!
//! One task owns the socket; every operation runs in a task of its own and hands its messages over
//! a short queue, so that a slow reader holds back its own operations and nothing grows. An
//! operation that panics ends alone. The socket closes when the credentials end, when its other side
//! has been silent for too long or does not read, and when the server shuts down.

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

/// Buffers of a socket, what a client's message usually fits in. The library's defaults cost 128 KiB a
/// socket, idle or not.
const READ_BUFFER_BYTES: usize = 512;

/// What is gathered of messages before they are written: they are when nothing more waits.
const WRITE_BUFFER_BYTES: usize = 16 * 1024;

/// Takes the upgrade, unless it is for a web page that may not call. Credentials may come in its headers;
/// those of `connection_init` win.
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
    // What is a little too large is read, so that the client has sent it all before the socket is closed.
    let limit = shared.settings.message_limit.saturating_mul(2);
    upgrade
        .protocols([SUBPROTOCOL])
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(limit)
        .max_frame_size(limit)
        .on_upgrade(move |socket| {
            let (tracker, abort) = (shared.sockets.clone(), shared.abort.clone());
            let gauge = GaugeGuard::new(&shared.metrics.sockets);
            let has_subprotocol = socket.protocol().is_some_and(|protocol| protocol == SUBPROTOCOL);
            // In a box at once: each future that it is handed through would have room for it.
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

/// Reads what a client says, and the request or the credentials that it brings.
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
