//! The position of a page in its list: <https://relay.dev/graphql/connections.htm#sec-undefined.PageInfo>.

use async_graphql::SimpleObject;

use crate::model::Slice;

/// The position of a page in its list.
#[derive(SimpleObject)]
pub(in crate::graphql) struct PageInfo {
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
    pub(in crate::graphql) fn of<T>(slice: &Slice<T>, cursor: impl Fn(&T) -> String) -> Self {
        Self {
            has_next_page: slice.has_next,
            has_previous_page: slice.has_previous,
            start_cursor: slice.items.first().map(&cursor),
            end_cursor: slice.items.last().map(&cursor),
        }
    }
}
