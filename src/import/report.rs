//! The result of an import.

use std::fmt;

use super::error::RejectedConversations;

/// The result of an import.
#[derive(Debug, Default)]
pub struct Report {
    /// Imported conversations.
    pub conversations: usize,
    /// Imported messages.
    pub messages: usize,
    /// Conversations that already existed.
    pub present: usize,
    /// Rejected conversations.
    pub refused: usize,
    /// The reasons of the first rejections.
    pub rejected: RejectedConversations,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { conversations, messages, present, refused, .. } = self;
        write!(
            f,
            "{conversations} conversations with {messages} messages imported, {present} existed already, {refused} rejected"
        )
    }
}
