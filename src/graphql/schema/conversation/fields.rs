//! The fields of a conversation.

use async_graphql::{Context, ID, Object};

use super::queries::selects_siblings;
use super::{Conversation, DEFAULT_MESSAGES};
use crate::graphql::execution::context::ContextExt;
use crate::graphql::execution::value_size::size_of_objects;
use crate::graphql::schema::context_window::{ContextWindow, DEFAULT_TOKENIZER, Tokenizer};
use crate::graphql::schema::message::Message;
use crate::graphql::schema::message::connection::MessageConnection;
use crate::graphql::schema::scalar::{DateTime, Json};
use crate::graphql::schema::share::Share;
use crate::graphql::schema::{argument, cursor};
use crate::model::{self, Deleted, Page, Range};
use crate::store::Result;

/// A conversation of the viewer's: messages in an order, on one or several branches.
#[Object]
impl Conversation {
    /// A UUID: the one that the client chose, or one of version 7.
    pub(in crate::graphql) async fn id(&self) -> ID {
        ID::from(self.row.id.0)
    }

    /// The title.
    async fn title(&self) -> Option<&str> {
        self.row.title.as_deref()
    }

    /// Data of the client, never interpreted.
    async fn metadata(&self, ctx: &Context<'_>) -> Result<Json> {
        let metadata = &self.row.metadata;
        ctx.memory_budget()?.grow(metadata.as_str().len()).await?;
        Ok(Json::from(metadata))
    }

    /// The time of creation, by the server's clock.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// The time of the last activity: a new message, a rename, …
    async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }

    /// The number of messages on all branches, without deleted ones.
    async fn message_count(&self) -> i64 {
        self.row.message_count
    }

    /// The time at which it was pinned. Null if it is not.
    async fn pinned_at(&self) -> Option<DateTime> {
        self.row.pinned_at.map(DateTime)
    }

    /// The time at which it was archived. Null if it is not.
    async fn archived_at(&self) -> Option<DateTime> {
        self.row.archived_at.map(DateTime)
    }

    /// Whether a new message takes it out of the archive.
    async fn unarchive_on_message(&self) -> bool {
        self.row.unarchive_on_message
    }

    /// The time at which it was moved to the trash. Null if it is not there.
    async fn trashed_at(&self) -> Option<DateTime> {
        self.row.trashed_at.map(DateTime)
    }

    /// The time at which it is deleted for good. Null if it is kept.
    async fn expires_at(&self) -> Option<DateTime> {
        self.row.expires_at.map(DateTime)
    }

    /// The labels as they were typed, in the order in which they were added. At most 32.
    async fn labels(&self, ctx: &Context<'_>) -> Result<Vec<String>> {
        ctx.memory_budget()?.grow(self.row.labels.bytes()).await?;
        Ok(self.row.labels.iter().map(|label| label.as_str().to_owned()).collect())
    }

    /// The position up to which the user has read: that of the last `markRead`, or of a later message of the user. 0 if
    /// nothing was read.
    async fn read_position(&self) -> i64 {
        self.row.read_position
    }

    /// The number of unread messages: those after `readPosition`, without deleted ones and without those of the role USER.
    /// The messages of all branches count, because a position is one number for the whole conversation.
    async fn unread_count(&self) -> i64 {
        self.row.unread_count()
    }

    /// The messages of the active branch in conversation order, oldest first in every page. Without
    /// arguments: the last 50. At most 100 at a time. `leafId` selects the branch that ends in that message.
    #[expect(clippy::too_many_arguments, reason = "the schema's arguments")]
    async fn messages(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first items of the range, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only messages after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last items of the range, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only messages before this cursor.")] before: Option<String>,
        #[graphql(desc = "The last message of the branch. Default: the head.")] leaf_id: Option<ID>,
        #[graphql(desc = "Whether deleted messages are in it, without content.", default = true)]
        include_deleted: bool,
    ) -> Result<MessageConnection> {
        let page = Page::from_arguments(first, last, DEFAULT_MESSAGES)?;
        let is_whole = after.is_none() && before.is_none() && leaf_id.is_none() && include_deleted;
        if let Some((_, read)) = self.page.as_ref().filter(|(read, _)| is_whole && *read == page) {
            return Ok(read.clone());
        }
        if is_whole && self.row.is_linear() {
            return Ok(ctx.loaders()?.messages(self.row.id, page).await?.into());
        }
        let position = |argument: &str, text: String| cursor::message(argument, &text, self.row.id);
        let range = Range {
            after: after.map(|text| position("after", text)).transpose()?,
            before: before.map(|text| position("before", text)).transpose()?,
        };
        let leaf = leaf_id.map(|id| argument::message_id("leafId", &id)).transpose()?;
        let deleted = if include_deleted { Deleted::Included } else { Deleted::LeftOut };
        let with_siblings = selects_siblings(&ctx.look_ahead());
        Ok(ctx.store()?.message_page(&self.row, leaf, range, page, deleted, with_siblings).await?.into())
    }

    /// The newest messages of a branch that fit a model's window, oldest first. SYSTEM and pinned messages are always in it:
    /// BAD_USER_INPUT, `extensions.requiredTokens` telling how many it takes, when they alone do not fit. A tool call is
    /// there only with its result. The window begins with a USER message where one fits, after the SYSTEM and pinned
    /// ones. No message is cut.
    async fn context(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The most tokens of all messages together, 1 to 10,000,000.")] max_tokens: i32,
        #[graphql(desc = "The message the branch ends in. Default: the head.")] leaf_id: Option<ID>,
        #[graphql(desc = "How tokens are counted.", default_with = "Some(DEFAULT_TOKENIZER)")]
        tokenizer: Option<Tokenizer>,
    ) -> Result<ContextWindow> {
        let most = model::check_max_tokens(max_tokens)?;
        let leaf = leaf_id.map(|id| argument::message_id("leafId", &id)).transpose()?;
        let tokenizer = tokenizer.unwrap_or(DEFAULT_TOKENIZER).into();
        let with_omitted = ctx.look_ahead().field("omitted").exists();
        Ok(ctx.store()?.context(&self.row, leaf, most, tokenizer, with_omitted).await?.into())
    }

    /// The copies of branches that can be read with their secrets, the newest first. At most 100.
    async fn shares(&self, ctx: &Context<'_>) -> Result<Vec<Share>> {
        let shares = ctx.store()?.shares(self.row.id).await?;
        ctx.memory_budget()?.grow(size_of_objects(ctx, shares.len())).await?;
        Ok(shares.into_iter().map(Share::from).collect())
    }

    /// The last message of the active branch. Null if there is none.
    async fn head(&self, ctx: &Context<'_>) -> Option<Result<Message>> {
        if let Some(head) = &self.head {
            return head.clone().map(Ok);
        }
        if self.row.head_position == 0 {
            return None;
        }
        let loaded = match ctx.loaders() {
            Ok(loaders) => loaders.message_at((self.row.id, self.row.head_position)).await,
            Err(error) => Err(error),
        };
        loaded.map(|found| found.map(Message::from)).transpose()
    }
}
