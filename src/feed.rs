//! Following: what was committed, from a place on, each thing once and in order.
//!
//! The database is the truth. A follower first registers for signals, then reads from its place to
//! the end in pages, then waits for a signal and reads on. So nothing falls between the reading and
//! the waiting, and a lost signal costs at most the poll that stands behind it.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{Stream, stream};

use crate::model::{ConversationId, End, Invalid, MAX_PAGE, Message, Page, Range};
use crate::signals::{Listener, Signals, Topic};
use crate::store::{Result, Scoped};

/// The readers behind subscriptions.
#[derive(Clone)]
pub struct Feed {
    signals: Signals,
    poll: Duration,
}

impl Feed {
    /// A feed that is woken by `signals`, and looks every `poll` without having been woken.
    pub fn new(signals: Signals, poll: Duration) -> Self {
        Self { signals, poll }
    }

    /// The messages of a conversation after a position (without one: from now on), then new ones as
    /// they are committed. Ends when the conversation is gone.
    ///
    /// # Errors
    /// - `NotFound`: no such conversation for this owner.
    /// - `Invalid`: `after` is ahead of the conversation.
    pub async fn messages(
        &self,
        scope: &Scoped,
        conversation: ConversationId,
        after: Option<i64>,
    ) -> Result<impl Stream<Item = Result<Message>> + use<>> {
        let listener = self.signals.listen(Topic::Conversation(conversation));
        let last = scope.last_position(conversation).await?;
        if after.is_some_and(|after| after > last) {
            return Err(Invalid::new("after", "must be a cursor of this list").into());
        }
        let follower = Follower {
            scope: scope.clone(),
            conversation,
            position: after.unwrap_or(last),
            read: VecDeque::new(),
            at_end: false,
            listener,
            poll: self.poll,
        };
        Ok(stream::try_unfold(follower, |mut follower| async move {
            Ok(follower.next().await?.map(|message| (message, follower)))
        }))
    }
}

struct Follower {
    scope: Scoped,
    conversation: ConversationId,
    /// Of the last message that was read.
    position: i64,
    /// Read and not yet handed on.
    read: VecDeque<Message>,
    /// The last page was not full: read on only after a signal.
    at_end: bool,
    listener: Listener,
    poll: Duration,
}

impl Follower {
    async fn next(&mut self) -> Result<Option<Message>> {
        loop {
            if let Some(message) = self.read.pop_front() {
                return Ok(Some(message));
            }
            if self.at_end {
                // Either way it is time to look: a signal came, or perhaps one was lost.
                let _ = tokio::time::timeout(self.poll, self.listener.signalled()).await;
            }
            let range = Range { after: Some(self.position), before: None };
            let page = Page { end: End::First, size: MAX_PAGE };
            let slice = self.scope.messages(self.conversation, range, page).await?;
            self.at_end = !slice.has_next;
            match slice.items.last() {
                Some(newest) => self.position = newest.position,
                None if self.scope.conversation(self.conversation).await?.is_none() => return Ok(None),
                None => {}
            }
            self.read.extend(slice.items);
        }
    }
}
