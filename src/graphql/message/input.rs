//! What clients say about messages, read into the model.

use async_graphql::{ID, InputObject, MaybeUndefined};

use super::{MessageStatus, Role};
use crate::graphql::argument;
use crate::graphql::scalar::Json;
use crate::model::{
    self, Append, Content, Invalid, MAX_PAGE, MessageId, MessagePatch, ModelName, NewMessage,
};

/// A message to stand in a new conversation or a turn.
#[derive(InputObject)]
pub(in crate::graphql) struct NewMessageInput {
    /// A UUID of the caller's choice: makes the append repeatable.
    id: Option<ID>,
    role: Role,
    /// 1 byte to 256 KiB of UTF-8 without NUL.
    content: Option<String>,
    /// COMPLETE, the default, or STREAMING, which may start without content.
    status: Option<MessageStatus>,
    /// The model that wrote it, 1 to 255 bytes.
    model: Option<String>,
    /// The caller's own data. Default: {}.
    metadata: Option<Json>,
}

impl NewMessageInput {
    pub(in crate::graphql) fn parse(self) -> Result<NewMessage, Invalid> {
        let status = self.status.map_or(model::MessageStatus::Complete, model::MessageStatus::from);
        let streams = status == model::MessageStatus::Streaming;
        if !streams && status != model::MessageStatus::Complete {
            return Err(Invalid::new("status", "must be COMPLETE or STREAMING for a new message"));
        }
        let content = match self.content {
            None if streams => None,
            Some(text) if streams && text.is_empty() => None,
            None => return Err(Invalid::new("content", "must be given")),
            Some(text) => Some(Content::new("content", text)?),
        };
        Ok(NewMessage {
            id: self.id.map(|id| argument::message_id("id", &id)).transpose()?,
            role: self.role.into(),
            content,
            status,
            model: self.model.map(|name| ModelName::new("model", name)).transpose()?,
            metadata: Json::metadata(self.metadata)?,
        })
    }

    /// Several of them, at most 100.
    pub(in crate::graphql) fn parse_all(inputs: Vec<Self>) -> Result<Vec<NewMessage>, Invalid> {
        if inputs.len() > MAX_PAGE as usize {
            let rule = format!("must be at most {MAX_PAGE}, are {}", inputs.len());
            return Err(Invalid::new("messages", rule));
        }
        let parse = |(at, input): (usize, Self)| {
            input.parse().map_err(|invalid| invalid.within(&format!("messages[{at}]")))
        };
        inputs.into_iter().enumerate().map(parse).collect()
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
    /// COMPLETE, the default, or STREAMING, which may start without content.
    status: Option<MessageStatus>,
    /// The model that wrote it, 1 to 255 bytes.
    model: Option<String>,
    /// The caller's own data. Default: {}.
    metadata: Option<Json>,
    /// Append after this message. Default: the head.
    parent_id: Option<ID>,
    /// Refuse with CONFLICT, `extensions.headId` telling the head, when another message is the head: a
    /// stale tab overwrites nothing.
    expected_head_id: Option<ID>,
}

impl AppendMessageInput {
    pub(super) fn parse(self) -> Result<Append, Invalid> {
        let Self { conversation_id, id, role, content, status, model, metadata, parent_id, expected_head_id } =
            self;
        let message = NewMessageInput { id, role, content, status, model, metadata };
        append(&conversation_id, parent_id.as_ref(), expected_head_id.as_ref(), vec![message.parse()?])
    }
}

/// A turn: messages to append, each after the one before.
#[derive(InputObject)]
pub(super) struct AppendMessagesInput {
    conversation_id: ID,
    /// 1 to 100 messages.
    messages: Vec<NewMessageInput>,
    /// Append the first after this message. Default: the head.
    parent_id: Option<ID>,
    /// Refuse with CONFLICT when another message is the head.
    expected_head_id: Option<ID>,
}

impl AppendMessagesInput {
    pub(super) fn parse(self) -> Result<Append, Invalid> {
        let messages = NewMessageInput::parse_all(self.messages)?;
        if messages.is_empty() {
            return Err(Invalid::new("messages", "must not be empty"));
        }
        append(&self.conversation_id, self.parent_id.as_ref(), self.expected_head_id.as_ref(), messages)
    }
}

fn append(
    conversation: &ID,
    parent: Option<&ID>,
    expected_head: Option<&ID>,
    messages: Vec<NewMessage>,
) -> Result<Append, Invalid> {
    Ok(Append {
        conversation: argument::conversation_id("conversationId", conversation)?,
        parent: parent.map(|id| argument::message_id("parentId", id)).transpose()?,
        expected_head: expected_head.map(|id| argument::message_id("expectedHeadId", id)).transpose()?,
        messages,
    })
}

/// What to change of a message.
#[derive(InputObject)]
pub(super) struct UpdateMessageInput {
    id: ID,
    /// 1 byte to 256 KiB of UTF-8 without NUL.
    content: Option<String>,
    /// The caller's own data; null makes it {}.
    metadata: MaybeUndefined<Json>,
}

impl UpdateMessageInput {
    pub(super) fn parse(self) -> Result<(MessageId, MessagePatch), Invalid> {
        let id = argument::message_id("id", &self.id)?;
        let content = self.content.map(|text| Content::new("content", text)).transpose()?;
        let metadata = Json::patch(self.metadata)?;
        Ok((id, MessagePatch { content, metadata }))
    }
}

/// Which message to delete.
#[derive(InputObject)]
pub(super) struct DeleteMessageInput {
    pub(super) id: ID,
}
