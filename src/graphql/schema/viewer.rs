//! Who is asking.

use async_graphql::{Context, ID, Object, SimpleObject};

use crate::graphql::execution::context::ContextExt;
use crate::model::{self, OwnerId};
use crate::store::Result;

/// The one whose credentials came with the request.
#[derive(SimpleObject)]
pub(in crate::graphql) struct Viewer {
    /// The subject of the credentials, or the one a back end acts for: the owner of everything here.
    id: ID,
    /// The subject of a back end's credentials that acts for the viewer; null when they ask themselves.
    actor: Option<ID>,
}

/// Queries about the viewer.
#[derive(Default)]
pub(in crate::graphql) struct ViewerQuery;

#[Object]
impl ViewerQuery {
    /// Who the credentials say is asking.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Viewer> {
        let model::Viewer { owner, actor, .. } = ctx.viewer()?;
        let id = |owner: &OwnerId| ID::from(owner.as_str());
        Ok(Viewer { id: id(owner), actor: actor.as_ref().map(id) })
    }
}
