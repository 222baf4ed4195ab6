//! Relay connections: edges, nodes and the page's ends.
//! <https://relay.dev/graphql/connections.htm>

use async_graphql::SimpleObject;

use super::conversation::Conversation;
use super::cursor;
use super::message::Message;
use crate::model::{self, ConversationOrder, Slice};

/// Where a page stands in its list.
#[derive(SimpleObject)]
pub(super) struct PageInfo {
    has_next_page: bool,
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
#[derive(SimpleObject)]
pub(super) struct ConversationConnection {
    edges: Vec<ConversationEdge>,
    nodes: Vec<Conversation>,
    page_info: PageInfo,
    /// Where to start `changes` so that nothing is missed after this page: it was read before the
    /// page was.
    change_cursor: String,
}

/// A conversation and its place in the list.
#[derive(SimpleObject)]
pub(super) struct ConversationEdge {
    cursor: String,
    node: Conversation,
}

impl ConversationConnection {
    pub(super) fn new(
        slice: Slice<model::Conversation>,
        order: ConversationOrder,
        change_cursor: String,
    ) -> Self {
        let cursor = |conversation: &model::Conversation| {
            cursor::of_conversation(
                &conversation.owner,
                order,
                (order.time_of(conversation), conversation.id),
            )
        };
        Self {
            page_info: PageInfo::of(&slice, cursor),
            edges: slice
                .items
                .iter()
                .map(|conversation| ConversationEdge {
                    cursor: cursor(conversation),
                    node: conversation.clone().into(),
                })
                .collect(),
            nodes: slice.items.into_iter().map(Conversation::from).collect(),
            change_cursor,
        }
    }
}

/// A page of messages, oldest first.
#[derive(SimpleObject)]
pub(super) struct MessageConnection {
    edges: Vec<MessageEdge>,
    nodes: Vec<Message>,
    page_info: PageInfo,
}

/// A message and its place in the conversation. Its cursor may be given to `messages(after:)` and to
/// `messageAdded(after:)` alike.
#[derive(SimpleObject)]
pub(super) struct MessageEdge {
    cursor: String,
    node: Message,
}

impl From<model::Message> for MessageEdge {
    fn from(message: model::Message) -> Self {
        Self { cursor: cursor_of(&message), node: message.into() }
    }
}

impl From<Slice<model::Message>> for MessageConnection {
    fn from(slice: Slice<model::Message>) -> Self {
        Self {
            page_info: PageInfo::of(&slice, cursor_of),
            edges: slice.items.iter().cloned().map(MessageEdge::from).collect(),
            nodes: slice.items.into_iter().map(Message::from).collect(),
        }
    }
}

fn cursor_of(message: &model::Message) -> String {
    cursor::of_message(message.conversation, message.position)
}
