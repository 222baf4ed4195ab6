//! What reads the messages of sockets, for `fuzz` to feed. Not for anything else.

use async_graphql::Request;

use super::graphql::websocket;

/// The request that a client's message brings, if it brings one; else why the socket is closed.
///
/// # Errors
/// The reason that the close frame gives, of at most 123 bytes.
pub fn socket_message(text: &str) -> Result<Option<Request>, String> {
    websocket::parse_message(text).map_err(|close| close.reason().to_owned())
}
