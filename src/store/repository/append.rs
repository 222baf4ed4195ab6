//! Appends messages.
//!
//! A message has a position in its conversation: 1, 2, 3, … without gaps. An append takes its positions under the
//! lock of the conversation's row, in the transaction that inserts the messages. So two writers never get the same
//! position, and positions commit in order.
//!
//! Almost all appends follow the newest message of the conversation, which is its head. The write workers commit many of
//! these at once (`store::hot::writer`). This file has the other cases, each in a transaction of its own: a message goes
//! on the branch of its parent if the parent is the tip of that branch. Otherwise it opens a branch.
//!
//! An append with ids chosen by the client can be repeated: the same append returns the first result and writes
//! nothing.

use std::collections::HashSet;

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter,
    QueryTrait,
};

use crate::model::{
    Append, AppendParent, AuditAction, Change, ChangeKind, ConversationId, ConversationState, Fingerprint,
    Message, MessageBody, MessageId, MessageStatus, ModelName, NewMessage, Timestamp, TokenUsage,
};
use crate::store::engine::slot;
use crate::store::entity::message::last_of_user;
use crate::store::entity::{branch, conversation, message};
use crate::store::error::Error;
use crate::store::error::Result;
use crate::store::hot::writer::request::{AppendOutcome, Follows, NewMessages};
use crate::store::repository::attachment_references::{Referrer, may_refer, refer, referred_in};
use crate::store::scope::Scoped;
use crate::store::transaction::Tx;

/// A conversation after an append took its positions.
#[derive(FromQueryResult)]
struct Positions {
    last_position: i64,
    head_position: i64,
    branches: i64,
    trunk: i64,
    updated_at: Timestamp,
    trashed_at: Option<Timestamp>,
}

/// The place of a message. The caller has reserved it.
pub(in crate::store) struct MessagePlace {
    pub(in crate::store) position: i64,
    /// None on the trunk.
    pub(in crate::store) branch: Option<i64>,
    /// The position of the parent. Not needed on the trunk.
    pub(in crate::store) parent: Option<i64>,
    pub(in crate::store) created_at: Timestamp,
}

impl MessagePlace {
    /// The row of a message at this place.
    fn of(&self, row: message::Model) -> message::Model {
        message::Model {
            position: self.position,
            created_at: self.created_at,
            branch: self.branch,
            parent_position: self.branch.and(self.parent),
            ..row
        }
    }
}

impl Scoped {
    /// Adds messages. Each follows the one before, the first follows `after`. All are added, or none.
    ///
    /// # Errors
    /// - `NotFound`: no such conversation, or no such parent in it, for this owner.
    /// - `Conflict`: an id was used for something else.
    /// - `HeadMoved`: the head is not the expected message.
    /// - `Trashed`: the conversation is in the trash.
    /// - `Busy`: the write queue is full.
    pub async fn append(&self, append: Append) -> Result<Vec<Message>> {
        let Append { conversation, after, expected_head, messages } = append;
        let messages = self.attach_files(messages).await?;
        let mut rows: Vec<_> = messages.into_iter().map(|new| self.row(conversation, new)).collect();
        if let Some(follows) = batchable_after(after, expected_head)
            && is_batchable(&rows)
        {
            let (owner, actor) = (self.owner.clone(), self.actor.clone());
            let messages = NewMessages { owner, actor, conversation, follows, rows };
            let (messages, outcome) = self.store.0.writer.append(messages, &self.trace).await?;
            rows = messages.rows;
            match outcome {
                AppendOutcome::Appended { first, branch, created_at } => {
                    let places = (first..).map(|position| MessagePlace {
                        position,
                        branch,
                        parent: Some(position - 1),
                        created_at,
                    });
                    return places.zip(rows).map(|(place, row)| place.of(row).try_into()).collect();
                }
                AppendOutcome::NotFound => return Err(Error::NotFound("conversation")),
                AppendOutcome::Known => {
                    if let Some(already_appended) = self.already_appended(&self.reader(), &rows).await? {
                        return Ok(already_appended);
                    }
                }
                AppendOutcome::NotBatchable | AppendOutcome::Busy => {}
            }
        }
        self.append_in_transaction(conversation, rows, after, expected_head).await
    }

    /// Appends in a transaction of its own. It handles every case.
    async fn append_in_transaction(
        &self,
        conversation: ConversationId,
        rows: Vec<message::Model>,
        after: AppendParent,
        expected_head: Option<MessageId>,
    ) -> Result<Vec<Message>> {
        let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let mut tx = Tx::begin(self, AuditAction::AppendMessages, rows.len()).await?;
        let read = last_of_user(&rows);
        let positions = self.take_positions(&tx, conversation, (count, read), after).await?;
        if let Some(already_appended) = self.already_appended(tx.connection(), &rows).await? {
            return Ok(already_appended);
        }
        if positions.trashed_at.is_some() {
            return Err(Error::Trashed);
        }
        let before = positions.last_position - count;
        let follows_head = positions.head_position == positions.last_position;
        let head = if follows_head { before } else { positions.head_position };
        if let Some(expected) = expected_head {
            let actual = message_at(&tx, conversation, head).await?.map(|row| row.id);
            if actual != Some(expected) {
                return Err(Error::HeadMoved(actual));
            }
        }
        let mut branch = None;
        let mut previous = head;
        if !follows_head {
            let parent = match after {
                AppendParent::Message(id) => Some(self.parent(&tx, conversation, id).await?),
                AppendParent::Head => message_at(&tx, conversation, head).await?,
                AppendParent::Root => None,
            };
            previous = parent.as_ref().map_or(0, |row| row.position);
            branch = take_branch(&tx, conversation, &positions, before, parent.as_ref()).await?;
        }
        let mut appended = Vec::with_capacity(rows.len());
        for (position, row) in (before + 1..).zip(rows) {
            let parent = Some(previous);
            let place = MessagePlace { position, branch, parent, created_at: positions.updated_at };
            appended.push(insert_message(&mut tx, place, row).await?);
            previous = position;
        }
        tx.commit().await?;
        Ok(appended)
    }

    /// Takes the next positions and the row's lock, and checks ownership, in one statement. If the messages
    /// follow the head of a conversation that never forked, it also moves the head. A message is never
    /// older than the one before it, whatever the clock does. An archived conversation leaves the archive, if that
    /// is wanted. `read` is the number of the last of the messages that the user wrote.
    async fn take_positions(
        &self,
        tx: &Tx,
        conversation: ConversationId,
        (count, read): (i64, Option<i64>),
        after: AppendParent,
    ) -> Result<Positions> {
        use conversation::Column::{
            ArchivedAt, Branches, HeadPosition, Id, LastPosition, MessageCount, OwnerId, ReadPosition, State,
            TrashedAt, Trunk, UnarchiveOnMessage, UnreadIgnored, UpdatedAt,
        };
        let leaves_archive = || {
            Expr::col(State)
                .eq(ConversationState::Archived.code())
                .and(Expr::col(UnarchiveOnMessage).eq(true))
        };
        let state = Expr::case(leaves_archive(), ConversationState::Active.code()).finally(Expr::col(State));
        let archived_at = Expr::case(leaves_archive(), Expr::val(None::<i64>)).finally(Expr::col(ArchivedAt));
        let mut update = conversation::Entity::update_many()
            .col_expr(LastPosition, Expr::col(LastPosition).add(count))
            .col_expr(MessageCount, Expr::col(MessageCount).add(count))
            .col_expr(UpdatedAt, conversation::next_updated_at(tx.now()))
            .col_expr(State, state.into())
            .col_expr(ArchivedAt, archived_at.into())
            .filter(Id.eq(conversation))
            .filter(OwnerId.eq(self.owner.clone()));
        if let Some(read) = read {
            update = update
                .col_expr(ReadPosition, Expr::col(LastPosition).add(read))
                .col_expr(UnreadIgnored, Expr::val(0_i64));
        }
        if after == AppendParent::Head {
            let is_linear =
                Expr::col(Branches).eq(0_i64).and(Expr::col(HeadPosition).eq(Expr::col(LastPosition)));
            let head =
                Expr::case(is_linear, Expr::col(LastPosition).add(count)).finally(Expr::col(HeadPosition));
            update = update.col_expr(HeadPosition, head.into());
        }
        let mut update = update.into_query();
        let returned = [LastPosition, HeadPosition, Branches, Trunk, UpdatedAt, TrashedAt];
        update.returning(Query::returning().columns(returned));
        tx.one(&update).await?.ok_or(Error::NotFound("conversation"))
    }

    /// The messages that an earlier, equal append added.
    async fn already_appended(
        &self,
        connection: &impl ConnectionTrait,
        rows: &[message::Model],
    ) -> Result<Option<Vec<Message>>> {
        let chosen: Vec<MessageId> =
            rows.iter().filter(|row| row.fingerprint.is_some()).map(|row| row.id).collect();
        if chosen.is_empty() {
            return Ok(None);
        }
        let found = message::Entity::find().filter(message::Column::Id.is_in(chosen)).all(connection).await?;
        if found.is_empty() {
            return Ok(None);
        }
        let mut already_appended = Vec::with_capacity(rows.len());
        for new in rows {
            let there = found.iter().find(|row| row.id == new.id).ok_or(Error::Conflict)?;
            if there.owner_id != self.owner || there.fingerprint != new.fingerprint {
                return Err(Error::Conflict);
            }
            already_appended.push(there.clone().try_into()?);
        }
        Ok(Some(already_appended))
    }

    /// The row of a message, without its place.
    pub(in crate::store) fn row(&self, conversation: ConversationId, new: NewMessage) -> message::Model {
        let fingerprint = new.id.map(|_| Fingerprint::of_message(conversation, &new).0);
        let (content, parts) = new.body.map(MessageBody::into_columns).unwrap_or_default();
        message::Model {
            conversation_id: conversation,
            position: 0,
            id: new.id.unwrap_or_else(|| MessageId(self.store.0.clock.new_id())),
            owner_id: self.owner.clone(),
            role: new.role.code(),
            content,
            metadata: new.metadata,
            created_at: Timestamp(0),
            fingerprint,
            branch: None,
            parent_position: None,
            parts,
            status: new.status.code(),
            model: new.model.map(ModelName::into_string),
            usage: new.usage.map(TokenUsage::to_json),
            edited_at: None,
            deleted_at: None,
            pinned: false,
        }
    }

    async fn parent(&self, tx: &Tx, conversation: ConversationId, id: MessageId) -> Result<message::Model> {
        self.own_messages()
            .filter(message::Column::Id.eq(id))
            .filter(message::Column::ConversationId.eq(conversation))
            .one(tx.connection())
            .await?
            .ok_or(Error::NotFound("message"))
    }
}

/// The branch of the messages after `parent`: its own if the parent is the tip, otherwise a new one. It also makes
/// the last of the messages that are about to be appended the head.
async fn take_branch(
    tx: &Tx,
    conversation: ConversationId,
    positions: &Positions,
    before: i64,
    parent: Option<&message::Model>,
) -> Result<Option<i64>> {
    let position = parent.map_or(0, |row| row.position);
    let parent_branch = parent.and_then(|row| row.branch);
    let on_trunk = parent_branch.is_none();
    let trunk = if positions.branches == 0 { before } else { positions.trunk };
    let has_successor = (on_trunk && position < trunk)
        || (positions.branches > 0
            && has_message_after(tx, conversation, parent_branch.unwrap_or(0), position).await?);
    let (branch, branches) = match (has_successor, positions.branches) {
        (false, 0) => (None, 0),
        (false, branches) => (Some(parent_branch.unwrap_or(0)), branches),
        (true, branches) => (Some(branches + 1), branches + 1),
    };
    if has_successor {
        let row = branch::Model {
            conversation_id: conversation,
            branch: branches,
            parent_branch: parent_branch.unwrap_or(0),
            fork_position: position,
        };
        branch::Entity::insert(row.into_active_model()).exec_without_returning(tx.connection()).await?;
    }
    let trunk = if branches == 0 { 0 } else { trunk };
    let moved = conversation::Entity::update_many()
        .col_expr(conversation::Column::HeadPosition, Expr::col(conversation::Column::LastPosition))
        .col_expr(conversation::Column::Branch, Expr::val(branch.unwrap_or(0)))
        .col_expr(conversation::Column::Branches, Expr::val(branches))
        .col_expr(conversation::Column::Trunk, Expr::val(trunk))
        .filter(conversation::Column::Id.eq(conversation))
        .exec(tx.connection())
        .await?;
    if moved.rows_affected == 0 {
        return Err(Error::broken("a locked conversation is gone".into()));
    }
    Ok(branch)
}

/// Whether a branch has a message after a position.
async fn has_message_after(
    tx: &Tx,
    conversation: ConversationId,
    branch: i64,
    position: i64,
) -> Result<bool> {
    let next = message::Entity::find()
        .filter(message::Column::ConversationId.eq(conversation))
        .filter(message::Column::Branch.eq(branch))
        .filter(message::Column::Position.gt(position))
        .one(tx.connection())
        .await?;
    Ok(next.is_some())
}

async fn message_at(tx: &Tx, conversation: ConversationId, position: i64) -> Result<Option<message::Model>> {
    let slot = slot::among(tx.backend(), conversation, (position, position));
    let found = message::Entity::find()
        .filter(message::Column::ConversationId.eq(conversation))
        .filter(message::Column::Position.eq(position))
        .filter(Condition::all().add_option(slot));
    Ok(found.one(tx.connection()).await?)
}

/// Whether the write workers can append them: complete messages with different ids and without attachments.
fn is_batchable(rows: &[message::Model]) -> bool {
    let mut ids = HashSet::with_capacity(rows.len());
    !rows.is_empty()
        && rows.iter().all(|row| {
            row.status != MessageStatus::Streaming.code()
                && !may_refer(row.parts.as_deref())
                && ids.insert(row.id)
        })
}

/// What a worker has to find. `None` if the messages cannot follow the head.
///
/// A parent that the client names is almost always the head, and `null` is almost always the parent of a first message:
/// other values come from those who regenerate or edit.
fn batchable_after(after: AppendParent, expected_head: Option<MessageId>) -> Option<Follows> {
    match (after, expected_head) {
        (AppendParent::Head, None) => Some(Follows::Head),
        (AppendParent::Head, Some(head)) => Some(Follows::Message(head)),
        (AppendParent::Message(id), head) => {
            head.is_none_or(|head| head == id).then_some(Follows::Message(id))
        }
        (AppendParent::Root, None) => Some(Follows::Nothing),
        // Whose head is expected to be a message is not empty.
        (AppendParent::Root, Some(_)) => None,
    }
}

/// Inserts a message at a reserved place, and records the change.
pub(in crate::store) async fn insert_message(
    tx: &mut Tx,
    place: MessagePlace,
    mut row: message::Model,
) -> Result<Message> {
    row = place.of(row);
    // The row is inserted before its text: row-level security shows a text only if it shows the message.
    let streamed = row.status == MessageStatus::Streaming.code();
    let text = streamed.then(|| std::mem::take(&mut row.content));
    tx.connection().execute(&slot::insert(tx.backend(), row.clone())).await?;
    refer(tx, Referrer::message(&row), &referred_in(row.parts.as_deref())?).await?;
    if let Some(text) = text {
        crate::store::repository::streams::begin_stream(tx, &row, text).await?;
    }
    let (conversation, message) = (row.conversation_id, Some(row.id));
    tx.record(Change { kind: ChangeKind::MessageAdded, conversation, message });
    row.try_into()
}
