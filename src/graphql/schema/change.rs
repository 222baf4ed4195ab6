//! The change feed.

use async_graphql::{Context, ID, Interface, Object, SimpleObject};

use super::conversation::Conversation;
use super::conversation::connection::ConversationEdge;
use super::conversation::input::ConversationOrder;
use super::cursor;
use super::message::Message;
use super::message::connection::MessageEdge;
use super::scalar::DateTime;
use crate::graphql::execution::context::ContextExt;
use crate::graphql::execution::value_size::size_of_objects;
use crate::model::{ChangeKind, CommittedChange, End, MessageId, OwnerId, Page};
use crate::store::{Error, Result};

/// The default size of a page of changes.
pub(in crate::graphql) const DEFAULT_CHANGES: Page = Page { end: End::First, size: 50 };

/// A committed change. Resume from its cursor.
#[derive(Interface)]
#[graphql(
    field(
        name = "cursor",
        ty = "String",
        desc = "Pass it to `changes(after:)` to continue after this change."
    ),
    field(name = "changed_at", ty = "DateTime", desc = "The time of the change, by the server's clock."),
    field(name = "conversation_id", ty = "ID", desc = "The conversation that changed."),
    field(
        name = "actor",
        ty = "Option<ID>",
        desc = "The subject of the back end that made the change for the viewer. Null if the viewer made it."
    )
)]
pub(in crate::graphql) enum Change {
    ConversationCreated(ConversationCreated),
    ConversationUpdated(ConversationUpdated),
    ConversationDeleted(ConversationDeleted),
    MessageAdded(MessageAdded),
    MessageUpdated(MessageUpdated),
    MessageDeleted(MessageDeleted),
}

impl Change {
    /// A committed change of this owner.
    pub(in crate::graphql) fn new(owner: &OwnerId, committed: CommittedChange) -> Result<Self> {
        let cursor = cursor::of_change(owner, committed.revision);
        let kind = committed.change.kind;
        let fact = ChangeDetails { cursor, committed };
        Ok(match kind {
            ChangeKind::ConversationCreated => Self::ConversationCreated(ConversationCreated(fact)),
            ChangeKind::ConversationUpdated => Self::ConversationUpdated(ConversationUpdated(fact)),
            ChangeKind::ConversationDeleted => Self::ConversationDeleted(ConversationDeleted(fact)),
            ChangeKind::MessageAdded => Self::MessageAdded(MessageAdded(fact)),
            ChangeKind::MessageUpdated => Self::MessageUpdated(MessageUpdated(fact)),
            ChangeKind::MessageDeleted => Self::MessageDeleted(MessageDeleted(fact)),
        })
    }
}

/// The fields of all changes.
struct ChangeDetails {
    cursor: String,
    committed: CommittedChange,
}

impl ChangeDetails {
    fn changed_at(&self) -> DateTime {
        DateTime(self.committed.changed_at)
    }

    fn conversation_id(&self) -> ID {
        ID::from(self.committed.change.conversation.0)
    }

    fn actor(&self) -> Option<ID> {
        self.committed.actor.as_ref().map(|actor| ID::from(actor.as_str()))
    }

    fn message_id(&self) -> Result<MessageId> {
        let id = self.committed.change.message;
        id.ok_or_else(|| Error::broken("a change of a message without an id".into()))
    }

    async fn message(&self, ctx: &Context<'_>) -> Result<Option<Message>> {
        let found = ctx.loaders()?.find_message(self.message_id()?).await?;
        Ok(found.map(Message::from))
    }

    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        let found = ctx.loaders()?.find_conversation(self.committed.change.conversation).await?;
        Ok(found.map(Conversation::from))
    }
}

/// Defines the object of a kind of change, with the common fields and its own.
macro_rules! change_object {
    ($name:ident, $description:literal, { $($own:tt)* }) => {
        #[doc = $description]
        pub(in crate::graphql) struct $name(ChangeDetails);

        #[doc = $description]
        #[Object]
        impl $name {
            /// Pass it to `changes(after:)` to continue after this change.
            async fn cursor(&self) -> String {
                self.0.cursor.clone()
            }

            /// The time of the change, by the server's clock.
            async fn changed_at(&self) -> DateTime {
                self.0.changed_at()
            }

            /// The conversation that changed.
            async fn conversation_id(&self) -> ID {
                self.0.conversation_id()
            }

            /// The subject of the back end that made the change for the viewer. Null if the viewer made it.
            async fn actor(&self) -> Option<ID> {
                self.0.actor()
            }

            $($own)*
        }
    };
}

change_object!(ConversationCreated, "A conversation was created.", {
    /// The conversation in its current state. Null if it was deleted.
    async fn conversation(&self, ctx: &Context<'_>) -> Option<Result<Conversation>> {
        self.0.conversation(ctx).await.transpose()
    }

    /// The conversation in its current state, as an edge of the viewer's conversations. Null if it was
    /// deleted.
    async fn conversation_edge(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order of the list that the cursor is for. Default: UPDATED_AT, DESC.")]
        order_by: Option<ConversationOrder>,
    ) -> Option<Result<ConversationEdge>> {
        let found = self.0.conversation(ctx).await.transpose()?;
        Some(found.map(|conversation| ConversationEdge::in_order(conversation, order_by)))
    }
});

change_object!(
    ConversationUpdated,
    "Something of a conversation changed: its title, metadata, active branch, pin, labels, expiry or reading position, or it was archived, trashed or restored.",
    {
        /// The conversation in its current state. Null if it was deleted.
        async fn conversation(&self, ctx: &Context<'_>) -> Option<Result<Conversation>> {
            self.0.conversation(ctx).await.transpose()
        }
    }
);

change_object!(ConversationDeleted, "A conversation was deleted with its messages.", {});

change_object!(MessageAdded, "A message was appended.", {
    /// The message that changed.
    async fn message_id(&self) -> Result<ID> {
        Ok(ID::from(self.0.message_id()?.0))
    }

    /// The message in its current state. Null if its conversation was deleted.
    async fn message(&self, ctx: &Context<'_>) -> Option<Result<Message>> {
        self.0.message(ctx).await.transpose()
    }

    /// The message in its current state, as an edge of the conversation's messages. Null if its conversation
    /// was deleted.
    async fn message_edge(&self, ctx: &Context<'_>) -> Option<Result<MessageEdge>> {
        let found = self.0.message(ctx).await.transpose()?;
        Some(found.map(MessageEdge::from))
    }
});

change_object!(MessageUpdated, "A message was edited, or its stream ended.", {
    /// The message that changed.
    async fn message_id(&self) -> Result<ID> {
        Ok(ID::from(self.0.message_id()?.0))
    }

    /// The message in its current state. Null if its conversation was deleted.
    async fn message(&self, ctx: &Context<'_>) -> Option<Result<Message>> {
        self.0.message(ctx).await.transpose()
    }
});

change_object!(MessageDeleted, "The content of a message was deleted. Its position is kept.", {
    /// The message that changed.
    async fn message_id(&self) -> Result<ID> {
        Ok(ID::from(self.0.message_id()?.0))
    }
});

/// A page of changes in commit order, oldest first.
#[derive(SimpleObject)]
struct ChangePage {
    /// The changes of the page.
    nodes: Vec<Change>,
    /// Pass it to `changes(after:)` to continue after this page.
    end_cursor: String,
    /// Whether there are more changes.
    has_next_page: bool,
}

/// Queries of the change feed.
#[derive(Default)]
pub(in crate::graphql) struct ChangeQuery;

#[Object]
impl ChangeQuery {
    /// The changes after `after`, oldest first: the same feed as the subscription `changes`, for clients that
    /// poll or sync offline. Without `after`: from the oldest change that is kept.
    async fn changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The cursor of a change, a page's endCursor, or a connection's changeCursor.")]
        after: Option<String>,
        #[graphql(desc = "The most changes of the page, 1 to 100. Default: 50.")] first: Option<i32>,
    ) -> Result<ChangePage> {
        let owner = &ctx.viewer()?.owner;
        let page = Page::from_arguments(first, None, DEFAULT_CHANGES)?;
        let store = ctx.store()?;
        let after = match after {
            Some(text) => cursor::change("after", &text, owner)?,
            None => store.oldest_kept().await?,
        };
        let mut changes = store.changes(after, page.size + 1).await?;
        let has_next_page = changes.len() > page.size as usize;
        changes.truncate(page.size as usize);
        ctx.memory_budget()?.grow(size_of_objects(ctx, changes.len())).await?;
        let end = changes.last().map_or(after, |change| change.revision);
        Ok(ChangePage {
            nodes: changes.into_iter().map(|change| Change::new(owner, change)).collect::<Result<_>>()?,
            end_cursor: cursor::of_change(owner, end),
            has_next_page,
        })
    }
}
