//! What followers are told, written as it is sent.
//!
//! async-graphql begins a subscription: it reads the arguments and finds what is wrong with them. From then
//! on the same fields are told of one item after the other. Where they are plain ([`super::selection_plan`]) they are
//! written in one walk, once for all followers in this process who asked for the same. async-graphql's part
//! is over then, and [`super::event_stream::Events`] lets go of it: a follower that waits keeps neither a document nor variables.

use std::sync::Arc;

use async_graphql::Context;
use bytes::Bytes;
use futures_util::future::{Either, ready};
use futures_util::{Stream, StreamExt, stream};

use super::context::ContextExt;
use super::error::FollowError;
use super::json_writer::write_string;
use super::prerendered::{Sent, Telling};
use super::selection_plan::{Kind, Plan, shape};
use super::subscription_state::Following;
use crate::feed::{Arrival, Rendering};
use crate::memory::{Allowance, FREE, Held, Refused};
use crate::model::MessageId;
use crate::store::{self, Scoped};

/// What is told of a followed list.
pub(in crate::graphql) trait Told: Send + Sync + Sized + 'static {
    /// How an item is written.
    const KIND: Kind<Self>;

    /// Where a follower stands after it.
    fn cursor(&self) -> String;

    /// The message whose text must be loaded to be written, if there is one.
    fn unloaded(&self) -> Option<MessageId>;
}

/// Writes what one follower asked for.
struct Teller<T: 'static> {
    /// What stands before an item.
    head: Vec<u8>,
    plan: Plan<T>,
    shape: Arc<str>,
    store: Scoped,
    allowance: Allowance,
    /// Bytes that an answer may have.
    most: u32,
}

/// What stands after an item.
const TAIL: &[u8] = b"}}";

/// What a subscription gives async-graphql to tell: `object`s, or nothing, where it is told without it.
pub(in crate::graphql) fn told<T: Told, S, O>(
    ctx: &Context<'_>,
    following: Following,
    arrivals: S,
    object: fn(&Arc<T>) -> O,
) -> impl Stream<Item = Result<O, FollowError>> + Send + use<T, S, O>
where
    S: Stream<Item = Result<Arc<Arrival<T>>, FollowError>> + Send + 'static,
    O: Send,
{
    match tell(ctx, arrivals) {
        Ok(telling) => {
            following.tell(telling);
            Either::Left(stream::pending())
        }
        Err(arrivals) => Either::Right(arrivals.map(move |arrival| {
            let arrival = arrival?;
            following.reached(&arrival.cursor());
            Ok(object(arrival.item()))
        })),
    }
}

/// Gives the arrivals back where what is selected of them is not plain, or not all there is to tell.
fn tell<T: Told, S>(ctx: &Context<'_>, arrivals: S) -> Result<Telling, S>
where
    S: Stream<Item = Result<Arc<Arrival<T>>, FollowError>> + Send + 'static,
{
    let Some(teller) = Teller::of(ctx).map(Arc::new) else { return Err(arrivals) };
    let events = arrivals.then(move |arrival| {
        let arrival = match arrival {
            Ok(arrival) => arrival,
            Err(error) => return Either::Left(ready(Err(error))),
        };
        match arrival.rendering(&teller.shape) {
            Some(Rendering { bytes, cursor, .. }) if bytes.len() <= FREE => {
                Either::Left(ready(Ok(Sent { bytes, held: Held::default(), cursor })))
            }
            _ => {
                let teller = teller.clone();
                Either::Right(Box::pin(async move { teller.write(&arrival).await }))
            }
        }
    });
    Ok(Telling { events: events.boxed(), key: ctx.item.node.response_key().node.clone(), pos: ctx.item.pos })
}

impl<T: Told> Teller<T> {
    fn of(ctx: &Context<'_>) -> Option<Self> {
        let asked = ctx.asked().ok()?;
        let env = ctx.query_env;
        if asked.merges || env.operation.node.selection_set.node.items.len() != 1 {
            return None;
        }
        let selection = &ctx.item.node.selection_set.node;
        let plan = Plan::of(&T::KIND, selection, &env.fragments)?;
        let mut head = br#"{"data":{"#.to_vec();
        let key = ctx.item.node.response_key().node.as_str();
        write_string(&mut head, key);
        head.push(b':');
        let mut text = key.to_owned();
        shape(&mut text, selection, &env.fragments);
        Some(Self {
            head,
            plan,
            shape: text.into(),
            store: asked.store.clone(),
            allowance: asked.allowance.clone(),
            most: asked.largest_answer,
        })
    }

    async fn write(&self, arrival: &Arrival<T>) -> Result<Sent, FollowError> {
        let mut written = self.walk(arrival, None);
        if written.is_none()
            && let Some(message) = arrival.unloaded()
        {
            let mut texts = self.store.texts(&[message]).await?;
            let text = texts.remove(&message).ok_or(store::Error::NotFound("message"))?;
            written = self.walk(arrival, Some(&text));
        }
        let bytes: Bytes =
            written.ok_or_else(|| store::Error::broken("an item was not written".into()))?.into();
        if bytes.len() > self.most as usize {
            return Err(store::Error::Memory(Refused::Answer(self.most)).into());
        }
        let held = self.allowance.settle(bytes.len()).await.map_err(store::Error::Memory)?;
        let rendering = Rendering { shape: self.shape.clone(), bytes, cursor: arrival.cursor().into() };
        arrival.keep(&rendering);
        Ok(Sent { bytes: rendering.bytes, held, cursor: rendering.cursor })
    }

    fn walk(&self, item: &T, text: Option<&str>) -> Option<Vec<u8>> {
        let mut out = self.head.clone();
        let whole = self.plan.write(&mut out, item, text);
        out.extend_from_slice(TAIL);
        whole.then_some(out)
    }
}
