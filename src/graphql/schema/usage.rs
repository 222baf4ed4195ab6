//! Token usage.

use async_graphql::{InputObject, SimpleObject};

use crate::graphql::execution::json_writer::{write_display, write_option};
use crate::graphql::execution::selection_plan::{FieldWriter, ObjectWriter};
use crate::model::{self, Invalid};

/// Token counts, as the model's provider reported them. Null if it did not report a count.
#[derive(SimpleObject)]
pub(in crate::graphql) struct TokenUsage {
    /// Tokens of the input.
    input_tokens: Option<i32>,
    /// Tokens of the output.
    output_tokens: Option<i32>,
    /// Tokens in total, as the provider reported them.
    total_tokens: Option<i32>,
    /// Tokens of the input that the provider read from its cache.
    cached_input_tokens: Option<i32>,
    /// Tokens of the output that are reasoning.
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

/// The writers of token counts.
pub(in crate::graphql) const TOKEN_USAGE: ObjectWriter<model::TokenUsage> = ObjectWriter {
    name: "TokenUsage",
    belongs_to: &[],
    field: |name| {
        Some(FieldWriter::Leaf(match name {
            "inputTokens" => |out, usage| write_number(out, usage.input_tokens),
            "outputTokens" => |out, usage| write_number(out, usage.output_tokens),
            "totalTokens" => |out, usage| write_number(out, usage.total_tokens),
            "cachedInputTokens" => |out, usage| write_number(out, usage.cached_input_tokens),
            "reasoningTokens" => |out, usage| write_number(out, usage.reasoning_tokens),
            _ => return None,
        }))
    },
};

fn write_number(out: &mut Vec<u8>, number: Option<i32>) -> bool {
    write_option(out, number, |out, number| write_display(out, &number))
}

/// Token counts, as the model's provider reported them. They must not be negative and need not add up.
#[derive(InputObject)]
pub(in crate::graphql) struct TokenUsageInput {
    /// Tokens of the input.
    input_tokens: Option<i32>,
    /// Tokens of the output.
    output_tokens: Option<i32>,
    /// Tokens in total, as the provider reported them.
    total_tokens: Option<i32>,
    /// Tokens of the input that the provider read from its cache.
    cached_input_tokens: Option<i32>,
    /// Tokens of the output that are reasoning.
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
