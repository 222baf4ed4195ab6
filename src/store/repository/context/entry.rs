//! What is read of a message to decide whether it is in a window, and where that is read from.

use crate::model::{MessageId, PositionRange, Role, Timestamp, ToolLinks};
use crate::store::error::Result;

/// A message of a branch that can be in a window: not deleted, and not being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ContextEntry {
    pub(super) id: MessageId,
    pub(super) position: i64,
    /// Positions from the message before on the branch to this one.
    pub(super) span: i64,
    pub(super) role: Role,
    pub(super) tokens: i64,
    pub(super) links: ToolLinks,
    /// Which version was counted.
    pub(super) edited_at: Option<Timestamp>,
}

impl ContextEntry {
    /// Whether it is the result of a call that it does not name.
    pub(super) fn is_unnamed_result(&self) -> bool {
        self.role == Role::Tool && self.links.as_slice().is_empty()
    }
}

/// Some entries of a branch.
#[derive(Debug, Clone, Default)]
pub(super) struct EntryPage {
    /// Newest first.
    pub(super) entries: Vec<ContextEntry>,
    /// All entries from this position on were read.
    pub(super) reached: i64,
}

/// Messages that follow each other on a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) range: PositionRange,
    pub(super) messages: i64,
    pub(super) tokens: i64,
}

impl Run {
    pub(super) fn of(entry: &ContextEntry) -> Self {
        let range = PositionRange { first: entry.position, last: entry.position };
        Self { range, messages: 1, tokens: entry.tokens }
    }

    /// The same with the run that follows it.
    pub(super) fn joined(self, next: Self) -> Self {
        let range = PositionRange { first: self.range.first, last: next.range.last };
        Self { range, messages: self.messages + next.messages, tokens: self.tokens + next.tokens }
    }
}

/// The positions between two others, both excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) after: i64,
    pub(super) before: i64,
}

/// The entries of one branch, for one tokenizer.
pub(super) trait BranchEntries {
    /// The last position of the branch.
    fn leaf(&self) -> i64;

    /// The messages that are in every window, in no order.
    fn kept(&mut self) -> impl Future<Output = Result<Vec<ContextEntry>>> + Send;

    /// The newest entries of a gap. There may be none: then the gap is to be read on from where this ended.
    fn page(&mut self, gap: Gap) -> impl Future<Output = Result<EntryPage>> + Send;

    /// The entries in each of some gaps, oldest first: none where a gap has none. The spans of all messages in the
    /// gaps, deleted ones included, add up to `span`.
    fn runs(&mut self, gaps: &[Gap], span: i64) -> impl Future<Output = Result<Vec<Option<Run>>>> + Send;
}
