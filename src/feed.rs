//! Following: what was committed, from a position on, each thing once and in order.
//!
//! The database is the truth. A follower first reads from its position to the end, in pages and at its
//! own speed; then it joins the reader that all followers of the same thing share in this process.
//! The reader registers for signals, reads from where it stands to the end, waits for a signal, reads
//! on. So nothing falls between the reading and the waiting. A lost signal costs at most the poll that
//! stands behind it: one statement, every so often, asks for all readers of a kind which of them have
//! missed something.
//!
//! A follower that does not keep up has a bounded queue. Past it, its following ends with the position
//! to resume from; the others notice nothing. What it read by itself and has not taken is bounded the
//! same way. While the database is away, readers wait for it.
//!
//! The first subscriber that is served renders an item, and others with the same selection share the bytes: see
//! [`SharedItem`].
//!
//! What a reader reads is its own and handed to many: it is taken from no operation's allowance, but read in
//! pages that are bounded in bytes.
//!
//! Ownership is part of every read, so following ends when ownership does.

mod error;
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

/// The readers behind subscriptions.
#[derive(Clone)]
pub struct Feed {
    messages: Arc<ReaderRegistry<Messages>>,
    changes: Arc<ReaderRegistry<Changes>>,
    texts: Arc<ReaderRegistry<Texts>>,
}

impl Feed {
    /// A feed that is woken by `signals`, and looks every `poll` without having been woken.
    pub fn new(signals: &Signals, poll: Duration) -> Self {
        Self {
            messages: Arc::new(ReaderRegistry::new(signals.clone(), poll)),
            changes: Arc::new(ReaderRegistry::new(signals.clone(), poll)),
            texts: Arc::new(ReaderRegistry::new(signals.clone(), poll)),
        }
    }

    /// How many readers there are: things that are followed.
    pub fn readers(&self) -> usize {
        self.messages.count() + self.changes.count() + self.texts.count()
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

    /// The changes of everything the owner has after a revision (without one: from now on), then new
    /// ones as they are committed.
    ///
    /// # Errors
    /// - `Expired`: what came after it is no longer kept.
    /// - `Invalid`: `after` is ahead of the feed.
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

    /// A message's text after an offset, then what is added, until the message ends; the last piece
    /// tells how.
    ///
    /// # Errors
    /// - `NotFound`: no such message for this owner.
    /// - `Invalid`: the offset is negative or beyond the text.
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
            let rule = format!("must be from 0 to {length}, the text's length: {offset}");
            return Err(store::Error::from(Invalid::new("offset", rule)).into());
        }
        Ok(subscribe(self.texts.clone(), Texts::new(scope.clone(), id), offset, false))
    }
}
