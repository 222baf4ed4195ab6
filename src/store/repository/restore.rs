//! Writes a conversation as an export has it: with its ids, positions, branches and times.
//!
//! Branches follow from the parents: each message goes where an append after its parent would have put it
//! (`repository::append`).

mod branches;
mod rows;

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ActiveValue, ConnectionTrait, EntityTrait, IntoActiveModel};

use crate::model::{
    AuditAction, Change, ChangeKind, ExportedConversation, ExportedMessage, ExportedShare, ExportedUsage,
    Invalid, Labels, Role,
};
use crate::store::engine::slot;
use crate::store::entity::{branch, conversation, deleted_usage, message_feedback};
use crate::store::error::{Error, Result};
use crate::store::repository::attachment_references::{Referrer, referred_in};
use crate::store::repository::{attachment_references, labels, shares};
use crate::store::scope::Scoped;
use crate::store::transaction::{PlainTx, Tx};
use branches::Branches;

/// A conversation that is being written. Dropping it writes nothing.
pub struct Restore {
    scope: Scoped,
    tx: Tx,
    conversation: conversation::Model,
    messages: i64,
    branches: Branches,
    /// The messages after the reading position that are deleted, or the user's own.
    unread_ignored: i64,
    deleted: i64,
}

impl Scoped {
    /// Begins to write a conversation. `None` if the owner has it already.
    ///
    /// # Errors
    /// - `Invalid`: a value breaks a rule.
    /// - `Conflict`: another owner has a conversation with this id.
    pub async fn begin_restore(&self, exported: ExportedConversation) -> Result<Option<Restore>> {
        let changes = usize::try_from(exported.messages)
            .map_err(|_| Invalid::new("messages", "must not be negative"))?
            .saturating_add(1);
        let (id, count) = (exported.id, exported.messages);
        let (row, labels) = rows::conversation(&self.owner, exported)?;
        let mut tx = Tx::begin(self, AuditAction::CreateConversation, changes).await?;
        if let Some(found) = conversation::Entity::find_by_id(id).one(tx.connection()).await? {
            return if found.owner_id == self.owner { Ok(None) } else { Err(Error::Conflict) };
        }
        let row = row.into_active_model().insert(tx.connection()).await?;
        let texts = (&Labels::default(), &labels);
        labels::replace(&tx, &self.owner, id, texts, row.trashed_at.is_some()).await?;
        tx.record(Change { kind: ChangeKind::ConversationCreated, conversation: id, message: None });
        Ok(Some(Restore {
            scope: self.clone(),
            tx,
            conversation: row,
            messages: count,
            branches: Branches::default(),
            unread_ignored: 0,
            deleted: 0,
        }))
    }

    /// Writes the token usage of deleted messages, unless it is there.
    ///
    /// # Errors
    /// - `Invalid`: a value breaks a rule.
    pub async fn restore_deleted_usage(&self, exported: ExportedUsage) -> Result<()> {
        let row = rows::deleted_usage(&self.owner, exported)?;
        let key =
            [deleted_usage::Column::OwnerId, deleted_usage::Column::CreatedAt, deleted_usage::Column::Model];
        let keep = OnConflict::columns(key).do_nothing().to_owned();
        let tx = PlainTx::begin(&self.store, &self.owner).await?;
        tx.make_account(&self.owner, self.store.0.clock.now()).await?;
        // Nothing is left if the user is erased at the same moment.
        tx.lock_account(&self.owner).await?;
        deleted_usage::Entity::insert(row.into_active_model())
            .on_conflict(keep)
            .try_insert()
            .exec_without_returning(tx.connection())
            .await?;
        tx.commit(false).await
    }
}

impl Restore {
    /// Writes the next message.
    ///
    /// # Errors
    /// - `Invalid`: a value breaks a rule, or it is not the next message.
    /// - `Conflict`: there is a message with this id.
    pub async fn add(&mut self, exported: ExportedMessage) -> Result<()> {
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
        let id = self.conversation.id;
        let (row, feedback) = rows::message(&self.scope.owner, id, place, exported)?;
        if let Some(opened) = opened {
            let row = branch::Model {
                conversation_id: id,
                branch: opened.branch,
                parent_branch: opened.parent_branch,
                fork_position: opened.fork_position,
            };
            branch::Entity::insert(row.into_active_model())
                .exec_without_returning(self.tx.connection())
                .await?;
        }
        let is_deleted = row.deleted_at.is_some();
        let is_ignored = is_deleted || row.role == Role::User.code();
        self.deleted += i64::from(is_deleted);
        self.unread_ignored += i64::from(is_ignored && position > self.conversation.read_position);
        let change = Change { kind: ChangeKind::MessageAdded, conversation: id, message: Some(row.id) };
        let referred = referred_in(row.parts.as_deref())?;
        attachment_references::refer_to_known(&self.tx, Referrer::message(&row), &referred).await?;
        self.tx.connection().execute(&slot::insert(self.tx.backend(), row)).await?;
        if let Some(feedback) = feedback {
            message_feedback::Entity::insert(feedback.into_active_model())
                .exec_without_returning(self.tx.connection())
                .await?;
        }
        self.tx.record(change);
        Ok(())
    }

    /// Writes a share.
    ///
    /// # Errors
    /// - `Invalid`: a value breaks a rule.
    /// - `Conflict`: there is a share with this id or secret.
    pub async fn add_share(&mut self, exported: ExportedShare) -> Result<()> {
        let (row, messages) = rows::share(&self.scope.owner, self.conversation.id, exported)?;
        shares::insert(&self.tx, row, messages).await
    }

    /// Commits.
    ///
    /// # Errors
    /// - `Invalid`: messages are missing, or the head is none of them.
    pub async fn finish(self) -> Result<()> {
        let last = self.branches.last_position();
        if last != self.messages {
            let rule = format!("must be {}, the number of messages that follow, got {last}", self.messages);
            return Err(Invalid::new("messages", rule).into());
        }
        let head = self.conversation.head_position;
        let branch = self.branches.branch_of(head).ok_or_else(|| {
            let rule = format!("must be 1 to {last}, or 0 without messages, got {head}");
            Invalid::new("headPosition", rule)
        })?;
        let mut row = self.conversation.into_active_model();
        row.message_count = ActiveValue::Set(last - self.deleted);
        row.unread_ignored = ActiveValue::Set(self.unread_ignored);
        row.branch = ActiveValue::Set(branch.unwrap_or(0));
        row.branches = ActiveValue::Set(self.branches.opened());
        row.trunk = ActiveValue::Set(self.branches.trunk());
        row.update(self.tx.connection()).await?;
        self.tx.commit().await
    }
}
