//! What can be followed: lists whose items have places 1, 2, 3, … that commit in order.

use std::hash::Hash;
use std::sync::Arc;

use super::shared_item::SharedItem;
use crate::memory::MemoryBudget;
use crate::model::{
    CommittedChange, ConversationId, End, Message, MessageId, MessageStatus, OwnerId, Page, Range, TextChunk,
};
use crate::signals::Topic;
use crate::store::{Error, Result, Scoped};

/// Bytes that a follower may leave unread: past these its following ends.
pub(super) const QUEUE_BYTES: usize = 1024 * 1024;

/// Bytes of messages that are read in one go: not much more than may wait for a follower.
const MAX_READ_BYTES: usize = 2 * QUEUE_BYTES;

/// What was read in one go.
pub(super) struct Batch<T> {
    pub(super) items: Vec<T>,
    /// There is more already.
    pub(super) has_more: bool,
    /// There is nothing more and never will be.
    pub(super) ended: bool,
}

/// A list to follow.
pub(super) trait FeedSource: Send + Sync + 'static {
    /// Followers with the same key share a reader; it holds the owner.
    type Key: Clone + Eq + Hash + Send + Sync;
    type Item: Clone + Send + Sync;

    fn key(&self) -> Self::Key;

    /// What wakes its reader.
    fn topic(&self) -> Topic;

    /// The items after a position, at most so many, from 1 to [`crate::model::MAX_PAGE`]; fewer where they are
    /// large.
    fn read(&self, after: i64, limit: u32) -> impl Future<Output = Result<Batch<Self::Item>>> + Send;

    /// Which lists, this one or others of its kind, have something after a position, or have ended: their
    /// indices.
    fn find_unread(&self, all: &[(Self::Key, i64)]) -> impl Future<Output = Result<Vec<usize>>> + Send;

    fn position(item: &Self::Item) -> i64;

    /// What of an item lies beyond a position before its own: all of it, unless items can be divided.
    fn skip_to(item: Self::Item, _place: i64) -> Self::Item {
        item
    }

    /// Bytes that an item holds while it waits.
    fn byte_size(item: &Self::Item) -> usize;
}

/// The messages of a conversation, by position.
pub(super) struct Messages {
    scope: Scoped,
    conversation: ConversationId,
}

impl Messages {
    pub(super) fn new(scope: Scoped, conversation: ConversationId) -> Self {
        Self { scope, conversation }
    }
}

impl FeedSource for Messages {
    type Key = (OwnerId, ConversationId);
    type Item = Arc<SharedItem<Message>>;

    fn key(&self) -> Self::Key {
        (self.scope.owner().clone(), self.conversation)
    }

    fn topic(&self) -> Topic {
        Topic::Conversation(self.conversation)
    }

    async fn read(&self, after: i64, limit: u32) -> Result<Batch<Self::Item>> {
        let range = Range { after: Some(after), before: None };
        let mut size = limit;
        let slice = loop {
            // One is read whatever its size.
            let budget =
                if size > 1 { MemoryBudget::with_limit(MAX_READ_BYTES) } else { MemoryBudget::default() };
            let scope = self.scope.clone().within(budget);
            match scope.messages(self.conversation, range, Page { end: End::First, size }).await {
                Err(Error::Memory(_)) if size > 1 => size /= 2,
                read => break read?,
            }
        };
        let ended = slice.items.is_empty() && self.scope.conversation(self.conversation).await?.is_none();
        Ok(Batch {
            items: slice.items.into_iter().map(SharedItem::new).collect(),
            has_more: slice.has_next,
            ended,
        })
    }

    async fn find_unread(&self, all: &[(Self::Key, i64)]) -> Result<Vec<usize>> {
        self.scope.store().conversations_beyond(all).await
    }

    fn position(message: &Self::Item) -> i64 {
        message.position
    }

    fn byte_size(message: &Self::Item) -> usize {
        size_of::<Message>() + message.content.len() + message.metadata.as_str().len()
    }
}

/// Everything that changes for an owner, by revision.
pub(super) struct Changes {
    scope: Scoped,
}

impl Changes {
    pub(super) fn new(scope: Scoped) -> Self {
        Self { scope }
    }
}

impl FeedSource for Changes {
    type Key = OwnerId;
    type Item = CommittedChange;

    fn key(&self) -> OwnerId {
        self.scope.owner().clone()
    }

    fn topic(&self) -> Topic {
        Topic::Account(self.scope.owner().clone())
    }

    async fn read(&self, after: i64, limit: u32) -> Result<Batch<CommittedChange>> {
        let items = self.scope.changes(after, limit).await?;
        let has_more = items.len() == limit as usize;
        Ok(Batch { items, has_more, ended: false })
    }

    async fn find_unread(&self, all: &[(Self::Key, i64)]) -> Result<Vec<usize>> {
        self.scope.store().accounts_beyond(all).await
    }

    fn position(change: &CommittedChange) -> i64 {
        change.revision
    }

    fn byte_size(change: &CommittedChange) -> usize {
        size_of::<CommittedChange>() + change.actor.as_ref().map_or(0, |actor| actor.as_str().len())
    }
}

/// A message's text, by offset. Its last piece stands beyond every other position.
pub(super) struct Texts {
    scope: Scoped,
    message: MessageId,
}

/// The position of the piece that tells how a message ended.
const END_POSITION: i64 = i64::MAX;

impl Texts {
    pub(super) fn new(scope: Scoped, message: MessageId) -> Self {
        Self { scope, message }
    }
}

impl FeedSource for Texts {
    type Key = (OwnerId, MessageId);
    type Item = Arc<SharedItem<TextChunk>>;

    fn key(&self) -> Self::Key {
        (self.scope.owner().clone(), self.message)
    }

    fn topic(&self) -> Topic {
        Topic::Message(self.message)
    }

    /// All pieces there are, whatever was asked for: together they are bounded by the length of a text.
    async fn read(&self, after: i64, _: u32) -> Result<Batch<Self::Item>> {
        let found = if after == END_POSITION { None } else { self.scope.pieces(self.message, after).await? };
        Ok(match found {
            None => Batch { items: Vec::new(), has_more: false, ended: true },
            // The last piece is read, so the end is near enough to look for at once.
            Some((pieces, status)) => {
                let items = pieces.into_iter().map(SharedItem::new).collect();
                Batch { items, has_more: status != MessageStatus::Streaming, ended: false }
            }
        })
    }

    /// All of them: there are only as many as messages are being written.
    async fn find_unread(&self, all: &[(Self::Key, i64)]) -> Result<Vec<usize>> {
        Ok((0..all.len()).collect())
    }

    fn position(piece: &Self::Item) -> i64 {
        match piece.status {
            MessageStatus::Streaming => piece.end(),
            _ => END_POSITION,
        }
    }

    /// The last piece begins where the shared reader was, and a follower that read by itself may be further.
    fn skip_to(piece: Self::Item, position: i64) -> Self::Item {
        if piece.offset >= position {
            piece
        } else {
            SharedItem::new(TextChunk::clone(&piece).skip_to(position))
        }
    }

    fn byte_size(piece: &Self::Item) -> usize {
        size_of::<TextChunk>() + piece.text.len()
    }
}
