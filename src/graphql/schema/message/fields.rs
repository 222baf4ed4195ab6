//! The fields of a message.

use std::borrow::Cow;

use async_graphql::{Context, ID, Object};

use super::{Message, MessageStatus, Role};
use crate::graphql::execution::context::ContextExt;
use crate::graphql::execution::value_size::size_of_objects;
use crate::graphql::schema::context_window::{DEFAULT_TOKENIZER, Tokenizer};
use crate::graphql::schema::conversation::Conversation;
use crate::graphql::schema::feedback::Feedback;
use crate::graphql::schema::part::MessagePart;
use crate::graphql::schema::scalar::{DateTime, Json};
use crate::graphql::schema::usage::TokenUsage;
use crate::model;
use crate::store::Result;

/// A message of the viewer's: one turn of a conversation.
#[Object]
impl Message {
    /// A UUID: the one that the client chose, or one of version 7.
    pub(in crate::graphql) async fn id(&self) -> ID {
        ID::from(self.row().id.0)
    }

    /// The conversation that the message belongs to.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Conversation> {
        Ok(ctx.loaders()?.conversation(self.row().conversation).await?.into())
    }

    /// The position in the conversation: 1, 2, 3, … without gaps, in commit order. It is assigned under the
    /// row lock of the conversation. Sort by it, never by time.
    async fn position(&self) -> i64 {
        self.row().position
    }

    /// The author.
    async fn role(&self) -> Role {
        self.row().role.into()
    }

    /// The text: the given content, or the text parts joined by blank lines. While the message is streaming:
    /// the text so far. Empty if it is deleted.
    async fn content(&self, ctx: &Context<'_>) -> Result<Cow<'_, str>> {
        let row = self.row();
        let text = if row.status == model::MessageStatus::Streaming {
            Cow::Owned(ctx.loaders()?.text(row.id).await?.to_string())
        } else {
            Cow::Borrowed(row.content.as_str())
        };
        ctx.memory_budget()?.grow(text.len()).await?;
        Ok(text)
    }

    /// The parts. A plain text has one text part.
    async fn parts(&self, ctx: &Context<'_>) -> Result<Vec<MessagePart>> {
        let row = self.row();
        if let Some(parts) = &row.parts {
            ctx.memory_budget()?.grow(parts.bytes() + size_of_objects(ctx, parts.as_slice().len())).await?;
            return Ok(parts.as_slice().iter().cloned().map(MessagePart::from).collect());
        }
        let text = if row.status == model::MessageStatus::Streaming {
            ctx.loaders()?.text(row.id).await?.to_string()
        } else {
            row.content.clone()
        };
        ctx.memory_budget()?.grow(text.len()).await?;
        let part = (!text.is_empty()).then(|| MessagePart::from(model::Part::text(text)));
        Ok(part.into_iter().collect())
    }

    /// The status.
    async fn status(&self) -> MessageStatus {
        self.row().status.into()
    }

    /// The message that it follows. Null for a first message.
    async fn parent(&self, ctx: &Context<'_>) -> Option<Result<Message>> {
        let place = (self.row().conversation, self.row().parent?);
        let loaded = match ctx.loaders() {
            Ok(loaders) => loaders.message_at(place).await,
            Err(error) => Err(error),
        };
        loaded.map(|found| found.map(Message::from)).transpose()
    }

    /// The messages with the same parent, including this one, oldest first.
    async fn siblings(&self, ctx: &Context<'_>) -> Result<Vec<Message>> {
        let place = (self.row().conversation, self.row().parent.unwrap_or(0));
        let siblings = ctx.loaders()?.messages_following(place).await?;
        let count = siblings.items.len();
        ctx.memory_budget()?.grow(size_of_objects(ctx, count)).await?;
        Ok((0..count).map(|at| Message::of(&siblings, at)).collect())
    }

    /// The model that wrote it.
    async fn model(&self) -> Option<&str> {
        self.row().model.as_deref()
    }

    /// The tokens that it used, as its writer reported them.
    async fn usage(&self) -> Option<TokenUsage> {
        self.row().usage.map(TokenUsage::from)
    }

    /// The tokens of what a model reads of it: its text, or of parts every text, reasoning, tool name, input, output
    /// and error. Files, sources and data are not counted, and nothing is added for a message. 0 once it is deleted.
    async fn token_count(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How tokens are counted.", default_with = "Some(DEFAULT_TOKENIZER)")]
        tokenizer: Option<Tokenizer>,
    ) -> Result<i64> {
        let (row, tokenizer) = (self.row(), tokenizer.unwrap_or(DEFAULT_TOKENIZER).into());
        if row.deleted_at.is_some() {
            return Ok(0);
        }
        if row.status == model::MessageStatus::Streaming {
            let text = ctx.loaders()?.text(row.id).await?;
            return ctx.store()?.count_text(&text, tokenizer).await;
        }
        ctx.loaders()?.token_count(row.id, tokenizer).await
    }

    /// Kept in every context window.
    async fn pinned(&self) -> bool {
        self.row().pinned
    }

    /// What the user thinks of it. Null if there is no feedback.
    async fn feedback(&self, ctx: &Context<'_>) -> Option<Result<Feedback>> {
        Feedback::of(ctx, self.row()).await.transpose()
    }

    /// Data of the client, never interpreted.
    async fn metadata(&self, ctx: &Context<'_>) -> Result<Json> {
        let metadata = &self.row().metadata;
        ctx.memory_budget()?.grow(metadata.as_str().len()).await?;
        Ok(Json::from(metadata))
    }

    /// The time of creation, by the server's clock. Never earlier than that of the message before.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row().created_at)
    }

    /// The time of the last edit.
    async fn edited_at(&self) -> Option<DateTime> {
        self.row().edited_at.map(DateTime)
    }

    /// The time at which the content was deleted. The position is kept.
    async fn deleted_at(&self) -> Option<DateTime> {
        self.row().deleted_at.map(DateTime)
    }
}
