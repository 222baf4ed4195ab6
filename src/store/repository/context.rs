//! The window of a branch: the newest messages that fit a model.
//!
//! First the messages are selected by their kept counts (`window`), then only the selected ones are read.

mod branch;
mod entry;
mod kept;
mod selection;
mod window;

use std::collections::HashMap;

use crate::model::{ContextWindow, Conversation, ConversationId, Message, MessageId, Tokenizer};
use crate::store::error::{Error, Result};
use crate::store::repository::token_counts::is_version;
use crate::store::scope::Scoped;
use branch::StoredBranch;
use entry::ContextEntry;
use window::select_window;

/// How often a window is selected anew when its messages change meanwhile.
const ATTEMPTS: usize = 3;

impl Scoped {
    /// The newest messages of the branch that ends in `leaf`, or in the conversation's head, that have at most so many
    /// tokens; and what is left out, where that is asked for.
    ///
    /// # Errors
    /// - `NotFound`: no such message in this conversation.
    /// - `ContextTooSmall`: the messages that are in every window do not fit.
    /// - `Trashed`: the conversation is in the trash.
    pub async fn context(
        &self,
        conversation: &Conversation,
        leaf: Option<MessageId>,
        max_tokens: i64,
        tokenizer: Tokenizer,
        with_omitted: bool,
    ) -> Result<ContextWindow> {
        if conversation.trashed_at.is_some() {
            return Err(Error::Trashed);
        }
        let segments = self.branch_segments(conversation, leaf).await?;
        for _ in 0..ATTEMPTS {
            let mut branch = StoredBranch::new(self, conversation.id, segments.clone(), tokenizer);
            let selected = select_window(&mut branch, max_tokens, with_omitted).await?;
            drop(branch);
            if let Some(messages) = self.unchanged_messages(conversation.id, &selected.entries).await? {
                return Ok(ContextWindow {
                    messages,
                    token_count: selected.tokens,
                    omitted: selected.omitted,
                });
            }
        }
        Err(Error::unavailable("the messages of a window changed again and again"))
    }

    /// The messages of some entries. None if one of them was changed after it was counted.
    async fn unchanged_messages(
        &self,
        conversation: ConversationId,
        entries: &[ContextEntry],
    ) -> Result<Option<Vec<Message>>> {
        if entries.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let places: Vec<_> = entries.iter().map(|entry| (conversation, entry.position)).collect();
        let mut found: HashMap<_, _> = self.messages_at(&places).await?;
        let messages = entries.iter().map(|entry| {
            let message = found.remove(&(conversation, entry.position))?;
            (message.id == entry.id && is_version(&message, entry.edited_at)).then_some(message)
        });
        Ok(messages.collect())
    }
}
