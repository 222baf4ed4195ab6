//! Arguments as the model wants them.

use async_graphql::ID;

use crate::model::{ConversationId, Invalid, MessageId};

/// The conversation an argument names.
pub(in crate::graphql) fn conversation_id(argument: &str, id: &ID) -> Result<ConversationId, Invalid> {
    ConversationId::parse(argument, id.as_str())
}

/// The message an argument names.
pub(in crate::graphql) fn message_id(argument: &str, id: &ID) -> Result<MessageId, Invalid> {
    MessageId::parse(argument, id.as_str())
}
