//! Prerendering of subscription events.
//!
//! async-graphql starts a subscription and validates its arguments. After that, every item is selected in the
//! same way. If all selected fields are plain ([`super::selection_plan`]), the items are rendered directly,
//! once for all subscribers of this process with the same selection. [`super::event_stream::ResponseStream`]
//! then drops the stream of async-graphql, so a waiting subscription keeps neither a document nor variables.

use std::sync::Arc;

use async_graphql::Context;
use bytes::Bytes;
use futures_util::future::{Either, ready};
use futures_util::{Stream, StreamExt, stream};

use super::context::ContextExt;
use super::error::SubscriptionError;
use super::json_writer::write_string;
use super::prerendered::{PrerenderedStream, RenderedEvent};
use super::related::{Missing, Related};
use super::selection_plan::{FieldPlan, ObjectWriter, SelectionPlan, selection_key};
use super::subscription_state::SubscriptionState;
use crate::feed::{Rendering, SharedItem};
use crate::memory::{MemoryBudget, MemoryError, MemoryReservation, UNRESERVED_BYTES};
use crate::store::{self, Scoped};

/// An item of a subscription.
pub(in crate::graphql) trait SubscriptionItem: Send + Sync + Sized + 'static {
    /// The writer of the item.
    const WRITER: ObjectWriter<Self>;

    /// The cursor of the item.
    fn cursor(&self) -> String;
}

/// Renders the selection of one subscription.
struct EventWriter<T: 'static> {
    /// The JSON before an item.
    head: Vec<u8>,
    plan: SelectionPlan<T>,
    shape: Arc<str>,
    store: Scoped,
    memory_budget: MemoryBudget,
    /// The size limit of a response, in bytes.
    most: u32,
}

/// The JSON after an item.
const TAIL: &[u8] = b"}}";

/// The stream that a subscription returns to async-graphql: `object`s, or nothing if the events are
/// prerendered.
pub(in crate::graphql) fn subscribe<T: SubscriptionItem, S, O>(
    ctx: &Context<'_>,
    subscription: SubscriptionState,
    items: S,
    object: fn(&Arc<T>) -> O,
) -> impl Stream<Item = Result<O, SubscriptionError>> + Send + use<T, S, O>
where
    S: Stream<Item = Result<Arc<SharedItem<T>>, SubscriptionError>> + Send + 'static,
    O: Send,
{
    match prerender(ctx, items) {
        Ok(prerendered) => {
            subscription.continue_prerendered(prerendered);
            Either::Left(stream::pending())
        }
        Err(items) => Either::Right(items.map(move |item| {
            let item = item?;
            subscription.reached(&item.cursor());
            Ok(object(item.item()))
        })),
    }
}

/// Returns the items if the selection is not plain, or not the only one.
fn prerender<T: SubscriptionItem, S>(ctx: &Context<'_>, items: S) -> Result<PrerenderedStream, S>
where
    S: Stream<Item = Result<Arc<SharedItem<T>>, SubscriptionError>> + Send + 'static,
{
    let Some(writer) = EventWriter::of(ctx).map(Arc::new) else { return Err(items) };
    let events = items.then(move |item| {
        let item = match item {
            Ok(item) => item,
            Err(error) => return Either::Left(ready(Err(error))),
        };
        match item.rendering(&writer.shape) {
            Some(Rendering { bytes, cursor, .. }) if bytes.len() <= UNRESERVED_BYTES => {
                Either::Left(ready(Ok(RenderedEvent { bytes, held: MemoryReservation::default(), cursor })))
            }
            _ => {
                let writer = writer.clone();
                Either::Right(Box::pin(async move { writer.write(&item).await }))
            }
        }
    });
    Ok(PrerenderedStream {
        events: events.boxed(),
        key: ctx.item.node.response_key().node.clone(),
        pos: ctx.item.pos,
    })
}

impl<T: SubscriptionItem> EventWriter<T> {
    fn of(ctx: &Context<'_>) -> Option<Self> {
        let asked = ctx.operation_context().ok()?;
        let env = ctx.query_env;
        if !asked.may_prerender || env.operation.node.selection_set.node.items.len() != 1 {
            return None;
        }
        let selection = &ctx.item.node.selection_set.node;
        // Events are written once for all subscribers, but a message gets siblings later.
        let plan = SelectionPlan::of(&T::WRITER, selection, &env.fragments)
            .filter(|plan| !plan.has_related_messages())?;
        let mut head = br#"{"data":{"#.to_vec();
        let key = ctx.item.node.response_key().node.as_str();
        write_string(&mut head, key);
        head.push(b':');
        let mut text = key.to_owned();
        selection_key(&mut text, selection, &env.fragments);
        Some(Self {
            head,
            plan,
            shape: text.into(),
            store: asked.store.clone(),
            memory_budget: asked.memory_budget.clone(),
            most: asked.largest_answer,
        })
    }

    async fn write(&self, item: &SharedItem<T>) -> Result<RenderedEvent, SubscriptionError> {
        let nothing = Related::of(&[], None);
        let mut written = self.walk(item, &nothing);
        if written.is_none() {
            let mut missing = Missing::default();
            self.plan.find_missing(item, &nothing, &mut missing);
            let texts = self.store.texts(missing.texts()).await?;
            // The message was deleted since.
            if missing.texts().iter().any(|id| !texts.contains_key(id)) {
                return Err(store::Error::NotFound("message").into());
            }
            let texts = texts.into_iter().map(|(id, text)| (id, text.into())).collect();
            written = self.walk(item, &Related::with_texts(texts));
        }
        let bytes: Bytes =
            written.ok_or_else(|| store::Error::broken("an item was not written".into()))?.into();
        if bytes.len() > self.most as usize {
            return Err(store::Error::Memory(MemoryError::ResponseTooLarge(self.most)).into());
        }
        let held = self.memory_budget.keep_response(bytes.len()).await.map_err(store::Error::Memory)?;
        let rendering = Rendering { shape: self.shape.clone(), bytes, cursor: item.cursor().into() };
        item.add_rendering(&rendering);
        Ok(RenderedEvent { bytes: rendering.bytes, held, cursor: rendering.cursor })
    }

    fn walk(&self, item: &T, related: &Related<'_>) -> Option<Vec<u8>> {
        let mut out = self.head.clone();
        let whole = self.plan.write(&mut out, item, related);
        out.extend_from_slice(TAIL);
        whole.then_some(out)
    }
}
