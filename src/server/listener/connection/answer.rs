//! The body of an answer, piece by piece.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};

use super::activity::Exchange;

/// Hands over what a handler answered, and tells whose turn it is.
pub(super) struct Answer(Arc<Exchange>);

impl Answer {
    pub(super) fn new(body: Body, exchange: Arc<Exchange>) -> Self {
        exchange.content().fill(body);
        exchange.offer();
        Self(exchange)
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let piece = self.0.content().poll_piece(cx);
        match &piece {
            Poll::Pending => self.0.taken(),
            Poll::Ready(Some(Ok(_))) => self.0.offer(),
            Poll::Ready(_) => {}
        }
        piece
    }

    fn is_end_stream(&self) -> bool {
        self.0.content().is_end()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.content().size_hint()
    }
}
