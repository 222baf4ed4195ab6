//! Ends the sending of a response from outside its connection.

use std::sync::{Arc, OnceLock, Weak};

use axum::response::Response;

use super::activity::RequestExchange;

/// Ends the sending of a response. A handler attaches it to its response. The connection that sends the
/// response connects the two: without one, it has no effect.
#[derive(Clone, Default)]
pub(in crate::server) struct ResponseAbortHandle(Arc<OnceLock<Weak<RequestExchange>>>);

impl ResponseAbortHandle {
    pub(in crate::server) fn attach_to<B>(&self, response: &mut Response<B>) {
        response.extensions_mut().insert(self.clone());
    }

    /// Drops what the client has not read. HTTP/1.1 connections are closed, HTTP/2 streams are reset.
    pub(in crate::server) fn abort(&self) {
        if let Some(exchange) = self.0.get().and_then(Weak::upgrade) {
            exchange.end_response();
        }
    }

    /// Connects a response that has a handle with its exchange.
    pub(super) fn connect<B>(response: &mut Response<B>, exchange: &Arc<RequestExchange>) {
        if let Some(handle) = response.extensions_mut().remove::<Self>() {
            // The handle may be in the body, which the exchange owns.
            let _ = handle.0.set(Arc::downgrade(exchange));
        }
    }
}
