//! The body of an answer, piece by piece.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};

use super::activity::Exchange;

/// Most bytes handed over at once. A client that takes less than this within the write timeout does
/// not read; with HTTP/2 it can hold back one answer while the connection goes on.
const PIECE: usize = 16 * 1024;

/// Hands over what a handler answered, and tells whose turn it is.
pub(super) struct Answer {
    body: Body,
    /// Of the piece that the body gave, what is not handed over.
    rest: Bytes,
    exchange: Exchange,
}

impl Answer {
    pub(super) fn new(body: Body, exchange: Exchange) -> Self {
        exchange.offer();
        Self { body, rest: Bytes::new(), exchange }
    }

    fn piece(&mut self) -> Frame<Bytes> {
        self.exchange.offer();
        let size = self.rest.len().min(PIECE);
        Frame::data(self.rest.split_to(size))
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.piece())));
        }
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Pending => {
                self.exchange.taken();
                Poll::Pending
            }
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(bytes) => {
                    self.rest = bytes;
                    Poll::Ready(Some(Ok(self.piece())))
                }
                Err(trailers) => Poll::Ready(Some(Ok(trailers))),
            },
            ended => ended,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower() + rest);
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}
