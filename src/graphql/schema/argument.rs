//! Parsing of id arguments.

use async_graphql::ID;

use crate::model::{AttachmentId, ConversationId, DeletionId, Invalid, MessageId, ShareId};

/// Parses the id of a conversation.
pub(in crate::graphql) fn conversation_id(argument: &str, id: &ID) -> Result<ConversationId, Invalid> {
    ConversationId::parse(argument, id.as_str())
}

/// Parses the id of an attachment.
pub(in crate::graphql) fn attachment_id(argument: &str, id: &ID) -> Result<AttachmentId, Invalid> {
    AttachmentId::parse(argument, id.as_str())
}

/// Parses the id of a share.
pub(in crate::graphql) fn share_id(argument: &str, id: &ID) -> Result<ShareId, Invalid> {
    ShareId::parse(argument, id.as_str())
}

/// Parses the id of a deletion.
pub(in crate::graphql) fn deletion_id(argument: &str, id: &ID) -> Result<DeletionId, Invalid> {
    DeletionId::parse(argument, id.as_str())
}

/// Parses the id of a message.
pub(in crate::graphql) fn message_id(argument: &str, id: &ID) -> Result<MessageId, Invalid> {
    MessageId::parse(argument, id.as_str())
}
