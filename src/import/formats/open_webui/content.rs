//! The content of a message of Open WebUI: `output`, or the text of `content` with blocks of `<details>`.

use super::{details, output};
use crate::import::fields::Fields;
use crate::import::format::Format;
use crate::import::formats::block_fields::BlockFields;
use crate::import::formats::content_parts::content_parts;
use crate::import::formats::parts::{has_text, is_copy};
use crate::model::{JsonValue, Part, Role};

/// Takes the parts of a message. Returns also the name of the field that `rest` is about.
pub(super) fn take(fields: &mut Fields, role: Role, rest: &mut BlockFields) -> (Vec<Part>, &'static str) {
    let mut parts = match fields.array("output") {
        Some(items) => output::parts(items, rest),
        None => Vec::new(),
    };
    let has_output = !parts.is_empty();
    match fields.value("content") {
        Some(JsonValue::String(text)) if role != Role::Assistant => parts.push(Part::text(text)),
        // The content is a copy of the output.
        Some(JsonValue::String(content)) if has_output => {
            let texts = details::parts(&content, &mut BlockFields::default());
            let texts = texts.into_iter().filter(|part| matches!(part, Part::Text { .. }));
            match has_text(&parts) {
                false => parts.extend(texts),
                true if texts
                    .into_iter()
                    .all(|part| matches!(&part, Part::Text { text, .. } if is_copy(text, &parts))) => {}
                true => fields.put("content", JsonValue::from(content)),
            }
        }
        Some(JsonValue::String(text)) => {
            parts.extend(details::parts(&text, rest));
            return (parts, "details");
        }
        Some(content) if !has_output => {
            parts.extend(content_parts(Format::OpenWebUi, content, rest));
            return (parts, "content");
        }
        Some(content) => fields.put("content", content),
        None => {}
    }
    (parts, "output")
}
