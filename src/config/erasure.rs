//! The settings of `[erasure]`.

use std::time::Duration;

use serde::Deserialize;

use super::value;

/// Erasure of users.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    /// How long after an erasure writes of the user are refused.
    #[serde(deserialize_with = "value::duration")]
    pub settle: Duration,
}
