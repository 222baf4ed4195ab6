//! The body of a request.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::activity::ConnectionActivity;

/// Records if it is dropped before it was read to the end.
pub(super) struct RequestBody {
    incoming: Incoming,
    activity: Arc<ConnectionActivity>,
    is_read: bool,
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming, activity: Arc<ConnectionActivity>) -> Self {
        Self { incoming, activity, is_read: false }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.incoming).poll_frame(cx);
        self.is_read |= matches!(frame, Poll::Ready(None));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if !self.is_read && !self.incoming.is_end_stream() {
            self.activity.leave_unread(self.incoming.size_hint().upper().unwrap_or(u64::MAX));
        }
    }
}
