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

/// The new message, or the one the same call appended before.
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

/// The new messages, or those the same call appended before.
struct AppendMessagesPayload(Arc<Slice<model::Message>>);

/// The new messages, or those the same call appended before.
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

/// The message as it is now.
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

/// The message without its content.
#[derive(SimpleObject)]
struct DeleteMessagePayload {
    /// The message after its content was deleted.
    message: Message,
}

/// Changes to messages.
#[derive(Default)]
pub(in crate::graphql) struct MessageMutation;

#[Object]
impl MessageMutation {
    /// Adds a message after the head, or after `parentId`, which starts a branch where that message
    /// already has a successor; so a message is edited or regenerated without losing the old one. Answers once it is durable. The new message is the head. Error CONFLICT
    /// when the id has been used for something else, or when another message is the head than expected.
    async fn append_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message to append and where to append it.")] input: AppendMessageInput,
    ) -> Result<AppendMessagePayload> {
        let append = input.parse().map_err(|invalid| invalid.within("input"))?;
        let message = ctx.store()?.append(append).await?.pop();
        let message = message.ok_or_else(|| Error::broken("one message was to be appended".into()))?;
        Ok(AppendMessagePayload { message: message.into() })
    }

    /// Adds several messages, each after the one before, all or none: a turn. At most 100.
    async fn append_messages(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The messages to append and where to append them.")] input: AppendMessagesInput,
    ) -> Result<AppendMessagesPayload> {
        let append = input.parse().map_err(|invalid| invalid.within("input"))?;
        let items = ctx.store()?.append(append).await?;
        Ok(AppendMessagesPayload(Arc::new(Slice { items, has_previous: false, has_next: false })))
    }

    /// Sets what is given, and `editedAt` unless that is `pinned` alone. Error CONFLICT once the message is deleted, and
    /// while it is streaming for anything but `pinned`. For another version beside this one, append with the same `parentId` instead.
    async fn update_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message to update and its new values.")] input: UpdateMessageInput,
    ) -> Result<UpdateMessagePayload> {
        let (id, patch) = input.parse().map_err(|invalid| invalid.within("input"))?;
        let message = ctx.store()?.update_message(id, patch).await?;
        Ok(UpdateMessagePayload { message: message.into() })
    }

    /// Removes what a message says. Its place and the tree stay; the text is gone from the database and
    /// from every later answer.
    async fn delete_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message to delete.")] input: DeleteMessageInput,
    ) -> Result<DeleteMessagePayload> {
        let id = argument::message_id("input.id", &input.id)?;
        Ok(DeleteMessagePayload { message: ctx.store()?.delete_message(id).await?.into() })
    }
}
