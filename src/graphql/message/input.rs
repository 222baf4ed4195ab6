//! What clients say about messages, read into the model.

use async_graphql::{ID, InputObject};

use super::Role;
use crate::graphql::argument;
use crate::graphql::scalar::Json;
use crate::model::{Content, ConversationId, Invalid, NewMessage};

/// A message to stand in a new conversation.
#[derive(InputObject)]
pub(in crate::graphql) struct NewMessageInput {
    /// A UUID of the caller's choice: makes the append repeatable.
    id: Option<ID>,
    role: Role,
    /// 1 byte to 256 KiB of UTF-8 without NUL.
    content: Option<String>,
    /// The caller's own data. Default: {}.
    metadata: Option<Json>,
}

impl NewMessageInput {
    pub(in crate::graphql) fn parse(self) -> Result<NewMessage, Invalid> {
        let content = self.content.ok_or_else(|| Invalid::new("content", "must be given"))?;
        Ok(NewMessage {
            id: self.id.map(|id| argument::message_id("id", &id)).transpose()?,
            role: self.role.into(),
            content: Content::new("content", content)?,
            metadata: Json::metadata(self.metadata)?,
        })
    }
}

/// A message to append.
#[derive(InputObject)]
pub(super) struct AppendMessageInput {
    conversation_id: ID,
    /// A UUID of the caller's choice: makes the append repeatable. The same again answers with the
    /// first result; anything else under the same id: CONFLICT.
    id: Option<ID>,
    role: Role,
    /// 1 byte to 256 KiB of UTF-8 without NUL.
    content: Option<String>,
    /// The caller's own data. Default: {}.
    metadata: Option<Json>,
}

impl AppendMessageInput {
    pub(super) fn parse(self) -> Result<(ConversationId, NewMessage), Invalid> {
        let conversation = argument::conversation_id("conversationId", &self.conversation_id)?;
        let Self { conversation_id: _, id, role, content, metadata } = self;
        Ok((conversation, NewMessageInput { id, role, content, metadata }.parse()?))
    }
}
