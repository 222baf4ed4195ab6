//! An operation on a WebSocket.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::client_socket::MessageReservations;
use super::protocol;
use crate::graphql::{RenderedResponse, RequestId, SubscriptionStarted, panicked};
use crate::memory::MemoryReservation;
use crate::model::Viewer;
use crate::server::state::ServerState;
use crate::traces::Parent;

/// Distinguishes an operation from an earlier one with the same id.
pub(super) type OperationSerial = u64;

/// A message of an operation to its WebSocket.
pub(super) struct QueuedMessage {
    pub(super) id: Arc<str>,
    pub(super) serial: OperationSerial,
    pub(super) text: String,
    /// The memory reservation of the text.
    pub(super) held: MemoryReservation,
    /// Whether it is the last message of the operation.
    pub(super) last: bool,
}

/// What a client asks for.
pub(super) struct OperationRequest {
    pub(super) request: Request,
    /// The caller's part of its trace.
    pub(super) parent: Option<Arc<Parent>>,
    /// The memory reservations of the message that contains the request, until the operation has its own.
    pub(super) held: MessageReservations,
}

/// Sends the messages of an operation.
pub(super) struct OperationSender {
    pub(super) id: Arc<str>,
    pub(super) serial: OperationSerial,
    pub(super) queue: mpsc::Sender<Box<QueuedMessage>>,
}

impl OperationSender {
    /// A result, or the error that ends the operation.
    fn result(&self, answer: RenderedResponse, has_failed: bool) -> Box<QueuedMessage> {
        if has_failed {
            return self.error(&answer.response);
        }
        self.message(protocol::next(&self.id, &answer.bytes), answer.held, false)
    }

    fn error(&self, response: &Response) -> Box<QueuedMessage> {
        self.message(protocol::error(&self.id, &response.errors), MemoryReservation::default(), true)
    }

    fn complete(&self) -> Box<QueuedMessage> {
        self.message(protocol::complete(&self.id), MemoryReservation::default(), true)
    }

    fn message(&self, text: String, held: MemoryReservation, last: bool) -> Box<QueuedMessage> {
        Box::new(QueuedMessage { id: self.id.clone(), serial: self.serial, text, held, last })
    }

    /// Waits for space in the queue. If the WebSocket is closed, the message is dropped.
    async fn send(&self, outgoing: Box<QueuedMessage>) {
        let _ = self.queue.send(outgoing).await;
    }
}

/// A started operation.
pub(super) struct RunningOperation {
    pub(super) serial: OperationSerial,
    task: AbortHandle,
    /// Whether it is a subscription, which is known after its document was parsed.
    is_subscription: Arc<AtomicBool>,
}

impl RunningOperation {
    /// Whether it ends by itself: a query or a mutation.
    pub(super) fn is_short_lived(&self) -> bool {
        !self.is_subscription.load(Ordering::Relaxed)
    }
}

impl Drop for RunningOperation {
    /// Cancels the operation if it has not ended.
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Runs an operation in its own task.
pub(super) fn start(
    shared: Arc<ServerState>,
    viewer: Viewer,
    request: OperationRequest,
    sender: OperationSender,
) -> RunningOperation {
    let id = shared.new_request();
    let (serial, is_subscription) = (sender.serial, Arc::new(AtomicBool::new(false)));
    let set_subscription = is_subscription.clone();
    // Boxed, because a task keeps the size of its captures for as long as it runs.
    let request = Box::new(request);
    let task = tokio::spawn(async move {
        let work = AssertUnwindSafe(run(&shared, &viewer, request, &sender, id, &set_subscription));
        if work.catch_unwind().await.is_err() {
            let ended = sender.error(&panicked(id));
            sender.send(ended).await;
        }
    });
    RunningOperation { serial, task: task.abort_handle(), is_subscription }
}

/// Large values are boxed to keep a waiting subscription small.
async fn run(
    shared: &ServerState,
    viewer: &Viewer,
    request: Box<OperationRequest>,
    sender: &OperationSender,
    request_id: RequestId,
    is_subscription: &AtomicBool,
) {
    let OperationRequest { request, parent, held } = *request;
    let mut recorder = shared.record_message(parent.as_deref(), request_id);
    let prepared = shared.prepare(request, &mut recorder).map(Box::new);
    // Not while the task waits: it would keep them for as long as a subscription runs.
    drop(held);
    let mut operation = match prepared {
        Ok(operation) => operation,
        Err(refused) => return sender.send(sender.error(&refused)).await,
    };
    if let Err(refused) = shared.reserve_request(viewer, &mut operation, &mut recorder) {
        let refused = sender.error(&refused);
        drop(operation);
        return sender.send(refused).await;
    }
    if operation.kind == OperationType::Subscription {
        is_subscription.store(true, Ordering::Relaxed);
        let answers = {
            let started = SubscriptionStarted::default();
            shared.stream(viewer, *operation, request_id, None, started, recorder)
        };
        let mut outgoing = Box::pin(answers.map(|(answer, _)| {
            let has_failed = answer.has_failed;
            sender.result(answer, has_failed)
        }));
        while let Some(outgoing) = outgoing.next().await {
            let last = outgoing.last;
            sender.send(outgoing).await;
            if last {
                return;
            }
        }
    } else {
        let answer = shared.execute(viewer, *operation, request_id, recorder).map(|answer| {
            let is_refused = answer.is_request_error;
            sender.result(answer, is_refused)
        });
        let outgoing = Box::pin(answer).await;
        let last = outgoing.last;
        sender.send(outgoing).await;
        if last {
            return;
        }
    }
    sender.send(sender.complete()).await;
}
