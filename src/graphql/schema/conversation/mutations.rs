//! Mutations of conversations.

use async_graphql::{ComplexObject, Context, ID, Object, SimpleObject};

use super::Conversation;
use super::connection::ConversationEdge;
use super::input::{
    ClearConversationInput, ConversationOrder, CreateConversationInput, DeleteConversationInput,
    MarkReadInput, RestoreConversationInput, SwitchBranchInput, TrashConversationInput,
    UpdateConversationInput,
};
use crate::graphql::execution::context::ContextExt;
use crate::graphql::schema::argument;
use crate::store::Result;

/// The created conversation, or that of the first request if this is a retry.
#[derive(SimpleObject)]
#[graphql(complex)]
struct CreateConversationPayload {
    /// The conversation.
    conversation: Conversation,
}

#[ComplexObject]
impl CreateConversationPayload {
    /// The conversation as an edge of the viewer's conversations, for example for Relay's `@prependEdge`.
    async fn conversation_edge(
        &self,
        #[graphql(desc = "The order of the list that the cursor is for. Default: UPDATED_AT, DESC.")]
        order_by: Option<ConversationOrder>,
    ) -> ConversationEdge {
        ConversationEdge::in_order(self.conversation.clone(), order_by)
    }
}

/// The updated conversation.
#[derive(SimpleObject)]
struct UpdateConversationPayload {
    /// The conversation after the update.
    conversation: Conversation,
}

/// The conversation with its new active branch.
#[derive(SimpleObject)]
struct SwitchBranchPayload {
    /// The conversation after the switch.
    conversation: Conversation,
}

/// The conversation in the trash.
#[derive(SimpleObject)]
struct TrashConversationPayload {
    /// The conversation after the move.
    conversation: Conversation,
}

/// The conversation that was taken out of the trash.
#[derive(SimpleObject)]
struct RestoreConversationPayload {
    /// The conversation after the move.
    conversation: Conversation,
}

/// The conversation with its reading position.
#[derive(SimpleObject)]
struct MarkReadPayload {
    /// The conversation after the change.
    conversation: Conversation,
}

/// The conversation without messages.
#[derive(SimpleObject)]
struct ClearConversationPayload {
    /// The conversation after its messages were deleted.
    conversation: Conversation,
}

/// The deleted conversation.
#[derive(SimpleObject)]
struct DeleteConversationPayload {
    /// The id of the deleted conversation.
    deleted_conversation_id: ID,
}

/// Mutations of conversations.
#[derive(Default)]
pub(in crate::graphql) struct ConversationMutation;

#[Object]
impl ConversationMutation {
    /// Creates a conversation with its first messages, if given, in one transaction. Error CONFLICT: an id
    /// was used for something else.
    async fn create_conversation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation to create.")] input: CreateConversationInput,
    ) -> Result<CreateConversationPayload> {
        let new = input.parse(ctx.content_limits()?).map_err(|invalid| invalid.within("input"))?;
        let conversation = ctx.store()?.create_conversation(new).await?;
        Ok(CreateConversationPayload { conversation: conversation.into() })
    }

    /// Updates the given fields. Null clears a title, metadata, labels and an expiry. Only a title or metadata is activity
    /// that moves the conversation in lists by `updatedAt`.
    async fn update_conversation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation to update and its new values.")] input: UpdateConversationInput,
    ) -> Result<UpdateConversationPayload> {
        let (id, patch) = input.parse(ctx.content_limits()?).map_err(|invalid| invalid.within("input"))?;
        let conversation = ctx.store()?.update_conversation(id, patch).await?;
        Ok(UpdateConversationPayload { conversation: conversation.into() })
    }

    /// Moves the conversation to the trash. It is in no list, search, context or count any more unless asked for, and takes
    /// no new messages. It is deleted for good after some time, 30 days by default.
    async fn trash_conversation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation to move.")] input: TrashConversationInput,
    ) -> Result<TrashConversationPayload> {
        let id = argument::conversation_id("input.id", &input.id)?;
        let conversation = ctx.store()?.trash_conversation(id).await?;
        Ok(TrashConversationPayload { conversation: conversation.into() })
    }

    /// Takes the conversation out of the trash. It is again where it was before.
    async fn restore_conversation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation to move.")] input: RestoreConversationInput,
    ) -> Result<RestoreConversationPayload> {
        let id = argument::conversation_id("input.id", &input.id)?;
        let conversation = ctx.store()?.restore_conversation(id).await?;
        Ok(RestoreConversationPayload { conversation: conversation.into() })
    }

    /// Marks the messages up to a position as read, on all devices of the user. A position before the present one changes
    /// nothing, unless `backward` is set.
    async fn mark_read(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation and the position.")] input: MarkReadInput,
    ) -> Result<MarkReadPayload> {
        let id = argument::conversation_id("input.conversationId", &input.conversation_id)?;
        let conversation = ctx.store()?.mark_read(id, input.position.into(), input.backward).await?;
        Ok(MarkReadPayload { conversation: conversation.into() })
    }

    /// Deletes the content of all messages of the conversation, on all branches, as `deleteMessage` does for one. The
    /// conversation keeps its id, title, metadata and shares, and positions go on. A retry changes nothing, and deletes
    /// what was appended in the meantime.
    async fn clear_conversation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation to clear.")] input: ClearConversationInput,
    ) -> Result<ClearConversationPayload> {
        let id = argument::conversation_id("input.id", &input.id)?;
        let conversation = ctx.store()?.clear_conversation(id).await?;
        Ok(ClearConversationPayload { conversation: conversation.into() })
    }

    /// Deletes the conversation and its messages permanently, at once.
    async fn delete_conversation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation to delete.")] input: DeleteConversationInput,
    ) -> Result<DeleteConversationPayload> {
        let id = argument::conversation_id("input.id", &input.id)?;
        ctx.store()?.delete_conversation(id).await?;
        Ok(DeleteConversationPayload { deleted_conversation_id: ID::from(id.0) })
    }

    /// Activates the branch that ends in `leafId`: `messages` and `head` then show it, and the next message
    /// is appended to it.
    async fn switch_branch(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversation and the branch to activate.")] input: SwitchBranchInput,
    ) -> Result<SwitchBranchPayload> {
        let id = argument::conversation_id("input.conversationId", &input.conversation_id)?;
        let leaf = argument::message_id("input.leafId", &input.leaf_id)?;
        let conversation = ctx.store()?.switch_branch(id, leaf).await?;
        Ok(SwitchBranchPayload { conversation: conversation.into() })
    }
}
