//! One operation on a socket.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_graphql::parser::types::OperationType;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::protocol;
use crate::graphql::{RequestId, panicked};
use crate::memory::Held;
use crate::model::Viewer;
use crate::server::Shared;

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
    /// Waits for room in the queue. A socket that is gone has no use for the message.
    async fn send(&self, text: String, last: bool) {
        self.send_held(text, Held::default(), last).await;
    }

    async fn send_held(&self, text: String, held: Held, last: bool) {
        let outgoing = Outgoing { id: self.id.clone(), serial: self.serial, text, held, last };
        let _ = self.queue.send(Box::new(outgoing)).await;
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
pub(super) fn start(
    shared: Arc<Shared>,
    viewer: Viewer,
    request: async_graphql::Request,
    outbox: Outbox,
) -> Running {
    let id = shared.new_request();
    let (serial, follows) = (outbox.serial, Arc::new(AtomicBool::new(false)));
    let told = follows.clone();
    let task = tokio::spawn(async move {
        let work = AssertUnwindSafe(run(&shared, &viewer, request, &outbox, id, &told));
        if work.catch_unwind().await.is_err() {
            let response = panicked(id);
            outbox.send(protocol::error(&outbox.id, &response.errors), true).await;
        }
    });
    Running { serial, task: task.abort_handle(), follows }
}

async fn run(
    shared: &Shared,
    viewer: &Viewer,
    request: async_graphql::Request,
    outbox: &Outbox,
    request_id: RequestId,
    follows: &AtomicBool,
) {
    let operation = match shared.prepare(request) {
        Ok(operation) => operation,
        Err(refused) => return outbox.send(protocol::error(&outbox.id, &refused.errors), true).await,
    };
    if operation.kind == OperationType::Subscription {
        follows.store(true, Ordering::Relaxed);
        let mut events = Box::pin(shared.stream(viewer, operation, request_id, None));
        while let Some((answer, _)) = events.next().await {
            if answer.has_failed {
                return outbox.send(protocol::error(&outbox.id, &answer.response.errors), true).await;
            }
            outbox.send_held(protocol::next(&outbox.id, &answer.bytes), answer.held, false).await;
        }
    } else {
        // In a box of its own: a subscription takes no room for it.
        let answer = Box::pin(shared.execute(viewer, operation, request_id)).await;
        if answer.is_request_error {
            return outbox.send(protocol::error(&outbox.id, &answer.response.errors), true).await;
        }
        outbox.send_held(protocol::next(&outbox.id, &answer.bytes), answer.held, false).await;
    }
    outbox.send(protocol::complete(&outbox.id), true).await;
}
