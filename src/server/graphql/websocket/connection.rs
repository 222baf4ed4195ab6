//! A WebSocket, from the first message to the close.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::client_socket::{ClientSocket, CloseAction, MessageReservations, ReceivedMessage};
use super::operation::{
    self, OperationRequest, OperationSender, OperationSerial, QueuedMessage, RunningOperation,
};
use super::protocol::{self, ClientMessage, Close};
use crate::graphql::{Code, error_response, rate_limited};
use crate::memory::{MemoryError, MemoryReservation};
use crate::model::{JsonObject, JsonValue, OwnerId, Viewer};
use crate::server::graphql::credentials::{self, RequestCredentials};
use crate::server::quota::QuotaPermit;
use crate::server::state::ServerState;
use crate::traces::Parent;

/// The most queued messages. Messages can be large, so there are few. If the queue is full, operations wait
/// in turn.
const QUEUE_MESSAGES: usize = 4;

/// Time for the client to answer a close frame. If the server disconnected at once, a client that is still
/// sending would not see the reason.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) struct Connection {
    shared: Arc<ServerState>,
    socket: ClientSocket<TokioIo<Upgraded>>,
    /// The credentials of the upgrade's headers.
    credentials: RequestCredentials,
    /// The viewer, after `connection_init`.
    viewer: Option<(Viewer, QuotaPermit<OwnerId>)>,
    /// Resolves when the viewer's token is revoked.
    revoked: BoxFuture<'static, ()>,
    /// The caller's part of the traces of its operations.
    parent: Option<Arc<Parent>>,
    operations: HashMap<Arc<str>, RunningOperation>,
    next_serial: OperationSerial,
    /// Boxed, because a channel allocates space for 32 messages in advance.
    queue: mpsc::Sender<Box<QueuedMessage>>,
    message: mpsc::Receiver<Box<QueuedMessage>>,
    /// The deadline of `connection_init`, later the expiry of the credentials.
    deadline: Instant,
    last_received: Instant,
    next_ping: Instant,
}

impl Connection {
    pub(super) fn new(
        shared: Arc<ServerState>,
        socket: ClientSocket<TokioIo<Upgraded>>,
        credentials: RequestCredentials,
    ) -> Self {
        let (queue, message) = mpsc::channel(QUEUE_MESSAGES);
        let now = Instant::now();
        Self {
            deadline: now + shared.settings.init_timeout,
            last_received: now,
            next_ping: now + shared.settings.ping_interval,
            shared,
            socket,
            credentials,
            viewer: None,
            revoked: Box::pin(std::future::pending()),
            parent: None,
            operations: HashMap::new(),
            next_serial: 0,
            queue,
            message,
        }
    }

    /// Serves the WebSocket until it ends. Returns the close frame to send, if the client is connected.
    pub(super) async fn run(&mut self) -> CloseAction {
        let guard = self.shared.drain.enter();
        let mut must_close = pin!(guard.must_close());
        let mut closing = false;
        let mut timer = pin!(sleep_until(self.next_deadline()));
        loop {
            let next = self.next_deadline();
            // If the timer fires early it is reset, so it need not be reset for every message.
            if next < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(next);
            }
            let ended = tokio::select! {
                () = &mut must_close, if !closing => {
                    closing = true;
                    Ok(())
                }
                () = &mut timer => self.on_timer().await,
                () = &mut self.revoked => Err(Some(Close::forbidden("the token was revoked"))),
                Some(message) = self.message.recv() => self.forward(message).await,
                received = self.socket.receive(
                    self.shared.settings.body_timeout,
                    |bytes| reserve_message(&self.shared, self.viewer.as_ref(), bytes),
                ), if !closing => match received {
                    Ok(received) => {
                        self.last_received = Instant::now();
                        self.handle_frame(received).await
                    }
                    Err(end) => Err(end),
                }
            };
            if let Err(end) = ended {
                return end;
            }
            if closing && !self.operations.values().any(RunningOperation::is_short_lived) {
                return Some(Close::going_away());
            }
        }
    }

    /// Sends a close frame and waits for that of the client. Returns false if none arrived: the client may
    /// still be sending.
    pub(super) async fn close(&mut self, Close { code, reason }: Close) -> bool {
        self.operations.clear();
        self.socket.discard_messages();
        let frame = Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }));
        let sending = self.socket.send(frame);
        if let Ok(Ok(())) = timeout(self.shared.settings.write_timeout, sending).await {
            let answered = async {
                while let Ok(ReceivedMessage { message, .. }) = self.receive_last().await {
                    if message.is_close() {
                        return true;
                    }
                }
                false
            };
            return timeout(CLOSE_TIMEOUT, answered).await.unwrap_or_default();
        }
        false
    }

    /// Receives a message that needs no memory.
    async fn receive_last(&mut self) -> Result<ReceivedMessage, CloseAction> {
        let time = self.shared.settings.body_timeout;
        self.socket.receive(time, |_| Err(MemoryError::RequestsExhausted)).await
    }

    fn next_deadline(&self) -> Instant {
        let dead = self.last_received + self.shared.settings.dead_after;
        self.deadline.min(self.next_ping).min(dead)
    }

    async fn on_timer(&mut self) -> Result<(), CloseAction> {
        let (now, settings) = (Instant::now(), &self.shared.settings);
        if now >= self.deadline {
            return Err(Some(match self.viewer {
                None => Close::init_timeout(),
                Some(_) => Close::forbidden("the credentials have expired"),
            }));
        }
        if now >= self.last_received + settings.dead_after {
            return Err(None);
        }
        if now >= self.next_ping {
            self.next_ping = now + settings.ping_interval;
            return self.send(protocol::ping()).await;
        }
        Ok(())
    }

    async fn handle_frame(&mut self, received: ReceivedMessage) -> Result<(), CloseAction> {
        let ReceivedMessage { message, held } = received;
        match message {
            Message::Text(text) => {
                let message = ClientMessage::parse(&text);
                drop(text);
                // Boxed to keep an idle connection small.
                Box::pin(self.handle_message(message.map_err(Some)?, held)).await
            }
            Message::Binary(_) => Err(Some(Close::bad_request("Messages must be text"))),
            // The library answers pings. It returns no single frames.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(()),
            Message::Close(_) => {
                // The close frame is answered with the next read.
                let _ = timeout(CLOSE_TIMEOUT, self.receive_last()).await;
                Err(None)
            }
        }
    }

    /// Handles a message. Its reservations are kept until an operation has its own.
    async fn handle_message(
        &mut self,
        message: ClientMessage,
        held: MessageReservations,
    ) -> Result<(), CloseAction> {
        match message {
            ClientMessage::ConnectionInit { payload } => {
                if self.viewer.is_some() {
                    return Err(Some(Close::too_many_inits()));
                }
                let payload = payload.unwrap_or_default();
                let credentials = self.credentials.clone().with_payload(&payload);
                let credentials = credentials.map_err(|refused| Some(credentials::close(&refused)))?;
                let viewer = credentials.viewer(&self.shared).await;
                let viewer = viewer.map_err(|refused| Some(credentials::close(&refused)))?;
                let Some(permit) = self.shared.socket_quota.try_acquire(&viewer.owner) else {
                    return Err(Some(Close::too_many_sockets(self.shared.settings.sockets_per_owner)));
                };
                self.socket.set_limit(self.shared.settings.message_limit);
                self.deadline = Instant::now() + self.shared.credential_lifetime(&viewer);
                self.revoked = Box::pin(self.shared.authenticator.revoked(&viewer));
                self.viewer = Some((viewer, permit));
                self.parent = parent_of(&payload).map(Arc::new);
                self.send(protocol::connection_ack()).await
            }
            ClientMessage::Ping { payload } => self.send(protocol::pong(payload)).await,
            ClientMessage::Pong => Ok(()),
            ClientMessage::Subscribe { id, payload } => {
                let Some((viewer, _)) = &self.viewer else { return Err(Some(Close::unauthorized())) };
                if self.operations.contains_key(id.as_str()) {
                    return Err(Some(Close::subscriber_exists(&id)));
                }
                let viewer = viewer.clone();
                let own_parent = match payload.get("extensions") {
                    Some(JsonValue::Object(extensions)) => parent_of(extensions).map(Arc::new),
                    _ => None,
                };
                let parent = own_parent.or_else(|| self.parent.clone());
                let request = protocol::request(payload).map_err(Some)?;
                let most = self.shared.settings.operations_per_socket;
                if self.operations.len() >= most {
                    let message = format!("a WebSocket can run at most {most} operations at once");
                    let refused = error_response(Code::BadRequest, message);
                    return self.send(protocol::error(&id, &refused.errors)).await;
                }
                if let Err(wait) = self.shared.check_rate(&viewer) {
                    return self.send(protocol::error(&id, &rate_limited(wait).errors)).await;
                }
                let (id, serial): (Arc<str>, _) = (id.into(), self.next_serial);
                self.next_serial += 1;
                let request = OperationRequest { request, parent, held };
                let sender = OperationSender { id: id.clone(), serial, queue: self.queue.clone() };
                let running = operation::start(self.shared.clone(), viewer, request, sender);
                self.operations.insert(id, running);
                Ok(())
            }
            ClientMessage::Complete { id } => {
                self.operations.remove(id.as_str());
                Ok(())
            }
        }
    }

    /// Sends the queued messages of operations, except for those that the client has completed meanwhile.
    async fn forward(&mut self, message: Box<QueuedMessage>) -> Result<(), CloseAction> {
        let write_timeout = self.shared.settings.write_timeout;
        let sending = async {
            let mut next = Some(message);
            // At most one full queue, because nothing is received meanwhile.
            let mut more = QUEUE_MESSAGES;
            while let Some(message) = next.take() {
                let running = self.operations.get(&message.id);
                if running.is_some_and(|running| running.serial == message.serial) {
                    if message.last {
                        self.operations.remove(&message.id);
                    }
                    if message.held.is_empty() {
                        self.socket.feed(Message::Text(message.text.into())).await.map_err(drop)?;
                    } else {
                        // Boxed, because few messages are large.
                        Box::pin(send_reserved(&mut self.socket, message)).await?;
                    }
                }
                if more > 0 {
                    more -= 1;
                    next = self.message.try_recv().ok();
                }
            }
            self.socket.flush().await.map_err(drop)
        };
        match timeout(write_timeout, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(())) | Err(_) => Err(None),
        }
    }

    async fn send(&mut self, text: String) -> Result<(), CloseAction> {
        let sending = self.socket.send(Message::Text(text.into()));
        match timeout(self.shared.settings.write_timeout, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(None),
        }
    }
}

/// Sends a large message. Fails if it cannot be sent, or if the client reads it slowly while others wait for
/// memory.
async fn send_reserved(
    socket: &mut ClientSocket<TokioIo<Upgraded>>,
    message: Box<QueuedMessage>,
) -> Result<(), ()> {
    let QueuedMessage { text, mut held, .. } = *message;
    let evicted = Arc::new(Notify::new());
    let notify = evicted.clone();
    held.sending(move || notify.notify_one());
    tokio::select! {
        sent = socket.send(Message::Text(text.into())) => sent.map_err(drop),
        () = evicted.notified() => Err(()),
    }
}

/// The caller's part of traces: `traceparent` and `tracestate` in the payload of `connection_init`, or in the extensions of an
/// operation.
fn parent_of(payload: &JsonObject) -> Option<Parent> {
    let text = |name: &str| match payload.get(name) {
        Some(JsonValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    Parent::parse(text("traceparent")?, text("tracestate"))
}

/// Reserves memory for a message of the viewer.
fn reserve_message(
    shared: &ServerState,
    viewer: Option<&(Viewer, QuotaPermit<OwnerId>)>,
    bytes: usize,
) -> Result<MemoryReservation, MemoryError> {
    let (viewer, _) = viewer.ok_or(MemoryError::RequestsExhausted)?;
    shared.api.reserve_request_bytes(viewer, bytes)
}
