//! The rows of a conversation that is being written.

use super::branches::Branches;
use super::pending::{PendingMessage, PendingRows};
use super::rows;
use crate::model::{
    Change, ChangeKind, ExportedConversation, ExportedMessage, Invalid, Labels, OwnerId, Role,
};
use crate::store::entity::{branch, conversation};
use crate::store::error::Result;
use crate::store::repository::attachment_references::referred_in;

/// The rows of a conversation.
pub(super) struct ConversationRows {
    owner: OwnerId,
    /// As it is before its messages.
    pub(super) row: conversation::Model,
    pub(super) labels: Labels,
    /// How many messages it is going to have.
    messages: i64,
    pub(super) branches: Branches,
    pub(super) pending: PendingRows,
    /// The messages after the reading position that are deleted, or the user's own.
    pub(super) unread_ignored: i64,
    pub(super) deleted: i64,
}

impl ConversationRows {
    /// Those of a new conversation.
    pub(super) fn new(owner: &OwnerId, exported: ExportedConversation) -> Result<Self> {
        let messages = exported.messages;
        if messages < 0 {
            return Err(Invalid::new("messages", "must not be negative").into());
        }
        let (row, labels) = rows::conversation(owner, exported)?;
        let branches = Branches::default();
        Ok(Self { labels, ..Self::of(owner, row, branches, messages) })
    }

    /// Those of a conversation with some messages, which is going to have as many as `messages`.
    pub(super) fn of(owner: &OwnerId, row: conversation::Model, branches: Branches, messages: i64) -> Self {
        Self {
            owner: owner.clone(),
            row,
            labels: Labels::default(),
            messages,
            branches,
            pending: PendingRows::default(),
            unread_ignored: 0,
            deleted: 0,
        }
    }

    /// The changes of a new conversation.
    pub(super) fn changes(&self) -> usize {
        usize::try_from(self.messages).unwrap_or(usize::MAX).saturating_add(1)
    }

    /// Adds the row of the next message.
    ///
    /// # Errors
    /// - `Invalid`: a value breaks a rule, or it is not the next message.
    pub(super) fn add(&mut self, exported: ExportedMessage) -> Result<Change> {
        let position = self.branches.last_position() + 1;
        if exported.position != position || position > self.messages {
            let rule = format!("must be {position} of {}, got {}", self.messages, exported.position);
            return Err(Invalid::new("position", rule).into());
        }
        if !(0..position).contains(&exported.parent_position) {
            let rule = format!("must be 0 to {}, got {}", position - 1, exported.parent_position);
            return Err(Invalid::new("parentPosition", rule).into());
        }
        let (place, opened) = self.branches.place(exported.parent_position);
        let id = self.row.id;
        let (row, feedback) = rows::message(&self.owner, id, place, exported)?;
        if let Some(opened) = opened {
            self.pending.branches.push(branch::Model {
                conversation_id: id,
                branch: opened.branch,
                parent_branch: opened.parent_branch,
                fork_position: opened.fork_position,
            });
        }
        let is_deleted = row.deleted_at.is_some();
        let is_ignored = is_deleted || row.role == Role::User.code();
        self.deleted += i64::from(is_deleted);
        self.unread_ignored += i64::from(is_ignored && position > self.row.read_position);
        let change = Change { kind: ChangeKind::MessageAdded, conversation: id, message: Some(row.id) };
        let referred = referred_in(row.parts.as_deref())?;
        self.pending.messages.push(PendingMessage { row, feedback, referred });
        Ok(change)
    }

    /// The row of the conversation after its messages.
    ///
    /// # Errors
    /// - `Invalid`: messages are missing, or the head is none of them.
    pub(super) fn finished(&self) -> Result<conversation::Model> {
        let last = self.branches.last_position();
        if last != self.messages {
            let rule = format!("must be {}, the number of messages that follow, got {last}", self.messages);
            return Err(Invalid::new("messages", rule).into());
        }
        let head = self.row.head_position;
        let branch = self.branches.branch_of(head).ok_or_else(|| {
            let rule = format!("must be 1 to {last}, or 0 without messages, got {head}");
            Invalid::new("headPosition", rule)
        })?;
        Ok(conversation::Model {
            message_count: last - self.deleted,
            unread_ignored: self.unread_ignored,
            branch: branch.unwrap_or(0),
            branches: self.branches.opened(),
            trunk: self.branches.trunk(),
            ..self.row.clone()
        })
    }
}
