//! What a model spent on a message.

use async_graphql::{InputObject, SimpleObject};

use crate::model::{self, Invalid};

/// Tokens, as the model's provider counted them; null where it did not tell.
#[derive(SimpleObject)]
pub(in crate::graphql) struct TokenUsage {
    /// Given to the model.
    input_tokens: Option<i32>,
    /// Written by the model.
    output_tokens: Option<i32>,
    /// Both, as the provider added them up.
    total_tokens: Option<i32>,
    /// Of the input, what the provider had kept from an earlier call.
    cached_input_tokens: Option<i32>,
    /// Of the output, what the model thought and did not say.
    reasoning_tokens: Option<i32>,
}

impl From<model::TokenUsage> for TokenUsage {
    fn from(usage: model::TokenUsage) -> Self {
        let model::TokenUsage {
            input_tokens,
            output_tokens,
            total_tokens,
            cached_input_tokens,
            reasoning_tokens,
        } = usage;
        Self { input_tokens, output_tokens, total_tokens, cached_input_tokens, reasoning_tokens }
    }
}

/// Tokens, as the model's provider counted them. None is negative; they need not add up.
#[derive(InputObject)]
pub(in crate::graphql) struct TokenUsageInput {
    /// Given to the model.
    input_tokens: Option<i32>,
    /// Written by the model.
    output_tokens: Option<i32>,
    /// Both, as the provider added them up.
    total_tokens: Option<i32>,
    /// Of the input, what the provider had kept from an earlier call.
    cached_input_tokens: Option<i32>,
    /// Of the output, what the model thought and did not say.
    reasoning_tokens: Option<i32>,
}

impl TokenUsageInput {
    pub(in crate::graphql) fn parse(self, argument: &str) -> Result<model::TokenUsage, Invalid> {
        let Self { input_tokens, output_tokens, total_tokens, cached_input_tokens, reasoning_tokens } = self;
        let usage = model::TokenUsage {
            input_tokens,
            output_tokens,
            total_tokens,
            cached_input_tokens,
            reasoning_tokens,
        };
        usage.check(argument)
    }
}
