//! Closing a connection whose client may still be sending (RFC 9112, section 9.6).
//!
//! Closing a socket with unread bytes makes the system reset the connection, and a client that is still
//! writing its request then sees an error instead of the answer. So the server first closes only its own
//! side, and reads and drops what still comes, within a limit of bytes and of time.

use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// Bytes read at once. They are dropped at once, so a large body takes no more memory than this.
const BUFFER: usize = 16 * 1024;

/// How much the server reads and drops, and for how long, before it closes a connection for good.
#[derive(Debug, Clone, Copy)]
pub(super) struct LingerLimits {
    pub(super) bytes: u64,
    pub(super) time: Duration,
}

/// Reads and drops what a client still sends.
pub(super) struct Linger {
    remaining: u64,
    deadline: Pin<Box<Sleep>>,
}

impl Linger {
    pub(super) fn new(limits: LingerLimits) -> Self {
        Self { remaining: limits.bytes, deadline: Box::pin(sleep(limits.time)) }
    }

    /// Ready once the client has closed its side, the connection is broken, or a limit is reached.
    pub(super) fn poll(&mut self, stream: &mut TcpStream, cx: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [MaybeUninit::uninit(); BUFFER];
        while self.remaining > 0 && self.deadline.as_mut().poll(cx).is_pending() {
            let mut buffer = ReadBuf::uninit(&mut bytes);
            if ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer)).is_err()
                || buffer.filled().is_empty()
            {
                break;
            }
            self.remaining = self.remaining.saturating_sub(buffer.filled().len() as u64);
        }
        Poll::Ready(())
    }
}

/// Closes the server's side of a connection, and the other side once its client has closed it or a limit is
/// reached.
pub(super) async fn close(mut stream: TcpStream, limits: LingerLimits) {
    if stream.shutdown().await.is_ok() {
        let mut linger = Linger::new(limits);
        std::future::poll_fn(|cx| linger.poll(&mut stream, cx)).await;
    }
}
