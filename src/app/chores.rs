//! What is done again and again beside serving.

use std::time::Duration;

use crate::clock::Clock;
use crate::config::Feed;
use crate::model::Timestamp;
use crate::store::{Result, Store};

/// What is to be done about whatever is older than `age`.
struct Chore {
    every: Duration,
    age: Duration,
    /// Said with the number of things it was done to, where there were any.
    done: &'static str,
    failed: &'static str,
}

/// Removes changes that are older than they are kept.
pub(super) fn trim(store: Store, clock: Clock, feed: &Feed) -> impl Future<Output = ()> + Send + use<> {
    let (done, failed) = ("removed old changes", "cannot remove old changes");
    let chore = Chore { every: feed.trim, age: feed.keep, done, failed };
    chore.again_and_again(clock, move |before| {
        let store = store.clone();
        async move { store.trim_changes(before).await }
    })
}

/// Interrupts messages whose writers are silent for longer than their lease.
pub(super) fn sweep(store: Store, clock: Clock, feed: &Feed) -> impl Future<Output = ()> + Send + use<> {
    let (done, failed) = ("interrupted messages without a writer", "cannot look after streaming messages");
    let chore = Chore { every: feed.lease / 4, age: feed.lease, done, failed };
    chore.again_and_again(clock, move |before| {
        let store = store.clone();
        async move { store.interrupt_silent(before).await.map(|count| count as u64) }
    })
}

impl Chore {
    async fn again_and_again<Done>(self, clock: Clock, work: impl Fn(Timestamp) -> Done)
    where
        Done: Future<Output = Result<u64>>,
    {
        let Self { every, age, done, failed } = self;
        let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        loop {
            tokio::time::sleep(every).await;
            match work(Timestamp(clock.now().0.saturating_sub(age))).await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "{done}"),
                Err(error) => tracing::warn!(%error, "{failed}"),
            }
        }
    }
}
