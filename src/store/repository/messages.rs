//! Messages: reads by id, by position, and in the order of positions.
//!
//! [`Scoped::messages`] returns the messages of all branches, for subscribers. `branches` reads one branch.

use std::collections::HashMap;

use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, Condition, QueryFilter};

use crate::model::{ConversationId, Message, MessageId, Page, Range, Slice};
use crate::store::engine::slot;
use crate::store::entity::message;
use crate::store::error::Error;
use crate::store::error::Result;
use crate::store::hot::reads::request::MessageRange;
use crate::store::json_rows::{JsonRows, REQUESTED};
use crate::store::repository::bounded::ids_and_sizes;
use crate::store::scope::Scoped;

impl Scoped {
    /// A message by its id.
    pub async fn message(&self, id: MessageId) -> Result<Option<Message>> {
        let row = self.own_messages().filter(message::Column::Id.eq(id)).one(&self.reader()).await?;
        row.map(Message::try_from).transpose()
    }

    /// Messages by id, in no order. Unknown and foreign ids are left out.
    pub async fn messages_by_id(&self, ids: &[MessageId]) -> Result<HashMap<MessageId, Message>> {
        let requested = JsonRows::message_ids(self.backend(), ids);
        let message = Condition::all()
            .add(message::Column::Id.into_expr().eq(requested.uuid(0)))
            .add(message::Column::OwnerId.eq(self.owner.clone()));
        let found = ids_and_sizes()
            .from_function(requested.table(), REQUESTED)
            .inner_join(message::Entity, message)
            .take();
        let rows = self.found_messages(found).await?;
        rows.into_iter().map(|row| Ok((row.id, row.try_into()?))).collect()
    }

    /// A page of a conversation's messages, by position. Empty if the conversation is not the owner's.
    pub async fn messages(
        &self,
        conversation: ConversationId,
        range: Range<i64>,
        page: Page,
    ) -> Result<Slice<Message>> {
        let rows = self.message_range(self.whole_conversation(conversation, page).within(&range)).await?;
        Ok(Slice::from_rows(rows, page, &range))
    }

    /// The first or last messages of many conversations that never forked, in one statement. If a conversation has
    /// forked in the meantime, its page ends before the fork.
    pub async fn messages_of_many(
        &self,
        conversations: &[ConversationId],
        page: Page,
    ) -> Result<HashMap<ConversationId, Slice<Message>>> {
        let trunk = |id: &ConversationId| MessageRange { trunk: true, ..self.whole_conversation(*id, page) };
        let found = self.message_ranges(conversations.iter().map(trunk).collect()).await?;
        let slices = found.into_iter().map(|rows| Slice::from_rows(rows, page, &Range::<i64>::all()));
        Ok(conversations.iter().copied().zip(slices).collect())
    }

    /// All messages of a conversation, from the end of the page, with one more row than the page has to see whether
    /// there are more.
    pub(in crate::store) fn whole_conversation(
        &self,
        conversation: ConversationId,
        page: Page,
    ) -> MessageRange {
        let owner = self.owner.clone();
        MessageRange {
            owner,
            conversation,
            after: 0,
            before: i64::MAX,
            end: page.end,
            rows: page.size + 1,
            trunk: false,
        }
    }

    pub(in crate::store) async fn message_range(&self, message_range: MessageRange) -> Result<Vec<Message>> {
        let found = self.message_ranges(vec![message_range]).await?.pop();
        found.ok_or_else(|| Error::broken("a range of messages was not read".into()))
    }

    /// Messages by conversation and position, in no order. Unknown and foreign ones are left out.
    pub async fn messages_at(
        &self,
        places: &[(ConversationId, i64)],
    ) -> Result<HashMap<(ConversationId, i64), Message>> {
        let requested = JsonRows::places(self.backend(), places);
        let (conversation, position) = (requested.uuid(0), requested.number(1));
        let message = Condition::all()
            .add(message::Column::ConversationId.into_expr().eq(conversation.clone()))
            .add(message::Column::Position.into_expr().eq(position.clone()))
            .add(message::Column::OwnerId.eq(self.owner.clone()))
            .add_option(slot::at(self.backend(), conversation, position));
        let found = ids_and_sizes()
            .from_function(requested.table(), REQUESTED)
            .inner_join(message::Entity, message)
            .take();
        let rows = self.found_messages(found).await?;
        rows.into_iter().map(|row| Ok(((row.conversation_id, row.position), row.try_into()?))).collect()
    }

    /// The position of a conversation's newest message. 0 if there is none.
    ///
    /// # Errors
    /// - `NotFound`: no such conversation for this owner.
    pub async fn last_position(&self, conversation: ConversationId) -> Result<i64> {
        let found = self.conversation(conversation).await?;
        found.map(|conversation| conversation.last_position).ok_or(Error::NotFound("conversation"))
    }
}
