//! What is told as it happens.

use async_graphql::{Context, ID};
use futures_util::{Stream, StreamExt};

use super::argument;
use super::connection::MessageEdge;
use super::context::ContextExt;
use super::cursor;
use crate::store::Result;

/// Where following begins.
pub(super) struct Subscription;

#[async_graphql::Subscription]
impl Subscription {
    /// New messages in a conversation: first those after `after` from the database, then live, each
    /// exactly once, in order of position. Without `after`: from now on. Ends when the conversation
    /// is deleted. Error NOT_FOUND when it is not the viewer's.
    async fn message_added(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which conversation to follow.")] conversation_id: ID,
        #[graphql(desc = "A message cursor: an edge's, or a page's endCursor.")] after: Option<String>,
    ) -> Result<impl Stream<Item = Result<MessageEdge>> + use<>> {
        let conversation = argument::conversation_id("conversationId", &conversation_id)?;
        let after = after.map(|text| cursor::message("after", &text, conversation)).transpose()?;
        let messages = ctx.feed()?.messages(ctx.store()?, conversation, after).await?;
        Ok(messages.map(|message| message.map(MessageEdge::from)))
    }
}
