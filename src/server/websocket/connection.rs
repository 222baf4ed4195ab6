//! One socket, from its first message to its close.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};

use super::operation::{self, Outbox, Outgoing, Serial};
use super::protocol::{self, ClientMessage, Close};
use super::{DEAD_AFTER, MAX_OPERATIONS, PING_INTERVAL};
use crate::graphql::{Code, error_response, rate_limited};
use crate::model::Viewer;
use crate::server::Shared;
use crate::server::credentials::{self, Introduction};

/// Messages that wait for the socket: few, they may be large. The operations wait when it is full.
const QUEUE: usize = 4;

/// Ends the connection: with a close frame, or without one when the other side is gone.
type End = Option<Close>;

pub(super) struct Connection {
    shared: Arc<Shared>,
    socket: WebSocket,
    /// From the upgrade's headers.
    introduction: Introduction,
    viewer: Option<Viewer>,
    operations: HashMap<Arc<str>, (Serial, AbortHandle)>,
    next_serial: Serial,
    queue: mpsc::Sender<Outgoing>,
    outgoing: mpsc::Receiver<Outgoing>,
}

impl Connection {
    pub(super) fn new(shared: Arc<Shared>, socket: WebSocket, introduction: Introduction) -> Self {
        let (queue, outgoing) = mpsc::channel(QUEUE);
        let operations = HashMap::new();
        Self { shared, socket, introduction, viewer: None, operations, next_serial: 0, queue, outgoing }
    }

    /// Serves the socket until it ends. Gives the close frame to send, if the other side is there.
    pub(super) async fn run(&mut self) -> End {
        let closing = self.shared.closing.clone();
        let start = Instant::now();
        // Until the client has introduced itself, afterwards until its credentials end.
        let mut deadline = start + self.shared.settings.init_timeout;
        let mut heard = start;
        let mut ping = interval_at(start + PING_INTERVAL, PING_INTERVAL);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let ended = tokio::select! {
                () = closing.cancelled() => Err(Some(Close::going_away())),
                () = sleep_until(deadline) => Err(Some(match self.viewer {
                    None => Close::init_timeout(),
                    Some(_) => Close::forbidden("the credentials have ended"),
                })),
                _ = ping.tick() => {
                    if heard.elapsed() > DEAD_AFTER { Err(None) } else { self.send(protocol::ping()).await }
                }
                Some(outgoing) = self.outgoing.recv() => self.forward(outgoing).await,
                incoming = self.socket.next() => {
                    heard = Instant::now();
                    let known = self.viewer.is_some();
                    let taken = self.take(incoming).await;
                    if !known && let Some(viewer) = &self.viewer {
                        deadline = Instant::now() + self.shared.time_left(viewer);
                    }
                    taken
                }
            };
            if let Err(end) = ended {
                return end;
            }
        }
    }

    /// Sends a close frame, if the other side still reads.
    pub(super) async fn close(&mut self, Close { code, reason }: Close) {
        let frame = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        let _ = timeout(self.shared.settings.write_timeout, self.socket.send(frame)).await;
    }

    async fn take(&mut self, incoming: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        match incoming {
            Some(Ok(Message::Text(text))) => self.obey(ClientMessage::parse(&text).map_err(Some)?).await,
            Some(Ok(Message::Binary(_))) => Err(Some(Close::bad_request("Messages must be text"))),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(None),
        }
    }

    async fn obey(&mut self, message: ClientMessage) -> Result<(), End> {
        match message {
            ClientMessage::ConnectionInit { payload } => {
                if self.viewer.is_some() {
                    return Err(Some(Close::too_many_inits()));
                }
                let payload = payload.unwrap_or_default();
                let introduction = self.introduction.clone().with_payload(&payload);
                let introduction = introduction.map_err(|refused| Some(credentials::close(&refused)))?;
                let viewer = introduction.viewer(&self.shared).await;
                self.viewer = Some(viewer.map_err(|refused| Some(credentials::close(&refused)))?);
                self.send(protocol::connection_ack()).await
            }
            ClientMessage::Ping { payload } => self.send(protocol::pong(payload)).await,
            ClientMessage::Pong {} => Ok(()),
            ClientMessage::Subscribe { id, payload } => {
                let viewer = self.viewer.clone().ok_or_else(|| Some(Close::unauthorized()))?;
                if self.operations.contains_key(id.as_str()) {
                    return Err(Some(Close::subscriber_exists(&id)));
                }
                let request = protocol::request(payload).map_err(Some)?;
                if self.operations.len() >= MAX_OPERATIONS {
                    let message = format!("a socket may run at most {MAX_OPERATIONS} operations at once");
                    let refused = error_response(Code::BadRequest, message);
                    return self.send(protocol::error(&id, &refused.errors)).await;
                }
                if let Err(wait) = self.shared.count(&viewer) {
                    return self.send(protocol::error(&id, &rate_limited(wait).errors)).await;
                }
                let (id, serial): (Arc<str>, _) = (id.into(), self.next_serial);
                self.next_serial += 1;
                let outbox = Outbox { id: id.clone(), serial, queue: self.queue.clone() };
                let abort = operation::start(self.shared.clone(), viewer, request, outbox);
                self.operations.insert(id, (serial, abort));
                Ok(())
            }
            ClientMessage::Complete { id } => {
                if let Some((_, abort)) = self.operations.remove(id.as_str()) {
                    abort.abort();
                }
                Ok(())
            }
        }
    }

    /// Sends what an operation said, unless the client has completed it meanwhile.
    async fn forward(&mut self, outgoing: Outgoing) -> Result<(), End> {
        let running = self.operations.get(&outgoing.id).is_some_and(|(serial, _)| *serial == outgoing.serial);
        if !running {
            return Ok(());
        }
        if outgoing.last {
            self.operations.remove(&outgoing.id);
        }
        self.send(outgoing.text).await
    }

    async fn send(&mut self, text: String) -> Result<(), End> {
        let sending = self.socket.send(Message::Text(text.into()));
        match timeout(self.shared.settings.write_timeout, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(None),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        for (_, abort) in self.operations.values() {
            abort.abort();
        }
    }
}
