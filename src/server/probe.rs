//! Access for fuzzing to the parser of WebSocket messages. Not for other use.

use async_graphql::Request;

use super::graphql::websocket;

/// The request in a client's message, if there is one. The error is the reason of the close frame.
///
/// # Errors
/// The message is not valid. The reason has at most 123 bytes.
pub fn socket_message(text: &str) -> Result<Option<Request>, String> {
    websocket::parse_message(text).map_err(|close| close.reason().to_owned())
}
