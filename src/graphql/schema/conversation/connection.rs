//! Pages of conversations: <https://relay.dev/graphql/connections.htm>.

use std::sync::Arc;

use async_graphql::Object;

use super::input::ConversationOrder as OrderInput;
use super::{CONVERSATION, Conversation, ConversationItem};
use crate::graphql::execution::json_writer::write_string;
use crate::graphql::execution::rendered_list::{ListItem, RenderedList};
use crate::graphql::execution::selection_plan::{FieldWriter, ObjectWriter, SelectionPlan};
use crate::graphql::schema::cursor;
use crate::graphql::schema::page_info::PageInfo;
use crate::model::{self, ConversationOrder, Slice};

/// A page of conversations.
pub(in crate::graphql) struct ConversationConnection {
    slice: Arc<Slice<ConversationItem>>,
    change_cursor: String,
    is_indexing: bool,
}

impl ConversationConnection {
    pub(in crate::graphql) fn new(
        slice: Slice<(model::Conversation, Option<Option<model::Message>>)>,
        order: ConversationOrder,
        change_cursor: String,
    ) -> Self {
        let slice = slice.map(|(conversation, head)| ConversationItem {
            conversation: Arc::new(conversation),
            head: head.map(|head| head.map(Arc::new)),
            order,
        });
        Self { slice: Arc::new(slice), change_cursor, is_indexing: false }
    }

    /// The same, saying whether conversations may be missing.
    pub(in crate::graphql) fn with_indexing(self, is_indexing: bool) -> Self {
        Self { is_indexing, ..self }
    }
}

/// A page of conversations.
#[Object]
impl ConversationConnection {
    /// The conversations of the page, each with its cursor.
    async fn edges(&self) -> RenderedList<'_, ConversationItem, ConversationEdge> {
        RenderedList::of(&self.slice)
    }

    /// The conversations of the page, without cursors.
    async fn nodes(&self) -> RenderedList<'_, ConversationItem, Conversation> {
        RenderedList::of(&self.slice)
    }

    /// Whether there are more conversations, and the cursors to read them with.
    async fn page_info(&self) -> PageInfo {
        PageInfo::of(&self.slice, ConversationItem::cursor)
    }

    /// Pass it to `changes(after:)` to get all changes after this page. It was read before the page.
    async fn change_cursor(&self) -> &str {
        &self.change_cursor
    }

    /// Whether conversations may be missing because the index for `filter.query` is being made: see
    /// `MessageSearchConnection.indexing`. False without such a filter.
    async fn indexing(&self) -> bool {
        self.is_indexing
    }
}

/// A conversation and its cursor.
pub(in crate::graphql) struct ConversationEdge {
    node: Conversation,
    order: ConversationOrder,
}

impl ConversationEdge {
    /// The edge in the list with this order.
    pub(in crate::graphql) fn new(node: Conversation, order: ConversationOrder) -> Self {
        Self { node, order }
    }

    /// The edge in the list with this order, or with the default order.
    pub(in crate::graphql) fn in_order(node: Conversation, order: Option<OrderInput>) -> Self {
        Self::new(node, order.map(ConversationOrder::from).unwrap_or_default())
    }
}

/// A conversation and its cursor.
#[Object]
impl ConversationEdge {
    /// Pass it to `conversations(after:)` or `conversations(before:)` to continue from this conversation.
    async fn cursor(&self) -> String {
        cursor_in(self.order, self.node.row())
    }

    /// The conversation.
    async fn node(&self) -> Conversation {
        self.node.clone()
    }
}

impl ListItem<ConversationEdge> for ConversationItem {
    const WRITER: ObjectWriter<Self> = ObjectWriter {
        name: "ConversationEdge",
        belongs_to: &[],
        field: |name| match name {
            "cursor" => Some(FieldWriter::Leaf(|out, item| write_string(out, &item.cursor()))),
            "node" => Some(FieldWriter::Object(|selection, fragments| {
                SelectionPlan::boxed(&CONVERSATION, selection, fragments)
            })),
            _ => None,
        },
    };

    fn object(page: &Arc<Slice<Self>>, at: usize) -> Option<ConversationEdge> {
        Some(ConversationEdge::new(Self::object(page, at)?, page.items.get(at)?.order))
    }
}

impl ConversationItem {
    fn cursor(&self) -> String {
        cursor_in(self.order, &self.conversation)
    }
}

impl ListItem<Conversation> for ConversationItem {
    const WRITER: ObjectWriter<Self> = CONVERSATION;

    fn object(page: &Arc<Slice<Self>>, at: usize) -> Option<Conversation> {
        let item = page.items.get(at)?;
        Some(Conversation::with_head(item.conversation.clone(), item.head.clone()))
    }
}

fn cursor_in(order: ConversationOrder, conversation: &model::Conversation) -> String {
    cursor::of_conversation(&conversation.owner, order, (order.time_of(conversation), conversation.id))
}
