//! Messages: object and mutations.

mod input;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use super::context::ContextExt;
use super::conversation::Conversation;
use super::scalar::{DateTime, Json};
use crate::model;
use crate::store::Result;
use input::AppendMessageInput;
pub(super) use input::NewMessageInput;

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

/// A message of the viewer's.
#[derive(Clone)]
pub(super) struct Message(model::Message);

impl From<model::Message> for Message {
    fn from(message: model::Message) -> Self {
        Self(message)
    }
}

#[Object]
impl Message {
    /// UUID, version 7 when the server chose it.
    pub(super) async fn id(&self) -> ID {
        ID::from(self.0.id.0)
    }

    /// Where it stands.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Conversation> {
        Ok(ctx.loaders()?.conversation(self.0.conversation).await?.into())
    }

    /// Place in the conversation: 1, 2, 3, … without gaps, given under the conversation's row lock,
    /// so that it is the order of commits. Order by this, never by time.
    async fn position(&self) -> i64 {
        self.0.position
    }

    /// Who speaks.
    async fn role(&self) -> Role {
        self.0.role.into()
    }

    /// What is said.
    async fn content(&self) -> &str {
        &self.0.content
    }

    /// The caller's own data; never interpreted.
    async fn metadata(&self) -> Json {
        Json::from(&self.0.metadata)
    }

    /// By the server's clock; never earlier than the message before.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

/// The new message, or the one the same call appended before.
#[derive(SimpleObject)]
struct AppendMessagePayload {
    message: Message,
}

/// Changes to messages.
#[derive(Default)]
pub(super) struct MessageMutation;

#[Object]
impl MessageMutation {
    /// Adds a message at the end of the conversation. Answers once it is durable. Error CONFLICT when
    /// the id has been used for something else.
    async fn append_message(
        &self,
        ctx: &Context<'_>,
        input: AppendMessageInput,
    ) -> Result<AppendMessagePayload> {
        let (conversation, new) = input.parse().map_err(|invalid| invalid.within("input"))?;
        let message = ctx.store()?.append_message(conversation, new).await?;
        Ok(AppendMessagePayload { message: Message(message) })
    }
}
