//! A part of a message of the AI SDK.

use super::{legacy, tool};
use crate::import::fields::Fields;
use crate::import::format::Format;
use crate::import::formats::parts::{
    UNKNOWN_MEDIA_TYPE, block_data, data, file, json, media_type_of_name, take_media_type,
};
use crate::model::{JsonValue, Part, Source};

/// Adds the part at `index`, with all of its fields. Returns whether it was still being written.
pub(super) fn add(index: usize, value: JsonValue, parts: &mut Vec<Part>) -> bool {
    let kind =
        value.as_object().and_then(|fields| fields.get("type")?.as_str()).unwrap_or_default().to_owned();
    let original = value.clone();
    let Some(mut fields) = Fields::of(value) else {
        match original {
            JsonValue::String(text) => parts.push(Part::text(text)),
            other => parts.extend(data(Format::UiMessage, "part", other)),
        }
        return false;
    };
    if kind.is_empty() {
        parts.extend(block_data(Format::UiMessage, original));
        return false;
    }
    let Some(mut part) = part(&kind, index, &mut fields) else {
        parts.push(custom(kind, original));
        return false;
    };
    let is_streaming = fields.get("state").and_then(JsonValue::as_str) == Some("streaming");
    if kind != "dynamic-tool" {
        fields.ignore("type");
    }
    let extra = fields.into_value();
    *part.extra_mut() = extra.as_object().is_some_and(|fields| !fields.is_empty()).then(|| json(&extra));
    parts.push(part);
    is_streaming
}

/// A part of a kind that Scrollback has no type for, such as `step-start`.
fn custom(kind: String, original: JsonValue) -> Part {
    let mut fields = Fields::of(original).unwrap_or_default();
    fields.ignore("type");
    Part::Custom { kind, data: json(&fields.into_value()), extra: None }
}

fn part(kind: &str, index: usize, fields: &mut Fields) -> Option<Part> {
    match kind {
        "text" => fields.text("text").map(Part::text),
        "reasoning" => {
            let text = fields.text("text").or_else(|| fields.text("reasoning"))?;
            Some(Part::reasoning(text))
        }
        "file" => legacy::inline_file(fields).or_else(|| {
            let url = fields.id("url")?;
            let media_type = take_media_type(fields, &["mediaType", "mimeType"]);
            let filename = fields.text("filename").or_else(|| fields.text("name"));
            let mut part = file(url, media_type, filename);
            if let Part::File { media_type, .. } = &mut part
                && let Some(top_level) = top_level_type(fields)
            {
                *media_type = top_level;
            }
            Some(part)
        }),
        "source-url" => web_page(fields),
        "source-document" => document(fields),
        "source" => {
            let mut source = fields.object("source")?;
            let part = web_page(&mut source)?;
            put_rest(fields, "source", source);
            Some(part)
        }
        "dynamic-tool" => {
            let name = fields.id("toolName");
            Some(tool::part(index, name, fields))
        }
        "tool-invocation" => {
            let mut invocation = fields.object("toolInvocation")?;
            let part = legacy::tool(index, &mut invocation);
            put_rest(fields, "toolInvocation", invocation);
            Some(part)
        }
        _ => {
            if let Some(name) = kind.strip_prefix("tool-").filter(|name| !name.is_empty()) {
                return Some(tool::part(index, Some(name.to_owned()), fields));
            }
            let name = kind.strip_prefix("data-").filter(|name| !name.is_empty())?;
            let value = fields.value("data")?;
            Some(Part::Data { name: name.to_owned(), data: json(&value), extra: None })
        }
    }
}

/// Takes a media type without a subtype, which the AI SDK allows: `image`.
fn top_level_type(fields: &mut Fields) -> Option<String> {
    let found = fields.get("mediaType").and_then(JsonValue::as_str)?;
    matches!(found, "application" | "audio" | "font" | "image" | "text" | "video")
        .then(|| fields.text("mediaType"))
        .flatten()
}

/// Keeps what was not taken of an object within the part.
fn put_rest(fields: &mut Fields, name: &str, object: Fields) {
    let rest = object.rest();
    if !rest.is_empty() {
        fields.put(name, JsonValue::Object(rest));
    }
}

fn web_page(fields: &mut Fields) -> Option<Part> {
    let url = fields.id("url")?;
    let source_id = fields.id("sourceId").or_else(|| fields.id("id")).unwrap_or_else(|| url.clone());
    Some(Part::Source(Source::Url {
        source_id,
        url,
        title: fields.text("title").filter(|title| !title.is_empty()),
        extra: None,
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
    Some(Part::Source(Source::Document { source_id, media_type, title, filename, extra: None }))
}
