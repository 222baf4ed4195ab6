//! The lists that can be subscribed to. Their items have positions 1, 2, 3, … that are committed in order.

use std::hash::Hash;
use std::sync::Arc;

use super::shared_item::SharedItem;
use crate::memory::MemoryBudget;
use crate::model::{
    CommittedChange, CommittedText, ConversationId, End, Message, MessageId, MessageStatus, OwnerId, Page,
    Range, TextChunk,
};
use crate::signals::Topic;
use crate::store::{Error, Result, Scoped};

/// Limit of the undelivered items of one subscriber, in bytes. If it is exceeded, the subscription ends.
pub(super) const QUEUE_BYTES: usize = 1024 * 1024;

/// Limit of the messages of one read, in bytes.
const MAX_READ_BYTES: usize = 2 * QUEUE_BYTES;

/// The items of one read.
pub(super) struct Batch<T> {
    pub(super) items: Vec<T>,
    /// More items were committed after these.
    pub(super) has_more: bool,
    /// The list has ended: there will be no more items.
    pub(super) ended: bool,
}

/// A list that can be subscribed to.
pub(super) trait FeedSource: Send + Sync + 'static {
    /// Identifies a list. Subscribers with the same key share a reader. It contains the owner.
    type Key: Clone + Eq + Hash + Send + Sync;
    type Item: Clone + Send + Sync;

    fn key(&self) -> Self::Key;

    /// The topic of the signals for this list.
    fn topic(&self) -> Topic;

    /// Reads the items after a position, at most `limit` (1 to [`crate::model::MAX_PAGE`]), fewer if they are large.
    fn read(&self, after: i64, limit: u32) -> impl Future<Output = Result<Batch<Self::Item>>> + Send;

    /// The items after a position, if these texts are all that was committed after it. `None` if the database has to be
    /// read.
    fn committed(&self, _after: i64, _texts: &[Arc<CommittedText>]) -> Option<Vec<Self::Item>> {
        None
    }

    /// The indices of those lists of this type that have items after their position or have ended.
    fn find_unread(&self, all: &[(Self::Key, i64)]) -> impl Future<Output = Result<Vec<usize>>> + Send;

    fn position(item: &Self::Item) -> i64;

    /// Removes the part of an item before a position. Items that cannot be divided are returned whole.
    fn skip_to(item: Self::Item, _place: i64) -> Self::Item {
        item
    }

    /// The memory that an item takes in a queue, in bytes.
    fn byte_size(item: &Self::Item) -> usize;
}

/// The messages of a conversation, ordered by position.
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
            // A single message is read even if it exceeds the limit.
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

/// The changes of an owner, ordered by revision.
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

/// The text of a message, ordered by offset. The last chunk has the position [`END_POSITION`].
pub(super) struct Texts {
    scope: Scoped,
    message: MessageId,
}

/// The position of the chunk with the final status.
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

    /// Reads all chunks and ignores the limit: the length of a text is limited.
    async fn read(&self, after: i64, _: u32) -> Result<Batch<Self::Item>> {
        let found = if after == END_POSITION { None } else { self.scope.pieces(self.message, after).await? };
        Ok(match found {
            None => Batch { items: Vec::new(), has_more: false, ended: true },
            // The message has ended, so the next read finds the end of the list.
            Some((pieces, status)) => {
                let items = pieces.into_iter().map(SharedItem::new).collect();
                Batch { items, has_more: status != MessageStatus::Streaming, ended: false }
            }
        })
    }

    /// Joins the texts to one chunk.
    fn committed(&self, after: i64, texts: &[Arc<CommittedText>]) -> Option<Vec<Self::Item>> {
        let mut joined = TextChunk { offset: after, text: String::new(), status: MessageStatus::Streaming };
        let mut end = after;
        for text in texts {
            // Topics are hashes, which can collide.
            let is_own = text.message == self.message && text.owner == *self.scope.owner();
            let text_end = text.chunk.end();
            if !is_own || text_end <= after {
                continue;
            }
            if text.chunk.offset != end {
                return None;
            }
            joined.text.push_str(&text.chunk.text);
            end = text_end;
        }
        Some(if end == after { Vec::new() } else { vec![SharedItem::new(joined)] })
    }

    /// Reports all lists: there are only as many as messages that are being streamed.
    async fn find_unread(&self, all: &[(Self::Key, i64)]) -> Result<Vec<usize>> {
        Ok((0..all.len()).collect())
    }

    fn position(piece: &Self::Item) -> i64 {
        match piece.status {
            MessageStatus::Streaming => piece.end(),
            _ => END_POSITION,
        }
    }

    /// The last chunk starts at the position of the shared reader. A subscriber that read by itself may already have
    /// a part of it.
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
