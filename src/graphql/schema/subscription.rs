//! Subscriptions.
//!
//! The start of a subscription is boxed, to keep a waiting subscription small.

use async_graphql::{Context, ID};
use futures_util::{Stream, StreamExt};

use super::argument;
use super::change::Change;
use super::cursor;
use super::message::connection::MessageEdge;
use super::message_stream::MessageTextChunk;
use crate::feed;
use crate::graphql::execution::context::ContextExt;
use crate::graphql::execution::error::SubscriptionError;
use crate::graphql::execution::prerender::subscribe;
use crate::store;

/// The root of subscriptions.
pub(in crate::graphql) struct Subscription;

/// The root of subscriptions.
#[async_graphql::Subscription]
impl Subscription {
    /// The messages of a conversation after `after`, first the stored ones, then new ones, each exactly once
    /// and in order of position, across reconnects, restarts and replicas. Without `after`: only new ones.
    /// The stream ends when the conversation is deleted. Error NOT_FOUND: the viewer has no such
    /// conversation.
    async fn message_added(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation to subscribe to.")] conversation_id: ID,
        #[graphql(desc = "A message cursor: an edge's, or a page's endCursor.")] after: Option<String>,
    ) -> Result<impl Stream<Item = Result<MessageEdge, SubscriptionError>> + use<>, SubscriptionError> {
        let conversation =
            argument::conversation_id("conversationId", &conversation_id).map_err(store::Error::from)?;
        let subscription = ctx.subscription()?.clone();
        let position = |text: String| cursor::message("after", &text, conversation);
        let after =
            subscription.resume.clone().or(after).map(position).transpose().map_err(store::Error::from)?;
        let place = move |position| cursor::of_message(conversation, position);
        let messages = Box::pin(ctx.feed()?.messages(ctx.store()?, conversation, after)).await;
        let messages = messages.map_err(|error| failure(error, place))?;
        subscription.begin();
        let messages = messages.map(move |message| message.map_err(|error| failure(error, place)));
        Ok(subscribe(ctx, subscription, messages, |message| MessageEdge::from(message.clone())))
    }

    /// All changes to the data of the viewer, in commit order, each exactly once. Resumes like
    /// `messageAdded`. Without `after`: only new ones. Error CURSOR_EXPIRED: changes after this cursor were
    /// already deleted. Query the data again, then subscribe.
    async fn changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The cursor of a change, or a connection's changeCursor.")] after: Option<String>,
    ) -> Result<impl Stream<Item = Result<Change, SubscriptionError>> + use<>, SubscriptionError> {
        let owner = ctx.viewer()?.owner.clone();
        let subscription = ctx.subscription()?.clone();
        let revision = |text: String| cursor::change("after", &text, &owner);
        let after =
            subscription.resume.clone().or(after).map(revision).transpose().map_err(store::Error::from)?;
        let changes = Box::pin(ctx.feed()?.changes(ctx.store()?, after)).await;
        let place = move |revision| cursor::of_change(&owner, revision);
        let owner = ctx.viewer()?.owner.clone();
        let changes = changes.map_err(|error| failure(error, &place))?;
        subscription.begin();
        Ok(changes.map(move |change| {
            let change = change.map_err(|error| failure(error, &place))?;
            subscription.reached(&place(change.revision));
            Ok(Change::new(&owner, change)?)
        }))
    }

    /// The text of a streaming message after `offset`, then added text, until the message ends. The last
    /// chunk has the final status. Offsets count Unicode code points. A message that is not streaming has one
    /// chunk.
    async fn message_text(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message to subscribe to.")] message_id: ID,
        #[graphql(desc = "The number of code points that the client already has. Default: 0.")]
        offset: Option<i64>,
    ) -> Result<impl Stream<Item = Result<MessageTextChunk, SubscriptionError>> + use<>, SubscriptionError>
    {
        let id = argument::message_id("messageId", &message_id).map_err(store::Error::from)?;
        let subscription = ctx.subscription()?.clone();
        let resume = subscription.resume.as_deref().map(|text| cursor::text("offset", text));
        let offset = resume.transpose().map_err(store::Error::from)?.or(offset);
        let pieces = Box::pin(ctx.feed()?.text(ctx.store()?, id, offset.unwrap_or(0))).await;
        let pieces = pieces.map_err(|error| failure(error, cursor::of_text))?;
        subscription.begin();
        let pieces = pieces.map(|piece| piece.map_err(|error| failure(error, cursor::of_text)));
        Ok(subscribe(ctx, subscription, pieces, |piece| MessageTextChunk::from(piece.as_ref().clone())))
    }
}

fn failure(error: feed::Error, place: impl Fn(i64) -> String) -> SubscriptionError {
    match error {
        feed::Error::Store(error) => error.into(),
        feed::Error::Lagged(at) => SubscriptionError::Lagged { cursor: place(at) },
    }
}
