//! Pages of messages: <https://relay.dev/graphql/connections.htm>.

use std::sync::Arc;

use async_graphql::Object;

use super::{MESSAGE, Message};
use crate::graphql::execution::json_writer::write_string;
use crate::graphql::execution::prerender::SubscriptionItem;
use crate::graphql::execution::rendered_list::{ListItem, RenderedList};
use crate::graphql::execution::selection_plan::{FieldWriter, ObjectWriter, SelectionPlan};
use crate::graphql::schema::cursor;
use crate::graphql::schema::page_info::PageInfo;
use crate::model::{self, MessagePage, MessagesBeside, Slice};

/// A page of messages, oldest first. It is shared.
#[derive(Clone)]
pub(in crate::graphql) struct MessageConnection {
    page: Arc<Slice<model::Message>>,
    beside: Arc<MessagesBeside>,
}

/// A page of messages, oldest first.
#[Object]
impl MessageConnection {
    /// The messages of the page, each with its cursor.
    async fn edges(&self) -> RenderedList<'_, model::Message, MessageEdge> {
        RenderedList::with(&self.page, &self.beside)
    }

    /// The messages of the page, without cursors.
    async fn nodes(&self) -> RenderedList<'_, model::Message, Message> {
        RenderedList::with(&self.page, &self.beside)
    }

    /// Whether there are more messages, and the cursors to read them with.
    async fn page_info(&self) -> PageInfo {
        PageInfo::of(&self.page, cursor_of)
    }
}

/// A message and its cursor, for `messages(after:)` and `messageAdded(after:)`.
pub(in crate::graphql) struct MessageEdge(Message);

/// A message and its cursor, for `messages(after:)` and `messageAdded(after:)`.
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

impl ListItem<MessageEdge> for model::Message {
    const WRITER: ObjectWriter<Self> = ObjectWriter {
        name: "MessageEdge",
        belongs_to: &[],
        field: |name| match name {
            "cursor" => Some(FieldWriter::Leaf(|out, message| write_string(out, &cursor_of(message)))),
            "node" => Some(FieldWriter::Object(|selection, fragments| {
                SelectionPlan::boxed(&MESSAGE, selection, fragments)
            })),
            _ => None,
        },
    };

    fn object(page: &Arc<Slice<Self>>, at: usize) -> Option<MessageEdge> {
        <Self as ListItem<Message>>::object(page, at).map(MessageEdge)
    }

    fn messages(items: &[Self]) -> &[Self] {
        items
    }
}

/// The event of an added message is its edge.
impl SubscriptionItem for model::Message {
    const WRITER: ObjectWriter<Self> = <Self as ListItem<MessageEdge>>::WRITER;

    fn cursor(&self) -> String {
        cursor_of(self)
    }
}

impl ListItem<Message> for model::Message {
    const WRITER: ObjectWriter<Self> = MESSAGE;

    fn object(page: &Arc<Slice<Self>>, at: usize) -> Option<Message> {
        (at < page.items.len()).then(|| Message::of(page, at))
    }

    fn messages(items: &[Self]) -> &[Self] {
        items
    }
}

impl From<MessagePage> for MessageConnection {
    fn from(MessagePage { messages, beside }: MessagePage) -> Self {
        Self { page: Arc::new(messages), beside: Arc::new(beside) }
    }
}

impl From<Arc<Slice<model::Message>>> for MessageConnection {
    fn from(page: Arc<Slice<model::Message>>) -> Self {
        Self { page, beside: Arc::default() }
    }
}

fn cursor_of(message: &model::Message) -> String {
    cursor::of_message(message.conversation, message.position)
}
