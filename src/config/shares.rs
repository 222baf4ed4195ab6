//! The settings of `[shares]`.

use std::num::NonZeroU32;

use serde::Deserialize;

use super::value;

/// Shares: copies of branches that anybody with the secret can read.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shares {
    /// Whether branches can be shared, and shares be read.
    pub enabled: bool,
    /// The most messages of a share.
    #[serde(deserialize_with = "value::positive")]
    pub messages: u32,
    /// The most bytes of a share.
    #[serde(deserialize_with = "value::positive")]
    pub bytes: u32,
    /// The most shares of a conversation.
    #[serde(deserialize_with = "value::positive")]
    pub per_conversation: u32,
    /// Whether a share can be read while the conversation is in the trash.
    pub while_trashed: bool,
    /// Whether the page shows images of other hosts.
    pub images: bool,
    /// How often an address may read shares, per minute. `None`: as often as it likes.
    #[serde(deserialize_with = "value::limit")]
    pub views_per_minute: Option<NonZeroU32>,
}
