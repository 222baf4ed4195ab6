//! A part of a message of the AI SDK.

use super::{legacy, tool};
use crate::import::fields::Fields;
use crate::import::format::Format;
use crate::import::formats::block_fields::BlockFields;
use crate::import::formats::parts::{
    UNKNOWN_MEDIA_TYPE, block_data, data, file, json, media_type_of_name, take_media_type,
};
use crate::model::{JsonValue, Part, Source};

/// Adds the part at `index`. Returns whether it was still being written.
pub(super) fn add(index: usize, value: JsonValue, parts: &mut Vec<Part>, rest: &mut BlockFields) -> bool {
    let kind =
        value.as_object().and_then(|fields| fields.get("type")?.as_str()).unwrap_or_default().to_owned();
    let original = value.clone();
    let Some(mut fields) = Fields::of(value) else {
        match original {
            JsonValue::String(text) => parts.push(Part::Text { text }),
            other => parts.extend(data(Format::UiMessage, "part", other)),
        }
        return false;
    };
    if kind == "step-start" {
        fields.put("step", JsonValue::from("start"));
        rest.add(index, fields);
        return false;
    }
    match part(&kind, index, &mut fields) {
        Some(part) => parts.push(part),
        None => {
            parts.extend(block_data(Format::UiMessage, original));
            return false;
        }
    }
    let state = fields.get("state").and_then(JsonValue::as_str);
    let is_streaming = state == Some("streaming");
    if state == Some("done") {
        fields.ignore("state");
    }
    rest.add(index, fields);
    is_streaming
}

fn part(kind: &str, index: usize, fields: &mut Fields) -> Option<Part> {
    match kind {
        "text" => fields.text("text").map(|text| Part::Text { text }),
        "reasoning" => {
            let text = fields.text("text").or_else(|| fields.text("reasoning"))?;
            Some(Part::Reasoning { text })
        }
        "file" => legacy::inline_file(fields).or_else(|| {
            let url = fields.id("url")?;
            let media_type = take_media_type(fields, &["mediaType", "mimeType"]);
            let filename = fields.text("filename").or_else(|| fields.text("name"));
            Some(file(url, media_type, filename))
        }),
        "source-url" => web_page(fields),
        "source-document" => document(fields),
        "source" => {
            let mut source = fields.object("source")?;
            let part = web_page(&mut source)?;
            fields.put("source", JsonValue::Object(source.rest()));
            Some(part)
        }
        "dynamic-tool" => {
            let name = fields.id("toolName");
            fields.put("dynamic", JsonValue::Boolean(true));
            Some(tool::part(index, name, fields))
        }
        "tool-invocation" => {
            let mut invocation = fields.object("toolInvocation")?;
            let part = legacy::tool(index, &mut invocation);
            fields.put("toolInvocation", JsonValue::Object(invocation.rest()));
            Some(part)
        }
        _ => {
            if let Some(name) = kind.strip_prefix("tool-").filter(|name| !name.is_empty()) {
                return Some(tool::part(index, Some(name.to_owned()), fields));
            }
            let name = kind.strip_prefix("data-").filter(|name| !name.is_empty())?;
            let value = fields.value("data")?;
            Some(Part::Data { name: name.to_owned(), data: json(&value) })
        }
    }
}

fn web_page(fields: &mut Fields) -> Option<Part> {
    let url = fields.id("url")?;
    let source_id = fields.id("sourceId").or_else(|| fields.id("id")).unwrap_or_else(|| url.clone());
    Some(Part::Source(Source::Url {
        source_id,
        url,
        title: fields.text("title").filter(|title| !title.is_empty()),
    }))
}

fn document(fields: &mut Fields) -> Option<Part> {
    let (title, filename) = (fields.text("title"), fields.text("filename"));
    let guessed = || {
        let name = filename.as_deref().or(title.as_deref())?;
        media_type_of_name(name).map(str::to_owned)
    };
    let media_type = take_media_type(fields, &["mediaType"])
        .or_else(guessed)
        .unwrap_or_else(|| UNKNOWN_MEDIA_TYPE.to_owned());
    let source_id = fields.id("sourceId").or_else(|| filename.clone()).or_else(|| title.clone());
    let source_id = source_id.filter(|id| !id.is_empty())?;
    Some(Part::Source(Source::Document { source_id, media_type, title, filename }))
}
