//! Which messages to search.

use async_graphql::{ID, InputObject};

use crate::graphql::schema::argument;
use crate::graphql::schema::message::Role;
use crate::graphql::schema::scalar::DateTime;
use crate::model::{Invalid, Label, MessageSearch, ModelName, SearchOrder, SearchQuery};

/// The most alternatives of one kind.
const MAX_ALTERNATIVES: usize = 100;

/// Which messages to search: those that fit all that is given.
#[derive(InputObject, Default)]
pub(in crate::graphql) struct MessageSearchFilter {
    /// Only messages of these conversations, at most 100. Ids of conversations that do not exist, or are somebody
    /// else's, find nothing.
    conversation_ids: Option<Vec<ID>>,
    /// Only messages of conversations with one of these labels, at most 100. Case is ignored.
    labels: Option<Vec<String>>,
    /// Search archived conversations, too.
    #[graphql(default_with = "Some(true)")]
    include_archived: Option<bool>,
    /// Search conversations in the trash, too.
    #[graphql(default_with = "Some(false)")]
    include_trashed: Option<bool>,
    /// Only messages with one of these roles.
    roles: Option<Vec<Role>>,
    /// Only messages that one of these models wrote, by their exact names, at most 100.
    models: Option<Vec<String>>,
    /// Only messages created at this time or later.
    since: Option<DateTime>,
    /// Only messages created before this time.
    until: Option<DateTime>,
    /// Only messages on the active branch of their conversation.
    #[graphql(default_with = "Some(false)")]
    active_branch_only: Option<bool>,
    /// Search the reasoning of models, too.
    #[graphql(default_with = "Some(false)")]
    include_reasoning: Option<bool>,
    /// Search the names, inputs and outputs of tools, too.
    #[graphql(default_with = "Some(false)")]
    include_tools: Option<bool>,
}

impl MessageSearchFilter {
    pub(super) fn parse(
        self,
        query: &str,
        order: SearchOrder,
        with_snippets: bool,
    ) -> Result<MessageSearch, Invalid> {
        check_length("filter.conversationIds", self.conversation_ids.as_ref().map_or(0, Vec::len))?;
        check_length("filter.labels", self.labels.as_ref().map_or(0, Vec::len))?;
        check_length("filter.roles", self.roles.as_ref().map_or(0, Vec::len))?;
        check_length("filter.models", self.models.as_ref().map_or(0, Vec::len))?;
        let conversation = |id: ID| argument::conversation_id("filter.conversationIds", &id);
        let label = |text| Label::new("filter.labels", text);
        let labels = self.labels.map(|labels| labels.into_iter().map(label).collect());
        let model = |name| ModelName::new("filter.models", name).map(ModelName::into_string);
        let conversations = self.conversation_ids.map(|ids| ids.into_iter().map(conversation).collect());
        let models = self.models.map(|names| names.into_iter().map(model).collect());
        Ok(MessageSearch {
            query: SearchQuery::new("query", query)?,
            include_reasoning: self.include_reasoning.unwrap_or_default(),
            include_tools: self.include_tools.unwrap_or_default(),
            conversations: conversations.transpose()?,
            labels: labels.transpose()?,
            include_archived: self.include_archived.unwrap_or(true),
            include_trashed: self.include_trashed.unwrap_or_default(),
            roles: self.roles.map(|roles| roles.into_iter().map(Into::into).collect()),
            models: models.transpose()?,
            since: self.since.map(|time| time.0),
            until: self.until.map(|time| time.0),
            active_branch_only: self.active_branch_only.unwrap_or_default(),
            order,
            with_snippets,
        })
    }
}

fn check_length(argument: &str, length: usize) -> Result<(), Invalid> {
    if length <= MAX_ALTERNATIVES {
        return Ok(());
    }
    Err(Invalid::new(argument, format!("must have at most {MAX_ALTERNATIVES} items, has {length}")))
}
