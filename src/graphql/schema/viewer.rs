//! The viewer.

use async_graphql::{ComplexObject, Context, ID, Object, SimpleObject};

use super::scalar::DateTime;
use super::usage_sum::{self, UsageGroup, UsageSum};
use crate::graphql::execution::context::ContextExt;
use crate::graphql::execution::value_size::size_of_objects;
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

impl From<&model::Viewer> for Viewer {
    fn from(viewer: &model::Viewer) -> Self {
        let id = |owner: &OwnerId| ID::from(owner.as_str());
        Self { id: id(&viewer.owner), actor: viewer.actor.as_ref().map(id) }
    }
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

    /// Sums of the token usage of the viewer's messages, in the order of days, models and conversations. Error
    /// BAD_USER_INPUT: there would be more than 10000 sums; ask for fewer groups or a shorter period.
    async fn usage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only messages created at this time or later.")] since: DateTime,
        #[graphql(desc = "Only messages created before this time.")] until: DateTime,
        #[graphql(desc = "One sum for each combination of these. Without: one sum of everything.")]
        group_by: Option<Vec<UsageGroup>>,
    ) -> Result<Vec<UsageSum>> {
        let (period, groups) = usage_sum::parse(&since, &until, group_by)?;
        let sums = ctx.store()?.usage(period, &groups).await?;
        ctx.memory_budget()?.grow(size_of_objects(ctx, sums.len())).await?;
        Ok(sums.into_iter().map(UsageSum::from).collect())
    }
}

/// Queries about the viewer.
#[derive(Default)]
pub(in crate::graphql) struct ViewerQuery;

#[Object]
impl ViewerQuery {
    /// The user that the request is authenticated as.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Viewer> {
        Ok(ctx.viewer()?.into())
    }
}
