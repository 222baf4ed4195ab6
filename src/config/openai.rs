//! The settings of `[openai]`.

use serde::Deserialize;

/// Conversations for the packages of OpenAI.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenAi {
    /// Whether `/v1/conversations` is served.
    pub enabled: bool,
}
