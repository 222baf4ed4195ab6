//! Pages of found messages: <https://relay.dev/graphql/connections.htm>.

use async_graphql::{Object, SimpleObject};

use crate::graphql::schema::cursor::{self, SearchList};
use crate::graphql::schema::message::Message;
use crate::graphql::schema::page_info::PageInfo;
use crate::model::{SearchHit, SearchPage, Slice};

/// A page of found messages.
pub(super) struct MessageSearchConnection {
    edges: Slice<MessageSearchEdge>,
    is_indexing: bool,
}

/// A found message, and its place in the list.
#[derive(SimpleObject, Clone)]
pub(super) struct MessageSearchEdge {
    /// Pass it to `searchMessages(after:)` to continue from this message.
    cursor: String,
    /// The message.
    node: Message,
    /// Text around the best match, at most 200 characters. It is plain text, never HTML. Runs of white space are one
    /// space, and `…` stands for what is left out.
    snippet: String,
    /// The matches in the snippet, in their order.
    highlights: Vec<TextRange>,
}

/// A range of a text.
#[derive(SimpleObject, Clone)]
pub(super) struct TextRange {
    /// Where it begins, in Unicode code points.
    offset: u32,
    /// How long it is, in Unicode code points.
    length: u32,
}

impl MessageSearchConnection {
    pub(super) fn new(page: SearchPage, has_previous: bool, list: SearchList) -> Self {
        let items = page.hits.into_iter().map(|hit| MessageSearchEdge::new(hit, list)).collect();
        Self { edges: Slice { items, has_next: page.has_next, has_previous }, is_indexing: page.is_indexing }
    }
}

impl MessageSearchEdge {
    fn new(hit: SearchHit, list: SearchList) -> Self {
        let range = |(offset, length)| TextRange { offset, length };
        Self {
            cursor: cursor::of_hit(list, &hit.at),
            node: hit.message.into(),
            snippet: hit.snippet,
            highlights: hit.highlights.into_iter().map(range).collect(),
        }
    }
}

/// A page of found messages.
#[Object]
impl MessageSearchConnection {
    /// The messages, with their places in the list.
    async fn edges(&self) -> &[MessageSearchEdge] {
        &self.edges.items
    }

    /// The messages.
    async fn nodes(&self) -> Vec<Message> {
        self.edges.items.iter().map(|edge| edge.node.clone()).collect()
    }

    /// Where the page stands in the list.
    async fn page_info(&self) -> PageInfo {
        PageInfo::of(&self.edges, |edge| edge.cursor.clone())
    }

    /// Whether messages may be missing because the index is being made: after an upgrade from a version without
    /// search, or after `scrollback reindex`. It becomes false by itself.
    async fn indexing(&self) -> bool {
        self.is_indexing
    }
}
