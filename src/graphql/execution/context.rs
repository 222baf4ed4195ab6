//! The one door to async-graphql's context.

use async_graphql::ContextBase;

use super::loaders::Loaders;
use super::subscription_state::SubscriptionState;
use crate::feed::Feed;
use crate::memory::MemoryBudget;
use crate::model::Viewer;
use crate::store::{Error, Result, Scoped};

/// What every operation is given: who asks, what they own, and loaders of their own.
pub(in crate::graphql) struct OperationContext {
    pub(in crate::graphql) viewer: Viewer,
    pub(in crate::graphql) store: Scoped,
    pub(in crate::graphql) loaders: Loaders,
    pub(in crate::graphql) feed: Feed,
    pub(in crate::graphql) subscription: SubscriptionState,
    /// What the operation may hold, what its store reads included.
    pub(in crate::graphql) memory_budget: MemoryBudget,
    /// Bytes that an answer may have.
    pub(in crate::graphql) largest_answer: u32,
    /// Whether lists and events may be written as JSON without async-graphql: see [`super::selection_plan`].
    pub(in crate::graphql) may_prerender: bool,
}

/// Typed access to what an operation was given.
pub(in crate::graphql) trait ContextExt {
    fn operation_context(&self) -> Result<&OperationContext>;

    /// Who asks.
    fn viewer(&self) -> Result<&Viewer> {
        Ok(&self.operation_context()?.viewer)
    }

    /// What the viewer owns.
    fn store(&self) -> Result<&Scoped> {
        Ok(&self.operation_context()?.store)
    }

    /// What the operation may hold.
    fn memory_budget(&self) -> Result<&MemoryBudget> {
        Ok(&self.operation_context()?.memory_budget)
    }

    /// Batched reads of what the viewer owns.
    fn loaders(&self) -> Result<&Loaders> {
        Ok(&self.operation_context()?.loaders)
    }

    /// Where the subscription stands.
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
