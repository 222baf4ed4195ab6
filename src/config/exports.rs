//! The settings of `[exports]`.

use std::time::Duration;

use serde::Deserialize;

use super::value;

/// Exports over HTTP.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exports {
    /// Whether users can export their conversations.
    pub enabled: bool,
    /// The most exports at once.
    #[serde(deserialize_with = "value::positive")]
    pub at_once: u32,
    /// The most exports of an owner at once.
    #[serde(deserialize_with = "value::positive")]
    pub per_owner: u32,
    /// How long an export may take.
    #[serde(deserialize_with = "value::positive_duration")]
    pub timeout: Duration,
}
