//! The readers behind subscriptions: they deliver committed items after a position, each once and in order.
//!
//! A subscriber first reads from its position to the end, in pages and at its own speed. Then it joins the reader that
//! all subscribers of the same list share in this process. The reader registers for signals, reads from its position to
//! the end, waits for a signal, and reads again. The registration comes before the read, so no item falls between the
//! two. A lost signal delays an item until the next poll: one statement at a fixed interval finds all readers that have
//! unread items.
//!
//! Text that this process has committed to a streaming message is not read: the reader is handed it, and only reads if
//! something is missing before it (`cargo bench --bench streams`).
//!
//! Each subscriber has a bounded queue. If the queue is full, the subscription ends with the position to
//! resume from, and other subscribers are not affected. Items that a subscriber reads by itself are bounded
//! in the same way. While the database is unavailable, readers retry.
//!
//! The first subscriber that gets an item renders it. Other subscribers with the same selection share the bytes: see
//! [`SharedItem`].
//!
//! The items of a reader are shared by many operations. They count against no operation's memory budget, but a reader
//! reads them in pages with a limit of bytes.
//!
//! Every read has the owner in its condition, so a subscription ends when the owner loses the object.

mod error;
mod pace;
mod registry;
mod shared_item;
mod source;
mod subscriber;

use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;

use crate::model::{CommittedChange, ConversationId, Invalid, Message, MessageId, TextChunk};
use crate::signals::Signals;
use crate::store::{self, Scoped};
pub use error::{Error, Result};
use registry::ReaderRegistry;
pub use shared_item::{Rendering, SharedItem};
use source::{Changes, Messages, Texts};
use subscriber::subscribe;

/// The readers behind subscriptions. Clones share them.
#[derive(Clone)]
pub struct Feed {
    messages: Arc<ReaderRegistry<Messages>>,
    changes: Arc<ReaderRegistry<Changes>>,
    texts: Arc<ReaderRegistry<Texts>>,
}

impl Feed {
    /// A feed that `signals` wakes and that also polls the database at the interval `poll`.
    pub fn new(signals: &Signals, poll: Duration) -> Self {
        Self {
            messages: Arc::new(ReaderRegistry::new(signals.clone(), poll)),
            changes: Arc::new(ReaderRegistry::new(signals.clone(), poll)),
            texts: Arc::new(ReaderRegistry::new(signals.clone(), poll)),
        }
    }

    /// The number of lists with at least one subscriber.
    pub fn readers(&self) -> usize {
        self.messages.count() + self.changes.count() + self.texts.count()
    }

    /// The items that subscribers have not taken yet: of all together, and of the one with the most.
    pub fn backlog(&self) -> (usize, usize) {
        let backlogs = [self.messages.backlog(), self.changes.backlog(), self.texts.backlog()];
        backlogs.into_iter().fold((0, 0), |(all, most), (sum, max)| (all + sum, most.max(max)))
    }

    /// Subscribes to the messages of a conversation: those after the position `after`, or only new ones without it.
    /// The stream ends when the conversation is deleted.
    ///
    /// # Errors
    /// - `NotFound`: the owner has no such conversation.
    /// - `Invalid`: `after` is greater than the last position of the conversation.
    pub async fn messages(
        &self,
        scope: &Scoped,
        conversation: ConversationId,
        after: Option<i64>,
    ) -> Result<impl Stream<Item = Result<Arc<SharedItem<Message>>>> + Send + use<>> {
        let scope = &scope.apart();
        let last = scope.last_position(conversation).await?;
        if after.is_some_and(|after| after > last) {
            return Err(store::Error::from(Invalid::new("after", "must be a cursor of this list")).into());
        }
        let source = Messages::new(scope.clone(), conversation);
        let position = after.unwrap_or(last);
        Ok(subscribe(self.messages.clone(), source, position, position == last))
    }

    /// Subscribes to the changes of the owner: those after the revision `after`, or only new ones without it.
    ///
    /// # Errors
    /// - `Expired`: changes after this revision were already deleted.
    /// - `Invalid`: `after` is greater than the last revision.
    pub async fn changes(
        &self,
        scope: &Scoped,
        after: Option<i64>,
    ) -> Result<impl Stream<Item = Result<CommittedChange>> + Send + use<>> {
        let scope = &scope.apart();
        let position = match after {
            Some(after) => {
                scope.changes(after, 1).await?;
                after
            }
            None => scope.revision().await?,
        };
        Ok(subscribe(self.changes.clone(), Changes::new(scope.clone()), position, after.is_none()))
    }

    /// Subscribes to the text of a message after an offset, until the message ends. The last chunk has the final
    /// status.
    ///
    /// # Errors
    /// - `NotFound`: the owner has no such message.
    /// - `Invalid`: the offset is negative or greater than the length of the text.
    pub async fn text(
        &self,
        scope: &Scoped,
        id: MessageId,
        offset: i64,
    ) -> Result<impl Stream<Item = Result<Arc<SharedItem<TextChunk>>>> + Send + use<>> {
        let scope = &scope.apart();
        let text = scope.texts(&[id]).await?.remove(&id).ok_or(store::Error::NotFound("message"))?;
        let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        if !(0..=length).contains(&offset) {
            let rule = format!("must be between 0 and {length} (the length of the text), got {offset}");
            return Err(store::Error::from(Invalid::new("offset", rule)).into());
        }
        Ok(subscribe(self.texts.clone(), Texts::new(scope.clone(), id), offset, false))
    }
}
