//! Reads of many in one statement.
//!
//! Loaders live as long as one request and carry its viewer, so that nothing is shared between
//! viewers and nothing goes stale. A key holds everything that changes the statement.

use std::collections::HashMap;

use dataloader::BatchFn;
use dataloader::non_cached::Loader;

use crate::model::{Conversation, ConversationId, Message, MessageId, Page, Slice};
use crate::store::{Error, Result, Scoped};

/// The loaders of one request.
pub(super) struct Loaders {
    conversations: Loader<ConversationId, Result<Option<Conversation>>, Conversations>,
    messages: Loader<MessageId, Result<Option<Message>>, Messages>,
    pages: Loader<PageKey, Result<Slice<Message>>, Pages>,
}

impl Loaders {
    /// Loaders that see what `store` sees.
    pub(super) fn new(store: &Scoped) -> Self {
        Self {
            conversations: Loader::new(Conversations(store.clone())),
            messages: Loader::new(Messages(store.clone())),
            pages: Loader::new(Pages(store.clone())),
        }
    }

    /// A conversation, if there is one.
    pub(super) async fn find_conversation(&self, id: ConversationId) -> Result<Option<Conversation>> {
        self.conversations.try_load(id).await.unwrap_or_else(|error| Err(lost(&error)))
    }

    /// A conversation that must be there.
    pub(super) async fn conversation(&self, id: ConversationId) -> Result<Conversation> {
        self.find_conversation(id).await?.ok_or(Error::NotFound("conversation"))
    }

    /// A message, if there is one.
    pub(super) async fn find_message(&self, id: MessageId) -> Result<Option<Message>> {
        self.messages.try_load(id).await.unwrap_or_else(|error| Err(lost(&error)))
    }

    /// The first or last messages of a conversation.
    pub(super) async fn messages(&self, conversation: ConversationId, page: Page) -> Result<Slice<Message>> {
        self.pages.try_load((conversation, page)).await.unwrap_or_else(|error| Err(lost(&error)))
    }
}

/// A loader answers every key it was given; one it did not is a fault of ours.
fn lost(error: &std::io::Error) -> Error {
    Error::broken(error.to_string())
}

struct Conversations(Scoped);

impl BatchFn<ConversationId, Result<Option<Conversation>>> for Conversations {
    async fn load(
        &mut self,
        ids: &[ConversationId],
    ) -> HashMap<ConversationId, Result<Option<Conversation>>> {
        match self.0.conversations_by_id(ids).await {
            Ok(mut found) => ids.iter().map(|id| (*id, Ok(found.remove(id)))).collect(),
            Err(error) => ids.iter().map(|id| (*id, Err(error.clone()))).collect(),
        }
    }
}

struct Messages(Scoped);

impl BatchFn<MessageId, Result<Option<Message>>> for Messages {
    async fn load(&mut self, ids: &[MessageId]) -> HashMap<MessageId, Result<Option<Message>>> {
        match self.0.messages_by_id(ids).await {
            Ok(mut found) => ids.iter().map(|id| (*id, Ok(found.remove(id)))).collect(),
            Err(error) => ids.iter().map(|id| (*id, Err(error.clone()))).collect(),
        }
    }
}

struct Pages(Scoped);

type PageKey = (ConversationId, Page);

impl BatchFn<PageKey, Result<Slice<Message>>> for Pages {
    /// One statement for each kind of page: the same field is asked of all its siblings alike.
    async fn load(&mut self, keys: &[PageKey]) -> HashMap<PageKey, Result<Slice<Message>>> {
        let mut by_page: HashMap<Page, Vec<ConversationId>> = HashMap::new();
        for (conversation, page) in keys {
            by_page.entry(*page).or_default().push(*conversation);
        }
        let mut loaded = HashMap::with_capacity(keys.len());
        for (page, conversations) in by_page {
            match self.0.messages_of_many(&conversations, page).await {
                Ok(slices) => loaded.extend(slices.into_iter().map(|(id, slice)| ((id, page), Ok(slice)))),
                Err(error) => {
                    loaded.extend(conversations.iter().map(|id| ((*id, page), Err(error.clone()))));
                }
            }
        }
        loaded
    }
}
