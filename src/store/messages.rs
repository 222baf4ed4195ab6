//! Messages: the append-only part of a conversation.
//!
//! A message has a position in its conversation: 1, 2, 3, … without holes. Positions are given
//! while the conversation's row is locked, in the transaction that inserts the message, so two
//! writers never share one and they commit in order.
//!
//! Appending is repeatable where the caller chose the id: the same again answers with the first
//! result and writes nothing.

use std::collections::HashMap;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, DbBackend, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Statement,
};

use super::entity::message;
use super::tx::Tx;
use super::{Error, Result, Scoped};
use crate::model::{
    Change, ChangeKind, ConversationId, End, Fingerprint, Message, MessageId, NewMessage, Page, Range, Slice,
    Timestamp,
};

/// Gives the next position, takes the row's lock and checks ownership in one. A message is never
/// older than the one before it, whatever the clock does.
const TAKE_POSITION: &str = "UPDATE conversation \
     SET last_position = last_position + 1, message_count = message_count + 1, \
     updated_at = CASE WHEN updated_at < $3 THEN $3 ELSE updated_at + 1 END \
     WHERE id = $1 AND owner_id = $2 RETURNING last_position, updated_at";

#[derive(FromQueryResult)]
struct Position {
    last_position: i64,
    updated_at: Timestamp,
}

/// The first or last messages of many conversations, one more than asked for to tell whether there
/// are more. A window function would read every message; these read what they return.
const LAST_OF_MANY_SQLITE: &str = "SELECT m.* FROM json_each($1) AS wanted \
     JOIN conversation AS c ON c.id = unhex(wanted.value) AND c.owner_id = $2 \
     JOIN message AS m ON m.conversation_id = c.id AND m.position > c.last_position - $3";
const FIRST_OF_MANY_SQLITE: &str = "SELECT m.* FROM json_each($1) AS wanted \
     JOIN message AS m ON m.conversation_id = unhex(wanted.value) AND m.position <= $3 AND m.owner_id = $2";
const LAST_OF_MANY_POSTGRES: &str = "SELECT m.* FROM unnest(string_to_array($1, ',')) AS wanted(id) \
     CROSS JOIN LATERAL (SELECT * FROM message WHERE conversation_id = wanted.id::uuid AND owner_id = $2 \
     ORDER BY position DESC LIMIT $3) AS m";
const FIRST_OF_MANY_POSTGRES: &str = "SELECT m.* FROM unnest(string_to_array($1, ',')) AS wanted(id) \
     CROSS JOIN LATERAL (SELECT * FROM message WHERE conversation_id = wanted.id::uuid AND owner_id = $2 \
     ORDER BY position LIMIT $3) AS m";

impl Scoped {
    /// A message by its id.
    pub async fn message(&self, id: MessageId) -> Result<Option<Message>> {
        let row = self.own_messages().filter(message::Column::Id.eq(id)).one(self.reader()).await?;
        row.map(Message::try_from).transpose()
    }

    /// Messages by id, in no order; what is unknown or foreign is left out.
    pub async fn messages_by_id(&self, ids: &[MessageId]) -> Result<HashMap<MessageId, Message>> {
        let rows = self
            .own_messages()
            .filter(message::Column::Id.is_in(ids.iter().copied()))
            .all(self.reader())
            .await?;
        rows.into_iter().map(|row| Ok((row.id, row.try_into()?))).collect()
    }

    /// A page of a conversation's messages, by position. A conversation that is not the owner's
    /// has none.
    pub async fn messages(
        &self,
        conversation: ConversationId,
        range: Range<i64>,
        page: Page,
    ) -> Result<Slice<Message>> {
        let mut select = self.own_messages().filter(message::Column::ConversationId.eq(conversation));
        if let Some(after) = range.after {
            select = select.filter(message::Column::Position.gt(after));
        }
        if let Some(before) = range.before {
            select = select.filter(message::Column::Position.lt(before));
        }
        select = match page.end {
            End::First => select.order_by_asc(message::Column::Position),
            End::Last => select.order_by_desc(message::Column::Position),
        };
        let rows = select.limit(u64::from(page.size) + 1).all(self.reader()).await?;
        let messages = rows.into_iter().map(Message::try_from).collect::<Result<Vec<_>>>()?;
        Ok(Slice::from_rows(messages, page, &range))
    }

    /// The same page, without bounds, of many conversations in one statement.
    pub async fn messages_of_many(
        &self,
        conversations: &[ConversationId],
        page: Page,
    ) -> Result<HashMap<ConversationId, Slice<Message>>> {
        let backend = self.reader().get_database_backend();
        let limit = (i64::from(page.size) + 1).into();
        let (sql, ids) = match (backend, page.end) {
            (DbBackend::Sqlite, End::First) => (FIRST_OF_MANY_SQLITE, json_array(conversations)),
            (DbBackend::Sqlite, End::Last) => (LAST_OF_MANY_SQLITE, json_array(conversations)),
            (_, End::First) => (FIRST_OF_MANY_POSTGRES, comma_separated(conversations)),
            (_, End::Last) => (LAST_OF_MANY_POSTGRES, comma_separated(conversations)),
        };
        let values = [ids.into(), self.owner.clone().into(), limit];
        let statement = Statement::from_sql_and_values(backend, sql, values);
        let rows = message::Entity::find().from_raw_sql(statement).all(self.reader()).await?;
        let mut by_conversation: HashMap<ConversationId, Vec<Message>> =
            conversations.iter().map(|id| (*id, Vec::new())).collect();
        for row in rows {
            by_conversation.entry(row.conversation_id).or_default().push(row.try_into()?);
        }
        let slice = |mut messages: Vec<Message>| {
            match page.end {
                End::First => messages.sort_unstable_by_key(|message| message.position),
                End::Last => messages.sort_unstable_by_key(|message| std::cmp::Reverse(message.position)),
            }
            Slice::from_rows(messages, page, &Range::<i64>::all())
        };
        Ok(by_conversation.into_iter().map(|(id, messages)| (id, slice(messages))).collect())
    }

    /// The position of a conversation's newest message; 0 when it has none.
    ///
    /// # Errors
    /// - `NotFound`: no such conversation for this owner.
    pub async fn last_position(&self, conversation: ConversationId) -> Result<i64> {
        let row = self
            .own_conversations()
            .filter(super::entity::conversation::Column::Id.eq(conversation))
            .one(self.reader())
            .await?;
        row.map(|row| row.last_position).ok_or(Error::NotFound("conversation"))
    }

    /// Adds a message at the end of a conversation.
    ///
    /// # Errors
    /// - `NotFound`: no such conversation for this owner.
    /// - `Conflict`: the id has been used for something else.
    pub async fn append_message(&self, conversation: ConversationId, new: NewMessage) -> Result<Message> {
        let mut tx = self.begin(1).await?;
        let values = [conversation.into(), self.owner.clone().into(), tx.now().into()];
        let position: Position =
            tx.one(TAKE_POSITION, values).await?.ok_or(Error::NotFound("conversation"))?;
        if let Some(id) = new.id
            && let Some(row) =
                message::Entity::find().filter(message::Column::Id.eq(id)).one(tx.connection()).await?
        {
            let fingerprint = Fingerprint::of_message(conversation, &new);
            let repeated = row.owner_id == self.owner && row.fingerprint == Some(fingerprint.0);
            return if repeated { row.try_into() } else { Err(Error::Conflict) };
        }
        let place = (conversation, position.last_position, position.updated_at);
        let message = insert_message(&mut tx, self, place, new).await?;
        tx.commit().await?;
        Ok(message)
    }
}

/// Inserts a message at a place that is already its own, and records the change.
pub(super) async fn insert_message(
    tx: &mut Tx,
    scope: &Scoped,
    (conversation, position, created_at): (ConversationId, i64, Timestamp),
    new: NewMessage,
) -> Result<Message> {
    let fingerprint = new.id.map(|_| Fingerprint::of_message(conversation, &new).0);
    let row = message::Model {
        conversation_id: conversation,
        position,
        id: new.id.unwrap_or_else(|| MessageId(scope.store.0.clock.new_id())),
        owner_id: scope.owner.clone(),
        role: new.role.code(),
        content: new.content.into_string(),
        metadata: new.metadata.into_string(),
        created_at,
        fingerprint,
    };
    let row = row.into_active_model().insert(tx.connection()).await?;
    tx.record(Change { kind: ChangeKind::MessageAdded, conversation, message: Some(row.id) });
    row.try_into()
}

/// One parameter however many ids, so that the text of the statement stays constant.
fn json_array(ids: &[ConversationId]) -> String {
    let quoted: Vec<String> = ids.iter().map(|id| format!("\"{}\"", id.0.simple())).collect();
    format!("[{}]", quoted.join(","))
}

/// One parameter however many ids, so that the text of the statement stays constant.
fn comma_separated(ids: &[ConversationId]) -> String {
    let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
    texts.join(",")
}
