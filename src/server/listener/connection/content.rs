//! What is left of an answer.

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body::{Body as _, Frame, SizeHint};

/// Most bytes handed over at once. A client that takes less than this within the write timeout does
/// not read.
const PIECE: usize = 16 * 1024;

/// Kept where it can be let go of while nobody asks for more.
#[derive(Default)]
pub(super) struct Content(Mutex<State>);

#[derive(Default)]
enum State {
    /// The request is being worked for.
    #[default]
    Awaited,
    /// The second is what the body gave last and was not handed over yet.
    Left(Body, Bytes),
    /// Nobody read it.
    Forgotten,
}

/// It was forgotten: the answer cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("the answer was not read in time")]
pub(super) struct Unread;

impl Content {
    pub(super) fn fill(&self, body: Body) {
        *self.state() = State::Left(body, Bytes::new());
    }

    pub(super) fn forget(&self) {
        *self.state() = State::Forgotten;
    }

    pub(super) fn is_forgotten(&self) -> bool {
        matches!(*self.state(), State::Forgotten)
    }

    /// The next piece, of at most [`PIECE`] bytes.
    pub(super) fn poll_piece(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut state = self.state();
        let (body, rest) = match &mut *state {
            State::Awaited => return Poll::Ready(None),
            State::Left(body, rest) => (body, rest),
            State::Forgotten => return Poll::Ready(Some(Err(axum::Error::new(Unread)))),
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
        let size = rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(rest.split_to(size)))))
    }

    pub(super) fn is_end(&self) -> bool {
        match &*self.state() {
            State::Awaited => true,
            State::Left(body, rest) => rest.is_empty() && body.is_end_stream(),
            State::Forgotten => false,
        }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        if let State::Left(body, rest) = &*self.state() {
            let (rest, body) = (rest.len() as u64, body.size_hint());
            hint.set_lower(body.lower() + rest);
            if let Some(upper) = body.upper() {
                hint.set_upper(upper + rest);
            }
        }
        hint
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
