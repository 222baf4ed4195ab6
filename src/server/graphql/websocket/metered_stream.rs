//! The byte stream below a WebSocket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frame_meter::{FrameMeter, MAX_HEADER_BYTES};

/// A stream that is read through a [`FrameMeter`]. While the meter is blocked, reads are pending and wake no
/// task: whoever unblocks it must read again.
pub(super) struct MeteredStream<S> {
    inner: S,
    pub(super) meter: FrameMeter,
}

impl<S> MeteredStream<S> {
    pub(super) fn new(inner: S, meter: FrameMeter) -> Self {
        Self { inner, meter }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MeteredStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { inner, meter } = &mut *self;
        loop {
            if meter.blocked().is_some() {
                return Poll::Pending;
            }
            if let Some((header, length)) = meter.next_part() {
                return Poll::Ready(put(buf, &header[..length]));
            }
            if let Some((known, missing)) = meter.incomplete_header() {
                let (mut header, known_bytes) = ([0; MAX_HEADER_BYTES], known.len());
                header[..known_bytes].copy_from_slice(known);
                let mut rest = ReadBuf::new(&mut header[known_bytes..known_bytes + missing]);
                ready!(Pin::new(&mut *inner).poll_read(cx, &mut rest))?;
                let read = rest.filled().len();
                if read == 0 {
                    return Poll::Ready(Ok(()));
                }
                let length = meter.receive(&mut header[..known_bytes + read]);
                if length > 0 {
                    return Poll::Ready(put(buf, &header[..length]));
                }
            } else {
                let most = buf.remaining().min(meter.max_read());
                let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
                ready!(Pin::new(&mut *inner).poll_read(cx, &mut part))?;
                let received = part.filled_mut();
                if received.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                let length = meter.receive(received);
                if length > 0 {
                    buf.advance(length);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

/// The WebSocket library always has space for a header.
fn put(buf: &mut ReadBuf<'_>, header: &[u8]) -> io::Result<()> {
    if buf.remaining() < header.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    buf.put_slice(header);
    Ok(())
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MeteredStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use proptest::prelude::*;
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

    use super::super::frame_meter::MAX_PAYLOAD_BYTES;
    use super::*;

    /// Bytes that arrive in pieces.
    struct Arriving {
        bytes: Vec<u8>,
        at: usize,
        pieces: Box<dyn Iterator<Item = usize>>,
    }

    impl AsyncRead for Arriving {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let piece = self.pieces.next().unwrap();
            if piece == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let end = self.bytes.len().min(self.at + piece.min(buf.remaining()));
            buf.put_slice(&self.bytes[self.at..end]);
            self.at = end;
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Arriving {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// The frames of a message, a ping before each.
    fn frames(kind: Data, fragments: &[Vec<u8>]) -> Vec<Frame> {
        let last = fragments.len() - 1;
        let fragment = |(number, payload): (usize, &Vec<u8>)| {
            let kind = if number == 0 { kind } else { Data::Continue };
            [
                Frame::ping(vec![b'p'; number]),
                Frame::message(payload.clone(), OpCode::Data(kind), number == last),
            ]
        };
        fragments.iter().enumerate().flat_map(fragment).collect()
    }

    fn payload() -> impl Strategy<Value = Vec<u8>> {
        let length = prop_oneof![
            Just(0),
            1..200_usize,
            (1..4_usize, 0..9_usize).prop_map(|(parts, more)| parts * MAX_PAYLOAD_BYTES + more - 4),
            60_000..70_000_usize,
        ];
        length.prop_map(|length| (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn messages_arrive_unchanged(
            messages in prop::collection::vec(prop::collection::vec(payload(), 1..4), 1..6),
            pieces in prop::collection::vec(prop_oneof![0..20_usize, 500..5000_usize], 1..20),
            mask: [u8; 4],
        ) {
            let mut bytes = Vec::new();
            for mut frame in messages.iter().flat_map(|fragments| frames(Data::Binary, fragments)) {
                frame.header_mut().mask = Some(mask);
                frame.format(&mut bytes).unwrap();
            }
            let pieces = Box::new(pieces.into_iter().chain([100]).cycle());
            let mut meter = FrameMeter::new(1_000_000);
            meter.allow(1_000_000);
            let stream = MeteredStream::new(Arriving { bytes, at: 0, pieces }, meter);
            let config = WebSocketConfig::default().read_buffer_size(512).max_frame_size(Some(MAX_PAYLOAD_BYTES));
            let received = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
                let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
                let mut received = Vec::new();
                while let Some(Ok(message)) = socket.next().await {
                    socket.get_mut().meter.allow(1_000_000);
                    received.push(message);
                }
                received
            });
            let data: Vec<_> = received.iter().filter(|message| message.is_binary()).cloned().collect();
            let expected: Vec<_> = messages.iter().map(|fragments| Message::binary(fragments.concat())).collect();
            prop_assert!(data == expected, "{} of {}", data.len(), expected.len());
            let pings = messages.iter().map(Vec::len).sum::<usize>();
            prop_assert_eq!(received.len() - data.len(), pings);
        }
    }
}
