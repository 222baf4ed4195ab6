//! The settings of `[limits]`.

use serde::Deserialize;

use super::value;

/// Limits of a request.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The bytes of a document.
    #[serde(deserialize_with = "value::positive")]
    pub document_bytes: u32,
    /// The tokens of a document.
    #[serde(deserialize_with = "value::positive")]
    pub tokens: u32,
    /// The nesting of brackets, selections and values.
    #[serde(deserialize_with = "value::nesting")]
    pub nesting: u32,
    /// The fragments of a document.
    #[serde(deserialize_with = "value::positive")]
    pub fragments: u32,
    /// The aliases in a document.
    #[serde(deserialize_with = "value::positive")]
    pub aliases: u32,
    /// The directives in a document.
    #[serde(deserialize_with = "value::positive")]
    pub directives: u32,
    /// The root fields of an operation.
    #[serde(deserialize_with = "value::positive")]
    pub root_fields: u32,
    /// The variables that an operation declares.
    #[serde(deserialize_with = "value::positive")]
    pub variables: u32,
    /// The values of all variables.
    #[serde(deserialize_with = "value::positive")]
    pub values: u32,
    /// The depth of fields.
    #[serde(deserialize_with = "value::positive")]
    pub depth: u32,
    /// The depth of fields within `__schema` and `__type`.
    #[serde(deserialize_with = "value::positive")]
    pub introspection_depth: u32,
    /// The depth of lists within `__schema` and `__type`.
    #[serde(deserialize_with = "value::positive")]
    pub introspection_lists: u32,
    /// The selections of a document with its fragments expanded.
    #[serde(deserialize_with = "value::positive")]
    pub selections: u32,
    /// The cost of an operation.
    #[serde(deserialize_with = "value::positive")]
    pub cost: u32,
    /// The bytes of a response.
    #[serde(deserialize_with = "value::positive")]
    pub answer_bytes: u32,
    /// The bytes of a message's content, and of the JSON of its parts.
    #[serde(deserialize_with = "value::message_bytes")]
    pub message_bytes: u32,
    /// The bytes of metadata as JSON.
    #[serde(deserialize_with = "value::metadata_bytes")]
    pub metadata_bytes: u32,
}
