//! The viewer.

use async_graphql::{ComplexObject, Context, ID, Object, SimpleObject};

use crate::graphql::execution::context::ContextExt;
use crate::model::{self, OwnerId};
use crate::store::Result;

/// The user that the request is authenticated as.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(in crate::graphql) struct Viewer {
    /// The subject of the credentials, or the user that a back end acts for. It is the owner of all data that
    /// the API returns.
    id: ID,
    /// The subject of the back end that acts for the viewer. Null if none does.
    actor: Option<ID>,
}

#[ComplexObject]
impl Viewer {
    /// The number of conversations, with archived ones, without those in the trash.
    async fn conversation_count(&self, ctx: &Context<'_>) -> Result<i64> {
        ctx.store()?.conversation_count().await
    }

    /// The number of conversations of the default list that have unread messages: without archived ones and those in the
    /// trash.
    async fn unread_conversation_count(&self, ctx: &Context<'_>) -> Result<i64> {
        ctx.store()?.unread_conversation_count().await
    }
}

/// Queries about the viewer.
#[derive(Default)]
pub(in crate::graphql) struct ViewerQuery;

#[Object]
impl ViewerQuery {
    /// The user that the request is authenticated as.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Viewer> {
        let model::Viewer { owner, actor, .. } = ctx.viewer()?;
        let id = |owner: &OwnerId| ID::from(owner.as_str());
        Ok(Viewer { id: id(owner), actor: actor.as_ref().map(id) })
    }
}
