//! Items before they have an id.

use std::ops::Range;

use crate::model::JsonObject;

/// An item without its id.
pub(super) struct ItemDraft {
    /// The prefix of its id.
    pub(super) prefix: &'static str,
    pub(super) fields: JsonObject,
    /// The parts that it is made of.
    pub(super) parts: Range<usize>,
}

impl ItemDraft {
    /// The item of one part.
    pub(super) fn new(prefix: &'static str, part: usize, fields: JsonObject) -> Self {
        Self { prefix, fields, parts: part..part + 1 }
    }
}
