//! Events of subscriptions, rendered as they are sent.
//!
//! async-graphql begins a subscription: it reads the arguments and finds what is wrong with them. From then
//! on every item has the same fields. Where these are plain ([`super::selection_plan`]) they are
//! written in one walk, once for all followers in this process who asked for the same. async-graphql's part
//! is over then, and [`super::event_stream::ResponseStream`] lets go of it: a follower that waits keeps neither a document nor variables.

use std::sync::Arc;

use async_graphql::Context;
use bytes::Bytes;
use futures_util::future::{Either, ready};
use futures_util::{Stream, StreamExt, stream};

use super::context::ContextExt;
use super::error::SubscriptionError;
use super::json_writer::write_string;
use super::prerendered::{PrerenderedStream, RenderedEvent};
use super::selection_plan::{ObjectWriter, SelectionPlan, selection_key};
use super::subscription_state::SubscriptionState;
use crate::feed::{Rendering, SharedItem};
use crate::memory::{MemoryBudget, MemoryError, MemoryReservation, UNRESERVED_BYTES};
use crate::model::MessageId;
use crate::store::{self, Scoped};

/// An item of a followed list.
pub(in crate::graphql) trait SubscriptionItem: Send + Sync + Sized + 'static {
    /// How an item is written.
    const WRITER: ObjectWriter<Self>;

    /// Where a follower stands after it.
    fn cursor(&self) -> String;

    /// The message whose text must be loaded to be written, if there is one.
    fn unloaded(&self) -> Option<MessageId>;
}

/// Writes what one follower asked for.
struct EventWriter<T: 'static> {
    /// What stands before an item.
    head: Vec<u8>,
    plan: SelectionPlan<T>,
    shape: Arc<str>,
    store: Scoped,
    memory_budget: MemoryBudget,
    /// Bytes that an answer may have.
    most: u32,
}

/// What stands after an item.
const TAIL: &[u8] = b"}}";

/// What a subscription gives async-graphql to tell: `object`s, or nothing, where events are rendered without it.
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

/// Gives the items back where what is selected of them is not plain, or not all there is to tell.
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
        let plan = SelectionPlan::of(&T::WRITER, selection, &env.fragments)?;
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
        let mut written = self.walk(item, None);
        if written.is_none()
            && let Some(message) = item.unloaded()
        {
            let mut texts = self.store.texts(&[message]).await?;
            let text = texts.remove(&message).ok_or(store::Error::NotFound("message"))?;
            written = self.walk(item, Some(&text));
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

    fn walk(&self, item: &T, text: Option<&str>) -> Option<Vec<u8>> {
        let mut out = self.head.clone();
        let whole = self.plan.write(&mut out, item, text);
        out.extend_from_slice(TAIL);
        whole.then_some(out)
    }
}
