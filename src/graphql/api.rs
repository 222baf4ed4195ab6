//! Runs operations of the schema.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response};
use futures_util::{Stream, StreamExt};

use super::executable_schema::ExecutableSchema;
use super::execution::context::OperationContext;
use super::execution::document_cache::DocumentCache;
use super::execution::error::complete;
use super::execution::event_stream::{ResponseSource, ResponseStream, StreamedResponse};
use super::execution::limits::Limits;
use super::execution::loaders::Loaders;
use super::execution::operation::Operation;
use super::execution::persisted_documents::PersistedDocuments;
use super::execution::request_id::RequestId;
use super::execution::response::PendingResponse;
use super::execution::subscription_state::{SubscriptionStarted, SubscriptionState};
use super::execution::variables::InputTypes;
use super::schema::{self, SubgraphSettings};
use crate::feed::Feed;
use crate::memory::{self, MemoryBudget, MemoryPool, MemoryReservation};
use crate::model::{ContentLimits, OwnerId, Viewer};
use crate::store::Store;
use crate::traces::Trace;

/// Runs operations. Clones share the schema and the store.
#[derive(Clone)]
pub struct Api {
    schema: ExecutableSchema,
    types: Arc<InputTypes>,
    store: Store,
    feed: Feed,
    settings: Settings,
    rules: Arc<ArcSwap<Rules>>,
}

/// What requests must keep to. It can change while the server runs.
struct Rules {
    limits: Limits,
    content: ContentLimits,
    document_cache: DocumentCache,
}

/// The settings of the API.
#[derive(Clone)]
pub struct Settings {
    /// The limits of requests at the start. If introspection is off, errors suggest no names either.
    pub limits: Limits,
    /// The sizes of contents and metadata at the start.
    pub content: ContentLimits,
    /// The persisted documents.
    pub documents: PersistedDocuments,
    /// The memory pools of operations.
    pub memory: MemoryPool,
    /// The settings of a subgraph of Apollo Federation. `None`: it is none.
    pub subgraph: Option<SubgraphSettings>,
}

impl Api {
    /// Creates the API over a store.
    pub fn new(store: Store, feed: Feed, settings: Settings) -> Self {
        let (definitions, validator) = match settings.subgraph {
            None => (schema::definitions(), schema::validator()),
            Some(_) => (schema::subgraph_definitions(), schema::subgraph_validator()),
        };
        let schema = ExecutableSchema::new(settings.limits.introspection, settings.subgraph);
        let types = Arc::new(InputTypes::of_schema(&definitions));
        let rules = Rules {
            limits: settings.limits.clone(),
            content: settings.content,
            document_cache: DocumentCache::new(validator),
        };
        Self { schema, types, store, feed, settings, rules: Arc::new(ArcSwap::from_pointee(rules)) }
    }

    /// Changes the limits for requests that come from now on. Whether introspection is allowed stays.
    pub fn set_limits(&self, limits: &Limits, content: ContentLimits) {
        let document_cache = self.rules.load().document_cache.emptied();
        let limits = Limits { introspection: self.settings.limits.introspection, ..limits.clone() };
        self.rules.store(Arc::new(Rules { limits, content, document_cache }));
    }

    /// The sizes of contents and metadata.
    pub fn content_limits(&self) -> ContentLimits {
        self.rules.load().content
    }

    /// Parses the document of a request, or finds the persisted one, and selects the operation.
    ///
    /// # Errors
    /// A response to send instead.
    pub fn prepare(&self, mut request: Request) -> Result<Operation, Box<Response>> {
        let documents = &self.settings.documents;
        let rules = self.rules.load();
        let hash = documents.resolve(&mut request)?;
        let operation = Operation::prepare(request, &rules.limits, &rules.document_cache, &self.types)?;
        if let Some(hash) = hash {
            documents.remember(hash, &operation.request.query);
        }
        Ok(operation)
    }

    /// Reserves memory for a prepared query or mutation until it has run. Subscriptions are small, and need none.
    ///
    /// # Errors
    /// The memory for requests is used up.
    pub fn reserve_request(
        &self,
        viewer: &Viewer,
        operation: &mut Operation,
    ) -> Result<(), memory::MemoryError> {
        if operation.kind != OperationType::Subscription {
            operation.held = self.settings.memory.reserve_request(&viewer.owner, operation.weight)?;
        }
        Ok(())
    }

    /// Reserves memory for a request that is not read yet.
    ///
    /// # Errors
    /// The memory for requests is used up.
    pub fn reserve_request_bytes(
        &self,
        viewer: &Viewer,
        bytes: usize,
    ) -> Result<MemoryReservation, memory::MemoryError> {
        self.settings.memory.reserve_request(&viewer.owner, bytes)
    }

    /// The memory budget of one operation of this owner, for transports that run no operation of the schema.
    pub fn memory_budget(&self, owner: &OwnerId) -> MemoryBudget {
        self.settings.memory.budget(owner)
    }

    /// The size limit of a response, in bytes.
    pub fn max_response_bytes(&self) -> usize {
        self.settings.memory.max_response_bytes() as usize
    }

    /// Runs a query or a mutation.
    pub async fn execute(&self, viewer: &Viewer, operation: Operation, id: RequestId) -> PendingResponse {
        let memory_budget = self.settings.memory.budget(&viewer.owner);
        let (request, held) = self.request(viewer, operation, SubscriptionState::default(), &memory_budget);
        let mut response = self.schema.execute(request).await;
        drop(held);
        complete(&mut response, id);
        PendingResponse::new(response, memory_budget, self.settings.memory.max_response_bytes())
    }

    /// Runs any operation as a stream: the events of a subscription, or the one response of other operations.
    /// A subscription that can be resumed starts after `resume`, which overrides its argument. `started` is
    /// set when it has started: from then on the stream is pending or has an event.
    pub fn stream(
        &self,
        viewer: &Viewer,
        operation: Operation,
        id: RequestId,
        resume: Option<String>,
        started: SubscriptionStarted,
    ) -> impl Stream<Item = StreamedResponse> + Send + use<> {
        let subscription = SubscriptionState::resuming(resume, started);
        let memory_budget = self.settings.memory.budget(&viewer.owner);
        let most = self.settings.memory.max_response_bytes();
        let (request, held) = self.request(viewer, operation, subscription.clone(), &memory_budget);
        let source = ResponseSource::Library { responses: self.schema.execute_stream(request), _held: held };
        ResponseStream { source, subscription, memory_budget, most, request: id }
    }

    /// Runs a query or a mutation for a transport of async-graphql: its response has values instead of
    /// rendered JSON.
    pub async fn respond(&self, viewer: &Viewer, mut operation: Operation, id: RequestId) -> Response {
        operation.may_prerender = false;
        self.execute(viewer, operation, id).await.into_response()
    }

    /// Like [`respond`](Self::respond), for any operation as a stream.
    pub fn respond_with_stream(
        &self,
        viewer: &Viewer,
        mut operation: Operation,
        id: RequestId,
    ) -> impl Stream<Item = Response> + Send + use<> {
        operation.may_prerender = false;
        let events = self.stream(viewer, operation, id, None, SubscriptionStarted::default());
        events.map(|event| event.answer.into_response())
    }

    /// The number of shared readers behind subscriptions.
    pub fn readers(&self) -> usize {
        self.feed.readers()
    }

    /// The events that subscribers have not taken yet: of all together, and of the one with the most.
    pub fn backlog(&self) -> (usize, usize) {
        self.feed.backlog()
    }

    /// The bytes that operations and large requests have reserved.
    pub fn memory_in_use(&self) -> (usize, usize) {
        (self.settings.memory.reserved(), self.settings.memory.reserved_for_requests())
    }

    /// How many responses were ended because their clients read slowly while others waited for memory.
    pub fn evicted_responses(&self) -> u64 {
        self.settings.memory.evicted_responses()
    }

    fn request(
        &self,
        viewer: &Viewer,
        operation: Operation,
        subscription: SubscriptionState,
        memory_budget: &MemoryBudget,
    ) -> (Request, MemoryReservation) {
        let memory_budget = memory_budget.clone();
        // The events of a subscription would add spans to its trace for as long as it runs.
        let is_subscription = operation.kind == OperationType::Subscription;
        let trace = if is_subscription { Trace::default() } else { operation.trace.clone() };
        let store = self.store.viewed_by(viewer).within(memory_budget.clone()).traced(trace);
        let loaders = Loaders::new(&store);
        let feed = self.feed.clone();
        let largest_answer = self.settings.memory.max_response_bytes();
        let (viewer, Operation { request, may_prerender, held, .. }) = (viewer.clone(), operation);
        let asked = OperationContext {
            content_limits: self.content_limits(),
            viewer,
            store,
            loaders,
            feed,
            subscription,
            memory_budget,
            largest_answer,
            may_prerender,
        };
        (request.data(asked), held)
    }
}

#[cfg(test)]
impl Api {
    /// The same API with an extension, for tests.
    pub(crate) fn extended(self, extension: impl async_graphql::extensions::ExtensionFactory) -> Self {
        let schema = schema::builder().extension(extension).finish();
        Self { schema: ExecutableSchema::Standalone(schema), ..self }
    }
}
