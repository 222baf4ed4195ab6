//! Subscriptions.
//!
//! What a subscription begins with is looked up in a box: a subscription that waits takes no room for it.

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

/// Where following begins.
pub(in crate::graphql) struct Subscription;

/// Where following begins.
#[async_graphql::Subscription]
impl Subscription {
    /// New messages in a conversation: first those after `after` from the database, then live, each
    /// exactly once, in order of position, across reconnects, restarts and replicas. Without `after`:
    /// from now on. Ends when the conversation is deleted. Error NOT_FOUND when it is not the
    /// viewer's.
    async fn message_added(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which conversation to follow.")] conversation_id: ID,
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

    /// Everything that changes for the viewer, in commit order, each exactly once; resumable like
    /// `messageAdded`. Without `after`: from now on. Error CURSOR_EXPIRED when the feed no longer
    /// reaches back so far: read again, then subscribe.
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

    /// A streaming message's text: what it has after `offset`, then what is added, until it is finished;
    /// the last chunk tells how it ended. Offsets count Unicode code points. For a message that is not
    /// streaming: one chunk.
    async fn message_text(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which message to follow.")] message_id: ID,
        #[graphql(desc = "How many code points the caller has already. Default: 0.")] offset: Option<i64>,
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
