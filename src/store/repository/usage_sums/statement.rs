//! The statement that sums token usage.
//!
//! On both databases the index `message_usage` has everything that it reads of a message, so it reads no messages.

use sea_orm::sea_query::{Expr, ExprTrait, Func, Query, SelectStatement, UnionType};
use sea_orm::{ColumnTrait, DbBackend, FromQueryResult};

use crate::model::{ConversationId, MAX_USAGE_SUMS, OwnerId, Timestamp, UsageGroup, UsagePeriod, UsageSum};
use crate::store::entity::{deleted_usage, message};
use crate::store::repository::deleted_usage::{COUNTS, count, sum, usage_of_message};

/// The length of a day, in microseconds.
const DAY: i64 = 86_400_000_000;

/// The names of columns in the statement. Those of the counts are the names in `deleted_usage`.
const OWNER: &str = "owner_id";
const DAY_NUMBER: &str = "day";
const MODEL: &str = "model";
const CONVERSATION: &str = "conversation";
const MESSAGES: &str = "message_count";
const USAGE: &str = "usage";

/// The subquery that reads messages.
const READ: &str = "read";

/// The sum of a group of an owner.
#[derive(FromQueryResult)]
pub(super) struct SumRow {
    pub(super) owner_id: OwnerId,
    /// Days since 1970-01-01.
    day: Option<i64>,
    model: Option<String>,
    conversation: Option<ConversationId>,
    message_count: i64,
    input_tokens: i64,
    output_tokens: i64,
    total_tokens: i64,
    cached_input_tokens: i64,
    reasoning_tokens: i64,
}

impl From<SumRow> for UsageSum {
    fn from(row: SumRow) -> Self {
        Self {
            model: row.model,
            day: row.day.map(|day| Timestamp(day * DAY)),
            conversation: row.conversation,
            message_count: row.message_count,
            input_tokens: row.input_tokens,
            output_tokens: row.output_tokens,
            total_tokens: row.total_tokens,
            cached_input_tokens: row.cached_input_tokens,
            reasoning_tokens: row.reasoning_tokens,
        }
    }
}

/// What to sum.
#[derive(Clone, Copy)]
pub(super) struct SumStatement<'a> {
    pub(super) backend: DbBackend,
    pub(super) owners: &'a [OwnerId],
    pub(super) period: UsagePeriod,
    pub(super) groups: &'a [UsageGroup],
}

impl SumStatement<'_> {
    /// Selects the [`SumRow`]s, at most one more than [`MAX_USAGE_SUMS`].
    pub(super) fn select(self) -> SelectStatement {
        let used = self.messages().union(UnionType::All, self.deleted_messages()).take();
        let mut select = Query::select();
        select.columns([OWNER, DAY_NUMBER, MODEL, CONVERSATION]);
        select.expr_as(sum(Expr::col(MESSAGES)), MESSAGES);
        for (_, column) in COUNTS {
            select.expr_as(sum(Expr::col(column)), column);
        }
        select
            .from_subquery(used, "used")
            .group_by_columns([OWNER, DAY_NUMBER, MODEL, CONVERSATION])
            .limit(MAX_USAGE_SUMS as u64 + 1)
            .take()
    }

    /// Selects the sums of messages. They are added up before the union: then SQLite reads the index in its order.
    fn messages(self) -> SelectStatement {
        let created_at = message::Column::CreatedAt;
        let mut read = Query::select();
        read.column((message::Entity, message::Column::OwnerId))
            .expr_as(created_at.into_expr().div(DAY), DAY_NUMBER)
            .column((message::Entity, message::Column::Model))
            .expr_as(message::Column::ConversationId.into_expr(), CONVERSATION)
            .expr_as(usage_of_message(self.backend), USAGE)
            .from(message::Entity)
            .and_where(message::Column::OwnerId.is_in(self.owners.iter().cloned()))
            .and_where(created_at.gte(self.period.since()))
            .and_where(created_at.lt(self.period.until()))
            .and_where(message::Column::Usage.is_not_null());
        if self.backend == DbBackend::Postgres {
            // Without OFFSET, PostgreSQL would parse the JSON once for each count.
            read.offset(0);
        }
        let mut select = Query::select();
        select
            .column(OWNER)
            .expr_as(self.day(Expr::col(DAY_NUMBER)), DAY_NUMBER)
            .expr_as(self.model(Expr::col(MODEL)), MODEL)
            .expr_as(self.conversation(Expr::col(CONVERSATION)), CONVERSATION)
            .expr_as(Func::count(Expr::col(OWNER)), MESSAGES);
        for (key, column) in COUNTS {
            select.expr_as(sum(count(Expr::col(USAGE), key)), column);
        }
        let groups = [
            (DAY_NUMBER, UsageGroup::Day),
            (MODEL, UsageGroup::Model),
            (CONVERSATION, UsageGroup::Conversation),
        ];
        let groups = groups.into_iter().filter(|(_, group)| self.is_by(*group)).map(|(column, _)| column);
        select.from_subquery(read, READ).group_by_col((READ, OWNER));
        select.group_by_columns(groups.map(|column| (READ, column))).take()
    }

    /// Selects the same of what is kept of deleted messages.
    fn deleted_messages(self) -> SelectStatement {
        let created_at = deleted_usage::Column::CreatedAt;
        let model = Func::cust("nullif").args([deleted_usage::Column::Model.into_expr(), Expr::val("")]);
        let mut select = Query::select();
        select
            .column((deleted_usage::Entity, deleted_usage::Column::OwnerId))
            .expr_as(self.day(created_at.into_expr().div(DAY)), DAY_NUMBER)
            .expr_as(self.model(model.into()), MODEL)
            .expr_as(null("uuid"), CONVERSATION)
            .column((deleted_usage::Entity, deleted_usage::Column::MessageCount));
        for (_, column) in COUNTS {
            select.column((deleted_usage::Entity, column));
        }
        select
            .from(deleted_usage::Entity)
            .and_where(deleted_usage::Column::OwnerId.is_in(self.owners.iter().cloned()))
            .and_where(created_at.gte(self.period.since()))
            .and_where(created_at.lt(self.period.until()))
            .take()
    }

    fn day(self, number: Expr) -> Expr {
        if self.is_by(UsageGroup::Day) { number } else { null("bigint") }
    }

    fn model(self, model: Expr) -> Expr {
        if self.is_by(UsageGroup::Model) { model } else { null("text") }
    }

    fn conversation(self, id: Expr) -> Expr {
        if self.is_by(UsageGroup::Conversation) { id } else { null("uuid") }
    }

    fn is_by(self, group: UsageGroup) -> bool {
        self.groups.contains(&group)
    }
}

/// The value of what is not a group.
fn null(of_type: &'static str) -> Expr {
    Expr::null().cast_as(of_type)
}
