//! The messages of an export, in pages of limited size.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sea_orm::sea_query::Order;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use super::{ExportSnapshot, records};
use crate::model::{
    Conversation, ConversationId, ExportedMessage, Feedback, Message, MessageId, MessageStatus,
};
use crate::store::engine::slot;
use crate::store::entity::{message, message_feedback, message_text};
use crate::store::error::Result;
use crate::store::repository::bounded::{ids_and_sizes, within};
use crate::store::repository::branches::{Segment, active_segments};

/// The most messages of a page.
const MESSAGES: u64 = 50;

/// The most bytes of a page; one message more may be in it.
const PAGE_BYTES: i64 = 2 * 1024 * 1024;

/// Messages of one conversation, by position.
pub struct MessagePages<'s> {
    snapshot: &'s ExportSnapshot,
    conversation: ConversationId,
    /// The ranges that are left, the next one last.
    segments: Vec<Segment>,
    /// The position of the last message that was read.
    after: i64,
}

impl ExportSnapshot {
    /// The messages of all branches of a conversation.
    pub fn all_messages(&self, conversation: ConversationId) -> MessagePages<'_> {
        let all = Segment { branch: None, after: 0, upto: slot::LAST };
        MessagePages { snapshot: self, conversation, segments: vec![all], after: 0 }
    }

    /// The messages of the active branch of a conversation.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn active_messages(&self, conversation: &Conversation) -> Result<MessagePages<'_>> {
        let segments = active_segments(&*self.reads, conversation).await?;
        Ok(MessagePages { snapshot: self, conversation: conversation.id, segments, after: 0 })
    }
}

impl MessagePages<'_> {
    /// The next messages. `None`: there are no more.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<ExportedMessage>>> {
        while let Some(segment) = self.segments.last() {
            let rest = Segment { after: self.after.max(segment.after), ..*segment };
            let page = self.snapshot.messages(self.conversation, rest).await?;
            if let Some(last) = page.last() {
                self.after = last.position;
                return Ok(Some(page));
            }
            self.segments.pop();
        }
        Ok(None)
    }
}

impl ExportSnapshot {
    /// The first messages of a range.
    async fn messages(&self, conversation: ConversationId, range: Segment) -> Result<Vec<ExportedMessage>> {
        if range.upto <= range.after {
            return Ok(Vec::new());
        }
        // Positions have no gaps, so all branches and the trunk are found by position alone.
        let by_position = || {
            let backend = self.reads.get_database_backend();
            let places = slot::among(backend, conversation, (range.after + 1, range.upto));
            Condition::all().add_option(places)
        };
        let on_branch = match range.branch {
            None => by_position(),
            Some(branch) => Condition::all().add(message::Column::Branch.eq(branch)),
        };
        let found = ids_and_sizes()
            .from(message::Entity)
            .and_where(message::Column::ConversationId.eq(conversation))
            .and_where(message::Column::Position.gt(range.after))
            .and_where(message::Column::Position.lte(range.upto))
            .and_where(message::Column::OwnerId.eq(self.scope.owner.clone()))
            .cond_where(on_branch)
            .order_by((message::Entity, message::Column::Position), Order::Asc)
            .limit(MESSAGES)
            .take();
        let mut rows = within(found, PAGE_BYTES).all(&*self.reads).await?;
        rows.sort_unstable_by_key(|row| row.position);
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let streaming = rows.iter().filter(|row| row.status == MessageStatus::Streaming.code());
        let mut texts = self.texts(streaming.map(|row| row.id).collect()).await?;
        let mut feedback = self.feedback(conversation, ids).await?;
        let messages = rows.into_iter().map(|row| {
            let fingerprint = row.fingerprint.as_ref().map(|bytes| STANDARD.encode(bytes));
            let mut message = Message::try_from(row)?;
            if let Some(text) = texts.remove(&message.id) {
                message.content = text;
            }
            let feedback = feedback.remove(&message.id);
            Ok(records::message(message, feedback, fingerprint))
        });
        messages.collect()
    }

    /// The texts so far of messages that are being written.
    async fn texts(&self, ids: Vec<MessageId>) -> Result<HashMap<MessageId, String>> {
        let mut texts: HashMap<MessageId, String> = HashMap::new();
        if ids.is_empty() {
            return Ok(texts);
        }
        let chunks = message_text::Entity::find()
            .filter(message_text::Column::MessageId.is_in(ids))
            .order_by_asc(message_text::Column::MessageId)
            .order_by_asc(message_text::Column::Start);
        for chunk in chunks.all(&*self.reads).await? {
            texts.entry(chunk.message_id).or_default().push_str(&chunk.text);
        }
        Ok(texts)
    }

    async fn feedback(
        &self,
        conversation: ConversationId,
        ids: Vec<MessageId>,
    ) -> Result<HashMap<MessageId, Feedback>> {
        let rows = message_feedback::Entity::find()
            .filter(message_feedback::Column::OwnerId.eq(self.scope.owner.clone()))
            .filter(message_feedback::Column::ConversationId.eq(conversation))
            .filter(message_feedback::Column::MessageId.is_in(ids))
            .all(&*self.reads)
            .await?;
        rows.into_iter().map(|row| Ok((row.message_id, row.try_into()?))).collect()
    }
}
