//! The settings of `[audit]`.

use std::time::Duration;

use serde::Deserialize;

use super::value;

/// The audit log.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// How long entries are kept. `None`: for ever.
    #[serde(deserialize_with = "value::positive_duration_or_never")]
    pub keep: Option<Duration>,
}
