//! Events of a subscription that are rendered without async-graphql.

use std::sync::Arc;

use async_graphql::{Name, PathSegment, Pos, Response};
use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::error::SubscriptionError;
use crate::memory::MemoryReservation;

/// Events as they are sent, and where in the document they come from.
pub(in crate::graphql) struct PrerenderedStream {
    pub(super) events: BoxStream<'static, Result<RenderedEvent, SubscriptionError>>,
    pub(super) key: Name,
    pub(super) pos: Pos,
}

/// One event as it is sent.
pub(super) struct RenderedEvent {
    pub(super) bytes: Bytes,
    pub(super) held: MemoryReservation,
    pub(super) cursor: Arc<str>,
}

impl PrerenderedStream {
    /// As async-graphql tells of an item that failed.
    pub(super) fn failure(&self, error: SubscriptionError) -> Response {
        let error = async_graphql::Error::from(error).into_server_error(self.pos);
        let path = vec![PathSegment::Field(self.key.to_string())];
        Response::from_errors(vec![error.with_path(path)])
    }
}
