//! Full-text search of messages.

mod connection;
mod input;

use async_graphql::{Context, Enum, Object};

use crate::graphql::execution::context::ContextExt;
use crate::graphql::schema::cursor;
use crate::model::{self, End, Page};
use crate::store::Result;
use connection::MessageSearchConnection;
use input::MessageSearchFilter;

/// How many messages a page has unless asked otherwise.
pub(in crate::graphql) const DEFAULT_HITS: Page = Page { end: End::First, size: 20 };

/// In which order found messages are listed.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "model::SearchOrder")]
pub(in crate::graphql) enum SearchOrder {
    /// The best match first: the words occur often, in a short message. Of equal matches the newest first.
    Relevance,
    /// The newest message first.
    Newest,
    /// The oldest message first.
    Oldest,
}

/// Queries that search.
#[derive(Default)]
pub(in crate::graphql) struct SearchQuery;

#[Object]
impl SearchQuery {
    /// The viewer's messages that have all words of a query, in every conversation. It sees every message that was
    /// acknowledged before the query began. Deleted messages and messages that are still being written are not found.
    ///
    /// The query is made of words, which must all occur; `"exact phrases"`; `-excluded` words and phrases; and `prefix*`.
    /// Everything else is text. Case, accents and width are ignored. Chinese, Japanese, Korean and Thai need no spaces.
    /// Names such as `snake_case` and `camelCase` are found whole and by their parts. At most 1 KiB and 64 words.
    ///
    /// Error BAD_USER_INPUT: the query has no word, or is too broad.
    async fn search_messages(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to look for.")] query: String,
        #[graphql(desc = "Only messages that fit all that is given.")] filter: Option<MessageSearchFilter>,
        #[graphql(desc = "In which order.", default_with = "Some(SearchOrder::Relevance)")] order_by: Option<
            SearchOrder,
        >,
        #[graphql(desc = "At most so many, 1 to 100.", default_with = "Some(20)")] first: Option<i32>,
        #[graphql(desc = "Only messages after this cursor.")] after: Option<String>,
    ) -> Result<MessageSearchConnection> {
        let page = Page::from_arguments(first, None, DEFAULT_HITS)?;
        let edges = ctx.look_ahead().field("edges");
        let with_snippets = edges.field("snippet").exists() || edges.field("highlights").exists();
        let order = order_by.map(Into::into).unwrap_or_default();
        let search = filter.unwrap_or_default().parse(&query, order, with_snippets)?;
        let owner = &ctx.viewer()?.owner;
        let list = cursor::search_list(owner, &query, search.order);
        let after = after.map(|text| cursor::hit("after", &text, list)).transpose()?;
        let found = ctx.store()?.search_messages(&search, after, page.size as usize).await?;
        Ok(MessageSearchConnection::new(found, after.is_some(), list))
    }
}
