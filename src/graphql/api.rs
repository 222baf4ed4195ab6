//! The schema, ready to run operations.

use std::fmt;
use std::sync::Arc;

use async_graphql::parser::types::{DocumentOperations, OperationType};
use async_graphql::{Request, Response, Schema, ValidationMode};
use futures_util::Stream;
use uuid::Uuid;

use super::answer::Answer;
use super::context::{Asked, Begun, Following};
use super::documents::Documents;
use super::error::{self, Code, complete, error_response};
use super::extent::Extent;
use super::guard::Limits;
use super::loaders::Loaders;
use super::parsed::Parsed;
use super::subscription::Subscription;
use super::telling::{Events, Source};
use super::validation::Validator;
use super::variables::{self, InputTypes};
use super::{Mutation, Query, plan};
use crate::feed::Feed;
use crate::memory::{self, Allowance, Held, Memory};
use crate::model::Viewer;
use crate::store::Store;

/// Names one operation in the log and in the error that a client sees.
#[derive(Debug, Clone, Copy)]
pub struct RequestId(pub Uuid);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Runs operations. Clones share the schema and the store.
#[derive(Clone)]
pub struct Api {
    schema: Schema<Query, Mutation, Subscription>,
    types: Arc<InputTypes>,
    store: Store,
    feed: Feed,
    settings: Settings,
    parsed: Parsed,
}

/// What may be asked.
#[derive(Clone)]
pub struct Settings {
    /// The most of everything; where the schema is not told, no names are suggested either.
    pub limits: Limits,
    /// The documents that have names.
    pub documents: Documents,
    /// What operations may hold.
    pub memory: Memory,
}

/// A request whose document was read, whose operation was found and that asks for no more than is
/// allowed.
pub struct Operation {
    pub(super) request: Request,
    /// What it does; a transport may have to refuse it for that.
    pub kind: OperationType,
    merges: bool,
    /// Bytes that the request takes, about.
    weight: usize,
    /// For the request, as long as it is kept.
    held: Held,
}

/// Bytes that a document takes once it is read, for each of its text.
const DOCUMENT: usize = 24;

impl Operation {
    /// Reads the document and finds the operation to run.
    ///
    /// # Errors
    /// A response to send instead: the document is not GraphQL, asks for too much, or which operation
    /// is meant is not clear.
    pub(super) fn prepare(
        mut request: Request,
        limits: &Limits,
        parsed: &Parsed,
        types: &InputTypes,
    ) -> Result<Self, Box<Response>> {
        let document = parsed.read(&request.query, limits)?;
        let operation = match (&document.operations, &request.operation_name) {
            (DocumentOperations::Single(operation), None) => Some(operation),
            (DocumentOperations::Single(_), Some(_)) => None,
            (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name.as_str()),
            (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => {
                operations.values().next()
            }
            (DocumentOperations::Multiple(_), None) => None,
        };
        let Some(operation) = operation else {
            let message = "`operationName` must name one operation of the document";
            return Err(Box::new(error_response(Code::OperationResolutionFailure, message)));
        };
        let extent = Extent::of(&request.variables);
        let checked = limits.check_operation(&document, &operation.node, &request.variables, &extent);
        checked.map_err(|refusal| refusal.response())?;
        let definitions = &operation.node.variable_definitions;
        types.coerce(definitions, &mut request.variables).map_err(|invalid| error::invalid(&invalid))?;
        variables::fill_in(definitions, &mut request.variables);
        variables::check_conditions(&document, &operation.node, &request.variables)
            .map_err(|invalid| error::invalid(&invalid))?;
        let kind = operation.node.ty;
        let merges = plan::merges(&operation.node.selection_set.node, &document.fragments);
        request.set_parsed_query(document);
        let weight = DOCUMENT * request.query.len() + extent.bytes();
        Ok(Self { request, kind, merges, weight, held: Held::default() })
    }
}

impl Api {
    /// The API over a store.
    pub fn new(store: Store, feed: Feed, settings: Settings) -> Self {
        let limits = &settings.limits;
        // No more than what the guard lets through: the library's own limit is lower.
        let builder = super::builder().limit_recursive_depth(limits.nesting as usize);
        // Documents are validated when they are read: see `validation`.
        let builder = builder.validation_mode(ValidationMode::Fast);
        let builder = if limits.introspection {
            builder
        } else {
            builder.disable_introspection().disable_suggestions()
        };
        let sdl = super::definitions();
        let types = Arc::new(InputTypes::of_schema(&sdl));
        let parsed = Parsed::new(Validator::new(&sdl));
        Self { schema: builder.finish(), types, store, feed, settings, parsed }
    }

    /// Reads a request's document, or the one that it names, and finds the operation to run.
    ///
    /// # Errors
    /// A response to send instead.
    pub fn prepare(&self, mut request: Request) -> Result<Operation, Box<Response>> {
        let Settings { limits, documents, .. } = &self.settings;
        let hash = documents.resolve(&mut request)?;
        let operation = Operation::prepare(request, limits, &self.parsed, &self.types)?;
        if let Some(hash) = hash {
            documents.remember(hash, &operation.request.query);
        }
        Ok(operation)
    }

    /// Counts what a prepared operation takes until it has run.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn take_in(&self, viewer: &Viewer, operation: &mut Operation) -> Result<(), memory::Refused> {
        operation.held = self.settings.memory.take_in(&viewer.owner, operation.weight)?;
        Ok(())
    }

    /// Counts bytes of a request that is still to be read.
    ///
    /// # Errors
    /// There is no room for them.
    pub fn take_in_bytes(&self, viewer: &Viewer, bytes: usize) -> Result<Held, memory::Refused> {
        self.settings.memory.take_in(&viewer.owner, bytes)
    }

    /// Runs a query or a mutation.
    pub async fn execute(&self, viewer: &Viewer, operation: Operation, id: RequestId) -> Answer {
        let allowance = self.settings.memory.allow(&viewer.owner);
        let (request, held) = self.request(viewer, operation, Following::default(), &allowance);
        let mut response = self.schema.execute(request).await;
        drop(held);
        complete(&mut response, id);
        Answer::new(response, allowance, self.settings.memory.largest_answer())
    }

    /// Runs any operation as a stream: a subscription's events, or the one response of the others. A
    /// subscription that can be resumed begins after `resume`, whatever its argument says; `begun` tells when it
    /// has begun, after which the stream is pending or has an event.
    pub fn stream(
        &self,
        viewer: &Viewer,
        operation: Operation,
        id: RequestId,
        resume: Option<String>,
        begun: Begun,
    ) -> impl Stream<Item = Event> + Send + use<> {
        let following = Following::resuming(resume, begun);
        let allowance = self.settings.memory.allow(&viewer.owner);
        let most = self.settings.memory.largest_answer();
        let (request, held) = self.request(viewer, operation, following.clone(), &allowance);
        let source = Source::Library { responses: self.schema.execute_stream(request), _held: held };
        Events { source, following, allowance, most, request: id }
    }

    /// How many things are followed by subscriptions.
    pub fn readers(&self) -> usize {
        self.feed.readers()
    }

    /// Bytes that operations have reserved just now, and that large requests take.
    pub fn held(&self) -> (usize, usize) {
        (self.settings.memory.reserved(), self.settings.memory.taken_in())
    }

    fn request(
        &self,
        viewer: &Viewer,
        operation: Operation,
        following: Following,
        allowance: &Allowance,
    ) -> (Request, Held) {
        let allowance = allowance.clone();
        let store = self.store.viewed_by(viewer).within(allowance.clone());
        let loaders = Loaders::new(&store);
        let feed = self.feed.clone();
        let largest_answer = self.settings.memory.largest_answer();
        let (viewer, Operation { request, merges, held, .. }) = (viewer.clone(), operation);
        let asked = Asked { viewer, store, loaders, feed, following, allowance, largest_answer, merges };
        (request.data(asked), held)
    }
}

/// One response of a stream.
pub struct Event {
    /// The response. It must be written before the next event is asked for.
    pub answer: Answer,
    /// Where to resume after it, if the subscription can be.
    pub cursor: Option<Arc<str>>,
}

#[cfg(test)]
impl Api {
    /// The same API over a schema with an extension that only tests have.
    pub(crate) fn extended(self, extension: impl async_graphql::extensions::ExtensionFactory) -> Self {
        Self { schema: super::builder().extension(extension).finish(), ..self }
    }
}
