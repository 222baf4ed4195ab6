//! Access to the context of async-graphql. Other modules do not read it directly.

use async_graphql::ContextBase;

use super::loaders::Loaders;
use super::subscription_state::SubscriptionState;
use crate::feed::Feed;
use crate::memory::MemoryBudget;
use crate::model::{ContentLimits, Viewer};
use crate::store::{Error, Result, Scoped};

/// The context of an operation: the viewer, the store of the viewer, and loaders.
pub(in crate::graphql) struct OperationContext {
    pub(in crate::graphql) viewer: Viewer,
    pub(in crate::graphql) store: Scoped,
    pub(in crate::graphql) loaders: Loaders,
    pub(in crate::graphql) feed: Feed,
    pub(in crate::graphql) subscription: SubscriptionState,
    /// The memory budget of the operation, including the reads of its store.
    pub(in crate::graphql) memory_budget: MemoryBudget,
    /// The sizes of contents and metadata that clients may send.
    pub(in crate::graphql) content_limits: ContentLimits,
    /// The size limit of a response, in bytes.
    pub(in crate::graphql) largest_answer: u32,
    /// Whether lists and events may be written as JSON without async-graphql: see [`super::selection_plan`].
    pub(in crate::graphql) may_prerender: bool,
}

/// Typed access to the context of an operation.
pub(in crate::graphql) trait ContextExt {
    fn operation_context(&self) -> Result<&OperationContext>;

    /// The viewer.
    fn viewer(&self) -> Result<&Viewer> {
        Ok(&self.operation_context()?.viewer)
    }

    /// The store, limited to the data of the viewer.
    fn store(&self) -> Result<&Scoped> {
        Ok(&self.operation_context()?.store)
    }

    /// The sizes of contents and metadata that clients may send.
    fn content_limits(&self) -> Result<ContentLimits> {
        Ok(self.operation_context()?.content_limits)
    }

    /// The memory budget.
    fn memory_budget(&self) -> Result<&MemoryBudget> {
        Ok(&self.operation_context()?.memory_budget)
    }

    /// The batched reads of this request.
    fn loaders(&self) -> Result<&Loaders> {
        Ok(&self.operation_context()?.loaders)
    }

    /// The state that the subscription shares with its transport.
    fn subscription(&self) -> Result<&SubscriptionState> {
        Ok(&self.operation_context()?.subscription)
    }

    /// The readers behind subscriptions.
    fn feed(&self) -> Result<&Feed> {
        Ok(&self.operation_context()?.feed)
    }
}

impl<T> ContextExt for ContextBase<'_, T> {
    #[expect(clippy::disallowed_methods, reason = "the one place that looks into the context")]
    fn operation_context(&self) -> Result<&OperationContext> {
        self.data::<OperationContext>()
            .map_err(|_| Error::broken("an operation was run without a viewer".into()))
    }
}
