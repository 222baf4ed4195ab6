//! Messages: object and mutations.

mod input;

use std::borrow::Cow;
use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Enum, ID, Object, SimpleObject};

use super::argument;
use super::connection::MessageEdge;
use super::context::ContextExt;
use super::conversation::Conversation;
use super::json::{write_display, write_enum, write_id, write_json, write_option, write_string, write_time};
use super::list::List;
use super::part::MessagePart;
use super::plan::{Kind, Rule};
use super::scalar::{DateTime, Json};
use super::shape::objects;
use super::usage::TokenUsage;
use crate::model::{self, Slice};
use crate::store::{Error, Result};
pub(super) use input::NewMessageInput;
use input::{AppendMessageInput, AppendMessagesInput, DeleteMessageInput, UpdateMessageInput};

/// Who speaks in a message.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "model::Role")]
pub(super) enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
    /// Instructions to the model.
    System,
    /// A tool's result.
    Tool,
}

/// How far a message is.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "model::MessageStatus")]
pub(super) enum MessageStatus {
    /// Being written; its text grows.
    Streaming,
    /// Whole.
    Complete,
    /// Stopped by the user, or its writer went away; the text so far is kept.
    Interrupted,
    /// It could not be written.
    Failed,
}

/// A message of the viewer's: by itself, or one of a page. Either is shared by all who show it.
#[derive(Clone)]
pub(super) enum Message {
    Alone(Arc<model::Message>),
    Among(Arc<Slice<model::Message>>, usize),
}

impl Message {
    /// One of a page: there is one.
    pub(super) fn of(page: &Arc<Slice<model::Message>>, at: usize) -> Self {
        Self::Among(page.clone(), at)
    }

    pub(super) fn row(&self) -> &model::Message {
        match self {
            Self::Alone(message) => message,
            Self::Among(page, at) => &page.items[*at],
        }
    }
}

impl From<model::Message> for Message {
    fn from(message: model::Message) -> Self {
        Self::Alone(Arc::new(message))
    }
}

impl From<Arc<model::Message>> for Message {
    fn from(message: Arc<model::Message>) -> Self {
        Self::Alone(message)
    }
}

/// How the fields of a message are written that need nothing but the message.
pub(super) const MESSAGE: Kind<model::Message> = Kind {
    name: "Message",
    field: |name| {
        if name == "content" {
            return Some(Rule::Text(|message| {
                (message.status != model::MessageStatus::Streaming).then_some(message.content.as_str())
            }));
        }
        Some(Rule::Leaf(match name {
            "id" => |out, message| write_id(out, message.id.0),
            "position" => |out, message| write_display(out, &message.position),
            "role" => |out, message| write_enum(out, Role::from(message.role)),
            "status" => |out, message| write_enum(out, MessageStatus::from(message.status)),
            "model" => |out, message| write_option(out, message.model.as_deref(), write_string),
            "metadata" => |out, message| write_json(out, &message.metadata),
            "createdAt" => |out, message| write_time(out, message.created_at),
            "editedAt" => |out, message| write_option(out, message.edited_at, write_time),
            "deletedAt" => |out, message| write_option(out, message.deleted_at, write_time),
            _ => return None,
        }))
    },
};

/// A message of the viewer's: one turn of a conversation.
#[Object]
impl Message {
    /// UUID, version 7 when the server chose it.
    pub(super) async fn id(&self) -> ID {
        ID::from(self.row().id.0)
    }

    /// Where it stands.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Conversation> {
        Ok(ctx.loaders()?.conversation(self.row().conversation).await?.into())
    }

    /// Place in the conversation: 1, 2, 3, … without gaps, given under the conversation's row lock,
    /// so that it is the order of commits. Order by this, never by time.
    async fn position(&self) -> i64 {
        self.row().position
    }

    /// Who speaks.
    async fn role(&self) -> Role {
        self.row().role.into()
    }

    /// The text: what was given, or the text parts joined by blank lines; the text so far while the
    /// message is streaming, nothing once it is deleted.
    async fn content(&self, ctx: &Context<'_>) -> Result<Cow<'_, str>> {
        let row = self.row();
        let text = if row.status == model::MessageStatus::Streaming {
            Cow::Owned(ctx.loaders()?.text(row.id).await?.to_string())
        } else {
            Cow::Borrowed(row.content.as_str())
        };
        ctx.allowance()?.hold(text.len()).await?;
        Ok(text)
    }

    /// What it is made of; a plain text is one text part.
    async fn parts(&self, ctx: &Context<'_>) -> Result<Vec<MessagePart>> {
        let row = self.row();
        if let Some(parts) = &row.parts {
            ctx.allowance()?.hold(parts.bytes() + objects(ctx, parts.as_slice().len())).await?;
            return Ok(parts.as_slice().iter().cloned().map(MessagePart::from).collect());
        }
        let text = if row.status == model::MessageStatus::Streaming {
            ctx.loaders()?.text(row.id).await?.to_string()
        } else {
            row.content.clone()
        };
        ctx.allowance()?.hold(text.len()).await?;
        let part = (!text.is_empty()).then(|| MessagePart::from(model::Part::Text { text }));
        Ok(part.into_iter().collect())
    }

    /// How far it is.
    async fn status(&self) -> MessageStatus {
        self.row().status.into()
    }

    /// The message it follows; null for a first message.
    async fn parent(&self, ctx: &Context<'_>) -> Option<Result<Message>> {
        let place = (self.row().conversation, self.row().parent?);
        let loaded = match ctx.loaders() {
            Ok(loaders) => loaders.message_at(place).await,
            Err(error) => Err(error),
        };
        loaded.map(|found| found.map(Message::from)).transpose()
    }

    /// Messages with the same parent, this one included, oldest first.
    async fn siblings(&self, ctx: &Context<'_>) -> Result<Vec<Message>> {
        let place = (self.row().conversation, self.row().parent.unwrap_or(0));
        let siblings = ctx.loaders()?.messages_following(place).await?;
        let count = siblings.items.len();
        ctx.allowance()?.hold(objects(ctx, count)).await?;
        Ok((0..count).map(|at| Message::of(&siblings, at)).collect())
    }

    /// The model that wrote it.
    async fn model(&self) -> Option<&str> {
        self.row().model.as_deref()
    }

    /// What it cost, as its writer told.
    async fn usage(&self) -> Option<TokenUsage> {
        self.row().usage.map(TokenUsage::from)
    }

    /// The caller's own data; never interpreted.
    async fn metadata(&self, ctx: &Context<'_>) -> Result<Json> {
        let metadata = &self.row().metadata;
        ctx.allowance()?.hold(metadata.as_str().len()).await?;
        Ok(Json::from(metadata))
    }

    /// By the server's clock; never earlier than the message before.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row().created_at)
    }

    /// When it was last edited.
    async fn edited_at(&self) -> Option<DateTime> {
        self.row().edited_at.map(DateTime)
    }

    /// When its content was removed. The place stays, the content is gone.
    async fn deleted_at(&self) -> Option<DateTime> {
        self.row().deleted_at.map(DateTime)
    }
}

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
    async fn messages(&self) -> List<'_, model::Message, Message> {
        List::of(&self.0)
    }

    /// The appended messages as edges of the conversation's messages, in the order of the input, for example
    /// for Relay's `@appendEdge`.
    async fn message_edges(&self) -> List<'_, model::Message, MessageEdge> {
        List::of(&self.0)
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
pub(super) struct MessageMutation;

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

    /// Sets what is given, and `editedAt`. Error CONFLICT while the message is streaming and once it is
    /// deleted. For another version beside this one, append with the same `parentId` instead.
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
