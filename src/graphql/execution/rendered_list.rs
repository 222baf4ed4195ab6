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

use super::context::ContextExt;
use super::selection_plan::{Fragments, ObjectWriter, SelectionPlan};
use super::value_size::size_of_objects;
use crate::memory::{MemoryBudget, MemoryError};
use crate::model::Slice;
use crate::store;

/// The most bytes that are allocated before a list is written.
const MOST_RESERVED: usize = 64 * 1024;

/// A list of `O` from the items of a page.
pub(in crate::graphql) struct RenderedList<'a, T: ListItem<O>, O> {
    page: &'a Arc<Slice<T>>,
    object: std::marker::PhantomData<fn() -> O>,
}

/// An item that can be rendered directly or converted to an object of the schema.
pub(in crate::graphql) trait ListItem<O>: Send + Sync + Sized + 'static {
    /// The writer of the object.
    const WRITER: ObjectWriter<Self>;

    /// The object of an item, which shares the page. `None` past the end of the page.
    fn object(page: &Arc<Slice<Self>>, at: usize) -> Option<O>;
}

impl<'a, T: ListItem<O>, O> RenderedList<'a, T, O> {
    pub(in crate::graphql) fn of(page: &'a Arc<Slice<T>>) -> Self {
        Self { page, object: std::marker::PhantomData }
    }

    /// Renders the list. `None` if the selection is not plain, or an item has a value that must be loaded.
    fn write(
        &self,
        selection: &SelectionSet,
        fragments: &Fragments,
        memory_budget: &MemoryBudget,
    ) -> Result<Option<Vec<u8>>, MemoryError> {
        let Some(plan) = SelectionPlan::of(&T::WRITER, selection, fragments) else { return Ok(None) };
        let items = &self.page.items;
        let mut out = vec![b'['];
        let mut taken = 0;
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            let written = plan.write(&mut out, item, None);
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
        selection: &SelectionSet,
        fragments: &Fragments,
        memory_budget: &MemoryBudget,
    ) -> Result<Option<Vec<u8>>, MemoryError> {
        match self.write(selection, fragments, memory_budget) {
            Err(MemoryError::ReservationRequired) => {
                memory_budget.reserve().await?;
                self.write(selection, fragments, memory_budget)
            }
            written => written,
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
        let asked = ctx.operation_context().map_err(refused)?;
        if asked.may_prerender {
            let written = self.written(&ctx.item.node, &ctx.query_env.fragments, &asked.memory_budget).await;
            if let Some(written) = written.map_err(|error| refused(error.into()))? {
                return Ok(Value::Binary(written.into()));
            }
        }
        let count = self.page.items.len();
        let held = asked.memory_budget.grow(size_of_objects(ctx, count)).await;
        held.map_err(|error| refused(error.into()))?;
        let objects = (0..count).filter_map(|at| T::object(self.page, at));
        resolver_utils::resolve_list(ctx, field, objects, Some(count)).await
    }
}

#[cfg(test)]
mod tests;
