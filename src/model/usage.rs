//! Token usage.

use serde::{Deserialize, Serialize};

use super::Invalid;

/// Token counts as the model's provider reported them. They are not computed here and need not add up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenUsage {
    /// Tokens of the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<i32>,
    /// Tokens of the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<i32>,
    /// Tokens in total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_tokens: Option<i32>,
    /// Tokens of the input that the provider read from its cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input_tokens: Option<i32>,
    /// Tokens of the output that are reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<i32>,
}

impl TokenUsage {
    /// Checks that no count is negative. Errors name `argument` with the path: `usage.inputTokens`.
    ///
    /// # Errors
    /// A count is negative.
    pub fn check(self, argument: &str) -> Result<Self, Invalid> {
        let counts = [
            ("inputTokens", self.input_tokens),
            ("outputTokens", self.output_tokens),
            ("totalTokens", self.total_tokens),
            ("cachedInputTokens", self.cached_input_tokens),
            ("reasoningTokens", self.reasoning_tokens),
        ];
        for (name, count) in counts {
            if let Some(count) = count.filter(|count| *count < 0) {
                return Err(Invalid::new(name, format!("must not be negative, got {count}")).within(argument));
            }
        }
        Ok(self)
    }

    /// The compact JSON for the database.
    pub fn to_json(self) -> String {
        #[expect(clippy::expect_used, reason = "every key is a string")]
        serde_json::to_string(&self).expect("a usage can be written as JSON")
    }

    /// A usage from a row of the database. `None` if it was not written by [`TokenUsage::to_json`].
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_count_is_negative() {
        let usage =
            TokenUsage { input_tokens: Some(0), reasoning_tokens: Some(i32::MAX), ..TokenUsage::default() };
        assert_eq!(usage.check("usage"), Ok(usage));
        let error = TokenUsage { cached_input_tokens: Some(-1), ..usage }.check("usage").unwrap_err();
        assert_eq!(error.to_string(), "`usage.cachedInputTokens` must not be negative, got -1");
    }

    #[test]
    fn its_json_holds_what_was_given() {
        let usage = TokenUsage { input_tokens: Some(7), output_tokens: Some(0), ..TokenUsage::default() };
        assert_eq!(usage.to_json(), r#"{"inputTokens":7,"outputTokens":0}"#);
        for usage in [usage, TokenUsage::default()] {
            assert_eq!(TokenUsage::from_json(&usage.to_json()), Some(usage));
        }
        assert_eq!(TokenUsage::from_json(r#"{"inputTokens":"7"}"#), None);
    }
}
