//! The window of a conversation that fits a model: what it is made of, and how tool calls hold messages together.

mod tool_link;

use super::{Invalid, Message};
pub use tool_link::{ToolCallId, ToolLink, ToolLinks};

/// Most tokens that a window may be asked for.
pub const MAX_CONTEXT_TOKENS: i64 = 10_000_000;

/// How text is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tokenizer {
    /// The byte-pair encoding `o200k_base`.
    O200kBase,
    /// The byte-pair encoding `cl100k_base`.
    Cl100kBase,
    /// Bytes of UTF-8 divided by four, rounded up.
    Estimate,
}

impl Tokenizer {
    /// All tokenizers.
    pub const ALL: [Self; 3] = [Self::O200kBase, Self::Cl100kBase, Self::Estimate];

    /// The number that stands for it in the database. Never changed once released.
    pub fn code(self) -> i16 {
        match self {
            Self::O200kBase => 1,
            Self::Cl100kBase => 2,
            Self::Estimate => 3,
        }
    }
}

/// The largest number of tokens that a window may have: 1 to [`MAX_CONTEXT_TOKENS`].
///
/// # Errors
/// Out of range; names `maxTokens`.
pub fn check_max_tokens(tokens: i32) -> Result<i64, Invalid> {
    let tokens = i64::from(tokens);
    if (1..=MAX_CONTEXT_TOKENS).contains(&tokens) {
        return Ok(tokens);
    }
    let rule = format!("must be between 1 and {MAX_CONTEXT_TOKENS}, got {tokens}");
    Err(Invalid::new("maxTokens", rule))
}

/// The messages of a branch that fit a model's window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextWindow {
    /// Oldest first.
    pub messages: Vec<Message>,
    /// Of all of them.
    pub token_count: i64,
    /// What was left out. None where nobody asked for it.
    pub omitted: Option<ContextOmission>,
}

/// The messages of a branch that are not in a window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContextOmission {
    /// How many there are.
    pub message_count: i64,
    /// Of all of them.
    pub token_count: i64,
    /// Where they are, oldest first.
    pub ranges: Vec<PositionRange>,
}

/// Messages that follow each other on a branch, from one position to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionRange {
    /// The position of the oldest message.
    pub first: i64,
    /// The position of the newest message.
    pub last: i64,
}
