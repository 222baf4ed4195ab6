//! Serialization of responses, equal on every transport.

use async_graphql::Response;
use axum::body::{Body, Bytes};
use axum::response::Response as HttpResponse;

use crate::graphql::{is_request_error, write_value};
use crate::memory::MemoryReservation;
use crate::server::listener::connection::ResponseAbortHandle;

/// Writes a GraphQL response as JSON. Returns false if it would have more than `most` bytes. A request error
/// has no `data`. <https://spec.graphql.org/draft/#sec-Response-Format>
pub(in crate::server) fn write(out: &mut Vec<u8>, response: &Response, most: usize) -> bool {
    let mut separator = b'{';
    let mut key = |out: &mut Vec<u8>, name: &str| {
        out.push(std::mem::replace(&mut separator, b','));
        out.extend_from_slice(name.as_bytes());
    };
    let mut whole = true;
    if !response.errors.is_empty() {
        key(out, r#""errors":"#);
        whole &= write_json(out, &response.errors);
    }
    if !is_request_error(response) {
        key(out, r#""data":"#);
        whole &= write_value(out, &response.data, most);
    }
    if !response.extensions.is_empty() {
        key(out, r#""extensions":"#);
        whole &= write_json(out, &response.extensions);
    }
    out.push(b'}');
    whole && out.len() <= most
}

fn write_json(out: &mut Vec<u8>, value: &impl serde::Serialize) -> bool {
    // All maps have string keys, so this cannot fail.
    serde_json::to_writer(out, value).is_ok()
}

/// The bytes of a response with their memory reservation.
struct ReservedBytes {
    bytes: Bytes,
    _held: MemoryReservation,
}

impl AsRef<[u8]> for ReservedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Gives the response these bytes as its body, which keeps the reservation until they are sent. The response
/// is aborted if the client reads it slowly while others wait for memory.
pub(in crate::server) fn fill(response: &mut HttpResponse, bytes: Bytes, mut held: MemoryReservation) {
    if held.is_empty() {
        *response.body_mut() = Body::from(bytes);
        return;
    }
    let handle = ResponseAbortHandle::default();
    handle.attach_to(response);
    held.sending(move || handle.abort());
    *response.body_mut() = Body::from(Bytes::from_owner(ReservedBytes { bytes, _held: held }));
}

/// The text of a response. JSON is always UTF-8.
pub(in crate::server) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}
