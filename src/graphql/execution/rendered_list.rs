//! Prerendered lists of messages and conversations, the largest part of most responses.
//!
//! A list with a plain selection ([`super::selection_plan`]) is written as JSON directly. Other lists are
//! resolved by async-graphql. In both cases the memory counts against the operation's budget: rendered items
//! one by one, values in advance by their number.

use std::borrow::Cow;
use std::sync::Arc;

use async_graphql::parser::types::{Field, SelectionSet};
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerResult, Value, resolver_utils};

use super::context::{ContextExt, OperationContext};
use super::related::{Missing, Related};
use super::selection_plan::{FieldPlan, Fragments, ObjectWriter, SelectionPlan};
use super::value_size::size_of_objects;
use crate::memory::{MemoryBudget, MemoryError};
use crate::model::{Message, MessagesBeside, Slice};
use crate::store;

/// The most bytes that are allocated before a list is written.
const MOST_RESERVED: usize = 64 * 1024;

/// A list of `O` from the items of a page.
pub(in crate::graphql) struct RenderedList<'a, T: ListItem<O>, O> {
    page: &'a Arc<Slice<T>>,
    beside: Option<&'a MessagesBeside>,
    object: std::marker::PhantomData<fn() -> O>,
}

/// An item that can be rendered directly or converted to an object of the schema.
pub(in crate::graphql) trait ListItem<O>: Send + Sync + Sized + 'static {
    /// The writer of the object.
    const WRITER: ObjectWriter<Self>;

    /// The object of an item, which shares the page. `None` past the end of the page.
    fn object(page: &Arc<Slice<Self>>, at: usize) -> Option<O>;

    /// The messages of a page, if its items are messages.
    fn messages(_: &[Self]) -> &[Message] {
        &[]
    }
}

impl<'a, T: ListItem<O>, O> RenderedList<'a, T, O> {
    pub(in crate::graphql) fn of(page: &'a Arc<Slice<T>>) -> Self {
        Self { page, beside: None, object: std::marker::PhantomData }
    }

    /// The list of a page with what was read beside it.
    pub(in crate::graphql) fn with(page: &'a Arc<Slice<T>>, beside: &'a MessagesBeside) -> Self {
        Self { beside: Some(beside), ..Self::of(page) }
    }

    /// Writes the list. `None` if an item needs what `related` does not have.
    fn write(
        &self,
        plan: &SelectionPlan<T>,
        related: &mut Related<'_>,
        memory_budget: &MemoryBudget,
    ) -> Result<Option<Vec<u8>>, MemoryError> {
        let items = &self.page.items;
        let mut out = vec![b'['];
        let mut taken = 0;
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            related.set_limit(memory_budget.remaining().saturating_add(taken));
            let written = plan.write(&mut out, item, related);
            let fits = memory_budget.try_grow(out.len() - taken);
            if fits.is_ok() {
                taken = out.len();
            }
            if !written || fits.is_err() {
                memory_budget.shrink(taken);
                return fits.map(|()| None);
            }
            if at == 0 {
                // The others are probably about as long.
                out.reserve(MOST_RESERVED.min((out.len() + 64) * items.len()));
            }
        }
        out.push(b']');
        Ok(Some(out))
    }

    /// Like `write`, with a memory reservation if it is needed.
    async fn written(
        &self,
        plan: &SelectionPlan<T>,
        related: &mut Related<'_>,
        memory_budget: &MemoryBudget,
    ) -> Result<Option<Vec<u8>>, MemoryError> {
        match self.write(plan, related, memory_budget) {
            Err(MemoryError::ReservationRequired) => {
                memory_budget.reserve().await?;
                self.write(plan, related, memory_budget)
            }
            written => written,
        }
    }

    /// Renders the list. `None` if it is left to async-graphql, which tells the field that an error belongs to.
    async fn render(
        &self,
        selection: &SelectionSet,
        fragments: &Fragments,
        operation: &OperationContext,
    ) -> Result<Option<Vec<u8>>, MemoryError> {
        let Some(plan) = SelectionPlan::of(&T::WRITER, selection, fragments) else { return Ok(None) };
        let mut related = Related::of(T::messages(&self.page.items), self.beside);
        loop {
            let written = self.written(&plan, &mut related, &operation.memory_budget).await?;
            if written.is_some() {
                return Ok(written);
            }
            // What was loaded can need more, as far as the selection is nested.
            let mut missing = Missing::default();
            self.page.items.iter().for_each(|item| plan.find_missing(item, &related, &mut missing));
            if !missing.can_be_loaded() || related.load(missing, &operation.loaders).await.is_err() {
                return Ok(None);
            }
        }
    }
}

impl<T: ListItem<O>, O: OutputType> OutputType for RenderedList<'_, T, O> {
    fn type_name() -> Cow<'static, str> {
        Vec::<O>::type_name()
    }

    fn qualified_type_name() -> String {
        Vec::<O>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Vec::<O>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let refused = |error: store::Error| async_graphql::Error::from(error).into_server_error(field.pos);
        let operation = ctx.operation_context().map_err(refused)?;
        if operation.may_prerender {
            let rendered = self.render(&ctx.item.node, &ctx.query_env.fragments, operation).await;
            if let Some(rendered) = rendered.map_err(|error| refused(error.into()))? {
                return Ok(Value::Binary(rendered.into()));
            }
        }
        let count = self.page.items.len();
        let held = operation.memory_budget.grow(size_of_objects(ctx, count)).await;
        held.map_err(|error| refused(error.into()))?;
        let objects = (0..count).filter_map(|at| T::object(self.page, at));
        resolver_utils::resolve_list(ctx, field, objects, Some(count)).await
    }
}

#[cfg(test)]
mod tests;
