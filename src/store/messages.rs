//! Messages: reading them by id, by place, and in order of position.
//!
//! [`Scoped::messages`] gives all messages of a conversation, whatever their branch: what followers
//! are told. What a reader of one branch sees is in `branches`.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement};

use super::entity::message;
use super::{Error, Result, Scoped};
use crate::model::{ConversationId, End, Message, MessageId, Page, Range, Slice};

/// The first or last messages of many conversations that never forked, one more than asked for to tell whether there
/// are more. A window function would read every message; these read what they return.
const LAST_OF_MANY_SQLITE: &str = "SELECT m.* FROM json_each($1) AS wanted \
     JOIN conversation AS c ON c.id = unhex(wanted.value) AND c.owner_id = $2 \
     JOIN message AS m ON m.conversation_id = c.id AND m.position > c.last_position - $3 \
     AND m.branch IS NULL";
const FIRST_OF_MANY_SQLITE: &str = "SELECT m.* FROM json_each($1) AS wanted \
     JOIN message AS m ON m.conversation_id = unhex(wanted.value) AND m.position <= $3 AND m.owner_id = $2 \
     AND m.branch IS NULL";
const LAST_OF_MANY_POSTGRES: &str = "SELECT m.* FROM unnest(string_to_array($1, ',')) AS wanted(id) \
     CROSS JOIN LATERAL (SELECT * FROM message WHERE conversation_id = wanted.id::uuid AND owner_id = $2 AND branch IS NULL \
     ORDER BY position DESC LIMIT $3) AS m";
/// Messages by their places.
const AT_SQLITE: &str = "SELECT m.* FROM json_each($1) AS wanted \
     JOIN message AS m ON m.conversation_id = unhex(wanted.value ->> 0) AND m.position = wanted.value ->> 1 \
     AND m.owner_id = $2";
const AT_POSTGRES: &str = "SELECT m.* FROM jsonb_array_elements($1::text::jsonb) AS wanted \
     JOIN message AS m ON m.conversation_id = (wanted ->> 0)::uuid AND m.position = (wanted ->> 1)::bigint \
     AND m.owner_id = $2";
const FIRST_OF_MANY_POSTGRES: &str = "SELECT m.* FROM unnest(string_to_array($1, ',')) AS wanted(id) \
     CROSS JOIN LATERAL (SELECT * FROM message WHERE conversation_id = wanted.id::uuid AND owner_id = $2 AND branch IS NULL \
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

    /// The first or last messages of many conversations that never forked, in one statement. Where
    /// one has forked meanwhile, the page ends before the fork.
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

    /// Messages by their places, in no order; what is unknown or foreign is left out.
    pub async fn messages_at(
        &self,
        places: &[(ConversationId, i64)],
    ) -> Result<HashMap<(ConversationId, i64), Message>> {
        let backend = self.reader().get_database_backend();
        let sql = if backend == DbBackend::Sqlite { AT_SQLITE } else { AT_POSTGRES };
        let values = [super::places(places).into(), self.owner.clone().into()];
        let statement = Statement::from_sql_and_values(backend, sql, values);
        let rows = message::Entity::find().from_raw_sql(statement).all(self.reader()).await?;
        rows.into_iter().map(|row| Ok(((row.conversation_id, row.position), row.try_into()?))).collect()
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
