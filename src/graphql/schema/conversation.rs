//! The object `Conversation`, and the writers of its fields.

pub(in crate::graphql) mod connection;
mod fields;
pub(in crate::graphql) mod input;
pub(in crate::graphql) mod mutations;
pub(in crate::graphql) mod queries;

use std::sync::Arc;

use async_graphql::parser::types::SelectionSet;

use super::message::connection::MessageConnection;
use super::message::{MESSAGE, Message};
use crate::graphql::execution::json_writer::{
    write_display, write_id, write_json, write_list, write_option, write_string, write_time,
};
use crate::graphql::execution::related::{Missing, Related};
use crate::graphql::execution::selection_plan::{
    FieldPlan, FieldWriter, Fragments, ObjectWriter, SelectionPlan,
};
use crate::model::{self, End, Page};

/// The default size of a page of messages.
pub(in crate::graphql) const DEFAULT_MESSAGES: Page = Page { end: End::Last, size: 50 };

/// The default size of a page of conversations.
pub(in crate::graphql) const DEFAULT_CONVERSATIONS: Page = Page { end: End::First, size: 20 };

/// A conversation of the viewer, with data that was read in the same statement.
#[derive(Clone)]
pub(in crate::graphql) struct Conversation {
    pub(super) row: Arc<model::Conversation>,
    /// The messages of a page, if they were read.
    pub(super) page: Option<(Page, MessageConnection)>,
    /// The head, if it was read. `Some(None)` if there is none.
    pub(super) head: Option<Option<Message>>,
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
    pub(in crate::graphql) fn with_head(
        row: Arc<model::Conversation>,
        head: Option<Option<Arc<model::Message>>>,
    ) -> Self {
        Self { row, page: None, head: head.map(|head| head.map(Message::from)) }
    }

    pub(in crate::graphql) fn row(&self) -> &model::Conversation {
        &self.row
    }
}

/// The writers of fields that need only the data that was read with the conversation.
pub(in crate::graphql) const CONVERSATION: ObjectWriter<ConversationItem> = ObjectWriter {
    name: "Conversation",
    belongs_to: &["Node"],
    field: |name| {
        Some(FieldWriter::Leaf(match name {
            "id" => |out, item| write_id(out, item.conversation.id.0),
            "title" => |out, item| write_option(out, item.conversation.title.as_deref(), write_string),
            "metadata" => |out, item| write_json(out, &item.conversation.metadata),
            "createdAt" => |out, item| write_time(out, item.conversation.created_at),
            "updatedAt" => |out, item| write_time(out, item.conversation.updated_at),
            "messageCount" => |out, item| write_display(out, &item.conversation.message_count),
            "pinnedAt" => |out, item| write_option(out, item.conversation.pinned_at, write_time),
            "archivedAt" => |out, item| write_option(out, item.conversation.archived_at, write_time),
            "trashedAt" => |out, item| write_option(out, item.conversation.trashed_at, write_time),
            "readPosition" => |out, item| write_display(out, &item.conversation.read_position),
            "unreadCount" => |out, item| write_display(out, &item.conversation.unread_count()),
            "expiresAt" => |out, item| write_option(out, item.conversation.expires_at, write_time),
            "unarchiveOnMessage" => |out, item| write_display(out, &item.conversation.unarchive_on_message),
            "labels" => |out, item| {
                write_list(out, item.conversation.labels.iter(), |out, label| {
                    write_string(out, label.as_str())
                })
            },
            "head" => return Some(FieldWriter::Object(plan_head)),
            _ => return None,
        }))
    },
};

fn plan_head(
    selection: &SelectionSet,
    fragments: &Fragments,
) -> Option<Box<dyn FieldPlan<ConversationItem>>> {
    Some(Box::new(HeadPlan(SelectionPlan::of(&MESSAGE, selection, fragments)?)))
}

/// The plan of the head: null if there is none.
struct HeadPlan(SelectionPlan<model::Message>);

impl FieldPlan<ConversationItem> for HeadPlan {
    fn write(&self, out: &mut Vec<u8>, item: &ConversationItem, related: &Related<'_>) -> bool {
        let head = item.head.as_ref().map(Option::as_deref);
        head.is_some_and(|head| write_option(out, head, |out, head| self.0.write(out, head, related)))
    }

    fn find_missing(&self, item: &ConversationItem, related: &Related<'_>, missing: &mut Missing) {
        if let Some(Some(head)) = &item.head {
            self.0.find_missing(head, related, missing);
        }
    }

    fn has_related_messages(&self) -> bool {
        true
    }
}

/// A conversation of a page, with its head if it was read.
pub(in crate::graphql) struct ConversationItem {
    pub(in crate::graphql) conversation: Arc<model::Conversation>,
    pub(in crate::graphql) head: Option<Option<Arc<model::Message>>>,
    pub(in crate::graphql) order: model::ConversationOrder,
}
