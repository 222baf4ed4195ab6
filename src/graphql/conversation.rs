//! Conversations: object, queries, mutations.

mod input;

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, ID, Object, SimpleObject, Value};

use super::argument;
use super::connection::{ConversationConnection, ConversationEdge, ConversationItem, MessageConnection};
use super::context::ContextExt;
use super::cursor;
use super::json::{write_display, write_id, write_json, write_option, write_string, write_time};
use super::message::{MESSAGE, Message};
use super::plan::{Kind, Rule};
use super::scalar::{DateTime, Json};
use crate::model::{self, End, Page, Range, Slice};
use crate::store::{Error, Result};
pub(super) use input::ConversationOrder;
use input::{
    ConversationFilter, CreateConversationInput, DeleteConversationInput, SwitchBranchInput,
    UpdateConversationInput,
};

/// Messages on a page when nothing else is asked for.
pub(super) const DEFAULT_MESSAGES: Page = Page { end: End::Last, size: 50 };

/// Conversations on a page when nothing else is asked for.
pub(super) const DEFAULT_CONVERSATIONS: Page = Page { end: End::First, size: 20 };

/// A conversation of the viewer's, with what of it was read in the same statement.
#[derive(Clone)]
pub(super) struct Conversation {
    row: Arc<model::Conversation>,
    /// The messages of a page.
    page: Option<(Page, Arc<Slice<model::Message>>)>,
    /// The head, or that there is none.
    head: Option<Option<Message>>,
}

impl From<model::Conversation> for Conversation {
    fn from(row: model::Conversation) -> Self {
        Arc::new(row).into()
    }
}

impl From<Arc<model::Conversation>> for Conversation {
    fn from(row: Arc<model::Conversation>) -> Self {
        Self { row, page: None, head: None }
    }
}

impl Conversation {
    pub(super) fn with_head(
        row: Arc<model::Conversation>,
        head: Option<Option<Arc<model::Message>>>,
    ) -> Self {
        Self { row, page: None, head: head.map(|head| head.map(Message::from)) }
    }

    pub(super) fn row(&self) -> &model::Conversation {
        &self.row
    }

    /// This conversation in the list of an order, or of the default one.
    pub(super) fn into_edge(self, order: Option<ConversationOrder>) -> ConversationEdge {
        ConversationEdge::new(self, order.map(model::ConversationOrder::from).unwrap_or_default())
    }
}

/// How the fields of a conversation are written that need nothing but what was read with it.
pub(super) const CONVERSATION: Kind<ConversationItem> = Kind {
    name: "Conversation",
    field: |name| {
        Some(Rule::Leaf(match name {
            "id" => |out, item| write_id(out, item.conversation.id.0),
            "title" => |out, item| write_option(out, item.conversation.title.as_deref(), write_string),
            "metadata" => |out, item| write_json(out, &item.conversation.metadata),
            "createdAt" => |out, item| write_time(out, item.conversation.created_at),
            "updatedAt" => |out, item| write_time(out, item.conversation.updated_at),
            "messageCount" => |out, item| write_display(out, &item.conversation.message_count),
            "head" => {
                return Some(Rule::Message(|item| item.head.as_ref().map(Option::as_deref), &MESSAGE));
            }
            _ => return None,
        }))
    },
};

/// A conversation of the viewer's: messages in an order, on one or several branches.
#[Object]
impl Conversation {
    /// UUID, version 7 when the server chose it.
    pub(super) async fn id(&self) -> ID {
        ID::from(self.row.id.0)
    }

    /// What it is called.
    async fn title(&self) -> Option<&str> {
        self.row.title.as_deref()
    }

    /// The caller's own data; never interpreted.
    async fn metadata(&self, ctx: &Context<'_>) -> Result<Json> {
        let metadata = &self.row.metadata;
        ctx.allowance()?.hold(metadata.as_str().len()).await?;
        Ok(Json::from(metadata))
    }

    /// By the server's clock.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// Last activity: a new message, a rename, …
    async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }

    /// All messages, on every branch; deleted ones not counted.
    async fn message_count(&self) -> i64 {
        self.row.message_count
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
        if after.is_none() && before.is_none() && leaf_id.is_none() && self.row.is_linear() {
            if let Some((read, slice)) = &self.page
                && *read == page
            {
                return Ok(slice.clone().into());
            }
            return Ok(ctx.loaders()?.messages(self.row.id, page).await?.into());
        }
        let position = |argument: &str, text: String| cursor::message(argument, &text, self.row.id);
        let range = Range {
            after: after.map(|text| position("after", text)).transpose()?,
            before: before.map(|text| position("before", text)).transpose()?,
        };
        let leaf = leaf_id.map(|id| argument::message_id("leafId", &id)).transpose()?;
        Ok(ctx.store()?.path(&self.row, leaf, range, page).await?.into())
    }

    /// The newest message on the active branch; null when there is none.
    async fn head(&self, ctx: &Context<'_>) -> Option<Result<Message>> {
        if let Some(head) = &self.head {
            return head.clone().map(Ok);
        }
        if self.row.head_position == 0 {
            return None;
        }
        let loaded = match ctx.loaders() {
            Ok(loaders) => loaders.message_at((self.row.id, self.row.head_position)).await,
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
        let is_recent = page.end == End::First && order == model::ConversationOrder::default();
        let slice = if is_recent && filter == model::ConversationFilter::default() && range == Range::all() {
            ctx.store()?.recent(page.size).await?.map(|(conversation, head)| (conversation, Some(head)))
        } else {
            let slice = ctx.store()?.conversations(&filter, order, range, page).await?;
            slice.map(|conversation| (conversation, None))
        };
        Ok(ConversationConnection::new(slice, order, cursor::of_change(owner, revision)))
    }
}

async fn one(ctx: &Context<'_>, id: &ID) -> Result<Conversation> {
    let id = argument::conversation_id("id", id)?;
    let asked = page_ahead(ctx);
    let found = ctx.store()?.open(id, asked).await?;
    let (row, slice) = found.ok_or(Error::NotFound("conversation"))?;
    let page = asked.zip(slice.map(Arc::new));
    Ok(Conversation { row: Arc::new(row), page, head: None })
}

/// The page of messages that is selected below and can be read with the conversation: one, from an end.
fn page_ahead(ctx: &Context<'_>) -> Option<Page> {
    let selected = ctx.look_ahead().field("messages").selection_fields();
    let [field] = selected.as_slice() else { return None };
    let (mut first, mut last) = (None, None);
    for (name, value) in field.arguments().ok()? {
        let size = match value {
            Value::Null => continue,
            Value::Number(number) => number.as_i64().and_then(|size| i32::try_from(size).ok())?,
            _ => return None,
        };
        match name.as_str() {
            "first" => first = Some(size),
            "last" => last = Some(size),
            _ => return None,
        }
    }
    Page::from_arguments(first, last, DEFAULT_MESSAGES).ok()
}

/// The new conversation, or the one the same call made before.
#[derive(SimpleObject)]
#[graphql(complex)]
struct CreateConversationPayload {
    /// The conversation.
    conversation: Conversation,
}

#[ComplexObject]
impl CreateConversationPayload {
    /// The conversation as an edge of the viewer's conversations, for example for Relay's `@prependEdge`.
    async fn conversation_edge(
        &self,
        #[graphql(desc = "The order of the list that the cursor is for. Default: UPDATED_AT, DESC.")]
        order_by: Option<ConversationOrder>,
    ) -> ConversationEdge {
        self.conversation.clone().into_edge(order_by)
    }
}

/// The conversation as it is now.
#[derive(SimpleObject)]
struct UpdateConversationPayload {
    /// The conversation after the update.
    conversation: Conversation,
}

/// The conversation with its new active branch.
#[derive(SimpleObject)]
struct SwitchBranchPayload {
    /// The conversation after the switch.
    conversation: Conversation,
}

/// What is gone.
#[derive(SimpleObject)]
struct DeleteConversationPayload {
    /// The id of the deleted conversation.
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
        #[graphql(desc = "The conversation to create.")] input: CreateConversationInput,
    ) -> Result<CreateConversationPayload> {
        let new = input.parse().map_err(|invalid| invalid.within("input"))?;
        let conversation = ctx.store()?.create_conversation(new).await?;
        Ok(CreateConversationPayload { conversation: conversation.into() })
    }

    /// Sets what is given; an absent field stays, an explicit null clears it.
    async fn update_conversation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation to update and its new values.")] input: UpdateConversationInput,
    ) -> Result<UpdateConversationPayload> {
        let (id, patch) = input.parse().map_err(|invalid| invalid.within("input"))?;
        let conversation = ctx.store()?.update_conversation(id, patch).await?;
        Ok(UpdateConversationPayload { conversation: conversation.into() })
    }

    /// Deletes the conversation and its messages for good.
    async fn delete_conversation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation to delete.")] input: DeleteConversationInput,
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
        #[graphql(desc = "The conversation and the branch to make active.")] input: SwitchBranchInput,
    ) -> Result<SwitchBranchPayload> {
        let id = argument::conversation_id("input.conversationId", &input.conversation_id)?;
        let leaf = argument::message_id("input.leafId", &input.leaf_id)?;
        let conversation = ctx.store()?.switch_branch(id, leaf).await?;
        Ok(SwitchBranchPayload { conversation: conversation.into() })
    }
}
