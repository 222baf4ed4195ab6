//! Sums of token usage.

use super::{ConversationId, Invalid, OwnerId, Timestamp};

/// The most sums that one query returns.
pub const MAX_USAGE_SUMS: usize = 10_000;

/// What usage is summed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageGroup {
    /// One sum for each model.
    Model,
    /// One sum for each day in UTC.
    Day,
    /// One sum for each conversation.
    Conversation,
}

/// Messages created at `since` or later and before `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsagePeriod {
    since: Timestamp,
    until: Timestamp,
}

impl UsagePeriod {
    /// Checks that the period is not empty.
    ///
    /// # Errors
    /// `until` is not after `since`.
    pub fn new(since: Timestamp, until: Timestamp) -> Result<Self, Invalid> {
        if since < until {
            return Ok(Self { since, until });
        }
        Err(Invalid::new("until", format!("must be after `since` ({since}), got {until}")))
    }

    /// The first time in it.
    pub fn since(self) -> Timestamp {
        self.since
    }

    /// The first time after it.
    pub fn until(self) -> Timestamp {
        self.until
    }
}

/// The usage of messages that belong together. Messages without a count add nothing to its sum.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageSum {
    /// The model. `None` if it is not a group, or for messages without a model.
    pub model: Option<String>,
    /// The beginning of the day in UTC. `None` if it is not a group.
    pub day: Option<Timestamp>,
    /// The conversation. `None` if it is not a group, or for deleted messages.
    pub conversation: Option<ConversationId>,
    /// Messages with a usage.
    pub message_count: i64,
    /// Tokens of the inputs.
    pub input_tokens: i64,
    /// Tokens of the outputs.
    pub output_tokens: i64,
    /// Tokens in total, as providers reported them.
    pub total_tokens: i64,
    /// Tokens of the inputs that providers read from their caches.
    pub cached_input_tokens: i64,
    /// Tokens of the outputs that are reasoning.
    pub reasoning_tokens: i64,
}

/// The usage of one owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerUsage {
    /// The owner.
    pub owner: OwnerId,
    /// Its sums, in the order of days, models and conversations.
    pub sums: Vec<UsageSum>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_has_a_beginning_before_its_end() {
        let (one, two) = (Timestamp(1), Timestamp(2));
        assert_eq!(UsagePeriod::new(one, two), Ok(UsagePeriod { since: one, until: two }));
        for until in [Timestamp(0), one] {
            let error = UsagePeriod::new(one, until).unwrap_err();
            assert_eq!(error.argument, "until");
            assert!(error.to_string().starts_with("`until` must be after `since` (1970-01-01T"), "{error}");
        }
    }
}
