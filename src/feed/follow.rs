//! One follower: first alone from its place to the end, then with the others.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::{Stream, stream};

use super::error::{Error, Result};
use super::hub::{Hub, Membership, Outcome};
use super::source::{QUEUE_BYTES, Source};
use crate::model::MAX_PAGE;

/// Items that a follower reads first by itself: few, they may be large. How large they are decides on
/// the next read.
const FIRST_READ: u32 = 4;

enum Phase<S: Source> {
    /// Reading by itself, at its own speed, and at most so many at once.
    Alone { source: S, read: VecDeque<S::Item>, at_end: bool, most: u32 },
    /// Handed on by the shared reader.
    Together(Membership<S>),
    /// Nothing more will come.
    Over,
}

struct Follower<S: Source> {
    hub: Arc<Hub<S>>,
    /// Of the last item that was given.
    place: i64,
    phase: Phase<S>,
}

/// Everything of `source` after `place`, each item once, in order. Where `place` is known to be the
/// end it need not be looked for.
pub(super) fn follow<S: Source>(
    hub: Arc<Hub<S>>,
    source: S,
    place: i64,
    at_end: bool,
) -> impl Stream<Item = Result<S::Item>> + Send {
    let phase = Phase::Alone { source, read: VecDeque::new(), at_end, most: FIRST_READ };
    stream::try_unfold(Follower { hub, place, phase }, |mut follower| async move {
        Ok(follower.next().await?.map(|item| (item, follower)))
    })
}

impl<S: Source> Follower<S> {
    async fn next(&mut self) -> Result<Option<S::Item>> {
        loop {
            match std::mem::replace(&mut self.phase, Phase::Over) {
                Phase::Over => return Ok(None),
                Phase::Alone { source, mut read, at_end, most } => {
                    if let Some(item) = read.pop_front() {
                        self.phase = Phase::Alone { source, read, at_end, most };
                        return Ok(Some(self.passed(item)));
                    }
                    self.phase = self.read_or_join(source, at_end, most).await?;
                }
                Phase::Together(mut membership) => match membership.next().await {
                    Ok(item) => {
                        self.phase = Phase::Together(membership);
                        return Ok(Some(self.passed(item)));
                    }
                    Err(Outcome::Ended) => return Ok(None),
                    Err(Outcome::Behind) => return Err(Error::Behind(self.place)),
                    Err(Outcome::Failed(error)) => return Err(error.into()),
                },
            }
        }
    }

    /// At the end it joins, unless the shared reader has gone further meanwhile.
    async fn read_or_join(&self, source: S, at_end: bool, most: u32) -> Result<Phase<S>> {
        let source = if at_end {
            match self.hub.join(source, self.place) {
                Ok(membership) => return Ok(Phase::Together(membership)),
                Err(source) => source,
            }
        } else {
            source
        };
        // In a box of its own: a follower that waits takes no room for it.
        let batch = Box::pin(source.read(self.place, most)).await?;
        if batch.ended {
            return Ok(Phase::Over);
        }
        let mut read = VecDeque::from(batch.items);
        let (fitting, bytes) = fitting::<S>(&read);
        let at_end = !batch.more && fitting == read.len();
        read.truncate(fitting);
        let most = u32::try_from(fitting * QUEUE_BYTES / bytes.max(1)).unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
        Ok(Phase::Alone { source, read, at_end, most })
    }

    fn passed(&mut self, item: S::Item) -> S::Item {
        let place = std::mem::replace(&mut self.place, S::place(&item));
        S::beyond(item, place)
    }
}

/// How many of the first items may wait for a follower, and their bytes: at least one, however large.
fn fitting<S: Source>(items: &VecDeque<S::Item>) -> (usize, usize) {
    let (mut count, mut bytes) = (0, 0);
    for weight in items.iter().map(S::weight) {
        if count > 0 && bytes + weight > QUEUE_BYTES {
            break;
        }
        count += 1;
        bytes += weight;
    }
    (count, bytes)
}
