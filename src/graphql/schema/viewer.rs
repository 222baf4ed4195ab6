//! The viewer.

use async_graphql::{Context, ID, Object, SimpleObject};

use crate::graphql::execution::context::ContextExt;
use crate::model::{self, OwnerId};
use crate::store::Result;

/// The user that the request is authenticated as.
#[derive(SimpleObject)]
pub(in crate::graphql) struct Viewer {
    /// The subject of the credentials, or the user that a back end acts for. It is the owner of all data that
    /// the API returns.
    id: ID,
    /// The subject of the back end that acts for the viewer. Null if none does.
    actor: Option<ID>,
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
