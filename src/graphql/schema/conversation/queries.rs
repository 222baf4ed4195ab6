//! Queries for conversations.

use std::sync::Arc;

use async_graphql::{Context, ID, Lookahead, Object, SimpleObject, Value};

use super::connection::ConversationConnection;
use super::input::{ConversationFilter, ConversationOrder};
use super::{Conversation, DEFAULT_CONVERSATIONS, DEFAULT_MESSAGES};
use crate::graphql::execution::context::ContextExt;
use crate::graphql::execution::value_size::size_of_objects;
use crate::graphql::schema::message::connection::MessageConnection;
use crate::graphql::schema::{argument, cursor};
use crate::model::{self, End, Page, Range};
use crate::store::{Error, Result};

/// A label with the number of conversations that have it.
#[derive(SimpleObject)]
struct LabelCount {
    /// The label. Of several spellings, the one that sorts first.
    label: String,
    /// The number of conversations, without those in the trash.
    conversation_count: i64,
}

impl From<model::LabelCount> for LabelCount {
    fn from(counted: model::LabelCount) -> Self {
        Self { label: counted.label, conversation_count: counted.conversations }
    }
}

/// Queries for conversations.
#[derive(Default)]
pub(in crate::graphql) struct ConversationQuery;

#[Object]
impl ConversationQuery {
    /// A conversation of the viewer. Error NOT_FOUND: there is none with this id, or it belongs to another
    /// user.
    async fn conversation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation's id.")] id: ID,
    ) -> Option<Result<Conversation>> {
        Some(one(ctx, &id).await)
    }

    /// The labels of the viewer's conversations with the number of conversations, in the order of the labels. Those in the
    /// trash do not count. Of more than 1,000 labels, those that most conversations have.
    async fn labels(&self, ctx: &Context<'_>) -> Result<Vec<LabelCount>> {
        let counted = ctx.store()?.labels().await?;
        let bytes = counted.iter().map(|counted| counted.label.len()).sum::<usize>();
        ctx.memory_budget()?.grow(bytes + size_of_objects(ctx, counted.len())).await?;
        Ok(counted.into_iter().map(LabelCount::from).collect())
    }

    /// The conversations of the viewer, most recently active first, without archived ones and those in the trash unless
    /// the filter says so. Without arguments: the first 20. At most 100 at a time.
    #[expect(clippy::too_many_arguments, reason = "the schema's arguments")]
    async fn conversations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first items of the range, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only conversations after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last items of the range, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only conversations before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only conversations that match all given fields.")] filter: Option<
            ConversationFilter,
        >,
        #[graphql(desc = "The order of the list. Default: UPDATED_AT, DESC.")] order_by: Option<
            ConversationOrder,
        >,
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
        // Read before the page, so that changes after the page come after the cursor.
        let wanted = ctx.look_ahead().field("changeCursor").exists();
        let revision = if wanted { ctx.store()?.revision().await? } else { 0 };
        let is_recent = page.end == End::First && order == model::ConversationOrder::default();
        let mut is_indexing = false;
        let slice = if is_recent && filter == model::ConversationFilter::default() && range == Range::all() {
            ctx.store()?.recent(page.size).await?.map(|(conversation, head)| (conversation, Some(head)))
        } else {
            let (slice, indexing) = ctx.store()?.conversations(&filter, order, range, page).await?;
            is_indexing = indexing;
            slice.map(|conversation| (conversation, None))
        };
        let change_cursor = cursor::of_change(owner, revision);
        Ok(ConversationConnection::new(slice, order, change_cursor).with_indexing(is_indexing))
    }
}

async fn one(ctx: &Context<'_>, id: &ID) -> Result<Conversation> {
    let id = argument::conversation_id("id", id)?;
    let asked = page_ahead(ctx);
    let with_siblings = selects_siblings(&ctx.look_ahead().field("messages"));
    let found = ctx.store()?.open(id, asked, with_siblings).await?;
    let (row, page) = found.ok_or(Error::NotFound("conversation"))?;
    let page = asked.zip(page.map(MessageConnection::from));
    Ok(Conversation { row: Arc::new(row), page, head: None })
}

/// The selected page of messages, if it can be read together with the conversation: only one page, from an
/// end.
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

/// Whether the siblings of messages are selected in a connection.
pub(super) fn selects_siblings(connection: &Lookahead<'_>) -> bool {
    [connection.field("nodes"), connection.field("edges").field("node")]
        .iter()
        .any(|message| message.field("siblings").exists())
}
