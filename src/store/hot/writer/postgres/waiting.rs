//! Owners whose appends have to wait, each in a worker of its own until nothing of theirs is left.
//!
//! Somebody else has such an owner's row: another replica, or a write that takes long. What comes for the
//! owner meanwhile gathers here, and shares a commit when the row is free.

use std::collections::HashMap;

use sqlx::PgPool;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::task::TaskTracker;

use super::super::batch::BatchReceiver;
use super::super::request::{Job, NewMessages, Outcome, WorkerContext, WriteRequest};
use super::statements::WAITING;
use crate::model::OwnerId;

/// The waiting owners of one worker.
pub(in crate::store::hot::writer) struct Waiting {
    workers: HashMap<OwnerId, UnboundedSender<Job>>,
    pool: PgPool,
    context: WorkerContext,
    running: TaskTracker,
}

impl Waiting {
    /// Those who wait use connections of `pool`, as all do who wait for locks.
    pub(in crate::store::hot::writer) fn new(
        pool: PgPool,
        context: WorkerContext,
        running: TaskTracker,
    ) -> Self {
        Self { workers: HashMap::new(), pool, context, running }
    }

    pub(super) fn take_in(&mut self, request: WriteRequest<NewMessages, Outcome>) {
        let owner = request.work.owner.clone();
        let mut job = Job::Append(request);
        if let Some(worker) = self.workers.get(&owner) {
            match worker.send(job) {
                Ok(()) => return,
                Err(ended) => job = ended.0,
            }
        }
        self.workers.retain(|_, worker| !worker.is_closed());
        let (worker, batches) = BatchReceiver::new();
        // The receiver is there.
        let _ = worker.send(job);
        self.workers.insert(owner, worker);
        self.running.spawn(serve(batches, self.pool.clone(), self.context.clone()));
    }
}

async fn serve(mut batches: BatchReceiver, pool: PgPool, context: WorkerContext) {
    while let Some(batch) = batches.next_at_once() {
        for request in super::write(batch, &pool, &WAITING, &context).await {
            // There is no row to wait for.
            request.settle(Ok(Outcome::NotBatchable));
        }
    }
}
