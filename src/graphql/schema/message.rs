//! The object `Message`.

pub(in crate::graphql) mod connection;
mod fields;
pub(in crate::graphql) mod input;
pub(in crate::graphql) mod mutations;
mod writers;

use std::sync::Arc;

use async_graphql::Enum;

use crate::model::{self, Slice};
pub(in crate::graphql) use writers::MESSAGE;

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
