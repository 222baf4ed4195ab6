//! One operation on a socket.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::protocol;
use crate::graphql::{RenderedResponse, RequestId, SubscriptionStarted, panicked};
use crate::memory::Held;
use crate::model::Viewer;
use crate::server::state::ServerState;

/// Tells an operation from an earlier one that had the same id.
pub(super) type Serial = u64;

/// What an operation hands to its socket.
pub(super) struct Outgoing {
    pub(super) id: Arc<str>,
    pub(super) serial: Serial,
    pub(super) text: String,
    /// Until the text is sent.
    pub(super) held: Held,
    /// Whether it is the operation's last message.
    pub(super) last: bool,
}

/// Where an operation's messages go.
pub(super) struct Outbox {
    pub(super) id: Arc<str>,
    pub(super) serial: Serial,
    pub(super) queue: mpsc::Sender<Box<Outgoing>>,
}

impl Outbox {
    /// A result, or how the operation failed and ended with it.
    fn answer(&self, answer: RenderedResponse, has_failed: bool) -> Box<Outgoing> {
        if has_failed {
            return self.error(&answer.response);
        }
        self.message(protocol::next(&self.id, &answer.bytes), answer.held, false)
    }

    fn error(&self, response: &Response) -> Box<Outgoing> {
        self.message(protocol::error(&self.id, &response.errors), Held::default(), true)
    }

    fn complete(&self) -> Box<Outgoing> {
        self.message(protocol::complete(&self.id), Held::default(), true)
    }

    fn message(&self, text: String, held: Held, last: bool) -> Box<Outgoing> {
        Box::new(Outgoing { id: self.id.clone(), serial: self.serial, text, held, last })
    }

    /// Waits for room in the queue. A socket that is gone has no use for the message.
    async fn send(&self, outgoing: Box<Outgoing>) {
        let _ = self.queue.send(outgoing).await;
    }
}

/// An operation that has been started.
pub(super) struct Running {
    pub(super) serial: Serial,
    task: AbortHandle,
    /// Whether it is a subscription. That is known once its document has been read.
    follows: Arc<AtomicBool>,
}

impl Running {
    /// Whether it will end by itself before long.
    pub(super) fn is_brief(&self) -> bool {
        !self.follows.load(Ordering::Relaxed)
    }
}

impl Drop for Running {
    /// Ends the operation, if it has not ended.
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Runs an operation in a task of its own.
pub(super) fn start(shared: Arc<ServerState>, viewer: Viewer, request: Request, outbox: Outbox) -> Running {
    let id = shared.new_request();
    let (serial, follows) = (outbox.serial, Arc::new(AtomicBool::new(false)));
    let told = follows.clone();
    // In a box, as what is made of it: a task has room for all that it is given, for as long as it runs.
    let request = Box::new(request);
    let task = tokio::spawn(async move {
        let work = AssertUnwindSafe(run(&shared, &viewer, request, &outbox, id, &told));
        if work.catch_unwind().await.is_err() {
            let ended = outbox.error(&panicked(id));
            outbox.send(ended).await;
        }
    });
    Running { serial, task: task.abort_handle(), follows }
}

/// What it holds while it waits is small: a box, not what is in it.
async fn run(
    shared: &ServerState,
    viewer: &Viewer,
    request: Box<Request>,
    outbox: &Outbox,
    request_id: RequestId,
    follows: &AtomicBool,
) {
    let mut operation = match shared.prepare(*request).map(Box::new) {
        Ok(operation) => operation,
        Err(refused) => return outbox.send(outbox.error(&refused)).await,
    };
    if let Err(refused) = shared.take_in(viewer, &mut operation) {
        let refused = outbox.error(&refused);
        drop(operation);
        return outbox.send(refused).await;
    }
    if operation.kind == OperationType::Subscription {
        follows.store(true, Ordering::Relaxed);
        let answers = shared.stream(viewer, *operation, request_id, None, SubscriptionStarted::default());
        let mut outgoing = Box::pin(answers.map(|(answer, _)| {
            let has_failed = answer.has_failed;
            outbox.answer(answer, has_failed)
        }));
        while let Some(outgoing) = outgoing.next().await {
            let last = outgoing.last;
            outbox.send(outgoing).await;
            if last {
                return;
            }
        }
    } else {
        let answer = shared.execute(viewer, *operation, request_id).map(|answer| {
            let is_refused = answer.is_request_error;
            outbox.answer(answer, is_refused)
        });
        let outgoing = Box::pin(answer).await;
        let last = outgoing.last;
        outbox.send(outgoing).await;
        if last {
            return;
        }
    }
    outbox.send(outbox.complete()).await;
}
