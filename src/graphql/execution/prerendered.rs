//! Prerendered events of a subscription.

use std::sync::Arc;

use async_graphql::{Name, PathSegment, Pos, Response};
use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::error::SubscriptionError;
use crate::memory::MemoryReservation;

/// Prerendered events, and the location of the field in the document.
pub(in crate::graphql) struct PrerenderedStream {
    pub(super) events: BoxStream<'static, Result<RenderedEvent, SubscriptionError>>,
    pub(super) key: Name,
    pub(super) pos: Pos,
}

/// A prerendered event.
pub(super) struct RenderedEvent {
    pub(super) bytes: Bytes,
    pub(super) held: MemoryReservation,
    pub(super) cursor: Arc<str>,
}

impl PrerenderedStream {
    /// The response for an item that failed, as async-graphql would make it.
    pub(super) fn failure(&self, error: SubscriptionError) -> Response {
        let error = async_graphql::Error::from(error).into_server_error(self.pos);
        let path = vec![PathSegment::Field(self.key.to_string())];
        Response::from_errors(vec![error.with_path(path)])
    }
}
