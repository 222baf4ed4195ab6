//! The window of a conversation that fits a model.

use std::sync::Arc;

use async_graphql::{Enum, Object, SimpleObject};

use super::message::Message;
use crate::graphql::execution::rendered_list::RenderedList;
use crate::model::{self, Slice};

/// How tokens are counted.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "model::Tokenizer")]
pub(in crate::graphql) enum Tokenizer {
    /// OpenAI's encoding o200k_base: GPT-4o, GPT-4.1, GPT-5, o1, o3 and o4-mini.
    #[graphql(name = "O200K_BASE")]
    O200kBase,
    /// OpenAI's encoding cl100k_base: GPT-4 and GPT-3.5.
    #[graphql(name = "CL100K_BASE")]
    Cl100kBase,
    /// Bytes divided by four, rounded up: an estimate for any other model.
    Estimate,
}

/// The tokenizer where none is given.
pub(in crate::graphql) const DEFAULT_TOKENIZER: Tokenizer = Tokenizer::O200kBase;

/// The messages of a branch that fit a model's window.
pub(in crate::graphql) struct ContextWindow {
    messages: Arc<Slice<model::Message>>,
    token_count: i64,
    omitted: model::ContextOmission,
}

impl From<model::ContextWindow> for ContextWindow {
    fn from(window: model::ContextWindow) -> Self {
        let messages = Slice { items: window.messages, has_previous: false, has_next: false };
        let omitted = window.omitted.unwrap_or_default();
        Self { messages: Arc::new(messages), token_count: window.token_count, omitted }
    }
}

/// The messages of a branch that fit a model's window.
#[Object]
impl ContextWindow {
    /// The messages, oldest first.
    async fn messages(&self) -> RenderedList<'_, model::Message, Message> {
        RenderedList::of(&self.messages)
    }

    /// The tokens of all messages in the window.
    async fn token_count(&self) -> i64 {
        self.token_count
    }

    /// The messages of the branch that are not in the window. Deleted messages and messages that are being written are in
    /// neither.
    async fn omitted(&self) -> ContextOmission {
        let model::ContextOmission { message_count, token_count, ranges } = &self.omitted;
        let range = |range: &model::PositionRange| PositionRange { first: range.first, last: range.last };
        let ranges = ranges.iter().map(range).collect();
        ContextOmission { message_count: *message_count, token_count: *token_count, ranges }
    }
}

/// The messages of a branch that are not in a context window.
#[derive(SimpleObject)]
pub(in crate::graphql) struct ContextOmission {
    /// How many messages there are.
    message_count: i64,
    /// The tokens of all of them.
    token_count: i64,
    /// Positions left out, as ranges, oldest first. The messages of a range follow each other on the branch.
    ranges: Vec<PositionRange>,
}

/// A range of positions, both ends included. Positions in it that belong to other branches or to deleted messages do not
/// count.
#[derive(SimpleObject)]
pub(in crate::graphql) struct PositionRange {
    /// The position of the oldest message.
    first: i64,
    /// The position of the newest message.
    last: i64,
}
