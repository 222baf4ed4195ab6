//! The settings of `[retention]`.

use std::time::Duration;

use serde::Deserialize;

use super::value;

/// How long conversations are kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// How long conversations stay in the trash. `None`: for ever.
    #[serde(deserialize_with = "value::duration_or_never")]
    pub trash: Option<Duration>,
    /// How long conversations without activity are kept. `None`: for ever.
    #[serde(deserialize_with = "value::positive_duration_or_never")]
    pub inactive: Option<Duration>,
    /// What happens to conversations without activity.
    pub inactive_action: InactiveAction,
    /// The interval at which conversations that are not kept are looked for.
    #[serde(deserialize_with = "value::positive_duration")]
    pub check: Duration,
}

/// What happens to conversations without activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InactiveAction {
    /// They are deleted for good.
    Delete,
    /// They are archived.
    Archive,
}
