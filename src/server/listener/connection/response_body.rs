//! The body of a response.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};

use super::activity::RequestExchange;

/// Passes on the body of a handler's response and records when the client has to read.
pub(super) struct TrackedResponseBody(Arc<RequestExchange>);

impl TrackedResponseBody {
    pub(super) fn new(body: Body, exchange: Arc<RequestExchange>) -> Self {
        exchange.source().fill(body);
        exchange.chunk_sent();
        Self(exchange)
    }
}

impl http_body::Body for TrackedResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let chunk = self.0.source().poll_chunk(cx);
        match &chunk {
            Poll::Pending => self.0.all_sent(),
            Poll::Ready(Some(Ok(_))) => self.0.chunk_sent(),
            Poll::Ready(_) => {}
        }
        chunk
    }

    fn is_end_stream(&self) -> bool {
        self.0.source().is_end()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.source().size_hint()
    }
}
