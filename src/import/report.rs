//! What an import did.

use std::fmt;

use super::error::RejectedConversations;

/// What an import did.
#[derive(Debug, Default)]
pub struct Report {
    /// Conversations that were written.
    pub conversations: usize,
    /// Messages in them.
    pub messages: usize,
    /// Conversations that were there already.
    pub present: usize,
    /// Conversations that were refused.
    pub refused: usize,
    /// The first of these, and why.
    pub rejected: RejectedConversations,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { conversations, messages, present, refused, .. } = self;
        write!(
            f,
            "{conversations} conversations with {messages} messages imported, {present} were there already, {refused} refused"
        )
    }
}
