//! The settings of `[federation]`.

use serde::Deserialize;

use super::value;

/// Apollo Federation: the server as a subgraph behind a gateway.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Federation {
    /// Whether the schema has the fields of a subgraph.
    pub enabled: bool,
    /// The most representations of entities in one `_entities`.
    #[serde(deserialize_with = "value::positive")]
    pub representations: u32,
}
