//! What followers are told, written as it is sent.
//!
//! async-graphql begins a subscription: it reads the arguments and finds what is wrong with them. From then
//! on the same fields are told of one item after the other. Where they are plain ([`super::plan`]) they are
//! written in one walk, once for all followers in this process who asked for the same. async-graphql's part
//! is over then, and [`Events`] lets go of it: a follower that waits keeps neither a document nor variables.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use async_graphql::{Context, Name, PathSegment, Pos, Response};
use bytes::Bytes;
use futures_util::future::{Either, ready};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, stream};

use super::answer::Answer;
use super::context::{ContextExt, Following};
use super::error::{FollowError, complete};
use super::plan::{Kind, Plan, shape};
use super::{Event, RequestId};
use crate::feed::{Arrival, Rendering};
use crate::memory::{Allowance, FREE, Held, Refused};
use crate::model::MessageId;
use crate::store::{self, Scoped};

/// What is told of a followed list.
pub(super) trait Told: Send + Sync + Sized + 'static {
    /// How an item is written.
    const KIND: Kind<Self>;

    /// Where a follower stands after it.
    fn cursor(&self) -> String;

    /// The message whose text must be loaded to be written, if there is one.
    fn unloaded(&self) -> Option<MessageId>;
}

/// Events as they are sent, and where in the document they come from.
pub(super) struct Telling {
    events: BoxStream<'static, Result<Sent, FollowError>>,
    key: Name,
    pos: Pos,
}

/// One event as it is sent.
struct Sent {
    bytes: Bytes,
    held: Held,
    cursor: Arc<str>,
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
pub(super) fn told<T: Told, S, O>(
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
        super::json::write_string(&mut head, key);
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

/// The responses of an operation: from async-graphql, until what it follows is told without it.
pub(super) struct Events {
    pub(super) source: Source,
    pub(super) following: Following,
    pub(super) allowance: Allowance,
    pub(super) most: u32,
    pub(super) request: RequestId,
}

pub(super) enum Source {
    /// With what is held for the request, as long as there may be another response.
    Library {
        responses: BoxStream<'static, Response>,
        _held: Held,
    },
    Telling(Telling),
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Event>> {
        loop {
            let response = match &mut self.source {
                Source::Library { responses, .. } => match responses.poll_next_unpin(task) {
                    Poll::Ready(response) => {
                        response.map(|response| (response, self.following.take_cursor()))
                    }
                    Poll::Pending => {
                        let Some(telling) = self.following.take_telling() else { return Poll::Pending };
                        self.source = Source::Telling(telling);
                        continue;
                    }
                },
                Source::Telling(telling) => match telling.events.poll_next_unpin(task) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Some(Ok(Sent { bytes, held, cursor }))) => {
                        let answer = Answer::written(bytes, held);
                        return Poll::Ready(Some(Event { answer, cursor: Some(cursor) }));
                    }
                    Poll::Ready(Some(Err(error))) => Some((telling.failure(error), None)),
                    Poll::Ready(None) => None,
                },
            };
            return Poll::Ready(response.map(|(mut response, cursor)| {
                complete(&mut response, self.request);
                let answer = Answer::new(response, self.allowance.clone(), self.most);
                Event { answer, cursor }
            }));
        }
    }
}

impl Telling {
    /// As async-graphql tells of an item that failed.
    fn failure(&self, error: FollowError) -> Response {
        let error = async_graphql::Error::from(error).into_server_error(self.pos);
        let path = vec![PathSegment::Field(self.key.to_string())];
        Response::from_errors(vec![error.with_path(path)])
    }
}
