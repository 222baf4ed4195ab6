//! One socket, from its first message to its close.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::operation::{self, Outbox, Outgoing, Running, Serial};
use super::protocol::{self, ClientMessage, Close};
use crate::graphql::{Code, error_response, rate_limited};
use crate::model::{OwnerId, Viewer};
use crate::server::graphql::credentials::{self, RequestCredentials};
use crate::server::quota::QuotaPermit;
use crate::server::state::ServerState;

/// Messages that wait for the socket: few, they may be large. The operations wait when it is full, in
/// the order they came, so that a busy one holds up no other for longer than its turn.
const QUEUE: usize = 4;

/// How long the other side may take to close a socket that has been closed here. Were it left at once,
/// what that side was still sending would cost it the reason of the close.
const FAREWELL: Duration = Duration::from_secs(1);

/// Ends the connection: with a close frame, or without one when the other side is gone.
type End = Option<Close>;

pub(super) struct Connection {
    shared: Arc<ServerState>,
    socket: WebSocket,
    /// From the upgrade's headers.
    credentials_given: RequestCredentials,
    /// Who it is, once it has introduced itself.
    viewer: Option<(Viewer, QuotaPermit<OwnerId>)>,
    operations: HashMap<Arc<str>, Running>,
    next_serial: Serial,
    /// In boxes, because a queue sets room for 32 aside from its beginning.
    queue: mpsc::Sender<Box<Outgoing>>,
    outgoing: mpsc::Receiver<Box<Outgoing>>,
    /// Until when the client must have introduced itself, afterwards until when its credentials hold.
    deadline: Instant,
    heard: Instant,
    next_ping: Instant,
}

impl Connection {
    pub(super) fn new(
        shared: Arc<ServerState>,
        socket: WebSocket,
        credentials_given: RequestCredentials,
    ) -> Self {
        let (queue, outgoing) = mpsc::channel(QUEUE);
        let now = Instant::now();
        Self {
            deadline: now + shared.settings.init_timeout,
            heard: now,
            next_ping: now + shared.settings.ping_interval,
            shared,
            socket,
            credentials_given,
            viewer: None,
            operations: HashMap::new(),
            next_serial: 0,
            queue,
            outgoing,
        }
    }

    /// Serves the socket until it ends. Gives the close frame to send, if the other side is there.
    pub(super) async fn run(&mut self) -> End {
        let guard = self.shared.drain.enter();
        let mut dismissed = pin!(guard.dismissed());
        let mut leaving = false;
        let mut alarm = pin!(sleep_until(self.next_alarm()));
        loop {
            let next = self.next_alarm();
            // Rung early it is set again; so it need not be moved with every message.
            if next < alarm.deadline() || alarm.is_elapsed() {
                alarm.as_mut().reset(next);
            }
            let ended = tokio::select! {
                () = &mut dismissed, if !leaving => {
                    leaving = true;
                    Ok(())
                }
                () = &mut alarm => self.rung().await,
                Some(outgoing) = self.outgoing.recv() => self.forward(outgoing).await,
                incoming = self.socket.next(), if !leaving => {
                    self.heard = Instant::now();
                    self.take(incoming).await
                }
            };
            if let Err(end) = ended {
                return end;
            }
            if leaving && !self.operations.values().any(Running::is_brief) {
                return Some(Close::going_away());
            }
        }
    }

    /// Sends a close frame, if the other side still reads, and waits a moment for the one it answers. Whether
    /// that came: if not, the other side may still be sending.
    pub(super) async fn close(&mut self, Close { code, reason }: Close) -> bool {
        self.operations.clear();
        let frame = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        let sending = self.socket.send(frame);
        if let Ok(Ok(())) = timeout(self.shared.settings.write_timeout, sending).await {
            let answered = async {
                while let Some(Ok(message)) = self.socket.next().await {
                    if matches!(message, Message::Close(_)) {
                        return true;
                    }
                }
                false
            };
            return timeout(FAREWELL, answered).await.unwrap_or_default();
        }
        false
    }

    fn next_alarm(&self) -> Instant {
        let dead = self.heard + self.shared.settings.dead_after;
        self.deadline.min(self.next_ping).min(dead)
    }

    async fn rung(&mut self) -> Result<(), End> {
        let (now, settings) = (Instant::now(), &self.shared.settings);
        if now >= self.deadline {
            return Err(Some(match self.viewer {
                None => Close::init_timeout(),
                Some(_) => Close::forbidden("the credentials have ended"),
            }));
        }
        if now >= self.heard + settings.dead_after {
            return Err(None);
        }
        if now >= self.next_ping {
            self.next_ping = now + settings.ping_interval;
            return self.send(protocol::ping()).await;
        }
        Ok(())
    }

    async fn take(&mut self, incoming: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        let limit = self.shared.settings.message_limit;
        match incoming {
            Some(Ok(Message::Text(text))) if text.len() > limit => Err(Some(Close::too_large(limit))),
            Some(Ok(Message::Text(text))) => {
                let message = ClientMessage::parse(&text).map_err(Some)?;
                // In a box: a socket that waits takes no room for it.
                Box::pin(self.obey(message)).await
            }
            Some(Ok(Message::Binary(_))) => Err(Some(Close::bad_request("Messages must be text"))),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Err(error)) => Err(unreadable(error, limit)),
            Some(Ok(Message::Close(_))) => {
                // The answer goes out with the next read.
                let _ = timeout(FAREWELL, self.socket.next()).await;
                Err(None)
            }
            None => Err(None),
        }
    }

    async fn obey(&mut self, message: ClientMessage) -> Result<(), End> {
        match message {
            ClientMessage::ConnectionInit { payload } => {
                if self.viewer.is_some() {
                    return Err(Some(Close::too_many_inits()));
                }
                let payload = payload.unwrap_or_default();
                let credentials_given = self.credentials_given.clone().with_payload(&payload);
                let credentials_given =
                    credentials_given.map_err(|refused| Some(credentials::close(&refused)))?;
                let viewer = credentials_given.viewer(&self.shared).await;
                let viewer = viewer.map_err(|refused| Some(credentials::close(&refused)))?;
                let Some(permit) = self.shared.socket_quota.take(&viewer.owner) else {
                    return Err(Some(Close::too_many_sockets(self.shared.settings.sockets_per_owner)));
                };
                self.deadline = Instant::now() + self.shared.time_left(&viewer);
                self.viewer = Some((viewer, permit));
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
                let request = protocol::request(payload).map_err(Some)?;
                let most = self.shared.settings.operations_per_socket;
                if self.operations.len() >= most {
                    let message = format!("a socket may run at most {most} operations at once");
                    let refused = error_response(Code::BadRequest, message);
                    return self.send(protocol::error(&id, &refused.errors)).await;
                }
                if let Err(wait) = self.shared.count(&viewer) {
                    return self.send(protocol::error(&id, &rate_limited(wait).errors)).await;
                }
                let (id, serial): (Arc<str>, _) = (id.into(), self.next_serial);
                self.next_serial += 1;
                let outbox = Outbox { id: id.clone(), serial, queue: self.queue.clone() };
                let running = operation::start(self.shared.clone(), viewer, request, outbox);
                self.operations.insert(id, running);
                Ok(())
            }
            ClientMessage::Complete { id } => {
                self.operations.remove(id.as_str());
                Ok(())
            }
        }
    }

    /// Sends what operations said, all that waits at once, unless the client has completed them meanwhile.
    async fn forward(&mut self, outgoing: Box<Outgoing>) -> Result<(), End> {
        let patience = self.shared.settings.write_timeout;
        let sending = async {
            let (mut next, mut held) = (Some(outgoing), Vec::new());
            // No more than may wait, or the other side would not be heard meanwhile.
            let mut more = QUEUE;
            while let Some(outgoing) = next.take() {
                let running = self.operations.get(&outgoing.id);
                if running.is_some_and(|running| running.serial == outgoing.serial) {
                    if outgoing.last {
                        self.operations.remove(&outgoing.id);
                    }
                    self.socket.feed(Message::Text(outgoing.text.into())).await?;
                    held.extend(outgoing.held.is_counted().then_some(outgoing.held));
                }
                if more > 0 {
                    more -= 1;
                    next = self.outgoing.try_recv().ok();
                }
            }
            self.socket.flush().await
        };
        match timeout(patience, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(None),
        }
    }

    async fn send(&mut self, text: String) -> Result<(), End> {
        let sending = self.socket.send(Message::Text(text.into()));
        match timeout(self.shared.settings.write_timeout, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(None),
        }
    }
}

/// How to close a socket on which something unreadable came.
fn unreadable(error: axum::Error, limit: usize) -> End {
    use tungstenite::Error;
    match error.into_inner().downcast_ref::<Error>()? {
        Error::Capacity(_) => Some(Close::too_large(limit)),
        Error::Utf8(_) => Some(Close::not_text()),
        Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some(Close::violation()),
        _ => None,
    }
}
