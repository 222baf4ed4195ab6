//! Input that breaks a rule.

/// A value that broke a rule: which argument, and which rule.
///
/// Displayed as "`first` must be from 1 to 100: 0".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{argument}` {rule}")]
pub struct Invalid {
    /// The argument as the caller named it, with a path where it was nested: `input.messages[2].content`.
    pub argument: String,
    /// The rule and the fault, a fragment that completes "`argument` …".
    pub rule: String,
}

impl Invalid {
    /// `argument` broke `rule`.
    pub fn new(argument: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { argument: argument.into(), rule: rule.into() }
    }

    /// The same fault, found inside `outer`: `content` in `input` becomes `input.content`.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.argument = format!("{outer}.{}", self.argument);
        self
    }
}
