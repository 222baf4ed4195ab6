//! The object `Message`, and the writers of its fields.

pub(in crate::graphql) mod connection;
mod fields;
pub(in crate::graphql) mod input;
pub(in crate::graphql) mod mutations;

use std::sync::Arc;

use async_graphql::Enum;

use crate::graphql::execution::json_writer::{
    write_display, write_enum, write_id, write_json, write_option, write_string, write_time,
};
use crate::graphql::execution::selection_plan::{FieldWriter, ObjectWriter};
use crate::model::{self, Slice};

/// The author of a message.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "model::Role")]
pub(in crate::graphql) enum Role {
    /// A person.
    User,
    /// A model.
    Assistant,
    /// Instructions to the model.
    System,
    /// The result of a tool.
    Tool,
}

/// The status of a message.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "model::MessageStatus")]
pub(in crate::graphql) enum MessageStatus {
    /// Text is still being added.
    Streaming,
    /// The message is complete.
    Complete,
    /// The writer was stopped or its lease expired. The text so far is kept.
    Interrupted,
    /// The writer failed.
    Failed,
}

/// A message of the viewer: a single one or one of a page. Both are shared.
#[derive(Clone)]
pub(in crate::graphql) enum Message {
    Alone(Arc<model::Message>),
    Among(Arc<Slice<model::Message>>, usize),
}

impl Message {
    /// One of a page, at a valid index.
    pub(in crate::graphql) fn of(page: &Arc<Slice<model::Message>>, at: usize) -> Self {
        Self::Among(page.clone(), at)
    }

    pub(in crate::graphql) fn row(&self) -> &model::Message {
        match self {
            Self::Alone(message) => message,
            Self::Among(page, at) => &page.items[*at],
        }
    }
}

impl From<model::Message> for Message {
    fn from(message: model::Message) -> Self {
        Self::Alone(Arc::new(message))
    }
}

impl From<Arc<model::Message>> for Message {
    fn from(message: Arc<model::Message>) -> Self {
        Self::Alone(message)
    }
}

/// The writers of fields that need only the message.
pub(in crate::graphql) const MESSAGE: ObjectWriter<model::Message> = ObjectWriter {
    name: "Message",
    field: |name| {
        if name == "content" {
            return Some(FieldWriter::Text(|message| {
                (message.status != model::MessageStatus::Streaming).then_some(message.content.as_str())
            }));
        }
        Some(FieldWriter::Leaf(match name {
            "id" => |out, message| write_id(out, message.id.0),
            "position" => |out, message| write_display(out, &message.position),
            "role" => |out, message| write_enum(out, Role::from(message.role)),
            "status" => |out, message| write_enum(out, MessageStatus::from(message.status)),
            "model" => |out, message| write_option(out, message.model.as_deref(), write_string),
            "pinned" => |out, message| write_display(out, &message.pinned),
            "metadata" => |out, message| write_json(out, &message.metadata),
            "createdAt" => |out, message| write_time(out, message.created_at),
            "editedAt" => |out, message| write_option(out, message.edited_at, write_time),
            "deletedAt" => |out, message| write_option(out, message.deleted_at, write_time),
            _ => return None,
        }))
    },
};
