//! Background jobs that run at an interval.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::{Audit, Feed, Files};
use crate::model::Timestamp;
use crate::server::JobFigure;
use crate::store::{Result, Store, in_background};

/// A job that handles data older than `age`.
struct PeriodicJob {
    every: Duration,
    age: Duration,
    /// Logged with the number of handled rows, if there are any.
    succeeded: &'static str,
    failed: &'static str,
}

/// Deletes changes that are older than `feed.keep`.
pub(super) fn delete_old_changes(
    figure: Arc<JobFigure>,
    store: Store,
    clock: Clock,
    feed: &Feed,
) -> impl Future<Output = ()> + Send + use<> {
    let (succeeded, failed) = ("deleted old changes", "cannot delete old changes");
    let job = PeriodicJob { every: feed.trim, age: feed.keep, succeeded, failed };
    job.run_forever(clock, figure, move |before| {
        let store = store.clone();
        async move { store.trim_changes(before).await }
    })
}

/// The longest time between two looks for old entries of the audit log.
const AUDIT_INTERVAL: Duration = Duration::from_secs(3600);

/// Deletes entries of the audit log that are older than `audit.keep`. `None`: they are kept for ever.
pub(super) fn delete_old_audit_entries(
    figure: Arc<JobFigure>,
    store: Store,
    clock: Clock,
    audit: &Audit,
) -> Option<impl Future<Output = ()> + Send + use<>> {
    let (succeeded, failed) = ("deleted old audit entries", "cannot delete old audit entries");
    let age = audit.keep?;
    let job = PeriodicJob { every: age.min(AUDIT_INTERVAL), age, succeeded, failed };
    Some(job.run_forever(clock, figure, move |before| {
        let store = store.clone();
        async move { store.trim_audit(before).await }
    }))
}

/// The longest time between two looks for attachments that nothing refers to.
const UNUSED_INTERVAL: Duration = Duration::from_secs(600);

/// Deletes attachments that nothing refers to and that are older than `files.unused`.
pub(super) fn delete_unused_attachments(
    figure: Arc<JobFigure>,
    store: Store,
    clock: Clock,
    files: &Files,
) -> impl Future<Output = ()> + Send + use<> {
    let (succeeded, failed) = ("deleted unused attachments", "cannot delete unused attachments");
    let job = PeriodicJob { every: files.unused.min(UNUSED_INTERVAL), age: files.unused, succeeded, failed };
    job.run_forever(clock, figure, move |before| {
        let store = store.clone();
        async move { store.delete_unused_attachments(before).await }
    })
}

/// Interrupts streaming messages whose writer's lease expired.
pub(super) fn interrupt_abandoned_messages(
    figure: Arc<JobFigure>,
    store: Store,
    clock: Clock,
    feed: &Feed,
) -> impl Future<Output = ()> + Send + use<> {
    let (succeeded, failed) =
        ("interrupted messages with an expired lease", "cannot interrupt messages with an expired lease");
    let job = PeriodicJob { every: feed.lease / 4, age: feed.lease, succeeded, failed };
    job.run_forever(clock, figure, move |before| {
        let store = store.clone();
        async move { store.interrupt_silent(before).await.map(|count| count as u64) }
    })
}

impl PeriodicJob {
    async fn run_forever<Run>(self, clock: Clock, figure: Arc<JobFigure>, work: impl Fn(Timestamp) -> Run)
    where
        Run: Future<Output = Result<u64>>,
    {
        let Self { every, age, succeeded, failed } = self;
        let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        loop {
            tokio::time::sleep(every).await;
            let work = in_background(work(Timestamp(clock.now().0.saturating_sub(age))));
            match figure.run(work).await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "{succeeded}"),
                Err(error) => tracing::warn!(%error, "{failed}"),
            }
        }
    }
}
