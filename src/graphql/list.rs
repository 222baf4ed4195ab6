//! Lists of messages and conversations, most of what is ever answered.
//!
//! A list whose selection is plain fields needs nothing more than what was read with it. It is written
//! as JSON in one walk: which function writes each field is found once for the list, not once for each
//! item, and there is no future, no map and no value in between. Everything else is left to
//! async-graphql, with the same result: a fragment, a directive that is not `@skip` or `@include`, a
//! field that has to be loaded, a response key that comes twice.
//!
//! Either way what is made is taken from the operation's allowance: what is written with every item, values
//! before there are any, by their number.
//!
//! What was written cannot be merged with anything, so an operation in which selections are merged at all
//! ([`merges`]) has nothing written.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerResult, Value, resolver_utils};

use super::context::ContextExt;
use super::json::write_string;
use super::shape::objects;
use crate::memory::{Allowance, Refused};
use crate::model::{self, Slice};
use crate::store;

type FindMessage<T> = fn(&T) -> Option<Option<&model::Message>>;

/// What is written for a field of an item.
pub(super) enum Rule<T: 'static> {
    /// A scalar or an enum. False where it cannot be written: it must be loaded first.
    Leaf(fn(&mut Vec<u8>, &T) -> bool),
    /// An object of the item itself.
    Object(&'static Kind<T>),
    /// A message, or null. None where it was not read.
    Message(FindMessage<T>, &'static Kind<model::Message>),
}

/// An object of the schema and how its plain fields are written.
pub(super) struct Kind<T: 'static> {
    pub(super) name: &'static str,
    /// None for a field that is not plain.
    pub(super) field: fn(&str) -> Option<Rule<T>>,
}

/// Most bytes that are set aside before a list is written.
const MOST_RESERVED: usize = 64 * 1024;

/// How to write the selected fields of an object.
struct Plan<T: 'static>(Vec<(Vec<u8>, Step<T>)>);

enum Step<T: 'static> {
    TypeName(&'static str),
    Leaf(fn(&mut Vec<u8>, &T) -> bool),
    Object(Plan<T>),
    Message(FindMessage<T>, Plan<model::Message>),
}

impl<T> Plan<T> {
    /// None where the selection is not plain.
    fn of(kind: &Kind<T>, selection: &SelectionSet) -> Option<Self> {
        let mut steps = Vec::with_capacity(selection.items.len());
        for item in &selection.items {
            let Selection::Field(Positioned { node: field, .. }) = &item.node else { return None };
            let directives = field.directives.iter().map(|directive| directive.node.name.node.as_str());
            // Where these still stand the field stays: what they leave out is gone before anything runs.
            if !directives.into_iter().all(|name| matches!(name, "skip" | "include")) {
                return None;
            }
            let step = Self::step(kind, field)?;
            let mut key = vec![if steps.is_empty() { b'{' } else { b',' }];
            write_string(&mut key, field.response_key().node.as_str());
            key.push(b':');
            steps.push((key, step));
        }
        Some(Self(steps))
    }

    fn step(kind: &Kind<T>, field: &Field) -> Option<Step<T>> {
        let name = field.name.node.as_str();
        if name == "__typename" {
            return Some(Step::TypeName(kind.name));
        }
        let selection = &field.selection_set.node;
        match (kind.field)(name)? {
            Rule::Leaf(write) => Some(Step::Leaf(write)),
            Rule::Object(kind) => Plan::of(kind, selection).map(Step::Object),
            Rule::Message(find, kind) => Plan::of(kind, selection).map(|plan| Step::Message(find, plan)),
        }
    }

    /// Writes an item. False where it cannot: what was written of it must be forgotten.
    fn write(&self, out: &mut Vec<u8>, item: &T) -> bool {
        for (key, step) in &self.0 {
            out.extend_from_slice(key);
            let written = match step {
                Step::TypeName(name) => write_string(out, name),
                Step::Leaf(write) => write(out, item),
                Step::Object(plan) => plan.write(out, item),
                Step::Message(find, plan) => match find(item) {
                    Some(Some(message)) => plan.write(out, message),
                    Some(None) => {
                        out.extend_from_slice(b"null");
                        true
                    }
                    None => false,
                },
            };
            if !written {
                return false;
            }
        }
        out.push(b'}');
        true
    }
}

/// A list of `O`, made of the items of a page.
pub(super) struct List<'a, T: Listed<O>, O> {
    page: &'a Arc<Slice<T>>,
    object: std::marker::PhantomData<fn() -> O>,
}

/// What an object of the schema can be made from, and written without being made.
pub(super) trait Listed<O>: Send + Sync + Sized + 'static {
    /// How it is written.
    const KIND: Kind<Self>;

    /// The object of an item of a page, which it shares; none where the page ends before.
    fn object(page: &Arc<Slice<Self>>, at: usize) -> Option<O>;
}

impl<'a, T: Listed<O>, O> List<'a, T, O> {
    pub(super) fn of(page: &'a Arc<Slice<T>>) -> Self {
        Self { page, object: std::marker::PhantomData }
    }

    /// None where the selection is not plain, or an item has something that must be loaded.
    fn write(&self, selection: &SelectionSet, allowance: &Allowance) -> Result<Option<Vec<u8>>, Refused> {
        let Some(plan) = Plan::of(&T::KIND, selection) else { return Ok(None) };
        let items = &self.page.items;
        let mut out = vec![b'['];
        let mut taken = 0;
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            let written = plan.write(&mut out, item);
            let fits = allowance.take(out.len() - taken);
            if fits.is_ok() {
                taken = out.len();
            }
            if !written || fits.is_err() {
                allowance.give_back(taken);
                return fits.map(|()| None);
            }
            if at == 0 {
                // The others will be about as long.
                out.reserve(MOST_RESERVED.min((out.len() + 64) * items.len()));
            }
        }
        out.push(b']');
        Ok(Some(out))
    }

    /// The same, with a reservation where that is what it takes.
    async fn written(
        &self,
        selection: &SelectionSet,
        allowance: &Allowance,
    ) -> Result<Option<Vec<u8>>, Refused> {
        match self.write(selection, allowance) {
            Err(Refused::Unreserved) => {
                allowance.reserve().await?;
                self.write(selection, allowance)
            }
            written => written,
        }
    }
}

impl<T: Listed<O>, O: OutputType> OutputType for List<'_, T, O> {
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
        let asked = ctx.asked().map_err(refused)?;
        if !asked.merges {
            let written = self.written(&ctx.item.node, &asked.allowance).await;
            if let Some(written) = written.map_err(|error| refused(error.into()))? {
                return Ok(Value::Binary(written.into()));
            }
        }
        let count = self.page.items.len();
        let held = asked.allowance.hold(objects(ctx, count)).await;
        held.map_err(|error| refused(error.into()))?;
        let objects = (0..count).filter_map(|at| T::object(self.page, at));
        resolver_utils::resolve_list(ctx, field, objects, Some(count)).await
    }
}

/// Whether anything in a selection may have to be merged: there is a fragment, or a response key comes
/// twice. <https://spec.graphql.org/draft/#sec-Field-Selection-Merging>
pub(super) fn merges(selection: &SelectionSet) -> bool {
    let mut keys = HashSet::with_capacity(selection.items.len());
    selection.items.iter().any(|item| match &item.node {
        Selection::Field(field) => {
            !keys.insert(field.node.response_key().node.as_str()) || merges(&field.node.selection_set.node)
        }
        Selection::FragmentSpread(_) | Selection::InlineFragment(_) => true,
    })
}

#[cfg(test)]
mod tests;
