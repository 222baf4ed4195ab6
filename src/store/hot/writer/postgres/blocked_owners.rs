//! Owners whose row in `account` is locked. Each has a worker of its own that waits for the lock, until none of its
//! appends are left.
//!
//! Another transaction has the lock: another replica, or a long write. Appends of the owner that arrive in the
//! meantime collect here, and share a commit when the lock is free.

use std::collections::HashMap;

use sqlx::PgPool;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::task::TaskTracker;

use super::super::batch::BatchReceiver;
use super::super::request::{AppendOutcome, NewMessages, PendingWrite, WorkerContext, WriteRequest};
use super::statements::WAITING_FOR_LOCKS;
use crate::model::OwnerId;

/// The locked owners of one worker.
pub(in crate::store::hot::writer) struct BlockedOwners {
    workers: HashMap<OwnerId, UnboundedSender<WriteRequest>>,
    pool: PgPool,
    context: WorkerContext,
    running: TaskTracker,
}

impl BlockedOwners {
    /// `pool` has the connections that wait for locks.
    pub(in crate::store::hot::writer) fn new(
        pool: PgPool,
        context: WorkerContext,
        running: TaskTracker,
    ) -> Self {
        Self { workers: HashMap::new(), pool, context, running }
    }

    pub(super) fn add(&mut self, request: PendingWrite<NewMessages, AppendOutcome>) {
        let owner = request.work.owner.clone();
        let mut request = WriteRequest::Append(request);
        if let Some(worker) = self.workers.get(&owner) {
            match worker.send(request) {
                Ok(()) => return,
                Err(ended) => request = ended.0,
            }
        }
        self.workers.retain(|_, worker| !worker.is_closed());
        let (worker, batches) = BatchReceiver::new();
        // The receiver exists, so sending succeeds.
        let _ = worker.send(request);
        self.workers.insert(owner, worker);
        self.running.spawn(serve(batches, self.pool.clone(), self.context.clone()));
    }
}

async fn serve(mut batches: BatchReceiver, pool: PgPool, context: WorkerContext) {
    while let Some(batch) = batches.next_at_once() {
        for request in super::write(batch, &pool, &WAITING_FOR_LOCKS, &context).await {
            // Still busy: there is no row to lock.
            request.answer(Ok(AppendOutcome::NotBatchable));
        }
    }
}
