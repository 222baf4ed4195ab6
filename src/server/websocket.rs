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
use std::time::Duration;

use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::Response;

use super::Shared;
use super::credentials::{self, Introduction};
use super::negotiate::MediaType;
use connection::Connection;
pub(super) use protocol::Close;
use protocol::SUBPROTOCOL;

/// Largest message a client may send.
const MAX_MESSAGE: usize = 1024 * 1024;

/// Buffers of a socket. The library's defaults cost 128 KiB a socket, idle or not.
const BUFFER: usize = 4096;

/// How often the server pings, and how long a client may be silent.
const PING_INTERVAL: Duration = Duration::from_secs(15);
const DEAD_AFTER: Duration = Duration::from_secs(40);

/// Operations that one socket may run at once.
const MAX_OPERATIONS: usize = 50;

/// Takes the upgrade. Credentials may come in its header; those of `connection_init` win.
pub(super) fn upgrade(shared: Arc<Shared>, upgrade: WebSocketUpgrade, headers: &HeaderMap) -> Response {
    let introduction = match Introduction::of_headers(headers) {
        Ok(introduction) => introduction,
        Err(refused) => return credentials::refuse(MediaType::Json, &refused),
    };
    upgrade
        .protocols([SUBPROTOCOL])
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .on_upgrade(move |socket| {
            let tracker = shared.sockets.clone();
            tracker.track_future(run(shared, socket, introduction))
        })
}

async fn run(shared: Arc<Shared>, socket: WebSocket, introduction: Introduction) {
    let spoken = socket.protocol().is_some_and(|protocol| protocol == SUBPROTOCOL);
    let mut connection = Connection::new(shared, socket, introduction);
    let close = if spoken { connection.run().await } else { Some(Close::SUBPROTOCOL) };
    if let Some(close) = close {
        connection.close(close).await;
    }
}
