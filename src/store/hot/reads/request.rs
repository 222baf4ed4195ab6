//! The reads and their results.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::oneshot;

use crate::memory::MemoryBudget;
use crate::model::{
    Conversation, ConversationId, Deleted, End, Message, MessagePage, OwnerId, Page, Range, Siblings,
};
use crate::store::engine::row_level_security::RowLevelSecurity;
use crate::store::error::{Error, Result};

/// Reads a conversation, and a page of a branch of it.
pub(in crate::store) struct ReadConversation {
    pub(in crate::store) owner: OwnerId,
    pub(in crate::store) id: ConversationId,
    pub(in crate::store) page: Option<BranchPage>,
    pub(in crate::store) allowance: MemoryBudget,
}

/// A page of the messages from the first one to a leaf.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct BranchPage {
    pub(in crate::store) page: Page,
    /// The last message. `None`: the conversation's head.
    pub(in crate::store) leaf: Option<Leaf>,
    /// The range of positions.
    pub(in crate::store) range: Range<i64>,
    pub(in crate::store) deleted: Deleted,
    /// Whether the ids of siblings are read.
    pub(in crate::store) with_siblings: bool,
}

/// The end of a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Leaf {
    pub(in crate::store) branch: i64,
    pub(in crate::store) position: i64,
}

impl BranchPage {
    /// The page at one end of the active branch.
    pub(in crate::store) fn of_head(page: Page, with_siblings: bool) -> Self {
        Self { page, leaf: None, range: Range::all(), deleted: Deleted::Included, with_siblings }
    }

    /// The page from its rows.
    pub(in crate::store) fn of_rows(self, BranchRows { rows, siblings }: BranchRows) -> MessagePage {
        MessagePage::from_rows(rows, self.page, &self.range, self.deleted, siblings)
    }

    /// The position that all messages follow.
    pub(in crate::store) fn after(&self) -> i64 {
        self.range.after.unwrap_or(0)
    }

    /// The position that follows all messages.
    pub(in crate::store) fn before(&self) -> i64 {
        self.range.before.unwrap_or(i64::MAX)
    }

    /// One more than the page has, to see whether there are more.
    pub(in crate::store) fn rows(&self) -> u32 {
        self.page.size + 1
    }

    /// Whether all messages of a conversation that never forked are in its range.
    pub(in crate::store) fn is_whole(&self) -> bool {
        self.leaf.is_none() && self.range == Range::all() && self.deleted == Deleted::Included
    }
}

/// The result of a [`ReadConversation`].
#[derive(Debug, Clone)]
pub(in crate::store) struct ConversationPage {
    pub(in crate::store) conversation: Conversation,
    /// `None` if no page was requested.
    pub(in crate::store) messages: Option<BranchRows>,
}

/// The rows of a [`BranchPage`].
#[derive(Debug, Clone)]
pub(in crate::store) struct BranchRows {
    /// From the end of the page, with one more row than the page has to see whether there are more.
    pub(in crate::store) rows: Vec<Message>,
    pub(in crate::store) siblings: Siblings,
}

/// Reads the messages between two positions, both excluded: at most `rows`, from one end.
#[derive(Debug, Clone)]
pub(in crate::store) struct MessageRange {
    pub(in crate::store) owner: OwnerId,
    pub(in crate::store) conversation: ConversationId,
    pub(in crate::store) after: i64,
    pub(in crate::store) before: i64,
    pub(in crate::store) end: End,
    pub(in crate::store) rows: u32,
    /// Leaves out messages that were appended after the first fork.
    pub(in crate::store) trunk: bool,
}

impl MessageRange {
    /// The intersection with a range.
    pub(in crate::store) fn within(self, range: &Range<i64>) -> Self {
        let after = range.after.map_or(self.after, |after| after.max(self.after));
        let before = range.before.map_or(self.before, |before| before.min(self.before));
        Self { after, before, ..self }
    }
}

/// Reads several ranges.
pub(in crate::store) struct MessageRanges {
    pub(in crate::store) each: Vec<MessageRange>,
    pub(in crate::store) allowance: MemoryBudget,
}

/// Reads the owner's most recently active conversations, each with its head: one more than `limit`.
pub(in crate::store) struct ListConversations {
    pub(in crate::store) owner: OwnerId,
    pub(in crate::store) limit: u32,
    pub(in crate::store) allowance: MemoryBudget,
}

/// A row of the result of [`ListConversations`]: a conversation and the last message of its active branch.
pub(in crate::store) type ListedConversation = (Conversation, Option<Message>);

/// A read, and the channel for its result.
pub(super) struct PendingRead<Q, A> {
    pub(super) read: Q,
    pub(super) reply: oneshot::Sender<Result<A>>,
}

/// A read in the queue.
pub(super) enum ReadRequest {
    Conversation(PendingRead<ReadConversation, Option<ConversationPage>>),
    MessageRanges(PendingRead<MessageRanges, Vec<Vec<Message>>>),
    List(PendingRead<ListConversations, Vec<ListedConversation>>),
}

impl MessageRanges {
    /// The maximum number of rows it reads.
    pub(in crate::store) fn rows(&self) -> usize {
        self.each.iter().map(|range| range.rows as usize).sum()
    }
}

impl ReadRequest {
    /// The maximum number of rows it reads.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Conversation(waiting) => 1 + waiting.read.page.map_or(0, |page| page.rows() as usize),
            Self::MessageRanges(waiting) => waiting.read.rows(),
            Self::List(waiting) => waiting.read.limit as usize + 1,
        }
    }

    /// Answers with an error.
    pub(super) fn answer_error(self, error: &Error) {
        // The caller may have disconnected.
        let _ = match self {
            Self::Conversation(waiting) => waiting.reply.send(Err(error.clone())).is_ok(),
            Self::MessageRanges(waiting) => waiting.reply.send(Err(error.clone())).is_ok(),
            Self::List(waiting) => waiting.reply.send(Err(error.clone())).is_ok(),
        };
    }

    /// Whether the caller still waits for the result.
    pub(super) fn is_awaited(&self) -> bool {
        match self {
            Self::Conversation(waiting) => !waiting.reply.is_closed(),
            Self::MessageRanges(waiting) => !waiting.reply.is_closed(),
            Self::List(waiting) => !waiting.reply.is_closed(),
        }
    }
}

/// Validates UTF-8 with SIMD: most bytes of a read are texts, and few texts are pure ASCII.
pub(super) fn text_of(bytes: &[u8]) -> Result<String> {
    let text = simdutf8::basic::from_utf8(bytes).map_err(|_| Error::broken("a text is not UTF-8".into()))?;
    Ok(text.to_owned())
}

/// The queue and settings that all workers share.
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
