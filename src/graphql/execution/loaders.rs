//! Data loaders: they batch the reads of sibling fields into one statement.
//!
//! The loaders belong to one request and its viewer, so viewers share nothing and no value gets stale. A key
//! contains everything that the statement depends on. Loaded values are shared by all fields.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, OnceLock};

use dataloader::BatchFn;
use dataloader::non_cached::Loader;

use crate::model::{
    Attachment, AttachmentId, Conversation, ConversationId, Feedback, Message, MessageId, Page, Slice,
    Tokenizer,
};
use crate::store::{Error, Result, Scoped};

/// A shared value, or an error.
type Loaded<T> = Result<Arc<T>>;

/// The most keys of one statement: as many representations of entities as a request may have by default.
const MAX_BATCH: usize = 1000;

/// A shared value that may not exist, or an error.
type Found<T> = Result<Option<Arc<T>>>;

/// Shared values by key, without those that do not exist, or an error.
type FoundMany<K, T> = Result<HashMap<K, Arc<T>>>;

/// The loaders of a request, created on first use.
pub(in crate::graphql) struct Loaders {
    store: Scoped,
    conversations: OnceLock<Loader<ConversationId, Found<Conversation>, Conversations>>,
    messages: OnceLock<Loader<MessageId, Found<Message>, Messages>>,
    pages: OnceLock<Loader<PageKey, Loaded<Slice<Message>>, Pages>>,
    places: OnceLock<Loader<MessagePosition, Found<Message>, Places>>,
    following: OnceLock<Loader<MessagePosition, Loaded<Slice<Message>>, Following>>,
    texts: OnceLock<Loader<MessageId, Loaded<str>, Texts>>,
    token_counts: OnceLock<Loader<TokenCountKey, Result<i64>, TokenCounts>>,
    feedback: OnceLock<Loader<FeedbackKey, Found<Feedback>, Feedbacks>>,
    attachments: OnceLock<Loader<AttachmentId, Found<Attachment>, Attachments>>,
}

impl Loaders {
    /// Loaders that read from `store`.
    pub(in crate::graphql) fn new(store: &Scoped) -> Self {
        Self {
            store: store.clone(),
            conversations: OnceLock::new(),
            messages: OnceLock::new(),
            pages: OnceLock::new(),
            places: OnceLock::new(),
            following: OnceLock::new(),
            texts: OnceLock::new(),
            token_counts: OnceLock::new(),
            feedback: OnceLock::new(),
            attachments: OnceLock::new(),
        }
    }

    /// A conversation, if it exists.
    pub(in crate::graphql) async fn find_conversation(&self, id: ConversationId) -> Found<Conversation> {
        self.conversation_loader().try_load(id).await.unwrap_or_else(|error| Err(lost(&error)))
    }

    /// Those of the conversations that exist.
    pub(in crate::graphql) async fn find_conversations(
        &self,
        ids: Vec<ConversationId>,
    ) -> FoundMany<ConversationId, Conversation> {
        find_many(self.conversation_loader(), ids).await
    }

    fn conversation_loader(&self) -> &Loader<ConversationId, Found<Conversation>, Conversations> {
        let loader = || Loader::new(Conversations(self.store.clone())).with_max_batch_size(MAX_BATCH);
        self.conversations.get_or_init(loader)
    }

    /// A conversation that must exist.
    pub(in crate::graphql) async fn conversation(&self, id: ConversationId) -> Loaded<Conversation> {
        self.find_conversation(id).await?.ok_or(Error::NotFound("conversation"))
    }

    /// A message, if it exists.
    pub(in crate::graphql) async fn find_message(&self, id: MessageId) -> Found<Message> {
        self.message_loader().try_load(id).await.unwrap_or_else(|error| Err(lost(&error)))
    }

    /// Those of the messages that exist.
    pub(in crate::graphql) async fn find_messages(
        &self,
        ids: Vec<MessageId>,
    ) -> FoundMany<MessageId, Message> {
        find_many(self.message_loader(), ids).await
    }

    fn message_loader(&self) -> &Loader<MessageId, Found<Message>, Messages> {
        let loader = || Loader::new(Messages(self.store.clone())).with_max_batch_size(MAX_BATCH);
        self.messages.get_or_init(loader)
    }

    /// The message at a position, if it exists.
    pub(in crate::graphql) async fn message_at(&self, place: MessagePosition) -> Found<Message> {
        self.place_loader().try_load(place).await.unwrap_or_else(|error| Err(lost(&error)))
    }

    /// The messages at these positions, each if it exists.
    pub(in crate::graphql) async fn messages_at(
        &self,
        places: Vec<MessagePosition>,
    ) -> Result<HashMap<MessagePosition, Option<Arc<Message>>>> {
        load_many(self.place_loader(), places).await
    }

    fn place_loader(&self) -> &Loader<MessagePosition, Found<Message>, Places> {
        let loader = || Loader::new(Places(self.store.clone())).with_max_batch_size(MAX_BATCH);
        self.places.get_or_init(loader)
    }

    /// The messages whose parent is at a position, oldest first.
    pub(in crate::graphql) async fn messages_following(
        &self,
        place: MessagePosition,
    ) -> Loaded<Slice<Message>> {
        self.following_loader().try_load(place).await.unwrap_or_else(|error| Err(lost(&error)))
    }

    /// The messages whose parent is at each of these positions, oldest first.
    pub(in crate::graphql) async fn all_messages_following(
        &self,
        places: Vec<MessagePosition>,
    ) -> Result<HashMap<MessagePosition, Arc<Slice<Message>>>> {
        load_many(self.following_loader(), places).await
    }

    fn following_loader(&self) -> &Loader<MessagePosition, Loaded<Slice<Message>>, Following> {
        let loader = || Loader::new(Following(self.store.clone())).with_max_batch_size(MAX_BATCH);
        self.following.get_or_init(loader)
    }

    /// The current text of a streaming message.
    pub(in crate::graphql) async fn text(&self, id: MessageId) -> Loaded<str> {
        self.text_loader().try_load(id).await.unwrap_or_else(|error| Err(lost(&error)))
    }

    /// The current texts of streaming messages.
    pub(in crate::graphql) async fn texts(
        &self,
        ids: Vec<MessageId>,
    ) -> Result<HashMap<MessageId, Arc<str>>> {
        load_many(self.text_loader(), ids).await
    }

    fn text_loader(&self) -> &Loader<MessageId, Loaded<str>, Texts> {
        let loader = || Loader::new(Texts(self.store.clone())).with_max_batch_size(MAX_BATCH);
        self.texts.get_or_init(loader)
    }

    /// The tokens of a message. What is being written when it is read has none yet.
    pub(in crate::graphql) async fn token_count(&self, id: MessageId, tokenizer: Tokenizer) -> Result<i64> {
        let loader = self.token_counts.get_or_init(|| Loader::new(TokenCounts(self.store.clone())));
        loader.try_load((id, tokenizer)).await.unwrap_or_else(|error| Err(lost(&error)))
    }

    /// The feedback on a message, if there is some.
    pub(in crate::graphql) async fn feedback(&self, key: FeedbackKey) -> Found<Feedback> {
        let loader = self.feedback.get_or_init(|| Loader::new(Feedbacks(self.store.clone())));
        loader.try_load(key).await.unwrap_or_else(|error| Err(lost(&error)))
    }

    /// An attachment, if it exists.
    pub(in crate::graphql) async fn attachment(&self, id: AttachmentId) -> Found<Attachment> {
        self.attachment_loader().try_load(id).await.unwrap_or_else(|error| Err(lost(&error)))
    }

    /// Those of the attachments that exist.
    pub(in crate::graphql) async fn find_attachments(
        &self,
        ids: Vec<AttachmentId>,
    ) -> FoundMany<AttachmentId, Attachment> {
        find_many(self.attachment_loader(), ids).await
    }

    fn attachment_loader(&self) -> &Loader<AttachmentId, Found<Attachment>, Attachments> {
        let loader = || Loader::new(Attachments(self.store.clone())).with_max_batch_size(MAX_BATCH);
        self.attachments.get_or_init(loader)
    }

    /// The first or last messages of a conversation that never forked.
    pub(in crate::graphql) async fn messages(
        &self,
        conversation: ConversationId,
        page: Page,
    ) -> Loaded<Slice<Message>> {
        let loader = self.pages.get_or_init(|| Loader::new(Pages(self.store.clone())));
        loader.try_load((conversation, page)).await.unwrap_or_else(|error| Err(lost(&error)))
    }
}

/// The values of the keys that have one.
async fn find_many<K, T, F>(loader: &Loader<K, Found<T>, F>, keys: Vec<K>) -> FoundMany<K, T>
where
    K: Copy + Eq + Hash + Debug,
    F: BatchFn<K, Found<T>>,
{
    let found = load_many(loader, keys).await?;
    Ok(found.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
}

/// The value of each key, or the first error.
async fn load_many<K, V, F>(loader: &Loader<K, Result<V>, F>, keys: Vec<K>) -> Result<HashMap<K, V>>
where
    K: Copy + Eq + Hash + Debug,
    V: Clone,
    F: BatchFn<K, Result<V>>,
{
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let loaded = loader.try_load_many(keys).await.map_err(|error| lost(&error))?;
    loaded.into_iter().map(|(key, value)| Ok((key, value?))).collect()
}

/// A loader returns a value for every key, so a missing one is an internal error.
fn lost(error: &std::io::Error) -> Error {
    Error::broken(error.to_string())
}

struct Conversations(Scoped);

impl BatchFn<ConversationId, Found<Conversation>> for Conversations {
    async fn load(&mut self, ids: &[ConversationId]) -> HashMap<ConversationId, Found<Conversation>> {
        each(ids, self.0.conversations_by_id(ids).await, |found, id| found.remove(id).map(Arc::new))
    }
}

struct Attachments(Scoped);

impl BatchFn<AttachmentId, Found<Attachment>> for Attachments {
    async fn load(&mut self, ids: &[AttachmentId]) -> HashMap<AttachmentId, Found<Attachment>> {
        each(ids, self.0.attachments(ids).await, |found, id| found.remove(id).map(Arc::new))
    }
}

struct Messages(Scoped);

impl BatchFn<MessageId, Found<Message>> for Messages {
    async fn load(&mut self, ids: &[MessageId]) -> HashMap<MessageId, Found<Message>> {
        each(ids, self.0.messages_by_id(ids).await, |found, id| found.remove(id).map(Arc::new))
    }
}

struct Pages(Scoped);

type PageKey = (ConversationId, Page);

impl BatchFn<PageKey, Loaded<Slice<Message>>> for Pages {
    /// One statement for each kind of page: siblings have the same arguments.
    async fn load(&mut self, keys: &[PageKey]) -> HashMap<PageKey, Loaded<Slice<Message>>> {
        let mut by_page: HashMap<Page, Vec<ConversationId>> = HashMap::new();
        for (conversation, page) in keys {
            by_page.entry(*page).or_default().push(*conversation);
        }
        let mut loaded = HashMap::with_capacity(keys.len());
        for (page, conversations) in by_page {
            match self.0.messages_of_many(&conversations, page).await {
                Ok(slices) => {
                    let slices = slices.into_iter().map(|(id, slice)| ((id, page), Ok(Arc::new(slice))));
                    loaded.extend(slices);
                }
                Err(error) => {
                    loaded.extend(conversations.iter().map(|id| ((*id, page), Err(error.clone()))));
                }
            }
        }
        loaded
    }
}

/// A conversation and a position in it.
pub(in crate::graphql) type MessagePosition = (ConversationId, i64);

struct Places(Scoped);

impl BatchFn<MessagePosition, Found<Message>> for Places {
    async fn load(&mut self, places: &[MessagePosition]) -> HashMap<MessagePosition, Found<Message>> {
        each(places, self.0.messages_at(places).await, |found, place| found.remove(place).map(Arc::new))
    }
}

struct Following(Scoped);

impl BatchFn<MessagePosition, Loaded<Slice<Message>>> for Following {
    async fn load(&mut self, places: &[MessagePosition]) -> HashMap<MessagePosition, Loaded<Slice<Message>>> {
        let found = self.0.messages_following(places).await;
        each(places, found, |found, place| {
            let items = found.remove(place).unwrap_or_default();
            Arc::new(Slice { items, has_previous: false, has_next: false })
        })
    }
}

struct Texts(Scoped);

impl BatchFn<MessageId, Loaded<str>> for Texts {
    async fn load(&mut self, ids: &[MessageId]) -> HashMap<MessageId, Loaded<str>> {
        each(ids, self.0.texts(ids).await, |found, id| found.remove(id).unwrap_or_default().into())
    }
}

struct TokenCounts(Scoped);

type TokenCountKey = (MessageId, Tokenizer);

impl BatchFn<TokenCountKey, Result<i64>> for TokenCounts {
    /// One statement for each tokenizer.
    async fn load(&mut self, keys: &[TokenCountKey]) -> HashMap<TokenCountKey, Result<i64>> {
        let mut by_tokenizer: HashMap<Tokenizer, Vec<MessageId>> = HashMap::new();
        for (id, tokenizer) in keys {
            by_tokenizer.entry(*tokenizer).or_default().push(*id);
        }
        let mut loaded = HashMap::with_capacity(keys.len());
        for (tokenizer, ids) in by_tokenizer {
            let found = self.0.token_counts(&ids, tokenizer).await;
            let counts = each(&ids, found, |found, id| found.remove(id).unwrap_or_default());
            loaded.extend(counts.into_iter().map(|(id, count)| ((id, tokenizer), count)));
        }
        loaded
    }
}

/// A conversation and a message in it.
pub(in crate::graphql) type FeedbackKey = (ConversationId, MessageId);

struct Feedbacks(Scoped);

impl BatchFn<FeedbackKey, Found<Feedback>> for Feedbacks {
    async fn load(&mut self, keys: &[FeedbackKey]) -> HashMap<FeedbackKey, Found<Feedback>> {
        each(keys, self.0.feedback(keys).await, |found, key| found.remove(key).map(Arc::new))
    }
}

/// The value of each key. An error applies to all keys.
fn each<K: Copy + Eq + Hash, F, V>(
    keys: &[K],
    found: Result<F>,
    mut take: impl FnMut(&mut F, &K) -> V,
) -> HashMap<K, Result<V>> {
    match found {
        Ok(mut found) => keys.iter().map(|key| (*key, Ok(take(&mut found, key)))).collect(),
        Err(error) => keys.iter().map(|key| (*key, Err(error.clone()))).collect(),
    }
}
