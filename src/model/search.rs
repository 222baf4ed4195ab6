//! Full-text search: what to look for, and what is found.

use search::query::{Query, QueryError, parse};

use super::{ConversationId, Invalid, Label, Message, Role, Timestamp};

/// The words to look for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SearchQuery(Query);

impl SearchQuery {
    /// Reads a query: see [`search::query`].
    ///
    /// # Errors
    /// Names `argument` if there is no word to look for, or the query is too long.
    pub fn new(argument: &str, text: &str) -> Result<Self, Invalid> {
        parse(text).map(Self).map_err(|error| match error {
            QueryError::Empty => Invalid::new(argument, "must have a word to look for"),
            QueryError::OnlyExcluded => Invalid::new(
                argument,
                "must have a word to look for besides those that are excluded with `-`",
            ),
            QueryError::TooLong { bytes, limit } => {
                Invalid::new(argument, format!("must be at most {limit} bytes long, got {bytes}"))
            }
            QueryError::TooManyTerms { limit } => {
                Invalid::new(argument, format!("must have at most {limit} words"))
            }
        })
    }

    /// The parsed query.
    pub fn as_query(&self) -> &Query {
        &self.0
    }
}

/// Which messages to find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageSearch {
    /// What must occur in them.
    pub query: SearchQuery,
    /// Whether reasoning is searched, too.
    pub include_reasoning: bool,
    /// Whether inputs and outputs of tools are searched, too.
    pub include_tools: bool,
    /// In one of these conversations.
    pub conversations: Option<Vec<ConversationId>>,
    /// In a conversation with one of these labels.
    pub labels: Option<Vec<Label>>,
    /// Whether archived conversations are searched, too.
    pub include_archived: bool,
    /// Whether conversations in the trash are searched, too.
    pub include_trashed: bool,
    /// With one of these roles.
    pub roles: Option<Vec<Role>>,
    /// From one of these models.
    pub models: Option<Vec<String>>,
    /// Created at this time or later.
    pub since: Option<Timestamp>,
    /// Created before this time.
    pub until: Option<Timestamp>,
    /// Only on the active branch of their conversation.
    pub active_branch_only: bool,
    /// In which order.
    pub order: SearchOrder,
    /// Whether hits have snippets and highlights.
    pub with_snippets: bool,
}

/// In which order messages are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SearchOrder {
    /// The best match first, then the newest.
    #[default]
    Relevance,
    /// The newest first.
    Newest,
    /// The oldest first.
    Oldest,
}

/// A place in a list of found messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchPosition {
    /// How well the message matches; 0 in orders by time.
    pub score: u32,
    /// When it was created.
    pub created_at: Timestamp,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Its position there.
    pub position: i64,
}

/// A message that was found.
#[derive(Debug, Clone)]
pub struct SearchHit {
    /// Its place in the list.
    pub at: SearchPosition,
    /// The message.
    pub message: Message,
    /// Text around the best match.
    pub snippet: String,
    /// Matches in the snippet: offset and length in code points.
    pub highlights: Vec<(u32, u32)>,
}

/// A page of found messages.
#[derive(Debug, Clone)]
pub struct SearchPage {
    /// In the order that was asked for.
    pub hits: Vec<SearchHit>,
    /// Whether there are more.
    pub has_next: bool,
    /// Whether the index is being made, so that older messages may be missing.
    pub is_indexing: bool,
}
