//! Who is asking.

use async_graphql::{Context, ID, Object, SimpleObject};

use super::context::ContextExt;
use crate::store::Result;

/// The one whose credentials came with the request.
#[derive(SimpleObject)]
pub(super) struct Viewer {
    /// The subject of the credentials.
    id: ID,
}

/// Queries about the viewer.
#[derive(Default)]
pub(super) struct ViewerQuery;

#[Object]
impl ViewerQuery {
    /// Who the credentials say is asking.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Viewer> {
        Ok(Viewer { id: ID::from(ctx.viewer()?.owner.as_str()) })
    }
}
