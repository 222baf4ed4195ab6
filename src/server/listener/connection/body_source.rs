//! The rest of a response body.

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body::{Body as _, Frame, SizeHint};

/// The largest chunk. A client that reads less than this within the write timeout counts as not reading.
const CHUNK_BYTES: usize = 16 * 1024;

/// The chunks of a larger piece of a body are copies, so that its memory is free when the rest is dropped,
/// while a chunk still waits in the buffers of the connection.
const SHARED_BYTES: usize = 256 * 1024;

/// The rest of a response body, which can be dropped while the client does not read.
#[derive(Default)]
pub(super) struct BodySource(Mutex<SourceState>);

#[derive(Default)]
enum SourceState {
    /// There is no response yet.
    #[default]
    Pending,
    /// The body, and the bytes that it returned and that were not passed on yet.
    Streaming(Body, UnsentBytes),
    /// It was dropped because the client did not read it.
    Abandoned,
}

/// The bytes of a piece of a body that were not passed on yet.
#[derive(Default)]
struct UnsentBytes {
    bytes: Bytes,
    /// Whether chunks are copies.
    copied: bool,
}

impl UnsentBytes {
    fn new(bytes: Bytes) -> Self {
        Self { copied: bytes.len() > SHARED_BYTES, bytes }
    }

    fn next_chunk(&mut self) -> Bytes {
        let size = self.bytes.len().min(CHUNK_BYTES);
        let chunk = self.bytes.split_to(size);
        if self.copied { Bytes::copy_from_slice(&chunk) } else { chunk }
    }
}

/// The response was aborted because the client did not read it in time.
#[derive(Debug, thiserror::Error)]
#[error("the client did not read the response in time")]
pub(super) struct WriteTimeout;

impl BodySource {
    pub(super) fn fill(&self, body: Body) {
        *self.state() = SourceState::Streaming(body, UnsentBytes::default());
    }

    pub(super) fn abandon(&self) {
        *self.state() = SourceState::Abandoned;
    }

    pub(super) fn is_abandoned(&self) -> bool {
        matches!(*self.state(), SourceState::Abandoned)
    }

    /// The next chunk, of at most [`CHUNK_BYTES`] bytes.
    pub(super) fn poll_chunk(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut state = self.state();
        let (body, rest) = match &mut *state {
            SourceState::Pending => return Poll::Ready(None),
            SourceState::Streaming(body, rest) => (body, rest),
            SourceState::Abandoned => return Poll::Ready(Some(Err(axum::Error::new(WriteTimeout)))),
        };
        if rest.bytes.is_empty() {
            match Pin::new(body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) => *rest = UnsentBytes::new(bytes),
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                ended => return ended,
            }
        }
        Poll::Ready(Some(Ok(Frame::data(rest.next_chunk()))))
    }

    pub(super) fn is_end(&self) -> bool {
        match &*self.state() {
            SourceState::Pending => true,
            SourceState::Streaming(body, rest) => rest.bytes.is_empty() && body.is_end_stream(),
            SourceState::Abandoned => false,
        }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        if let SourceState::Streaming(body, rest) = &*self.state() {
            let (rest, body) = (rest.bytes.len() as u64, body.size_hint());
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
