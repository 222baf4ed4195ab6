//! A WebSocket that limits the memory of the message that it receives.
//!
//! A message larger than [`UNRESERVED_REQUEST_BYTES`](crate::memory::UNRESERVED_REQUEST_BYTES) reserves memory
//! while it is received. The reservation doubles as bytes arrive, so a client must send bytes to hold memory.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Sleep, sleep};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::frame_meter::{Blocked, FrameMeter, MAX_PAYLOAD_BYTES};
use super::metered_stream::MeteredStream;
use super::protocol::Close;
use crate::memory::{MemoryError, MemoryReservation};

/// The read buffer. Larger frames are read in several parts. The default of the library costs 128 KiB for each
/// WebSocket.
const READ_BUFFER_BYTES: usize = 512;

/// The write buffer. Messages are flushed when no more are waiting.
const WRITE_BUFFER_BYTES: usize = 16 * 1024;

/// The most text of a frame. Longer texts are sent in fragments (RFC 6455, 5.4): the library copies a whole frame to its
/// write buffer, and keeps the buffer as large until the WebSocket closes.
const MAX_FRAME_BYTES: usize = WRITE_BUFFER_BYTES;

/// The copies of a message: received and parsed.
const COPIES: usize = 2;

/// How to end the connection: with a close frame, or without one if the client is gone.
pub(super) type CloseAction = Option<Close>;

/// The memory reservations of a message. Small messages have none.
pub(super) type MessageReservations = Vec<MemoryReservation>;

/// A WebSocket of a client.
pub(super) struct ClientSocket<S> {
    stream: WebSocketStream<MeteredStream<S>>,
    /// Boxed, because few messages are large.
    large: Option<Box<LargeMessage>>,
}

/// A message that is being received and needs memory.
struct LargeMessage {
    reservations: MessageReservations,
    reserved_bytes: usize,
    timeout: Pin<Box<Sleep>>,
}

/// A message that was received.
pub(super) struct ReceivedMessage {
    pub(super) message: Message,
    pub(super) held: MessageReservations,
}

impl<S: AsyncRead + AsyncWrite + Unpin> ClientSocket<S> {
    /// A WebSocket over an upgraded connection. No message may ever have more than `limit` bytes, and none more than
    /// `first_limit` until [`set_limit`](Self::set_limit) is called.
    pub(super) async fn new(connection: S, first_limit: usize, limit: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(WRITE_BUFFER_BYTES)
            .max_message_size(Some(limit))
            .max_frame_size(Some(MAX_PAYLOAD_BYTES));
        let metered = MeteredStream::new(connection, FrameMeter::new(first_limit));
        let stream = WebSocketStream::from_raw_socket(metered, Role::Server, Some(config)).await;
        Self { stream, large: None }
    }

    /// Changes the limit of messages.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.stream.get_mut().meter.set_limit(limit);
    }

    /// Drops the messages that the client still sends: only its pings, pongs and close frame are received.
    pub(super) fn discard_messages(&mut self) {
        self.stream.get_mut().meter.discard_data();
    }

    /// Receives a message. A message that needs a reservation must be complete within `time`.
    ///
    /// # Errors
    /// The client is gone, or a message is too large, too slow or not valid, or there is no memory for it.
    pub(super) async fn receive(
        &mut self,
        time: Duration,
        mut reserve: impl FnMut(usize) -> Result<MemoryReservation, MemoryError>,
    ) -> Result<ReceivedMessage, CloseAction> {
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(received) = self.stream.poll_next_unpin(cx) {
                    return Poll::Ready(self.received(received));
                }
                // Otherwise the stream is pending because the client has sent no more.
                let Some(blocked) = self.stream.get_ref().meter.blocked() else { break };
                if let Err(close) = self.unblock(&blocked, time, &mut reserve) {
                    return Poll::Ready(Err(Some(close)));
                }
            }
            let is_discarded = self.stream.get_ref().meter.discards();
            let Some(large) = self.large.as_mut().filter(|_| !is_discarded) else { return Poll::Pending };
            large.timeout.as_mut().poll(cx).map(|()| Err(Some(Close::slow_message(time))))
        })
        .await
    }

    fn received(&mut self, received: Option<Result<Message, Error>>) -> Result<ReceivedMessage, CloseAction> {
        let limit = self.stream.get_ref().meter.limit();
        let message = received.ok_or(None)?.map_err(|error| close_for_error(&error, limit))?;
        // Control frames can arrive between the fragments of a message.
        let is_data = message.is_text() || message.is_binary();
        let large = if is_data { self.large.take() } else { None };
        Ok(ReceivedMessage { message, held: large.map(|large| large.reservations).unwrap_or_default() })
    }

    /// Reserves memory for twice as many bytes of the message.
    fn unblock(
        &mut self,
        blocked: &Blocked,
        time: Duration,
        reserve: &mut impl FnMut(usize) -> Result<MemoryReservation, MemoryError>,
    ) -> Result<(), Close> {
        let meter = &mut self.stream.get_mut().meter;
        if *blocked == Blocked::TooLarge {
            return Err(Close::too_large(meter.limit()));
        }
        let large = self.large.get_or_insert_with(|| {
            let timeout = Box::pin(sleep(time));
            Box::new(LargeMessage { reservations: Vec::new(), reserved_bytes: 0, timeout })
        });
        let allowed = meter.allowed_bytes().saturating_mul(2).min(meter.limit());
        let bytes = COPIES.saturating_mul(allowed);
        let reserved = reserve(bytes.saturating_sub(large.reserved_bytes));
        large.reservations.push(reserved.map_err(|refused| Close::try_again_later(&refused.to_string()))?);
        large.reserved_bytes = bytes;
        meter.allow(allowed);
        Ok(())
    }

    /// Sends a message.
    pub(super) async fn send(&mut self, message: Message) -> Result<(), Error> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Sends a message with the next [`flush`](Self::flush), or when the write buffer is full.
    pub(super) async fn feed(&mut self, message: Message) -> Result<(), Error> {
        match message {
            // Boxed, because few texts are long.
            Message::Text(text) if text.len() > MAX_FRAME_BYTES => {
                Box::pin(self.feed_fragments(text.into())).await
            }
            message => self.stream.feed(message).await,
        }
    }

    async fn feed_fragments(&mut self, mut rest: Bytes) -> Result<(), Error> {
        let mut kind = Data::Text;
        while !rest.is_empty() {
            let fragment = rest.split_to(rest.len().min(MAX_FRAME_BYTES));
            let frame = Frame::message(fragment, OpCode::Data(kind), rest.is_empty());
            self.stream.feed(Message::Frame(frame)).await?;
            kind = Data::Continue;
        }
        Ok(())
    }

    pub(super) async fn flush(&mut self) -> Result<(), Error> {
        self.stream.flush().await
    }
}

/// The close frame after a message that could not be read.
fn close_for_error(error: &Error, limit: usize) -> CloseAction {
    match error {
        Error::Capacity(_) => Some(Close::too_large(limit)),
        Error::Utf8(_) => Some(Close::not_text()),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some(Close::violation()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::memory::{MemoryLimits, MemoryPool, UNRESERVED_REQUEST_BYTES};
    use crate::model::OwnerId;

    const LIMIT: usize = 1024 * 1024;
    const TIME: Duration = Duration::from_secs(15);

    fn pool(requests: usize) -> MemoryPool {
        let requests = u32::try_from(requests).unwrap();
        MemoryPool::new(MemoryLimits { answer: 1, owner: 4, all: 4, requests_of_owner: requests, requests })
    }

    /// A socket, and the connection of its client, which holds a whole message.
    async fn socket() -> (ClientSocket<DuplexStream>, DuplexStream) {
        let (server, client) = duplex(2 * LIMIT);
        (ClientSocket::new(server, LIMIT, LIMIT).await, client)
    }

    /// A frame of a client.
    fn sent(mut frame: Frame) -> Vec<u8> {
        frame.header_mut().mask = Some([0; 4]);
        let mut bytes = Vec::new();
        frame.format(&mut bytes).unwrap();
        bytes
    }

    fn fragment(kind: Data, payload: usize) -> Vec<u8> {
        sent(Frame::message(vec![b'x'; payload], OpCode::Data(kind), false))
    }

    fn text(payload: usize) -> Vec<u8> {
        sent(Frame::message(vec![b'x'; payload], OpCode::Data(Data::Text), true))
    }

    /// Receives the next message with memory from this pool.
    async fn receive(
        socket: &mut ClientSocket<DuplexStream>,
        pool: &MemoryPool,
    ) -> Result<ReceivedMessage, CloseAction> {
        let owner = OwnerId::new("ada").unwrap();
        socket.receive(TIME, |bytes| pool.reserve_request(&owner, bytes)).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_message_reserves_twice_what_it_may_have() {
        let pool = pool(2 * LIMIT);
        let (mut socket, mut client) = socket().await;
        client.write_all(&text(UNRESERVED_REQUEST_BYTES)).await.unwrap();
        assert!(receive(&mut socket, &pool).await.unwrap().held.is_empty());
        let large = text(LIMIT);
        let mut sent = 0;
        for received in [UNRESERVED_REQUEST_BYTES + 100, LIMIT / 8 + 100, LIMIT / 2 + 100, LIMIT - 1] {
            client.write_all(&large[sent..received]).await.unwrap();
            sent = received;
            let waiting = tokio::time::timeout(Duration::from_secs(1), receive(&mut socket, &pool));
            assert!(waiting.await.is_err());
            assert_eq!(pool.reserved_for_requests(), 2 * received.next_power_of_two());
        }
        client.write_all(&large[sent..]).await.unwrap();
        let received = receive(&mut socket, &pool).await.unwrap();
        assert_eq!((received.message.len(), pool.reserved_for_requests()), (LIMIT, 2 * LIMIT));
        drop(received);
        assert_eq!(pool.reserved_for_requests(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_message_without_memory_is_not_read() {
        let pool = pool(2 * LIMIT - 1);
        let (mut socket, mut client) = socket().await;
        client.write_all(&text(LIMIT)).await.unwrap();
        let close = receive(&mut socket, &pool).await.err().unwrap().unwrap();
        assert_eq!(close, Close::try_again_later("too many large requests are in progress: retry later"));
        client.write_all(&sent(Frame::close(None))).await.unwrap();
        socket.discard_messages();
        assert!(receive(&mut socket, &pool).await.unwrap().message.is_close());
        drop(socket);
        assert_eq!(pool.reserved_for_requests(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_message_must_be_complete_in_time() {
        let pool = pool(2 * LIMIT);
        let (mut socket, mut client) = socket().await;
        client.write_all(&fragment(Data::Text, UNRESERVED_REQUEST_BYTES)).await.unwrap();
        assert!(
            tokio::time::timeout(10 * TIME, receive(&mut socket, &pool)).await.is_err(),
            "it is not large"
        );
        client.write_all(&fragment(Data::Continue, 1000)).await.unwrap();
        // Pings keep it from nothing.
        for _ in 0..14 {
            client.write_all(&sent(Frame::ping(""))).await.unwrap();
            assert!(receive(&mut socket, &pool).await.unwrap().message.is_ping());
            assert!(tokio::time::timeout(Duration::from_secs(1), receive(&mut socket, &pool)).await.is_err());
        }
        let close = receive(&mut socket, &pool).await.err().unwrap().unwrap();
        assert_eq!(close, Close::slow_message(TIME));
        assert_eq!((close.code, close.reason()), (4408, "a large message must arrive within 15s"));
    }
}
