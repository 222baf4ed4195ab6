//! Adds the messages of a newer import to a conversation that is there.
//!
//! What is there stays as it is: messages that were edited, deleted or written here, the title, labels and the archive.

use std::collections::{HashMap, HashSet};

use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, Condition, ConnectionTrait, IntoActiveModel, QueryFilter,
    QuerySelect,
};

use super::Restore;
use super::branches::Branches;
use super::conversation_rows::ConversationRows;
use crate::model::{AuditAction, ConversationId, ExportedMessage, Invalid, MessageId, Timestamp};
use crate::store::engine::slot;
use crate::store::entity::{conversation, message};
use crate::store::error::{Error, Result};
use crate::store::scope::Scoped;
use crate::store::transaction::Tx;

/// A message that is there.
struct KnownMessage {
    position: i64,
    branch: Option<i64>,
    parent: Option<i64>,
}

/// The messages that are there, by their ids.
type KnownMessages = HashMap<MessageId, KnownMessage>;

impl Scoped {
    /// Adds those of the messages that the conversation does not have, each after its parent. Returns how many.
    ///
    /// The positions of `messages` are those that they have among themselves: 1, 2, 3, … The active branch becomes that of
    /// `head` if it goes on from the active one, or if there were no other branches and nothing was written here.
    /// Nothing is added to a conversation in the trash, or to one that has none of the messages.
    ///
    /// # Errors
    /// - `NotFound`: no such conversation for this owner.
    /// - `Invalid`: a value breaks a rule.
    /// - `Conflict`: a message with the id of one is in another conversation.
    pub async fn extend_conversation(
        &self,
        id: ConversationId,
        messages: Vec<ExportedMessage>,
        head: Option<MessageId>,
        updated_at: Timestamp,
    ) -> Result<u64> {
        let known = self.known_messages(&self.reader(), id).await?;
        let missing = messages.iter().filter(|message| !known.contains_key(&message.id)).count();
        if missing == 0 || (missing == messages.len() && !known.is_empty()) {
            return Ok(0);
        }
        let tx = Tx::begin(self, AuditAction::AppendMessages, missing).await?;
        let row = self.touch(&tx, id).await?;
        if row.trashed_at.is_some() {
            return Ok(0);
        }
        // Another write may have come first.
        let mut known = self.known_messages(tx.connection(), id).await?;
        if messages.iter().filter(|message| !known.contains_key(&message.id)).count() != missing {
            return Err(Error::Busy);
        }
        let ours: HashSet<MessageId> = messages.iter().map(|message| message.id).collect();
        let is_unchanged = row.branches == 0
            && row.head_position == row.last_position
            && known.keys().all(|id| ours.contains(id));
        let branches = Branches::of(
            (row.last_position, row.trunk, row.branches),
            known.values().map(|known| (known.position, known.branch)),
        );
        let before = row.clone();
        let mut restore =
            Restore::extending(self, tx, row, branches, i64::try_from(missing).unwrap_or(i64::MAX));
        let mut positions = vec![0];
        for mut message in messages {
            if let Some(known) = known.get(&message.id) {
                positions.push(known.position);
                continue;
            }
            let parent = usize::try_from(message.parent_position).ok().and_then(|at| positions.get(at));
            let parent =
                *parent.ok_or_else(|| Invalid::new("parentPosition", "must be that of a message before"))?;
            let position = restore.rows.branches.last_position() + 1;
            (message.position, message.parent_position) = (position, parent);
            let new = KnownMessage { position, branch: None, parent: Some(parent) };
            let message_id = message.id;
            restore.add(message).await?;
            known.insert(
                message_id,
                KnownMessage { branch: restore.rows.branches.branch_of(position).flatten(), ..new },
            );
            positions.push(position);
        }
        let head = head.and_then(|head| known.get(&head)).map(|head| head.position);
        let head = head.filter(|head| is_unchanged || is_on_path(&known, *head, before.head_position));
        restore.finish_extension(&before, head, updated_at).await?;
        Ok(missing as u64)
    }

    /// Those of the messages that a conversation of the owner has.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn known_among(
        &self,
        id: ConversationId,
        messages: &[MessageId],
    ) -> Result<HashSet<MessageId>> {
        let known = self.known_messages(&self.reader(), id).await?;
        Ok(messages.iter().copied().filter(|id| known.contains_key(id)).collect())
    }

    async fn known_messages(
        &self,
        connection: &impl ConnectionTrait,
        id: ConversationId,
    ) -> Result<KnownMessages> {
        let rows: Vec<(MessageId, i64, Option<i64>, Option<i64>)> = self
            .own_messages()
            .select_only()
            .columns([
                message::Column::Id,
                message::Column::Position,
                message::Column::Branch,
                message::Column::ParentPosition,
            ])
            .filter(message::Column::ConversationId.eq(id))
            .filter(Condition::all().add_option(slot::among(
                connection.get_database_backend(),
                id,
                (1, slot::LAST),
            )))
            .into_tuple()
            .all(connection)
            .await?;
        let known = rows.into_iter().map(|(id, position, branch, parent)| {
            // On the trunk a message follows the one before.
            let parent = if branch.is_none() { Some(position - 1) } else { parent };
            (id, KnownMessage { position, branch, parent })
        });
        Ok(known.collect())
    }
}

/// Whether the path to a message has another one.
fn is_on_path(known: &KnownMessages, to: i64, wanted: i64) -> bool {
    let parents: HashMap<i64, i64> =
        known.values().map(|message| (message.position, message.parent.unwrap_or(0))).collect();
    let path = std::iter::successors(Some(to), |position| {
        parents.get(position).copied().filter(|parent| *parent > 0)
    });
    path.into_iter().any(|position| position == wanted)
}

impl Restore {
    /// Adds to a conversation that is there and locked.
    fn extending(
        scope: &Scoped,
        tx: Tx,
        mut row: conversation::Model,
        branches: Branches,
        count: i64,
    ) -> Self {
        let messages = row.last_position + count;
        let is_read = row.last_position <= row.read_position + row.unread_ignored;
        if is_read {
            row.read_position = messages;
        }
        let unread_ignored = if is_read { 0 } else { row.unread_ignored };
        let mut rows = ConversationRows::of(&scope.owner, row, branches, messages);
        rows.unread_ignored = unread_ignored;
        Self { scope: scope.clone(), tx, rows }
    }

    async fn finish_extension(
        mut self,
        before: &conversation::Model,
        head: Option<i64>,
        updated_at: Timestamp,
    ) -> Result<()> {
        self.rows.pending.write(&self.tx).await?;
        let ConversationRows { row: after, branches, unread_ignored, deleted, .. } = &self.rows;
        let last = branches.last_position();
        let mut row = before.clone().into_active_model();
        row.last_position = ActiveValue::Set(last);
        row.message_count = ActiveValue::Set(before.message_count + last - before.last_position - deleted);
        row.read_position = ActiveValue::Set(after.read_position);
        row.unread_ignored = ActiveValue::Set(*unread_ignored);
        row.branches = ActiveValue::Set(branches.opened());
        row.trunk = ActiveValue::Set(branches.trunk());
        row.updated_at = ActiveValue::Set(updated_at.max(before.updated_at));
        if let Some(head) = head {
            row.head_position = ActiveValue::Set(head);
            row.branch = ActiveValue::Set(branches.branch_of(head).flatten().unwrap_or(0));
        }
        row.update(self.tx.connection()).await?;
        self.tx.commit().await
    }
}
