//! Access to internal functions for `benches/micro.rs` and `fuzz`. Not for other use.

use async_graphql::{
    EmptyMutation, EmptySubscription, Object, Request, Response, Schema, ValidationMode, Value,
};

use super::Limits;
use super::execution::context::OperationContext;
use super::execution::document_cache::DocumentCache;
use super::execution::loaders::Loaders;
use super::execution::operation::Operation;
use super::execution::subscription_state::SubscriptionState;
use super::execution::variables::InputTypes;
use super::schema::message::connection::MessageConnection;
use super::schema::{self, Mutation, Query, Subscription, cursor};
use crate::feed::Feed;
use crate::memory::MemoryBudget;
use crate::model::{ContentLimits, ConversationId, ConversationOrder, Message, OwnerId, Slice, Viewer};
use crate::store::Store;

/// Parses documents as the server does.
pub struct Reader {
    document_cache: DocumentCache,
    types: InputTypes,
}

impl Default for Reader {
    fn default() -> Self {
        let sdl = schema::definitions();
        Self { document_cache: DocumentCache::new(schema::validator()), types: InputTypes::of_schema(&sdl) }
    }
}

impl Reader {
    /// Parses a document, or takes it from the cache, and checks the limits.
    pub fn prepare(&self, request: Request, limits: &Limits) -> bool {
        Operation::prepare(request, limits, &self.document_cache, &self.types).is_ok()
    }
}

/// Runs documents without a viewer. Fields of the schema itself are resolved completely.
pub struct Runner {
    reader: Reader,
    schema: Schema<Query, Mutation, Subscription>,
}

impl Runner {
    /// A runner with these limits.
    pub fn within(limits: &Limits) -> Self {
        let schema = schema::builder()
            .limit_recursive_depth(limits.nesting as usize)
            .validation_mode(ValidationMode::Fast)
            .finish();
        Self { reader: Reader::default(), schema }
    }

    /// The response, with errors if the document is rejected.
    pub async fn run(&self, request: Request, limits: &Limits) -> Response {
        match Operation::prepare(request, limits, &self.reader.document_cache, &self.reader.types) {
            Ok(operation) => self.schema.execute(operation.request).await,
            Err(response) => *response,
        }
    }
}

/// Parses a text as a cursor of each kind, and formats those that parse: the result must be the same text.
pub fn cursors_of(text: &str, conversation: ConversationId, owner: &OwnerId) -> Vec<String> {
    let order = ConversationOrder::UpdatedDescending;
    let message = cursor::message("after", text, conversation);
    let key = cursor::conversation("after", text, owner, order);
    let change = cursor::change("after", text, owner);
    let offset = cursor::text("offset", text);
    let written = [
        message.map(|position| cursor::of_message(conversation, position)),
        key.map(|key| cursor::of_conversation(owner, order, key)),
        change.map(|revision| cursor::of_change(owner, revision)),
        offset.map(cursor::of_text),
    ];
    written.into_iter().flatten().collect()
}

/// Whether a message cursor round-trips.
pub fn cursor_there_and_back(conversation: ConversationId, position: i64) -> bool {
    cursor::message("after", &cursor::of_message(conversation, position), conversation) == Ok(position)
}

/// A page of messages for benchmarks.
pub struct Page {
    schema: Schema<Root, EmptyMutation, EmptySubscription>,
    store: Store,
    feed: Feed,
    viewer: Viewer,
}

struct Root(std::sync::Arc<Slice<Message>>);

#[Object]
impl Root {
    async fn page(&self) -> MessageConnection {
        self.0.clone().into()
    }
}

impl Page {
    /// A page of these messages. The store is not used.
    pub fn of(messages: Vec<Message>, store: Store, feed: Feed, viewer: Viewer) -> Self {
        let slice = Slice { items: messages, has_previous: false, has_next: false };
        let schema = Schema::new(Root(std::sync::Arc::new(slice)), EmptyMutation, EmptySubscription);
        Self { schema, store, feed, viewer }
    }

    /// Renders a query as bytes: prerendered, or field by field with async-graphql.
    pub async fn answer(&self, query: &str, in_one_walk: bool) -> Vec<u8> {
        let scoped = self.store.viewed_by(&self.viewer);
        let asked = OperationContext {
            content_limits: ContentLimits::LARGEST,
            viewer: self.viewer.clone(),
            loaders: Loaders::new(&scoped),
            store: scoped,
            feed: self.feed.clone(),
            subscription: SubscriptionState::default(),
            memory_budget: MemoryBudget::default(),
            largest_answer: u32::MAX,
            may_prerender: in_one_walk,
        };
        let response = self.schema.execute(Request::new(query).data(asked)).await;
        let mut written = Vec::new();
        super::write_value(&mut written, &response.data, usize::MAX);
        written
    }
}

/// Serializes a value.
pub fn write(value: &Value) -> usize {
    let mut written = Vec::new();
    super::write_value(&mut written, value, usize::MAX);
    written.len()
}
