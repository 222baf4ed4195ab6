//! The files of a message of Claude. The export has only the texts that were extracted from them.

use std::collections::HashSet;

use crate::import::fields::Fields;
use crate::import::format::Format;
use crate::import::formats::block_fields::BlockFields;
use crate::import::formats::parts::{data, file, take_media_type};
use crate::model::{JsonObject, JsonValue, Part};

/// Adds the attachments, each followed by its text, and the files.
pub(super) fn add(fields: &mut Fields, parts: &mut Vec<Part>) {
    for value in fields.array("attachments").unwrap_or_default() {
        attachment(value, parts);
    }
    let mut known = HashSet::new();
    let mut metadata = JsonObject::new();
    for name in ["files", "files_v2"] {
        let mut rest = BlockFields::default();
        for (at, value) in fields.array(name).unwrap_or_default().into_iter().enumerate() {
            uploaded(at, value, (&mut known, &mut rest), parts);
        }
        rest.put_into(&mut metadata, name);
    }
    for (name, value) in metadata {
        fields.put(&name, value);
    }
}

fn attachment(value: JsonValue, parts: &mut Vec<Part>) {
    if value.as_object().is_none() {
        parts.extend(data(Format::Claude, "attachment", value));
        return;
    }
    let Some(mut fields) = Fields::of(value) else { return };
    let text = fields.text("extracted_content");
    parts.extend(data(Format::Claude, "attachment", fields.into_value()));
    parts.extend(text.map(Part::text));
}

/// A file. Newer exports have the same files twice, with other fields.
fn uploaded(
    index: usize,
    value: JsonValue,
    (known, rest): (&mut HashSet<String>, &mut BlockFields),
    parts: &mut Vec<Part>,
) {
    let has = |name: &str| {
        let text = value.as_object().and_then(|fields| fields.get(name)?.as_str());
        text.is_some_and(|text| !text.is_empty())
    };
    if !has("file_uuid") && !has("file_name") {
        parts.extend(data(Format::Claude, "file", value));
        return;
    }
    let Some(mut fields) = Fields::of(value) else { return };
    let (id, name) = (fields.id("file_uuid"), fields.text("file_name"));
    let url = format!("claude:{}", id.as_ref().or(name.as_ref()).map_or("", String::as_str));
    let media_type = take_media_type(&mut fields, &["file_type", "mime_type"]);
    if known.insert(url.clone()) {
        parts.push(file(url, media_type, name));
    } else if let Some(name) = name.filter(|name| !name_file(parts, &url, name)) {
        fields.put("file_name", JsonValue::from(name));
    }
    rest.add(index, fields);
}

/// Names a file that has no name so far. Returns whether the file has that name.
fn name_file(parts: &mut [Part], url: &str, name: &str) -> bool {
    parts.iter_mut().any(|part| match part {
        Part::File { url: known, filename, .. } if known == url => {
            filename.get_or_insert_with(|| name.to_owned()) == name
        }
        _ => false,
    })
}
