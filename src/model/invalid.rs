//! Invalid input.

/// An invalid value: the argument and the rule that it breaks.
///
/// Displayed as "`first` must be between 1 and 100, got 0".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{argument}` {rule}")]
pub struct Invalid {
    /// The argument with its path, for example `input.messages[2].content`.
    pub argument: String,
    /// The rule, and the invalid value or size. It completes the sentence "`argument` …".
    pub rule: String,
}

impl Invalid {
    /// `argument` breaks `rule`.
    pub fn new(argument: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { argument: argument.into(), rule: rule.into() }
    }

    /// The same error with a longer path: `content` in `input` becomes `input.content`.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.argument = format!("{outer}.{}", self.argument);
        self
    }
}
