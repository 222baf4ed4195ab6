//! Mutations of messages.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Object, SimpleObject};

use super::Message;
use super::connection::MessageEdge;
use super::input::{AppendMessageInput, AppendMessagesInput, DeleteMessageInput, UpdateMessageInput};
use crate::graphql::execution::context::ContextExt;
use crate::graphql::execution::rendered_list::RenderedList;
use crate::graphql::schema::argument;
use crate::model::{self, Slice};
use crate::store::{Error, Result};

/// The appended message, or that of the first request if this is a retry.
#[derive(SimpleObject)]
#[graphql(complex)]
struct AppendMessagePayload {
    /// The appended message.
    message: Message,
}

#[ComplexObject]
impl AppendMessagePayload {
    /// The appended message as an edge of the conversation's messages, for example for Relay's `@appendEdge`.
    async fn message_edge(&self) -> MessageEdge {
        self.message.clone().into()
    }
}

/// The appended messages, or those of the first request if this is a retry.
struct AppendMessagesPayload(Arc<Slice<model::Message>>);

/// The appended messages, or those of the first request if this is a retry.
#[Object]
impl AppendMessagesPayload {
    /// The appended messages, in the order of the input.
    async fn messages(&self) -> RenderedList<'_, model::Message, Message> {
        RenderedList::of(&self.0)
    }

    /// The appended messages as edges of the conversation's messages, in the order of the input, for example
    /// for Relay's `@appendEdge`.
    async fn message_edges(&self) -> RenderedList<'_, model::Message, MessageEdge> {
        RenderedList::of(&self.0)
    }
}

/// The updated message.
#[derive(SimpleObject)]
#[graphql(complex)]
struct UpdateMessagePayload {
    /// The message after the update.
    message: Message,
}

#[ComplexObject]
impl UpdateMessagePayload {
    /// The message after the update as an edge of the conversation's messages.
    async fn message_edge(&self) -> MessageEdge {
        self.message.clone().into()
    }
}

/// The deleted message, without content.
#[derive(SimpleObject)]
struct DeleteMessagePayload {
    /// The message after its content was deleted.
    message: Message,
    /// Whether another deletion had deleted it before. Of several that delete the same message, one reads false; a
    /// retry with the same `deletionId` reads what the first attempt read.
    was_deleted: bool,
}

/// Mutations of messages.
#[derive(Default)]
pub(in crate::graphql) struct MessageMutation;

#[Object]
impl MessageMutation {
    /// Appends a message after the head, or after `parentId`. If that message already has a successor, this
    /// starts a new branch, so a message can be edited or regenerated without losing the old version. The new
    /// message becomes the head. The response is sent once the message is durable. Error CONFLICT: the id was
    /// used for something else, or another message than `expectedHeadId` is the head.
    async fn append_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message to append and where to append it.")] input: AppendMessageInput,
    ) -> Result<AppendMessagePayload> {
        let append = input.parse(ctx.content_limits()?).map_err(|invalid| invalid.within("input"))?;
        let message = ctx.store()?.append(append).await?.pop();
        let message = message.ok_or_else(|| Error::broken("one message was to be appended".into()))?;
        Ok(AppendMessagePayload { message: message.into() })
    }

    /// Appends several messages atomically, each after the one before. At most 100.
    async fn append_messages(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The messages to append and where to append them.")] input: AppendMessagesInput,
    ) -> Result<AppendMessagesPayload> {
        let append = input.parse(ctx.content_limits()?).map_err(|invalid| invalid.within("input"))?;
        let items = ctx.store()?.append(append).await?;
        Ok(AppendMessagesPayload(Arc::new(Slice { items, has_previous: false, has_next: false })))
    }

    /// Updates the given fields, and `editedAt` unless `pinned` is the only field. Error CONFLICT: the message is
    /// deleted, or it is streaming and another field than `pinned` is given. To keep the old version, append a message
    /// with the same `parentId` instead.
    async fn update_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message to update and its new values.")] input: UpdateMessageInput,
    ) -> Result<UpdateMessagePayload> {
        let (id, patch) = input.parse(ctx.content_limits()?).map_err(|invalid| invalid.within("input"))?;
        let message = ctx.store()?.update_message(id, patch).await?;
        Ok(UpdateMessagePayload { message: message.into() })
    }

    /// Deletes the content of a message from the database. The message keeps its position and its place in
    /// the tree, without content.
    async fn delete_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message to delete.")] input: DeleteMessageInput,
    ) -> Result<DeleteMessagePayload> {
        let id = argument::message_id("input.id", &input.id)?;
        let deletion =
            input.deletion_id.map(|id| argument::deletion_id("input.deletionId", &id)).transpose()?;
        let (message, was_deleted) = ctx.store()?.delete_message(id, deletion).await?;
        Ok(DeleteMessagePayload { message: message.into(), was_deleted })
    }
}
