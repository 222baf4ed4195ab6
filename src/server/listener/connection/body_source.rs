//! What is left of an answer.

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body::{Body as _, Frame, SizeHint};

/// Most bytes handed over at once. A client that takes less than this within the write timeout does
/// not read.
const CHUNK_BYTES: usize = 16 * 1024;

/// Kept where it can be let go of while nobody asks for more.
#[derive(Default)]
pub(super) struct BodySource(Mutex<SourceState>);

#[derive(Default)]
enum SourceState {
    /// The request is being worked for.
    #[default]
    Pending,
    /// The second is what the body gave last and was not handed over yet.
    Streaming(Body, Bytes),
    /// Nobody read it.
    Abandoned,
}

/// It was forgotten: the answer cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("the answer was not read in time")]
pub(super) struct WriteTimeout;

impl BodySource {
    pub(super) fn fill(&self, body: Body) {
        *self.state() = SourceState::Streaming(body, Bytes::new());
    }

    pub(super) fn abandon(&self) {
        *self.state() = SourceState::Abandoned;
    }

    pub(super) fn is_abandoned(&self) -> bool {
        matches!(*self.state(), SourceState::Abandoned)
    }

    /// The next piece, of at most [`CHUNK_BYTES`] bytes.
    pub(super) fn poll_chunk(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut state = self.state();
        let (body, rest) = match &mut *state {
            SourceState::Pending => return Poll::Ready(None),
            SourceState::Streaming(body, rest) => (body, rest),
            SourceState::Abandoned => return Poll::Ready(Some(Err(axum::Error::new(WriteTimeout)))),
        };
        if rest.is_empty() {
            match Pin::new(body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) => *rest = bytes,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                ended => return ended,
            }
        }
        let size = rest.len().min(CHUNK_BYTES);
        Poll::Ready(Some(Ok(Frame::data(rest.split_to(size)))))
    }

    pub(super) fn is_end(&self) -> bool {
        match &*self.state() {
            SourceState::Pending => true,
            SourceState::Streaming(body, rest) => rest.is_empty() && body.is_end_stream(),
            SourceState::Abandoned => false,
        }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        if let SourceState::Streaming(body, rest) = &*self.state() {
            let (rest, body) = (rest.len() as u64, body.size_hint());
            hint.set_lower(body.lower() + rest);
            if let Some(upper) = body.upper() {
                hint.set_upper(upper + rest);
            }
        }
        hint
    }

    fn state(&self) -> MutexGuard<'_, SourceState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
