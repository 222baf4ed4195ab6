//! The byte stream of a connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

use super::activity::ConnectionActivity;
use super::linger::{self, Linger, LingerLimits};
use crate::server::listener::connection_slot::ConnectionSlot;

/// A TCP connection that records its activity. It keeps its slot until it is dropped, even after an upgrade
/// to a WebSocket.
pub(super) struct Transport {
    /// Taken when the transport is dropped.
    connected: Option<(TcpStream, ConnectionSlot)>,
    activity: Arc<ConnectionActivity>,
    limits: LingerLimits,
    closing: Closing,
}

/// The progress of closing a connection.
enum Closing {
    Open,
    /// The server's side is closed. The client may still be sending.
    Lingering(Linger),
    Closed,
}

impl Transport {
    pub(super) fn new(
        stream: TcpStream,
        activity: Arc<ConnectionActivity>,
        limits: LingerLimits,
        slot: ConnectionSlot,
    ) -> Self {
        Self { connected: Some((stream, slot)), activity, limits, closing: Closing::Open }
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        let connected = self.connected.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        Ok(Pin::new(&mut connected.0))
    }

    fn record_write<T>(&self, written: Poll<T>) -> Poll<T> {
        self.activity.write_polled(written.is_pending());
        written
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = self.stream()?.poll_read(cx, buf);
        if buf.filled().len() > before {
            self.activity.bytes_received();
        }
        read
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.stream()?.poll_write(cx, buf);
        self.record_write(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.stream()?.poll_write_vectored(cx, bufs);
        self.record_write(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.connected.as_ref().is_some_and(|(stream, _)| stream.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    /// Closes the server's side. Ready when the client has closed its side, if it may still be sending a
    /// request with an early response, or when a limit is reached.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let (stream, _) = this.connected.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        loop {
            match &mut this.closing {
                Closing::Open => {
                    ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
                    let lingers = this.activity.has_unread_request();
                    this.closing =
                        if lingers { Closing::Lingering(Linger::new(this.limits)) } else { Closing::Closed };
                }
                Closing::Lingering(linger) => {
                    ready!(linger.poll(stream, cx));
                    this.closing = Closing::Closed;
                }
                Closing::Closed => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// WebSockets are dropped without a shutdown.
impl Drop for Transport {
    fn drop(&mut self) {
        if self.activity.lingers_when_dropped()
            && let Some((stream, slot)) = self.connected.take()
            && let Ok(runtime) = Handle::try_current()
        {
            let closing = linger::close(stream, self.limits);
            runtime.spawn(async move {
                closing.await;
                drop(slot);
            });
        }
    }
}
