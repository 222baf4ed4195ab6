//! What can be followed: lists whose items have places 1, 2, 3, … that commit in order.

use std::hash::Hash;
use std::sync::Arc;

use super::arrival::Arrival;
use crate::memory::Allowance;
use crate::model::{
    Committed, ConversationId, End, Message, MessageId, MessageStatus, OwnerId, Page, Piece, Range,
};
use crate::signals::Topic;
use crate::store::{Error, Result, Scoped};

/// Bytes that a follower may leave unread: past these its following ends.
pub(super) const QUEUE_BYTES: usize = 1024 * 1024;

/// Bytes of messages that are read in one go: not much more than may wait for a follower.
const MOST_READ: usize = 2 * QUEUE_BYTES;

/// What was read in one go.
pub(super) struct Batch<T> {
    pub(super) items: Vec<T>,
    /// There is more already.
    pub(super) more: bool,
    /// There is nothing more and never will be.
    pub(super) ended: bool,
}

/// A list to follow.
pub(super) trait Source: Send + Sync + 'static {
    /// Followers with the same key share a reader; it holds the owner.
    type Key: Clone + Eq + Hash + Send + Sync;
    type Item: Clone + Send + Sync;

    fn key(&self) -> Self::Key;

    /// What wakes its reader.
    fn topic(&self) -> Topic;

    /// The items after a place, at most so many, from 1 to [`crate::model::MAX_PAGE`]; fewer where they are
    /// large.
    fn read(&self, after: i64, most: u32) -> impl Future<Output = Result<Batch<Self::Item>>> + Send;

    /// Which lists, this one or others of its kind, have something after a place, or have ended: their
    /// indices.
    fn behind(&self, all: &[(Self::Key, i64)]) -> impl Future<Output = Result<Vec<usize>>> + Send;

    fn place(item: &Self::Item) -> i64;

    /// What of an item lies beyond a place before its own: all of it, unless items can be divided.
    fn beyond(item: Self::Item, _place: i64) -> Self::Item {
        item
    }

    /// Bytes that an item holds while it waits.
    fn weight(item: &Self::Item) -> usize;
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

impl Source for Messages {
    type Key = (OwnerId, ConversationId);
    type Item = Arc<Arrival<Message>>;

    fn key(&self) -> Self::Key {
        (self.scope.owner().clone(), self.conversation)
    }

    fn topic(&self) -> Topic {
        Topic::Conversation(self.conversation)
    }

    async fn read(&self, after: i64, most: u32) -> Result<Batch<Self::Item>> {
        let range = Range { after: Some(after), before: None };
        let mut size = most;
        let slice = loop {
            // One is read whatever its size.
            let allowance = if size > 1 { Allowance::up_to(MOST_READ) } else { Allowance::default() };
            let scope = self.scope.clone().within(allowance);
            match scope.messages(self.conversation, range, Page { end: End::First, size }).await {
                Err(Error::Memory(_)) if size > 1 => size /= 2,
                read => break read?,
            }
        };
        let ended = slice.items.is_empty() && self.scope.conversation(self.conversation).await?.is_none();
        Ok(Batch { items: slice.items.into_iter().map(Arrival::new).collect(), more: slice.has_next, ended })
    }

    async fn behind(&self, all: &[(Self::Key, i64)]) -> Result<Vec<usize>> {
        self.scope.store().conversations_beyond(all).await
    }

    fn place(message: &Self::Item) -> i64 {
        message.position
    }

    fn weight(message: &Self::Item) -> usize {
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

impl Source for Changes {
    type Key = OwnerId;
    type Item = Committed;

    fn key(&self) -> OwnerId {
        self.scope.owner().clone()
    }

    fn topic(&self) -> Topic {
        Topic::Account(self.scope.owner().clone())
    }

    async fn read(&self, after: i64, most: u32) -> Result<Batch<Committed>> {
        let items = self.scope.changes(after, most).await?;
        let more = items.len() == most as usize;
        Ok(Batch { items, more, ended: false })
    }

    async fn behind(&self, all: &[(Self::Key, i64)]) -> Result<Vec<usize>> {
        self.scope.store().accounts_beyond(all).await
    }

    fn place(change: &Committed) -> i64 {
        change.revision
    }

    fn weight(change: &Committed) -> usize {
        size_of::<Committed>() + change.actor.as_ref().map_or(0, |actor| actor.as_str().len())
    }
}

/// A message's text, by offset. Its last piece stands beyond every other place.
pub(super) struct Texts {
    scope: Scoped,
    message: MessageId,
}

/// The place of the piece that tells how a message ended.
const LAST: i64 = i64::MAX;

impl Texts {
    pub(super) fn new(scope: Scoped, message: MessageId) -> Self {
        Self { scope, message }
    }
}

impl Source for Texts {
    type Key = (OwnerId, MessageId);
    type Item = Arc<Arrival<Piece>>;

    fn key(&self) -> Self::Key {
        (self.scope.owner().clone(), self.message)
    }

    fn topic(&self) -> Topic {
        Topic::Message(self.message)
    }

    /// All pieces there are, whatever was asked for: together they are bounded by the length of a text.
    async fn read(&self, after: i64, _: u32) -> Result<Batch<Self::Item>> {
        let found = if after == LAST { None } else { self.scope.pieces(self.message, after).await? };
        Ok(match found {
            None => Batch { items: Vec::new(), more: false, ended: true },
            // The last piece is read, so the end is near enough to look for at once.
            Some((pieces, status)) => {
                let items = pieces.into_iter().map(Arrival::new).collect();
                Batch { items, more: status != MessageStatus::Streaming, ended: false }
            }
        })
    }

    /// All of them: there are only as many as messages are being written.
    async fn behind(&self, all: &[(Self::Key, i64)]) -> Result<Vec<usize>> {
        Ok((0..all.len()).collect())
    }

    fn place(piece: &Self::Item) -> i64 {
        match piece.status {
            MessageStatus::Streaming => piece.end(),
            _ => LAST,
        }
    }

    /// The last piece begins where the shared reader was, and a follower that read by itself may be further.
    fn beyond(piece: Self::Item, place: i64) -> Self::Item {
        if piece.offset >= place { piece } else { Arrival::new(Piece::clone(&piece).beyond(place)) }
    }

    fn weight(piece: &Self::Item) -> usize {
        size_of::<Piece>() + piece.text.len()
    }
}
