//! What can be read, and how it is asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::oneshot;

use crate::memory::Allowance;
use crate::model::{Conversation, ConversationId, End, Message, OwnerId, Page, Range};
use crate::store::engine::row_level_security::RowLevelSecurity;
use crate::store::error::{Error, Result};

/// A conversation, with the messages at one end of it unless it has ever forked.
pub(in crate::store) struct ReadConversation {
    pub(in crate::store) owner: OwnerId,
    pub(in crate::store) id: ConversationId,
    pub(in crate::store) page: Option<Page>,
    pub(in crate::store) allowance: Allowance,
}

/// What a [`ReadConversation`] finds.
#[derive(Debug, Clone)]
pub(in crate::store) struct ConversationPage {
    pub(in crate::store) conversation: Conversation,
    /// From the page's end inwards, one more than the page holds to tell whether there are more. None
    /// where no page was asked for, or where the active branch is not simply all messages.
    pub(in crate::store) messages: Option<Vec<Message>>,
}

/// The messages between two positions, both excluded, from one end inwards, so many at most.
#[derive(Debug, Clone)]
pub(in crate::store) struct MessageRange {
    pub(in crate::store) owner: OwnerId,
    pub(in crate::store) conversation: ConversationId,
    pub(in crate::store) after: i64,
    pub(in crate::store) before: i64,
    pub(in crate::store) end: End,
    pub(in crate::store) rows: u32,
    /// Leaves out what was appended after the conversation first forked.
    pub(in crate::store) trunk: bool,
}

impl MessageRange {
    /// The part of it that is within a range.
    pub(in crate::store) fn within(self, range: &Range<i64>) -> Self {
        let after = range.after.map_or(self.after, |after| after.max(self.after));
        let before = range.before.map_or(self.before, |before| before.min(self.before));
        Self { after, before, ..self }
    }
}

/// Several stretches.
pub(in crate::store) struct MessageRanges {
    pub(in crate::store) each: Vec<MessageRange>,
    pub(in crate::store) allowance: Allowance,
}

/// The owner's conversations, most recently active first, each with its head; one more than `limit`.
pub(in crate::store) struct ListConversations {
    pub(in crate::store) owner: OwnerId,
    pub(in crate::store) limit: u32,
    pub(in crate::store) allowance: Allowance,
}

/// What a [`ListConversations`] finds: a conversation and the message that its active branch ends in.
pub(in crate::store) type ListedConversation = (Conversation, Option<Message>);

/// A read and where its result goes.
pub(super) struct PendingRead<Q, A> {
    pub(super) read: Q,
    pub(super) reply: oneshot::Sender<Result<A>>,
}

/// An ask of one of the three kinds.
pub(super) enum ReadRequest {
    Conversation(PendingRead<ReadConversation, Option<ConversationPage>>),
    MessageRanges(PendingRead<MessageRanges, Vec<Vec<Message>>>),
    List(PendingRead<ListConversations, Vec<ListedConversation>>),
}

impl MessageRanges {
    /// Rows that it may have to read.
    pub(in crate::store) fn rows(&self) -> usize {
        self.each.iter().map(|range| range.rows as usize).sum()
    }
}

impl ReadRequest {
    /// Rows that it may have to read.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Conversation(waiting) => 1 + waiting.read.page.map_or(0, |page| page.size as usize + 1),
            Self::MessageRanges(waiting) => waiting.read.rows(),
            Self::List(waiting) => waiting.read.limit as usize + 1,
        }
    }

    /// Answers with an error.
    pub(super) fn answer_error(self, error: &Error) {
        // The caller may be gone.
        let _ = match self {
            Self::Conversation(waiting) => waiting.reply.send(Err(error.clone())).is_ok(),
            Self::MessageRanges(waiting) => waiting.reply.send(Err(error.clone())).is_ok(),
            Self::List(waiting) => waiting.reply.send(Err(error.clone())).is_ok(),
        };
    }

    /// Whether the caller still waits.
    pub(super) fn is_awaited(&self) -> bool {
        match self {
            Self::Conversation(waiting) => !waiting.reply.is_closed(),
            Self::MessageRanges(waiting) => !waiting.reply.is_closed(),
            Self::List(waiting) => !waiting.reply.is_closed(),
        }
    }
}

/// A text from its bytes, which are looked at in wide steps: what is read is mostly texts, and few of them
/// are ASCII from end to end.
pub(super) fn text_of(bytes: &[u8]) -> Result<String> {
    let text = simdutf8::basic::from_utf8(bytes).map_err(|_| Error::broken("a text is not UTF-8".into()))?;
    Ok(text.to_owned())
}

/// What the workers of either engine are given.
pub(super) struct ReadContext {
    pub(super) queue: async_channel::Receiver<ReadRequest>,
    pub(super) row_level_security: RowLevelSecurity,
    pub(super) statements: Arc<AtomicU64>,
}

impl ReadContext {
    pub(super) fn count_statement(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }
}
