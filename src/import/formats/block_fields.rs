//! The fields of blocks that parts have no place for.

use super::parts::number;
use crate::import::fields::Fields;
use crate::model::{JsonObject, JsonValue};

/// Fields of the blocks of a message, such as their times. They are stored in the metadata of the message, each with the
/// `index` of its block in the source.
#[derive(Debug, Default)]
pub(super) struct BlockFields(Vec<JsonValue>);

impl BlockFields {
    /// Adds what is left of the block at `index`, except for its `type`.
    pub(super) fn add(&mut self, index: usize, mut block: Fields) {
        block.text("type");
        self.add_fields(index, block.rest());
    }

    /// Adds fields to those of the block at `index`.
    pub(super) fn add_fields(&mut self, index: usize, rest: JsonObject) {
        if rest.is_empty() {
            return;
        }
        let mut fields = JsonObject::from([("index".to_owned(), number(index))]);
        fields.extend(rest);
        self.0.push(JsonValue::Object(fields));
    }

    /// Puts them into `metadata` as an array. `name` is that of the blocks in the source.
    pub(super) fn put_into(self, metadata: &mut JsonObject, name: &str) {
        if !self.0.is_empty() {
            metadata.insert(name.to_owned(), JsonValue::Array(self.0));
        }
    }
}
