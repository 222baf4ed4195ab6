//! Messages and conversations that match a query.

use std::collections::{BTreeSet, HashMap};

use search::evaluate::page::Hit;
use search::evaluate::{Filter, Order};
use search::index::{Field, Place};
use search::snippet::snippet;
use tokio::sync::SemaphorePermit;
use uuid::Uuid;

use super::documents::texts_of;
use super::query::{ConversationScope, Request, find};
use crate::model::{
    Conversation, ConversationId, ConversationState, Message, MessageSearch, SearchHit, SearchOrder,
    SearchPage, SearchPosition, SearchQuery, Timestamp,
};
use crate::store::error::{Error, Result};
use crate::store::scope::Scoped;

/// The most matches that are read at once, where most are on other branches.
const MOST_AT_ONCE: usize = 1000;

/// The fields that a search looks into.
fn fields(search: &MessageSearch) -> &'static [Field] {
    match (search.include_reasoning, search.include_tools) {
        (false, false) => &[Field::Text],
        (true, false) => &[Field::Text, Field::Reasoning],
        (false, true) => &[Field::Text, Field::Tools],
        (true, true) => &[Field::Text, Field::Reasoning, Field::Tools],
    }
}

impl Scoped {
    /// The owner's messages that match, at most `count`, after a place in the list. Sees everything that was
    /// committed before it began.
    ///
    /// # Errors
    /// `Invalid`: the query is too broad.
    pub async fn search_messages(
        &self,
        search: &MessageSearch,
        after: Option<SearchPosition>,
        count: usize,
    ) -> Result<SearchPage> {
        self.with_reservation(|| self.search(search, after, count)).await
    }

    async fn search(
        &self,
        search: &MessageSearch,
        mut after: Option<SearchPosition>,
        count: usize,
    ) -> Result<SearchPage> {
        let mut page = SearchPage { hits: Vec::new(), has_next: false, is_indexing: false };
        let mut at_once = count;
        loop {
            let (positions, is_indexing) = self.search_positions(search, after, at_once + 1).await?;
            page.is_indexing |= is_indexing;
            page.has_next = positions.len() > at_once;
            let positions = &positions[..positions.len().min(at_once)];
            after = positions.last().copied().or(after);
            let mut hits = self.hits(search, positions).await?;
            let missing = count - page.hits.len();
            page.has_next |= hits.len() > missing;
            hits.truncate(missing);
            page.hits.extend(hits);
            if page.hits.len() == count || !page.has_next {
                return Ok(page);
            }
            // Each time more, because each time everything is searched again.
            at_once = (2 * at_once).min(MOST_AT_ONCE);
        }
    }

    async fn search_permit(&self) -> Result<SemaphorePermit<'_>> {
        let permit = self.store.0.searches.acquire().await;
        permit.map_err(|_| Error::unavailable("the store is closed"))
    }

    async fn search_positions(
        &self,
        search: &MessageSearch,
        after: Option<SearchPosition>,
        count: usize,
    ) -> Result<(Vec<SearchPosition>, bool)> {
        let order = match search.order {
            SearchOrder::Relevance => Order::Relevance,
            SearchOrder::Newest => Order::Newest,
            SearchOrder::Oldest => Order::Oldest,
        };
        let ids = |ids: &Vec<ConversationId>| ids.iter().map(|id| *id.0.as_bytes()).collect();
        let filter = Filter {
            conversations: search.conversations.as_ref().map(ids),
            roles: search
                .roles
                .as_ref()
                .map(|roles| roles.iter().filter_map(|role| u8::try_from(role.code()).ok()).collect()),
            excluded_conversations: Vec::new(),
            models: search.models.clone(),
            since: search.since.map(|time| time.0),
            until: search.until.map(|time| time.0),
        };
        let request = Request {
            query: &search.query,
            fields: fields(search),
            filter,
            conversations: ConversationScope {
                labels: search.labels.as_deref(),
                excluded_states: [
                    (ConversationState::Archived, search.include_archived),
                    (ConversationState::Trashed, search.include_trashed),
                ]
                .into_iter()
                .filter_map(|(state, is_included)| (!is_included).then_some(state))
                .collect(),
            },
            is_scored: order == Order::Relevance,
        };
        let _permit = self.search_permit().await?;
        let mut found = find(&self.store, &self.owner, request, &self.allowance).await?;
        let after = after.map(|at| Hit {
            score: at.score,
            place: Place {
                created_at: at.created_at.0,
                conversation: *at.conversation.0.as_bytes(),
                position: at.position,
            },
        });
        let hits = found.page(order, after, count).await?;
        let is_indexing = found.is_indexing;
        found.end().await?;
        let position = |hit: &Hit| SearchPosition {
            score: hit.score,
            created_at: Timestamp(hit.place.created_at),
            conversation: ConversationId(Uuid::from_bytes(hit.place.conversation)),
            position: hit.place.position,
        };
        Ok((hits.iter().map(position).collect(), is_indexing))
    }

    /// The messages at some places, with snippets. What was deleted or changed meanwhile so that it does not match any
    /// more is left out.
    async fn hits(&self, search: &MessageSearch, positions: &[SearchPosition]) -> Result<Vec<SearchHit>> {
        let places: Vec<_> = positions.iter().map(|at| (at.conversation, at.position)).collect();
        let mut messages = self.messages_at(&places).await?;
        if search.active_branch_only {
            let on_active = self.on_active_branch(messages.values()).await?;
            messages.retain(|place, _| on_active.contains(place));
        }
        let mut hits = Vec::with_capacity(positions.len());
        for at in positions {
            let Some(message) = messages.remove(&(at.conversation, at.position)) else { continue };
            let texts: Vec<String> = texts_of(&message)
                .into_iter()
                .filter(|(field, _)| fields(search).contains(field))
                .map(|(_, text)| text)
                .collect();
            let texts: Vec<_> = texts.iter().map(String::as_str).collect();
            let query = search.query.as_query();
            if message.deleted_at.is_some() || !query.matches(&texts) {
                continue;
            }
            let (mut text, mut highlights) = (String::new(), Vec::new());
            if search.with_snippets {
                let snippet = snippet(&texts, query);
                highlights = snippet.highlights.iter().map(|range| (range.offset, range.length)).collect();
                text = snippet.text;
            }
            hits.push(SearchHit { at: *at, message, snippet: text, highlights });
        }
        Ok(hits)
    }

    /// Which of some messages are on the active branch of their conversation.
    async fn on_active_branch(
        &self,
        messages: impl Iterator<Item = &Message>,
    ) -> Result<BTreeSet<(ConversationId, i64)>> {
        let mut by_conversation: HashMap<ConversationId, Vec<&Message>> = HashMap::new();
        for message in messages {
            by_conversation.entry(message.conversation).or_default().push(message);
        }
        let ids: Vec<_> = by_conversation.keys().copied().collect();
        let conversations = self.conversations_by_id(&ids).await?;
        let mut found = BTreeSet::new();
        for (id, messages) in by_conversation {
            let Some(conversation) = conversations.get(&id) else { continue };
            found.extend(self.those_on_path(conversation, &messages).await?);
        }
        Ok(found)
    }

    async fn those_on_path(
        &self,
        conversation: &Conversation,
        messages: &[&Message],
    ) -> Result<Vec<(ConversationId, i64)>> {
        let path = self.branch_segments(conversation, None).await?;
        let is_on_path = |message: &&&Message| {
            path.iter().any(|segment| segment.contains(message.branch, message.position))
        };
        Ok(messages.iter().filter(is_on_path).map(|message| (conversation.id, message.position)).collect())
    }

    /// The conversations whose title or one of whose messages matches; and whether some may be missing because the
    /// index is being made.
    ///
    /// # Errors
    /// `Invalid`: the query is too broad.
    pub async fn conversations_matching(
        &self,
        query: &SearchQuery,
    ) -> Result<(BTreeSet<ConversationId>, bool)> {
        self.with_reservation(|| async {
            let fields = &[Field::Title, Field::Text];
            // The list that asks leaves out what is not in it.
            let conversations = ConversationScope::default();
            let filter = Filter::default();
            let request = Request { query, fields, filter, conversations, is_scored: false };
            let _permit = self.search_permit().await?;
            let mut found = find(&self.store, &self.owner, request, &self.allowance).await?;
            let (conversations, is_indexing) = (found.conversations().await?, found.is_indexing);
            found.end().await?;
            Ok((conversations, is_indexing))
        })
        .await
    }
}
