//! The token usage of all users, for back ends.

use async_graphql::{Context, ID, Object, SimpleObject};

use super::cursor;
use super::page_info::PageInfo;
use super::scalar::DateTime;
use super::usage_sum::{self, UsageGroup, UsageSum};
use crate::graphql::execution::context::ContextExt;
use crate::graphql::execution::value_size::size_of_objects;
use crate::model::{End, OwnerUsage, Page, Slice};
use crate::store::Result;

/// How many users a page has unless asked otherwise.
pub(in crate::graphql) const DEFAULT_USERS: Page = Page { end: End::First, size: 20 };

/// The token usage of a user.
#[derive(Clone)]
struct UserUsage(OwnerUsage);

/// The token usage of a user.
#[Object]
impl UserUsage {
    /// The user: the subject of their tokens.
    async fn subject(&self) -> ID {
        ID::from(self.0.owner.as_str())
    }

    /// The sums, in the order of days, models and conversations. Without groups there is one sum. With groups the list is
    /// empty if the user has no usage in the period.
    async fn sums(&self, ctx: &Context<'_>) -> Result<Vec<UsageSum>> {
        ctx.memory_budget()?.grow(size_of_objects(ctx, self.0.sums.len())).await?;
        Ok(self.0.sums.iter().cloned().map(UsageSum::from).collect())
    }
}

/// A user's token usage, and its place in the report.
#[derive(SimpleObject)]
struct UsageReportEdge {
    /// Pass it to `usageReport(after:)` to continue after this user.
    cursor: String,
    /// The token usage of the user.
    node: UserUsage,
}

/// A page of the usage report.
struct UsageReportConnection(Slice<OwnerUsage>);

fn cursor_of(usage: &OwnerUsage) -> String {
    cursor::of_owner(&usage.owner)
}

/// A page of the usage report.
#[Object]
impl UsageReportConnection {
    /// The users with their usage, and their places in the report.
    async fn edges(&self) -> Vec<UsageReportEdge> {
        let edge =
            |usage: &OwnerUsage| UsageReportEdge { cursor: cursor_of(usage), node: UserUsage(usage.clone()) };
        self.0.items.iter().map(edge).collect()
    }

    /// The users with their usage.
    async fn nodes(&self) -> Vec<UserUsage> {
        self.0.items.iter().cloned().map(UserUsage).collect()
    }

    /// The place of the page in the report.
    async fn page_info(&self) -> PageInfo {
        PageInfo::of(&self.0, cursor_of)
    }
}

/// The query for the usage of all users.
#[derive(Default)]
pub(in crate::graphql) struct UsageReportQuery;

#[Object]
impl UsageReportQuery {
    /// The token usage of all users, for billing. It has every user that ever wrote something, with or without usage, in a
    /// fixed order. At most 100 at a time. Error FORBIDDEN: the token lacks the scope `scrollback:usage`. Error
    /// BAD_USER_INPUT: the page would have more than 10000 sums; ask for fewer users, fewer groups or a shorter period.
    async fn usage_report(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only messages created at this time or later.")] since: DateTime,
        #[graphql(desc = "Only messages created before this time.")] until: DateTime,
        #[graphql(desc = "One sum for each combination of these. Without: one sum for each user.")] group_by: Option<
            Vec<UsageGroup>,
        >,
        #[graphql(desc = "At most so many users, 1 to 100.", default_with = "Some(20)")] first: Option<i32>,
        #[graphql(desc = "Only users after this cursor.")] after: Option<String>,
    ) -> Result<UsageReportConnection> {
        let (period, groups) = usage_sum::parse(&since, &until, group_by)?;
        let Page { size, .. } = Page::from_arguments(first, None, DEFAULT_USERS)?;
        let after = after.map(|text| cursor::owner("after", &text)).transpose()?;
        Ok(UsageReportConnection(ctx.store()?.usage_report(period, &groups, after, size).await?))
    }
}
