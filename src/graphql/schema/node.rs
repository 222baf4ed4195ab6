//! Objects by id.

use std::collections::HashMap;

use async_graphql::{Context, ID, Interface, Object};
use uuid::Uuid;

use super::argument;
use super::attachment::Attachment;
use super::conversation::Conversation;
use super::message::Message;
use crate::graphql::execution::context::ContextExt;
use crate::graphql::execution::value_size::size_of_objects;
use crate::model::{AttachmentId, ConversationId, Invalid, MAX_PAGE, MessageId};
use crate::store::Result;

/// An object with an id.
#[derive(Interface)]
#[graphql(field(
    name = "id",
    ty = "ID",
    desc = "Unique among all objects of the viewer, unless a client chose the same id for two of them of\ndifferent types, which is not checked."
))]
pub(in crate::graphql) enum Node {
    Conversation(Conversation),
    Message(Message),
    Attachment(Attachment),
}

/// Queries by id.
#[derive(Default)]
pub(in crate::graphql) struct NodeQuery;

#[Object]
impl NodeQuery {
    /// A conversation, a message or an attachment by id. Null if the viewer has no such object. If several have the same id:
    /// the first of these.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of a conversation, a message or an attachment.")] id: ID,
    ) -> Option<Result<Node>> {
        let id = match argument::conversation_id("id", &id) {
            Ok(ConversationId(id)) => id,
            Err(invalid) => return Some(Err(invalid.into())),
        };
        find(ctx, &[id]).await.map(|mut nodes| nodes.pop().flatten()).transpose()
    }

    /// Several objects by id, at most 100, in the order of `ids`. Null for each id of which the viewer has no
    /// object.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Ids of conversations, messages and attachments, at most 100.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        if ids.len() > MAX_PAGE as usize {
            return Err(Invalid::new("ids", format!("must be at most {MAX_PAGE}, are {}", ids.len())).into());
        }
        let parse = |(at, id)| argument::conversation_id(&format!("ids[{at}]"), id).map(|id| id.0);
        let ids = ids.iter().enumerate().map(parse).collect::<std::result::Result<Vec<Uuid>, Invalid>>()?;
        find(ctx, &ids).await
    }
}

/// Uses few statements for any number of ids.
async fn find(ctx: &Context<'_>, ids: &[Uuid]) -> Result<Vec<Option<Node>>> {
    let conversations: Vec<_> = ids.iter().copied().map(ConversationId).collect();
    let conversations = ctx.store()?.conversations_by_id(&conversations).await?;
    let rest = ids.iter().copied().filter(|id| !conversations.contains_key(&ConversationId(*id)));
    let rest: Vec<Uuid> = rest.collect();
    let messages =
        ctx.store()?.messages_by_id(&rest.iter().copied().map(MessageId).collect::<Vec<_>>()).await?;
    let rest = rest.into_iter().filter(|id| !messages.contains_key(&MessageId(*id)));
    let rest: Vec<_> = rest.map(AttachmentId).collect();
    let attachments = match rest[..] {
        [] => HashMap::new(),
        _ => ctx.store()?.attachments(&rest).await?,
    };
    ctx.memory_budget()?.grow(size_of_objects(ctx, ids.len())).await?;
    // Shared, because an id may occur more than once.
    let conversations: HashMap<_, _> =
        conversations.into_iter().map(|(id, found)| (id.0, Conversation::from(found))).collect();
    let messages: HashMap<_, _> =
        messages.into_iter().map(|(id, found)| (id.0, Message::from(found))).collect();
    let node = |id: &Uuid| {
        let conversation = conversations.get(id).cloned().map(Node::Conversation);
        let message = || messages.get(id).cloned().map(Node::Message);
        let attachment =
            || attachments.get(&AttachmentId(*id)).cloned().map(|found| Node::Attachment(found.into()));
        conversation.or_else(message).or_else(attachment)
    };
    Ok(ids.iter().map(node).collect())
}
