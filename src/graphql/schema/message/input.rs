//! Inputs of messages.

use async_graphql::{ID, InputObject, MaybeUndefined};

use super::{MessageStatus, Role};
use crate::graphql::schema::argument;
use crate::graphql::schema::part::input::{MessagePartInput, parse_parts};
use crate::graphql::schema::scalar::Json;
use crate::graphql::schema::usage::TokenUsageInput;
use crate::model::{
    self, Append, AppendParent, Content, ContentLimits, Invalid, MAX_PAGE, MessageBody, MessageId,
    MessagePatch, ModelName, NewMessage,
};

/// A message of a new conversation or of a batch.
#[derive(InputObject)]
pub(in crate::graphql) struct NewMessageInput {
    /// A UUID of the caller's choice, made for this message and nothing else: makes the append repeatable.
    id: Option<ID>,
    /// The author of the message.
    role: Role,
    /// 1 byte to 1 MiB (`limits.message_bytes`) of UTF-8 without NUL. Give either this or `parts`.
    content: Option<String>,
    /// 1 to 1000 parts, at most 1 MiB (`limits.message_bytes`) of JSON. Give either this or `content`.
    parts: Option<Vec<MessagePartInput>>,
    /// COMPLETE (the default) or STREAMING, which may start without content.
    status: Option<MessageStatus>,
    /// The model that wrote it, 1 to 255 bytes.
    model: Option<String>,
    /// The tokens that the message used.
    usage: Option<TokenUsageInput>,
    /// Data of the client, never interpreted. Default: {}.
    metadata: Option<Json>,
}

impl NewMessageInput {
    pub(in crate::graphql) fn parse(self, limits: ContentLimits) -> Result<NewMessage, Invalid> {
        let status = self.status.map_or(model::MessageStatus::Complete, model::MessageStatus::from);
        let streams = status == model::MessageStatus::Streaming;
        if !streams && status != model::MessageStatus::Complete {
            return Err(Invalid::new("status", "must be COMPLETE or STREAMING for a new message"));
        }
        if streams && self.parts.is_some() {
            return Err(Invalid::new("parts", "must be given to `finishMessage` for a STREAMING message"));
        }
        let content = self.content.filter(|text| !(streams && text.is_empty()));
        let body = body(content, self.parts, limits)?;
        if body.is_none() && !streams {
            return Err(Invalid::new("content", "must be given, or `parts`"));
        }
        Ok(NewMessage {
            id: self.id.map(|id| argument::message_id("id", &id)).transpose()?,
            role: self.role.into(),
            body,
            status,
            usage: self.usage.map(|usage| usage.parse("usage")).transpose()?,
            model: self.model.map(|name| ModelName::new("model", name)).transpose()?,
            metadata: Json::metadata(self.metadata, limits.metadata_bytes)?,
        })
    }

    /// Parses at most 100 messages.
    pub(in crate::graphql) fn parse_all(
        inputs: Vec<Self>,
        limits: ContentLimits,
    ) -> Result<Vec<NewMessage>, Invalid> {
        if inputs.len() > MAX_PAGE as usize {
            let rule = format!("must be at most {MAX_PAGE}, are {}", inputs.len());
            return Err(Invalid::new("messages", rule));
        }
        let parse = |(at, input): (usize, Self)| {
            input.parse(limits).map_err(|invalid| invalid.within(&format!("messages[{at}]")))
        };
        inputs.into_iter().enumerate().map(parse).collect()
    }
}

/// A message to append.
#[derive(InputObject)]
pub(in crate::graphql) struct AppendMessageInput {
    /// The id of the conversation to append to.
    conversation_id: ID,
    /// A UUID that the client created for this message only. It makes the append idempotent: a retry with the
    /// same content returns the first result. Error CONFLICT: the id was used with other content.
    id: Option<ID>,
    /// The author of the message.
    role: Role,
    /// 1 byte to 1 MiB (`limits.message_bytes`) of UTF-8 without NUL. Give either this or `parts`.
    content: Option<String>,
    /// 1 to 1000 parts, at most 1 MiB (`limits.message_bytes`) of JSON. Give either this or `content`.
    parts: Option<Vec<MessagePartInput>>,
    /// COMPLETE (the default) or STREAMING, which may start without content.
    status: Option<MessageStatus>,
    /// The model that wrote it, 1 to 255 bytes.
    model: Option<String>,
    /// The tokens that the message used.
    usage: Option<TokenUsageInput>,
    /// Data of the client, never interpreted. Default: {}.
    metadata: Option<Json>,
    /// The message to append after. Absent: the head. Null: none, the message becomes another first message.
    parent_id: MaybeUndefined<ID>,
    /// The message that must be the head. If another one is, the error is CONFLICT and `extensions.headId`
    /// has the head. Use it so that an outdated client overwrites nothing.
    expected_head_id: Option<ID>,
}

impl AppendMessageInput {
    pub(in crate::graphql) fn parse(self, limits: ContentLimits) -> Result<Append, Invalid> {
        let message = NewMessageInput {
            id: self.id,
            role: self.role,
            content: self.content,
            parts: self.parts,
            status: self.status,
            model: self.model,
            usage: self.usage,
            metadata: self.metadata,
        };
        let messages = vec![message.parse(limits)?];
        append(&self.conversation_id, &self.parent_id, self.expected_head_id.as_ref(), messages)
    }
}

/// Messages to append, each after the one before.
#[derive(InputObject)]
pub(in crate::graphql) struct AppendMessagesInput {
    /// The id of the conversation to append to.
    conversation_id: ID,
    /// 1 to 100 messages.
    messages: Vec<NewMessageInput>,
    /// The message to append the first one after. Absent: the head. Null: none, the first one becomes another
    /// first message.
    parent_id: MaybeUndefined<ID>,
    /// The message that must be the head. Error CONFLICT: another one is.
    expected_head_id: Option<ID>,
}

impl AppendMessagesInput {
    pub(in crate::graphql) fn parse(self, limits: ContentLimits) -> Result<Append, Invalid> {
        let messages = NewMessageInput::parse_all(self.messages, limits)?;
        if messages.is_empty() {
            return Err(Invalid::new("messages", "must not be empty"));
        }
        append(&self.conversation_id, &self.parent_id, self.expected_head_id.as_ref(), messages)
    }
}

/// Parses a text or parts, not both.
fn body(
    content: Option<String>,
    parts: Option<Vec<MessagePartInput>>,
    limits: ContentLimits,
) -> Result<Option<MessageBody>, Invalid> {
    match (content, parts) {
        (Some(_), Some(_)) => Err(Invalid::new("parts", "must not be given together with `content`")),
        (Some(text), None) => {
            Ok(Some(MessageBody::Text(Content::within("content", text, limits.message_bytes)?)))
        }
        (None, Some(parts)) => Ok(Some(MessageBody::Parts(parse_parts("parts", parts, limits)?))),
        (None, None) => Ok(None),
    }
}

fn append(
    conversation: &ID,
    parent: &MaybeUndefined<ID>,
    expected_head: Option<&ID>,
    messages: Vec<NewMessage>,
) -> Result<Append, Invalid> {
    Ok(Append {
        conversation: argument::conversation_id("conversationId", conversation)?,
        after: match parent {
            MaybeUndefined::Undefined => AppendParent::Head,
            MaybeUndefined::Null => AppendParent::Root,
            MaybeUndefined::Value(id) => AppendParent::Message(argument::message_id("parentId", id)?),
        },
        expected_head: expected_head.map(|id| argument::message_id("expectedHeadId", id)).transpose()?,
        messages,
    })
}

/// Changes to a message.
#[derive(InputObject)]
pub(in crate::graphql) struct UpdateMessageInput {
    /// The id of the message to update.
    id: ID,
    /// 1 byte to 1 MiB (`limits.message_bytes`) of UTF-8 without NUL. Give either this or `parts`.
    content: Option<String>,
    /// 1 to 1000 parts, at most 1 MiB (`limits.message_bytes`) of JSON. Give either this or `content`.
    parts: Option<Vec<MessagePartInput>>,
    /// Data of the client, never interpreted. Null sets {}. Not together with `metadataPatch`.
    metadata: MaybeUndefined<Json>,
    /// A JSON Merge Patch (RFC 7396) of the metadata: an object whose fields replace those of the same name, in nested
    /// objects as well, and whose nulls remove fields.
    metadata_patch: Option<Json>,
    /// The tokens that the message used. Null clears them.
    usage: MaybeUndefined<TokenUsageInput>,
    /// Whether the message is kept in every context window. If nothing else is given, `editedAt` stays as it is, and the
    /// message may be streaming.
    pinned: Option<bool>,
}

impl UpdateMessageInput {
    pub(in crate::graphql) fn parse(
        self,
        limits: ContentLimits,
    ) -> Result<(MessageId, MessagePatch), Invalid> {
        let id = argument::message_id("id", &self.id)?;
        let usage = match self.usage {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(usage) => Some(Some(usage.parse("usage")?)),
        };
        let body = body(self.content, self.parts, limits)?;
        Ok((
            id,
            MessagePatch {
                body,
                usage,
                metadata: Json::metadata_change(self.metadata, self.metadata_patch, limits.metadata_bytes)?,
                pinned: self.pinned,
            },
        ))
    }
}

/// The message to delete.
#[derive(InputObject)]
pub(in crate::graphql) struct DeleteMessageInput {
    /// The id of the message to delete.
    pub(in crate::graphql) id: ID,
    /// A UUID that the client created for this deletion only. A retry with it is the same deletion, so `wasDeleted` tells
    /// also after a lost response whether this client deleted the message.
    pub(in crate::graphql) deletion_id: Option<ID>,
}
