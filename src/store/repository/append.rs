//! Appending: the one way messages come to be.
//!
//! A message has a position in its conversation: 1, 2, 3, … without holes. Positions are given
//! while the conversation's row is locked, in the transaction that inserts the messages, so two
//! writers never share one and they commit in order.
//!
//! Almost every append goes to the end of a conversation that never forked: those are the writer's,
//! which commits many at once. What falls out of it, or is known to be something else, is done here, in a
//! transaction of its own: a message goes on the branch of the message it follows where that one is the
//! tip; after any other message it opens a branch. Appending is repeatable where the caller chose the id:
//! the same again answers with the first result and writes nothing.

use std::collections::HashSet;

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter,
};

use crate::model::{
    After, Append, Body, Change, ChangeKind, ConversationId, Fingerprint, Message, MessageId, MessageStatus,
    ModelName, NewMessage, Timestamp, TokenUsage,
};
use crate::store::engine::slot;
use crate::store::entity::{branch, message};
use crate::store::error::Error;
use crate::store::error::Result;
use crate::store::hot::writer::request::{NewMessages, Outcome};
use crate::store::scope::Scoped;
use crate::store::transaction::Tx;

/// Gives the next positions, takes the row's lock and checks ownership in one; where the messages
/// follow the head of a conversation that never forked, it also moves the head. A message is never
/// older than the one before it, whatever the clock does.
const TAKE_POSITIONS: &str = "UPDATE conversation \
     SET last_position = last_position + $4, message_count = message_count + $4, \
     head_position = CASE WHEN $5 AND branches = 0 AND head_position = last_position \
     THEN last_position + $4 ELSE head_position END, \
     updated_at = CASE WHEN updated_at < $3 THEN $3 ELSE updated_at + 1 END \
     WHERE id = $1 AND owner_id = $2 \
     RETURNING last_position, head_position, branches, trunk, updated_at";

const MOVE_HEAD: &str = "UPDATE conversation SET head_position = last_position, branch = $2, \
     branches = $3, trunk = $4 WHERE id = $1 RETURNING last_position";

#[derive(FromQueryResult)]
struct Positions {
    last_position: i64,
    head_position: i64,
    branches: i64,
    trunk: i64,
    updated_at: Timestamp,
}

#[derive(FromQueryResult)]
struct Moved {
    #[expect(dead_code, reason = "that a row came back is what matters")]
    last_position: i64,
}

/// Where a message is put: all of it is its own already.
pub(in crate::store) struct Place {
    pub(in crate::store) position: i64,
    /// None on the trunk.
    pub(in crate::store) branch: Option<i64>,
    /// Of the message it follows; not needed on the trunk.
    pub(in crate::store) parent: Option<i64>,
    pub(in crate::store) created_at: Timestamp,
}

impl Scoped {
    /// Adds messages, each after the one before, the first after what is given. All or none.
    ///
    /// # Errors
    /// - `NotFound`: no such conversation, or no such parent in it, for this owner.
    /// - `Conflict`: an id has been used for something else.
    /// - `HeadMoved`: another message is the head than was expected.
    /// - `Busy`: too many appends wait already.
    pub async fn append(&self, append: Append) -> Result<Vec<Message>> {
        let Append { conversation, after, expected_head, messages } = append;
        let rows = messages.into_iter().map(|new| self.row(conversation, new)).collect();
        let mut messages = NewMessages {
            owner: self.owner.clone(),
            actor: self.actor.clone(),
            conversation,
            head: expected_head,
            rows,
        };
        if after == After::Head && is_ordinary(&messages.rows) {
            let outcome;
            (messages, outcome) = self.store.0.writer.append(messages).await?;
            match outcome {
                Outcome::Appended { first, created_at } => {
                    return (first..)
                        .zip(messages.rows)
                        .map(|(at, row)| placed(row, at, created_at))
                        .collect();
                }
                Outcome::NotFound => return Err(Error::NotFound("conversation")),
                Outcome::Known => {
                    if let Some(repeated) = self.repeated(&self.reader(), &messages.rows).await? {
                        return Ok(repeated);
                    }
                }
                Outcome::NotBatchable | Outcome::Busy => {}
            }
        }
        self.append_apart(messages, after).await
    }

    /// Appends in a transaction of its own, whatever the case.
    async fn append_apart(&self, messages: NewMessages, after: After) -> Result<Vec<Message>> {
        let NewMessages { conversation, head: expected_head, rows, .. } = messages;
        let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let mut tx = Tx::begin(self, rows.len()).await?;
        let values = [
            conversation.into(),
            self.owner.clone().into(),
            tx.now().into(),
            count.into(),
            (after == After::Head).into(),
        ];
        let taken: Positions =
            tx.one(TAKE_POSITIONS, values).await?.ok_or(Error::NotFound("conversation"))?;
        if let Some(repeated) = self.repeated(tx.connection(), &rows).await? {
            return Ok(repeated);
        }
        let before = taken.last_position - count;
        let follows_head = taken.head_position == taken.last_position;
        let head = if follows_head { before } else { taken.head_position };
        if let Some(expected) = expected_head {
            let actual = at(&tx, conversation, head).await?.map(|row| row.id);
            if actual != Some(expected) {
                return Err(Error::HeadMoved(actual));
            }
        }
        let mut branch = None;
        let mut previous = head;
        if !follows_head {
            let parent = match after {
                After::Message(id) => Some(self.parent(&tx, conversation, id).await?),
                After::Head => at(&tx, conversation, head).await?,
                After::Nothing => None,
            };
            previous = parent.as_ref().map_or(0, |row| row.position);
            branch = take_branch(&tx, conversation, &taken, before, parent.as_ref()).await?;
        }
        let mut appended = Vec::with_capacity(rows.len());
        for (position, row) in (before + 1..).zip(rows) {
            let parent = Some(previous);
            let place = Place { position, branch, parent, created_at: taken.updated_at };
            appended.push(insert_message(&mut tx, place, row).await?);
            previous = position;
        }
        tx.commit().await?;
        Ok(appended)
    }

    /// What the same call appended before, if it did.
    async fn repeated(
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
        let mut repeated = Vec::with_capacity(rows.len());
        for new in rows {
            let there = found.iter().find(|row| row.id == new.id).ok_or(Error::Conflict)?;
            if there.owner_id != self.owner || there.fingerprint != new.fingerprint {
                return Err(Error::Conflict);
            }
            repeated.push(there.clone().try_into()?);
        }
        Ok(Some(repeated))
    }

    /// A message's row, all but its place.
    pub(in crate::store) fn row(&self, conversation: ConversationId, new: NewMessage) -> message::Model {
        let fingerprint = new.id.map(|_| Fingerprint::of_message(conversation, &new).0);
        let (content, parts) = new.body.map(Body::into_columns).unwrap_or_default();
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

/// The branch for what follows `parent`: its own where it is the tip, else a new one. The messages
/// that are about to be appended become the head.
async fn take_branch(
    tx: &Tx,
    conversation: ConversationId,
    taken: &Positions,
    before: i64,
    parent: Option<&message::Model>,
) -> Result<Option<i64>> {
    let position = parent.map_or(0, |row| row.position);
    let parent_branch = parent.and_then(|row| row.branch);
    let on_trunk = parent_branch.is_none();
    let trunk = if taken.branches == 0 { before } else { taken.trunk };
    let has_successor = (on_trunk && position < trunk)
        || (taken.branches > 0 && goes_on(tx, conversation, parent_branch.unwrap_or(0), position).await?);
    let (branch, branches) = match (has_successor, taken.branches) {
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
    let values = [conversation.into(), branch.unwrap_or(0).into(), branches.into(), trunk.into()];
    let moved: Option<Moved> = tx.one(MOVE_HEAD, values).await?;
    moved.ok_or_else(|| Error::broken("a locked conversation is gone".into()))?;
    Ok(branch)
}

/// Whether a branch has a message after a position.
async fn goes_on(tx: &Tx, conversation: ConversationId, branch: i64, position: i64) -> Result<bool> {
    let next = message::Entity::find()
        .filter(message::Column::ConversationId.eq(conversation))
        .filter(message::Column::Branch.eq(branch))
        .filter(message::Column::Position.gt(position))
        .one(tx.connection())
        .await?;
    Ok(next.is_some())
}

async fn at(tx: &Tx, conversation: ConversationId, position: i64) -> Result<Option<message::Model>> {
    let slot = slot::among(tx.backend(), conversation, (position, position));
    let found = message::Entity::find()
        .filter(message::Column::ConversationId.eq(conversation))
        .filter(message::Column::Position.eq(position))
        .filter(Condition::all().add_option(slot));
    Ok(found.one(tx.connection()).await?)
}

/// Whether the writer can take them: whole messages, each with an id of its own.
fn is_ordinary(rows: &[message::Model]) -> bool {
    let mut ids = HashSet::with_capacity(rows.len());
    !rows.is_empty()
        && rows.iter().all(|row| row.status != MessageStatus::Streaming.code() && ids.insert(row.id))
}

/// A message on the trunk as the writer has stored it.
fn placed(mut row: message::Model, position: i64, created_at: Timestamp) -> Result<Message> {
    row.position = position;
    row.created_at = created_at;
    row.try_into()
}

/// Inserts a message at a place that is already its own, and records the change.
pub(in crate::store) async fn insert_message(
    tx: &mut Tx,
    place: Place,
    mut row: message::Model,
) -> Result<Message> {
    row.position = place.position;
    row.created_at = place.created_at;
    row.branch = place.branch;
    row.parent_position = place.branch.and(place.parent);
    // The row comes before its text: row-level security shows a text to whom it shows the message.
    let streamed = row.status == MessageStatus::Streaming.code();
    let text = streamed.then(|| std::mem::take(&mut row.content));
    tx.connection().execute(&slot::insert(tx.backend(), row.clone())).await?;
    if let Some(text) = text {
        crate::store::repository::streams::begin(tx, &row, text).await?;
    }
    let (conversation, message) = (row.conversation_id, Some(row.id));
    tx.record(Change { kind: ChangeKind::MessageAdded, conversation, message });
    row.try_into()
}
