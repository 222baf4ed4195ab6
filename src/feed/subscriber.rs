//! One subscriber. It first reads from its position to the end by itself, then joins the shared reader.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::{Stream, stream};

use super::error::{Error, Result};
use super::registry::{EndReason, ReaderRegistry, ReaderSubscription};
use super::source::{FeedSource, QUEUE_BYTES};
use crate::model::MAX_PAGE;

/// The number of items in the first read. Items can be large, so the first read is small and its size decides
/// the size of the next one.
const FIRST_READ: u32 = 4;

enum Phase<S: FeedSource> {
    /// Reads from the database by itself, at most `limit` items at once.
    CatchingUp { source: S, read: VecDeque<S::Item>, at_end: bool, limit: u32 },
    /// Gets items from the shared reader.
    Live(ReaderSubscription<S>),
    /// The list has ended.
    Ended,
}

struct Subscriber<S: FeedSource> {
    registry: Arc<ReaderRegistry<S>>,
    /// The position of the last item that was delivered.
    position: i64,
    phase: Phase<S>,
}

/// Delivers every item of `source` after `position`, once and in order. `at_end` says that no item after `position`
/// was committed yet, which saves a read.
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

    /// Joins the shared reader at the end of the list, unless the reader is already at a later position. Reads
    /// otherwise.
    async fn read_or_join(&self, source: S, at_end: bool, limit: u32) -> Result<Phase<S>> {
        let source = if at_end {
            match self.registry.join(source, self.position) {
                Ok(subscription) => return Ok(Phase::Live(subscription)),
                Err(source) => source,
            }
        } else {
            source
        };
        // Boxed to keep the future of a waiting subscriber small.
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

/// The number of items from the front that fit the queue limit, and their bytes. At least one, even if it is larger
/// than the limit.
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
