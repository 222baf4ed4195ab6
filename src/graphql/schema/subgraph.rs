//! Scrollback as a subgraph of Apollo Federation: the fields that a gateway uses.
//!
//! A gateway reads the schema with `_service`, and entities by their keys with `_entities`. An entity of
//! another user is null, as one that does not exist.

mod representation;
mod sdl;

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject, Union};
use futures_util::try_join;

use super::attachment::Attachment;
use super::conversation::Conversation;
use super::message::Message;
use super::viewer::Viewer;
use crate::graphql::execution::context::ContextExt;
use crate::graphql::execution::value_size::size_of_objects;
use crate::model::{self, AttachmentId, ConversationId, Invalid, MessageId};
use crate::store::Result;
use representation::{EntityKey, Representation};
pub(in crate::graphql) use sdl::subgraph_sdl;

/// The settings of the subgraph.
#[derive(Debug, Clone, Copy)]
pub struct SubgraphSettings {
    /// The most representations in one `_entities`.
    pub representations: usize,
}

/// An object that other subgraphs can refer to by its key, which is its id.
#[derive(Union)]
#[graphql(name = "_Entity")]
enum Entity {
    Conversation(Conversation),
    Message(Message),
    Attachment(Attachment),
    Viewer(Viewer),
}

/// The subgraph that this server is.
#[derive(SimpleObject)]
#[graphql(name = "_Service")]
struct Service {
    /// The schema in SDL, with the directives of Apollo Federation.
    sdl: Arc<str>,
}

/// The queries of a gateway.
#[derive(Default)]
pub(in crate::graphql) struct SubgraphQuery {
    sdl: Arc<str>,
    max_representations: usize,
}

impl SubgraphQuery {
    /// For a subgraph with this SDL.
    pub(in crate::graphql) fn new(sdl: String, settings: SubgraphSettings) -> Self {
        Self { sdl: sdl.into(), max_representations: settings.representations }
    }
}

#[Object]
impl SubgraphQuery {
    /// The subgraph that this server is. It can be read although introspection is off.
    #[graphql(name = "_service")]
    async fn service(&self, ctx: &Context<'_>) -> Result<Service> {
        ctx.memory_budget()?.grow(self.sdl.len()).await?;
        Ok(Service { sdl: self.sdl.clone() })
    }

    /// Entities by their keys, in the order of `representations`. Null for each that the viewer does not have. Error
    /// BAD_USER_INPUT: there are too many representations (`federation.representations`). With a path to one of them:
    /// this representation is not valid; the others are answered.
    #[graphql(name = "_entities")]
    async fn entities(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The types and keys of the entities, at most 1000 (`federation.representations`).")]
        representations: Vec<Representation>,
    ) -> Result<Vec<Option<Result<Entity>>>> {
        let (count, most) = (representations.len(), self.max_representations);
        if count > most {
            let rule = format!("must be at most {most} (`federation.representations`), are {count}");
            return Err(Invalid::new("representations", rule).into());
        }
        let keys = representations.iter().enumerate().map(|(at, given)| given.key(at)).collect::<Vec<_>>();
        let found = Found::load(ctx, keys.iter().flatten()).await?;
        ctx.memory_budget()?.grow(size_of_objects(ctx, count)).await?;
        let entity = |key: std::result::Result<EntityKey, Invalid>| match key {
            Ok(key) => found.entity(&key).map(Ok),
            Err(invalid) => Some(Err(invalid.into())),
        };
        Ok(keys.into_iter().map(entity).collect())
    }
}

/// The entities of some keys that the viewer has.
struct Found<'a> {
    conversations: HashMap<ConversationId, Arc<model::Conversation>>,
    messages: HashMap<MessageId, Arc<model::Message>>,
    attachments: HashMap<AttachmentId, Arc<model::Attachment>>,
    viewer: &'a model::Viewer,
}

impl<'a> Found<'a> {
    /// Uses one statement for each type.
    async fn load(ctx: &'a Context<'_>, keys: impl Iterator<Item = &EntityKey>) -> Result<Self> {
        let (mut conversations, mut messages, mut attachments) = (Vec::new(), Vec::new(), Vec::new());
        for key in keys {
            match key {
                EntityKey::Conversation(id) => conversations.push(*id),
                EntityKey::Message(id) => messages.push(*id),
                EntityKey::Attachment(id) => attachments.push(*id),
                EntityKey::Viewer(_) => {}
            }
        }
        let loaders = ctx.loaders()?;
        let (conversations, messages, attachments) = try_join!(
            loaders.find_conversations(conversations),
            loaders.find_messages(messages),
            loaders.find_attachments(attachments),
        )?;
        Ok(Self { conversations, messages, attachments, viewer: ctx.viewer()? })
    }

    fn entity(&self, key: &EntityKey) -> Option<Entity> {
        match key {
            EntityKey::Conversation(id) => {
                self.conversations.get(id).cloned().map(|row| Entity::Conversation(row.into()))
            }
            EntityKey::Message(id) => self.messages.get(id).cloned().map(|row| Entity::Message(row.into())),
            EntityKey::Attachment(id) => {
                let found = self.attachments.get(id);
                found.map(|row| Entity::Attachment(model::Attachment::clone(row).into()))
            }
            EntityKey::Viewer(id) => {
                (*id == self.viewer.owner.as_str()).then(|| Entity::Viewer(self.viewer.into()))
            }
        }
    }
}
