//! Shares, for their readers.

use std::sync::Arc;

use async_graphql::{Context, Object};

use super::message::Role;
use super::part::MessagePart;
use super::scalar::{DateTime, Json};
use crate::graphql::execution::context::ContextExt;
use crate::model;
use crate::store::Result;

/// How many messages are given unless asked otherwise.
pub(in crate::graphql) const DEFAULT_MESSAGES: i32 = 50;

/// A copy of a branch that somebody shared.
struct SharedConversation(Arc<model::SharedConversation>);

/// A copy of a branch that somebody shared.
#[Object]
impl SharedConversation {
    /// The title.
    async fn title(&self) -> Option<&str> {
        self.0.share.title.as_deref()
    }

    /// When it was shared.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.share.created_at)
    }

    /// When it ends. Null: it has no end yet.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.share.expires_at.map(DateTime)
    }

    /// How many messages it has.
    async fn message_count(&self) -> i64 {
        self.0.share.message_count
    }

    /// The messages, oldest first.
    async fn shared_messages(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most so many, 1 to 100.", default_with = "Some(DEFAULT_MESSAGES)")]
        first: Option<i32>,
        #[graphql(desc = "Only those after the first so many.", default)] skip: i32,
    ) -> Result<Vec<SharedMessage>> {
        let default = model::Page { end: model::End::First, size: 50 };
        let size = model::Page::from_arguments(first, None, default)?.size as usize;
        let skip = usize::try_from(skip).map_err(|_| model::Invalid::new("skip", "must not be negative"))?;
        let page: Vec<_> = self.0.messages.iter().skip(skip).take(size).cloned().collect();
        ctx.memory_budget()?.grow(page.iter().map(bytes).sum()).await?;
        Ok(page.into_iter().map(|message| SharedMessage(message, self.0.clone())).collect())
    }
}

/// The memory that a message takes, in bytes.
fn bytes(message: &model::SharedMessage) -> usize {
    let metadata = message.metadata.as_ref().map_or(0, |metadata| metadata.as_str().len());
    message.content.len() + message.parts.as_ref().map_or(0, model::Parts::bytes) + metadata
}

/// A message that somebody shared.
struct SharedMessage(model::SharedMessage, Arc<model::SharedConversation>);

/// A message that somebody shared.
#[Object]
impl SharedMessage {
    /// The author.
    async fn role(&self) -> Role {
        self.0.role.into()
    }

    /// The text. Of a message with parts, their texts.
    async fn content(&self) -> &str {
        &self.0.content
    }

    /// The parts. A message that is only a text has one text part.
    async fn parts(&self) -> Vec<MessagePart> {
        let parts = match &self.0.parts {
            Some(parts) => parts.clone().into_vec(),
            None => vec![model::Part::text(self.0.content.clone())],
        };
        parts.into_iter().map(|part| MessagePart::shared(part, &self.1.attachments)).collect()
    }

    /// Data of the client. Null if it was not shared.
    async fn metadata(&self) -> Option<Json> {
        self.0.metadata.as_ref().map(Json::from)
    }

    /// The model that wrote it.
    async fn model(&self) -> Option<&str> {
        self.0.model.as_deref()
    }

    /// When it was written.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

/// The query of a share.
#[derive(Default)]
pub(in crate::graphql) struct SharedConversationQuery;

#[Object]
impl SharedConversationQuery {
    /// What somebody shared: the secret is all that is needed. Null if there is no such share, or no longer. It counts as a
    /// view. Without any credentials, `GET /shared/SECRET` gives the same as a page or as JSON.
    async fn shared_conversation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The secret of the share.")] secret: String,
    ) -> Result<Option<SharedConversation>> {
        let found = ctx.store()?.store().shared(&secret).await?;
        if let Some(shared) = &found {
            ctx.memory_budget()?.grow(shared.messages.iter().map(bytes).sum()).await?;
        }
        Ok(found.map(|shared| SharedConversation(Arc::new(shared))))
    }
}
