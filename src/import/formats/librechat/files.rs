//! The files of a message of LibreChat.

use crate::import::fields::Fields;
use crate::import::format::Format;
use crate::import::formats::block_fields::BlockFields;
use crate::import::formats::parts::{data, file, take_media_type};
use crate::model::{JsonObject, Part};

/// Adds `files` and `attachments`. Attachments without a file, such as results of a search, become data.
pub(super) fn add(fields: &mut Fields, parts: &mut Vec<Part>) {
    let mut metadata = JsonObject::new();
    for (name, kind) in [("files", "file"), ("attachments", "attachment")] {
        let mut rest = BlockFields::default();
        for (at, value) in fields.array(name).unwrap_or_default().into_iter().enumerate() {
            let original = value.clone();
            let found = Fields::of(value).and_then(|mut fields| Some((file_part(&mut fields)?, fields)));
            match found {
                Some((part, fields)) => {
                    parts.push(part);
                    rest.add_fields(at, fields.rest());
                }
                None => {
                    let named = original.as_object().and_then(|fields| fields.get("type")?.as_str());
                    let kind = named.filter(|named| !named.contains('/')).unwrap_or(kind).to_owned();
                    parts.extend(data(Format::LibreChat, &kind, original));
                }
            }
        }
        rest.put_into(&mut metadata, name);
    }
    for (name, value) in metadata {
        fields.put(&name, value);
    }
}

/// A file, by its path or its id. `None`: it has neither.
pub(super) fn file_part(fields: &mut Fields) -> Option<Part> {
    let url = match fields.id("filepath") {
        Some(path) => path,
        None => format!("librechat:{}", fields.id("file_id")?),
    };
    let media_type = take_media_type(fields, &["type"]);
    Some(file(url, media_type, fields.text("filename")))
}
