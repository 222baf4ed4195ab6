//! One subscriber: first alone from its position to the end, then with the others.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::{Stream, stream};

use super::error::{Error, Result};
use super::registry::{EndReason, ReaderRegistry, ReaderSubscription};
use super::source::{FeedSource, QUEUE_BYTES};
use crate::model::MAX_PAGE;

/// Items that a subscriber reads first by itself: few, they may be large. How large they are decides on
/// the next read.
const FIRST_READ: u32 = 4;

enum Phase<S: FeedSource> {
    /// Reading by itself, at its own speed, and at limit so many at once.
    CatchingUp { source: S, read: VecDeque<S::Item>, at_end: bool, limit: u32 },
    /// Handed on by the shared reader.
    Live(ReaderSubscription<S>),
    /// Nothing more will come.
    Ended,
}

struct Subscriber<S: FeedSource> {
    registry: Arc<ReaderRegistry<S>>,
    /// Of the last item that was given.
    position: i64,
    phase: Phase<S>,
}

/// Everything of `source` after `position`, each item once, in order. Where `position` is known to be the
/// end it need not be looked for.
pub(super) fn subscribe<S: FeedSource>(
    registry: Arc<ReaderRegistry<S>>,
    source: S,
    position: i64,
    at_end: bool,
) -> impl Stream<Item = Result<S::Item>> + Send {
    let phase = Phase::CatchingUp { source, read: VecDeque::new(), at_end, limit: FIRST_READ };
    stream::try_unfold(Subscriber { registry, position, phase }, |mut subscriber| async move {
        Ok(subscriber.next().await?.map(|item| (item, subscriber)))
    })
}

impl<S: FeedSource> Subscriber<S> {
    async fn next(&mut self) -> Result<Option<S::Item>> {
        loop {
            match std::mem::replace(&mut self.phase, Phase::Ended) {
                Phase::Ended => return Ok(None),
                Phase::CatchingUp { source, mut read, at_end, limit } => {
                    if let Some(item) = read.pop_front() {
                        self.phase = Phase::CatchingUp { source, read, at_end, limit };
                        return Ok(Some(self.advance(item)));
                    }
                    self.phase = self.read_or_join(source, at_end, limit).await?;
                }
                Phase::Live(mut subscription) => match subscription.next().await {
                    Ok(item) => {
                        self.phase = Phase::Live(subscription);
                        return Ok(Some(self.advance(item)));
                    }
                    Err(EndReason::Ended) => return Ok(None),
                    Err(EndReason::Lagged) => return Err(Error::Lagged(self.position)),
                    Err(EndReason::Failed(error)) => return Err(error.into()),
                },
            }
        }
    }

    /// At the end it joins, unless the shared reader has gone further meanwhile.
    async fn read_or_join(&self, source: S, at_end: bool, limit: u32) -> Result<Phase<S>> {
        let source = if at_end {
            match self.registry.join(source, self.position) {
                Ok(subscription) => return Ok(Phase::Live(subscription)),
                Err(source) => source,
            }
        } else {
            source
        };
        // In a box of its own: a subscriber that waits takes no room for it.
        let batch = Box::pin(source.read(self.position, limit)).await?;
        if batch.ended {
            return Ok(Phase::Ended);
        }
        let mut read = VecDeque::from(batch.items);
        let (fitting, bytes) = fit_queue::<S>(&read);
        let at_end = !batch.has_more && fitting == read.len();
        read.truncate(fitting);
        let limit =
            u32::try_from(fitting * QUEUE_BYTES / bytes.max(1)).unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
        Ok(Phase::CatchingUp { source, read, at_end, limit })
    }

    fn advance(&mut self, item: S::Item) -> S::Item {
        let position = std::mem::replace(&mut self.position, S::position(&item));
        S::skip_to(item, position)
    }
}

/// How many of the first items may wait for a subscriber, and their bytes: at least one, however large.
fn fit_queue<S: FeedSource>(items: &VecDeque<S::Item>) -> (usize, usize) {
    let (mut count, mut bytes) = (0, 0);
    for byte_size in items.iter().map(S::byte_size) {
        if count > 0 && bytes + byte_size > QUEUE_BYTES {
            break;
        }
        count += 1;
        bytes += byte_size;
    }
    (count, bytes)
}
