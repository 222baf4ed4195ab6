//! Owners whose appends have to wait, each in a worker of its own until nothing of theirs is left.
//!
//! Somebody else has such an owner's row: another replica, or a write that takes long. What comes for the
//! owner meanwhile gathers here, and shares a commit when the row is free.

use std::collections::HashMap;

use sqlx::PgPool;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::task::TaskTracker;

use super::super::batch::BatchReceiver;
use super::super::request::{AppendOutcome, NewMessages, PendingWrite, WorkerContext, WriteRequest};
use super::statements::WAITING_FOR_LOCKS;
use crate::model::OwnerId;

/// The waiting owners of one worker.
pub(in crate::store::hot::writer) struct BlockedOwners {
    workers: HashMap<OwnerId, UnboundedSender<WriteRequest>>,
    pool: PgPool,
    context: WorkerContext,
    running: TaskTracker,
}

impl BlockedOwners {
    /// Those who wait use connections of `pool`, as all do who wait for locks.
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
        // The receiver is there.
        let _ = worker.send(request);
        self.workers.insert(owner, worker);
        self.running.spawn(serve(batches, self.pool.clone(), self.context.clone()));
    }
}

async fn serve(mut batches: BatchReceiver, pool: PgPool, context: WorkerContext) {
    while let Some(batch) = batches.next_at_once() {
        for request in super::write(batch, &pool, &WAITING_FOR_LOCKS, &context).await {
            // There is no row to wait for.
            request.answer(Ok(AppendOutcome::NotBatchable));
        }
    }
}
