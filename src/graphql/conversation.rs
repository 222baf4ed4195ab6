//! Conversations: object, queries, mutations.

mod input;

use async_graphql::{Context, ID, Object, SimpleObject};

use super::argument;
use super::connection::{ConversationConnection, MessageConnection};
use super::context::ContextExt;
use super::cursor;
use super::message::Message;
use super::scalar::{DateTime, Json};
use crate::model::{self, End, Page, Range};
use crate::store::{Error, Result};
use input::{
    ConversationFilter, ConversationOrder, CreateConversationInput, DeleteConversationInput,
    SwitchBranchInput, UpdateConversationInput,
};

/// Messages on a page when nothing else is asked for.
pub(super) const DEFAULT_MESSAGES: Page = Page { end: End::Last, size: 50 };

/// Conversations on a page when nothing else is asked for.
pub(super) const DEFAULT_CONVERSATIONS: Page = Page { end: End::First, size: 20 };

/// A conversation of the viewer's.
#[derive(Clone)]
pub(super) struct Conversation(model::Conversation);

impl From<model::Conversation> for Conversation {
    fn from(conversation: model::Conversation) -> Self {
        Self(conversation)
    }
}

/// A conversation of the viewer's: messages in an order, on one or several branches.
#[Object]
impl Conversation {
    /// UUID, version 7 when the server chose it.
    pub(super) async fn id(&self) -> ID {
        ID::from(self.0.id.0)
    }

    /// What it is called.
    async fn title(&self) -> Option<&str> {
        self.0.title.as_deref()
    }

    /// The caller's own data; never interpreted.
    async fn metadata(&self) -> Json {
        Json::from(&self.0.metadata)
    }

    /// By the server's clock.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Last activity: a new message, a rename, …
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }

    /// All messages, on every branch; deleted ones not counted.
    async fn message_count(&self) -> i64 {
        self.0.message_count
    }

    /// The messages on the active branch, in conversation order, oldest first in every page. Without
    /// arguments: the last 50. At most 100 at a time. `leafId` reads the branch that ends in that
    /// message.
    async fn messages(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many of the range, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only messages after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many of the range, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only messages before this cursor.")] before: Option<String>,
        #[graphql(desc = "The message the branch ends in. Default: the head.")] leaf_id: Option<ID>,
    ) -> Result<MessageConnection> {
        let page = Page::from_arguments(first, last, DEFAULT_MESSAGES)?;
        if after.is_none() && before.is_none() && leaf_id.is_none() && self.0.is_linear() {
            return Ok(ctx.loaders()?.messages(self.0.id, page).await?.into());
        }
        let position = |argument: &str, text: String| cursor::message(argument, &text, self.0.id);
        let range = Range {
            after: after.map(|text| position("after", text)).transpose()?,
            before: before.map(|text| position("before", text)).transpose()?,
        };
        let leaf = leaf_id.map(|id| argument::message_id("leafId", &id)).transpose()?;
        Ok(ctx.store()?.path(&self.0, leaf, range, page).await?.into())
    }

    /// The newest message on the active branch; null when there is none.
    async fn head(&self, ctx: &Context<'_>) -> Option<Result<Message>> {
        if self.0.head_position == 0 {
            return None;
        }
        let loaded = match ctx.loaders() {
            Ok(loaders) => loaders.message_at((self.0.id, self.0.head_position)).await,
            Err(error) => Err(error),
        };
        loaded.map(|found| found.map(Message::from)).transpose()
    }
}

/// Queries for conversations.
#[derive(Default)]
pub(super) struct ConversationQuery;

#[Object]
impl ConversationQuery {
    /// One of the viewer's conversations. Error NOT_FOUND, the same for an id that does not exist
    /// and for one that is somebody else's.
    async fn conversation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation's id.")] id: ID,
    ) -> Option<Result<Conversation>> {
        Some(one(ctx, &id).await)
    }

    /// The viewer's conversations, most recently active first. Without arguments: the first 20. At
    /// most 100 at a time.
    #[expect(clippy::too_many_arguments, reason = "the schema's arguments")]
    async fn conversations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many of the range, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only conversations after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many of the range, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only conversations before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only conversations that fit all that is given.")] filter: Option<
            ConversationFilter,
        >,
        #[graphql(desc = "Default: UPDATED_AT, DESC.")] order_by: Option<ConversationOrder>,
    ) -> Result<ConversationConnection> {
        let page = Page::from_arguments(first, last, DEFAULT_CONVERSATIONS)?;
        let order = order_by.map(model::ConversationOrder::from).unwrap_or_default();
        let filter = filter.map(ConversationFilter::parse).transpose()?.unwrap_or_default();
        let owner = &ctx.viewer()?.owner;
        let key = |argument: &str, text: String| cursor::conversation(argument, &text, owner, order);
        let range = Range {
            after: after.map(|text| key("after", text)).transpose()?,
            before: before.map(|text| key("before", text)).transpose()?,
        };
        // Before the page, so that whatever the page lacks comes after the cursor.
        let wanted = ctx.look_ahead().field("changeCursor").exists();
        let revision = if wanted { ctx.store()?.revision().await? } else { 0 };
        let slice = ctx.store()?.conversations(&filter, order, range, page).await?;
        Ok(ConversationConnection::new(slice, order, cursor::of_change(owner, revision)))
    }
}

async fn one(ctx: &Context<'_>, id: &ID) -> Result<Conversation> {
    let id = argument::conversation_id("id", id)?;
    let found = ctx.store()?.conversation(id).await?;
    found.map(Conversation).ok_or(Error::NotFound("conversation"))
}

/// The new conversation, or the one the same call made before.
#[derive(SimpleObject)]
struct CreateConversationPayload {
    conversation: Conversation,
}

/// The conversation as it is now.
#[derive(SimpleObject)]
struct UpdateConversationPayload {
    conversation: Conversation,
}

/// The conversation with its new active branch.
#[derive(SimpleObject)]
struct SwitchBranchPayload {
    conversation: Conversation,
}

/// What is gone.
#[derive(SimpleObject)]
struct DeleteConversationPayload {
    deleted_conversation_id: ID,
}

/// Changes to conversations.
#[derive(Default)]
pub(super) struct ConversationMutation;

#[Object]
impl ConversationMutation {
    /// A new conversation, with its first messages if given, in one transaction. Error CONFLICT when
    /// an id has been used for something else.
    async fn create_conversation(
        &self,
        ctx: &Context<'_>,
        input: CreateConversationInput,
    ) -> Result<CreateConversationPayload> {
        let new = input.parse().map_err(|invalid| invalid.within("input"))?;
        let conversation = ctx.store()?.create_conversation(new).await?;
        Ok(CreateConversationPayload { conversation: Conversation(conversation) })
    }

    /// Sets what is given; an absent field stays, an explicit null clears it.
    async fn update_conversation(
        &self,
        ctx: &Context<'_>,
        input: UpdateConversationInput,
    ) -> Result<UpdateConversationPayload> {
        let (id, patch) = input.parse().map_err(|invalid| invalid.within("input"))?;
        let conversation = ctx.store()?.update_conversation(id, patch).await?;
        Ok(UpdateConversationPayload { conversation: Conversation(conversation) })
    }

    /// Deletes the conversation and its messages for good.
    async fn delete_conversation(
        &self,
        ctx: &Context<'_>,
        input: DeleteConversationInput,
    ) -> Result<DeleteConversationPayload> {
        let id = argument::conversation_id("input.id", &input.id)?;
        ctx.store()?.delete_conversation(id).await?;
        Ok(DeleteConversationPayload { deleted_conversation_id: ID::from(id.0) })
    }

    /// Makes the branch that ends in `leafId` the active one: `messages` and `head` then go by it, and
    /// the next message is appended there.
    async fn switch_branch(
        &self,
        ctx: &Context<'_>,
        input: SwitchBranchInput,
    ) -> Result<SwitchBranchPayload> {
        let id = argument::conversation_id("input.conversationId", &input.conversation_id)?;
        let leaf = argument::message_id("input.leafId", &input.leaf_id)?;
        let conversation = ctx.store()?.switch_branch(id, leaf).await?;
        Ok(SwitchBranchPayload { conversation: Conversation(conversation) })
    }
}
