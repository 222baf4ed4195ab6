//! Owners whose appends have to wait, each in a lane of its own until nothing of theirs is left.
//!
//! Somebody else has such an owner's row: another replica, or a write that takes long. What comes for the
//! owner meanwhile gathers here, and shares a commit when the row is free.

use std::collections::HashMap;

use sqlx::PgPool;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::task::TaskTracker;

use super::super::plan::Intake;
use super::super::request::{Desk, Draft, Job, Order, Outcome};
use super::statements::WAITING;
use crate::model::OwnerId;

/// The waiting owners of one lane.
pub(in crate::store::hot::writer) struct Waiting {
    lanes: HashMap<OwnerId, UnboundedSender<Job>>,
    pool: PgPool,
    desk: Desk,
    running: TaskTracker,
}

impl Waiting {
    /// Those who wait use connections of `pool`, as all do who wait for locks.
    pub(in crate::store::hot::writer) fn new(pool: PgPool, desk: Desk, running: TaskTracker) -> Self {
        Self { lanes: HashMap::new(), pool, desk, running }
    }

    pub(super) fn take_in(&mut self, order: Order<Draft, Outcome>) {
        let owner = order.work.owner.clone();
        let mut job = Job::Append(order);
        if let Some(lane) = self.lanes.get(&owner) {
            match lane.send(job) {
                Ok(()) => return,
                Err(ended) => job = ended.0,
            }
        }
        self.lanes.retain(|_, lane| !lane.is_closed());
        let (lane, intake) = Intake::new();
        // The receiver is there.
        let _ = lane.send(job);
        self.lanes.insert(owner, lane);
        self.running.spawn(serve(intake, self.pool.clone(), self.desk.clone()));
    }
}

async fn serve(mut intake: Intake, pool: PgPool, desk: Desk) {
    while let Some(batch) = intake.next_at_once() {
        for order in super::write(batch, &pool, &WAITING, &desk).await {
            // There is no row to wait for.
            order.settle(Ok(Outcome::Apart));
        }
    }
}
