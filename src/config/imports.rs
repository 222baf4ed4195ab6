//! The settings of `[imports]`.

use std::time::Duration;

use serde::Deserialize;

use super::value;

/// Imports over HTTP.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Imports {
    /// Whether users can import conversations.
    pub enabled: bool,
    /// The largest body, in bytes.
    pub bytes: u64,
    /// The most imports at once.
    #[serde(deserialize_with = "value::positive")]
    pub at_once: u32,
    /// The most imports of an owner at once.
    #[serde(deserialize_with = "value::positive")]
    pub per_owner: u32,
    /// How long an import may take.
    #[serde(deserialize_with = "value::positive_duration")]
    pub timeout: Duration,
}
