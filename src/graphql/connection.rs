//! Relay connections: edges, nodes and the page's ends.
//! <https://relay.dev/graphql/connections.htm>

use std::sync::Arc;

use async_graphql::{Object, SimpleObject};

use super::conversation::{CONVERSATION, Conversation};
use super::cursor;
use super::json::write_string;
use super::list::{List, Listed};
use super::message::{MESSAGE, Message};
use super::plan::{Kind, Rule};
use super::telling::Told;
use crate::model::{self, ConversationOrder, MessageId, MessageStatus, Slice};

/// Where a page stands in its list.
#[derive(SimpleObject)]
pub(super) struct PageInfo {
    /// Whether the list has items after this page.
    has_next_page: bool,
    /// Whether the list has items before this page.
    has_previous_page: bool,
    /// The cursor of the page's first edge; null when the page is empty.
    start_cursor: Option<String>,
    /// The cursor of the page's last edge; null when the page is empty.
    end_cursor: Option<String>,
}

impl PageInfo {
    fn of<T>(slice: &Slice<T>, cursor: impl Fn(&T) -> String) -> Self {
        Self {
            has_next_page: slice.has_next,
            has_previous_page: slice.has_previous,
            start_cursor: slice.items.first().map(&cursor),
            end_cursor: slice.items.last().map(&cursor),
        }
    }
}

/// A page of conversations.
pub(super) struct ConversationConnection {
    slice: Arc<Slice<ConversationItem>>,
    change_cursor: String,
}

/// A conversation of a page, with its head if that was read with it.
pub(super) struct ConversationItem {
    pub(super) conversation: Arc<model::Conversation>,
    pub(super) head: Option<Option<Arc<model::Message>>>,
    order: ConversationOrder,
}

impl ConversationConnection {
    pub(super) fn new(
        slice: Slice<(model::Conversation, Option<Option<model::Message>>)>,
        order: ConversationOrder,
        change_cursor: String,
    ) -> Self {
        let slice = slice.map(|(conversation, head)| ConversationItem {
            conversation: Arc::new(conversation),
            head: head.map(|head| head.map(Arc::new)),
            order,
        });
        Self { slice: Arc::new(slice), change_cursor }
    }
}

/// A page of conversations.
#[Object]
impl ConversationConnection {
    /// The conversations of the page, each with its cursor.
    async fn edges(&self) -> List<'_, ConversationItem, ConversationEdge> {
        List::of(&self.slice)
    }

    /// The conversations of the page, without cursors.
    async fn nodes(&self) -> List<'_, ConversationItem, Conversation> {
        List::of(&self.slice)
    }

    /// Whether there are more conversations, and the cursors to read them with.
    async fn page_info(&self) -> PageInfo {
        PageInfo::of(&self.slice, ConversationItem::cursor)
    }

    /// Where to start `changes` so that nothing is missed after this page: it was read before the
    /// page was.
    async fn change_cursor(&self) -> &str {
        &self.change_cursor
    }
}

impl ConversationItem {
    fn cursor(&self) -> String {
        cursor_in(self.order, &self.conversation)
    }
}

/// A conversation and its place in the list.
pub(super) struct ConversationEdge {
    node: Conversation,
    order: ConversationOrder,
}

impl ConversationEdge {
    /// The edge of a conversation in the list of this order.
    pub(super) fn new(node: Conversation, order: ConversationOrder) -> Self {
        Self { node, order }
    }
}

/// A conversation and its place in the list.
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

impl Listed<ConversationEdge> for ConversationItem {
    const KIND: Kind<Self> = Kind {
        name: "ConversationEdge",
        field: |name| match name {
            "cursor" => Some(Rule::Leaf(|out, item| write_string(out, &item.cursor()))),
            "node" => Some(Rule::Object(&CONVERSATION)),
            _ => None,
        },
    };

    fn object(page: &Arc<Slice<Self>>, at: usize) -> Option<ConversationEdge> {
        Some(ConversationEdge::new(Self::object(page, at)?, page.items.get(at)?.order))
    }
}

impl Listed<Conversation> for ConversationItem {
    const KIND: Kind<Self> = CONVERSATION;

    fn object(page: &Arc<Slice<Self>>, at: usize) -> Option<Conversation> {
        let item = page.items.get(at)?;
        Some(Conversation::with_head(item.conversation.clone(), item.head.clone()))
    }
}

/// A page of messages, oldest first.
pub(super) struct MessageConnection(Arc<Slice<model::Message>>);

/// A page of messages, oldest first.
#[Object]
impl MessageConnection {
    /// The messages of the page, each with its cursor.
    async fn edges(&self) -> List<'_, model::Message, MessageEdge> {
        List::of(&self.0)
    }

    /// The messages of the page, without cursors.
    async fn nodes(&self) -> List<'_, model::Message, Message> {
        List::of(&self.0)
    }

    /// Whether there are more messages, and the cursors to read them with.
    async fn page_info(&self) -> PageInfo {
        PageInfo::of(&self.0, cursor_of)
    }
}

/// A message and its place in the conversation. Its cursor may be given to `messages(after:)` and to
/// `messageAdded(after:)` alike.
pub(super) struct MessageEdge(Message);

/// A message and its place in the conversation. Its cursor may be given to `messages(after:)` and to
/// `messageAdded(after:)` alike.
#[Object]
impl MessageEdge {
    /// Pass it to `messages(after:)`, `messages(before:)` or `messageAdded(after:)` to continue from this
    /// message.
    async fn cursor(&self) -> String {
        cursor_of(self.0.row())
    }

    /// The message.
    async fn node(&self) -> Message {
        self.0.clone()
    }
}

impl From<Message> for MessageEdge {
    fn from(message: Message) -> Self {
        Self(message)
    }
}

impl From<Arc<model::Message>> for MessageEdge {
    fn from(message: Arc<model::Message>) -> Self {
        Self(message.into())
    }
}

impl Listed<MessageEdge> for model::Message {
    const KIND: Kind<Self> = Kind {
        name: "MessageEdge",
        field: |name| match name {
            "cursor" => Some(Rule::Leaf(|out, message| write_string(out, &cursor_of(message)))),
            "node" => Some(Rule::Object(&MESSAGE)),
            _ => None,
        },
    };

    fn object(page: &Arc<Slice<Self>>, at: usize) -> Option<MessageEdge> {
        <Self as Listed<Message>>::object(page, at).map(MessageEdge)
    }
}

/// A message that was added is told as its edge.
impl Told for model::Message {
    const KIND: Kind<Self> = <Self as Listed<MessageEdge>>::KIND;

    fn cursor(&self) -> String {
        cursor_of(self)
    }

    fn unloaded(&self) -> Option<MessageId> {
        (self.status == MessageStatus::Streaming).then_some(self.id)
    }
}

impl Listed<Message> for model::Message {
    const KIND: Kind<Self> = MESSAGE;

    fn object(page: &Arc<Slice<Self>>, at: usize) -> Option<Message> {
        (at < page.items.len()).then(|| Message::of(page, at))
    }
}

impl From<Slice<model::Message>> for MessageConnection {
    fn from(slice: Slice<model::Message>) -> Self {
        Self(Arc::new(slice))
    }
}

impl From<Arc<Slice<model::Message>>> for MessageConnection {
    fn from(slice: Arc<Slice<model::Message>>) -> Self {
        Self(slice)
    }
}

fn cursor_in(order: ConversationOrder, conversation: &model::Conversation) -> String {
    cursor::of_conversation(&conversation.owner, order, (order.time_of(conversation), conversation.id))
}

fn cursor_of(message: &model::Message) -> String {
    cursor::of_message(message.conversation, message.position)
}
