//! Sums of token usage.

use async_graphql::{Enum, ID, SimpleObject};

use super::scalar::{DateTime, WholeFloat};
use crate::model::{self, Invalid, UsagePeriod};

/// What token usage is summed by.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "model::UsageGroup")]
pub(in crate::graphql) enum UsageGroup {
    /// One sum for each model.
    Model,
    /// One sum for each day, in UTC.
    Day,
    /// One sum for each conversation.
    Conversation,
}

/// The sum of the token usage of messages, as their writers reported it. It includes messages on all branches, and deleted
/// messages and conversations, because their tokens were used. A message counts at the time when it was created. Messages
/// without usage do not count. A count that a provider did not report adds nothing.
#[derive(SimpleObject)]
pub(in crate::graphql) struct UsageSum {
    /// The model. Null if `groupBy` does not have MODEL, or for messages without a model.
    model: Option<String>,
    /// The beginning of the day, in UTC. Null if `groupBy` does not have DAY.
    day: Option<DateTime>,
    /// The conversation. Null if `groupBy` does not have CONVERSATION, or for deleted messages and conversations.
    conversation_id: Option<ID>,
    /// The number of messages that have a usage.
    message_count: i64,
    /// Tokens of the inputs. A whole number, exact up to 2^53.
    input_tokens: WholeFloat,
    /// Tokens of the outputs. A whole number, exact up to 2^53.
    output_tokens: WholeFloat,
    /// Tokens in total, as providers reported them. A whole number, exact up to 2^53.
    total_tokens: WholeFloat,
    /// Tokens of the inputs that providers read from their caches. A whole number, exact up to 2^53.
    cached_input_tokens: WholeFloat,
    /// Tokens of the outputs that are reasoning. A whole number, exact up to 2^53.
    reasoning_tokens: WholeFloat,
}

impl From<model::UsageSum> for UsageSum {
    fn from(sum: model::UsageSum) -> Self {
        Self {
            model: sum.model,
            day: sum.day.map(DateTime),
            conversation_id: sum.conversation.map(|id| ID::from(id.0)),
            message_count: sum.message_count,
            input_tokens: WholeFloat(sum.input_tokens),
            output_tokens: WholeFloat(sum.output_tokens),
            total_tokens: WholeFloat(sum.total_tokens),
            cached_input_tokens: WholeFloat(sum.cached_input_tokens),
            reasoning_tokens: WholeFloat(sum.reasoning_tokens),
        }
    }
}

/// Parses the arguments that select sums.
pub(in crate::graphql) fn parse(
    since: &DateTime,
    until: &DateTime,
    group_by: Option<Vec<UsageGroup>>,
) -> Result<(UsagePeriod, Vec<model::UsageGroup>), Invalid> {
    let groups = group_by.unwrap_or_default().into_iter().map(Into::into).collect();
    Ok((UsagePeriod::new(since.0, until.0)?, groups))
}
