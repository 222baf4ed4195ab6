//! Pages of messages.

use std::collections::HashMap;

use super::{Deleted, End, Message, MessageId, Page, Range, Slice};

/// A page of the messages on one branch, and what was read beside it.
#[derive(Debug, Clone)]
pub struct MessagePage {
    /// The messages.
    pub messages: Slice<Message>,
    /// What was read beside them.
    pub beside: MessagesBeside,
}

/// What was read beside a page of messages, in the same snapshot.
#[derive(Debug, Clone, Default)]
pub struct MessagesBeside {
    /// The message before the first one of the page: its parent.
    pub preceding: Option<Message>,
    /// The siblings of all messages of the page.
    pub siblings: Siblings,
}

/// The siblings of the messages of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Siblings {
    /// They were not read.
    #[default]
    NotRead,
    /// No message has one, because the conversation never forked.
    None,
    /// The positions and ids of messages with the same parent, oldest first, by the position of the parent: 0 for
    /// first messages. Only where there are several.
    Ids(HashMap<i64, Vec<(i64, MessageId)>>),
}

impl MessagePage {
    /// Makes a page from rows that were read from `page.end` inwards: see [`Slice::from_rows`].
    pub fn from_rows(
        rows: Vec<Message>,
        page: Page,
        range: &Range<i64>,
        deleted: Deleted,
        siblings: Siblings,
    ) -> Self {
        let (messages, extra) = Slice::with_extra_row(rows, page, range);
        // The extra row is before the page, and the parent of its first message if no message was left out.
        let preceding = extra.filter(|_| page.end == End::Last && deleted == Deleted::Included);
        Self { messages, beside: MessagesBeside { preceding, siblings } }
    }
}

impl From<Slice<Message>> for MessagePage {
    fn from(messages: Slice<Message>) -> Self {
        Self { messages, beside: MessagesBeside::default() }
    }
}
