//! The files and the sources of a message of Open WebUI.

use crate::import::fields::Fields;
use crate::import::format::Format;
use crate::import::formats::block_fields::BlockFields;
use crate::import::formats::parts::{
    UNKNOWN_MEDIA_TYPE, data, file, media_type_of_name, take_media_type, web_source,
};
use crate::model::{JsonObject, JsonValue, Part, Source};

/// Adds the files. What else is known about them, such as their texts, stays in the metadata.
pub(super) fn add(fields: &mut Fields, parts: &mut Vec<Part>) {
    let mut rest = BlockFields::default();
    for (at, value) in fields.array("files").unwrap_or_default().into_iter().enumerate() {
        match file_of(value.clone()) {
            Some((part, fields)) => {
                parts.push(part);
                rest.add_fields(at, fields.rest());
            }
            None => {
                let kind = value
                    .as_object()
                    .and_then(|fields| fields.get("type")?.as_str())
                    .unwrap_or("file")
                    .to_owned();
                parts.extend(data(Format::OpenWebUi, &kind, value));
            }
        }
    }
    let mut metadata = JsonObject::new();
    rest.put_into(&mut metadata, "files");
    metadata.into_iter().for_each(|(name, value)| fields.put(&name, value));
}

/// A file with its address, or else its id, and what is left of it. `None`: it is another thing, such as a collection.
pub(super) fn file_of(value: JsonValue) -> Option<(Part, Fields)> {
    if let Some(url) = value.as_str().filter(|url| !url.is_empty()) {
        return Some((file(url.to_owned(), None, None), Fields::default()));
    }
    let mut fields = Fields::of(value)?;
    let kind = fields.get("type").and_then(JsonValue::as_str).unwrap_or("file");
    if !matches!(kind, "image" | "file" | "doc" | "audio" | "video") {
        return None;
    }
    let text = |path: &[&str]| {
        let (first, others) = path.split_first()?;
        let value =
            others.iter().try_fold(fields.get(first)?, |value, name| value.as_object()?.get(*name))?;
        value.as_str().map(str::to_owned)
    };
    let inner_media_type = text(&["file", "meta", "content_type"]);
    let inner_name = text(&["file", "filename"]);
    let url = match fields.id("url") {
        Some(url) => url,
        None => format!("{}:{}", Format::OpenWebUi.name(), fields.id("id")?),
    };
    let media_type = take_media_type(&mut fields, &["content_type"]).or(inner_media_type);
    let name = fields.text("name").or(inner_name);
    if matches!(fields.get("type").and_then(JsonValue::as_str), Some("image" | "file")) {
        fields.ignore("type");
    }
    Some((file(url, media_type, name), fields))
}

/// Adds the web pages and documents that the model refers to. The passages stay in the metadata.
pub(super) fn add_sources(fields: &Fields, parts: &mut Vec<Part>) {
    for name in ["sources", "citations"] {
        let sources = fields.get(name).and_then(JsonValue::as_array).unwrap_or_default();
        for source in sources.iter().filter_map(JsonValue::as_object) {
            add_source(source, parts);
        }
    }
}

fn add_source(entry: &JsonObject, parts: &mut Vec<Part>) {
    let source = entry.get("source").and_then(JsonValue::as_object);
    let text =
        |name: &str| source.and_then(|source| source.get(name)?.as_str()).filter(|text| !text.is_empty());
    let name = text("name");
    let passages = entry.get("metadata").and_then(JsonValue::as_array).unwrap_or_default();
    let passages: Vec<&JsonObject> = passages.iter().filter_map(JsonValue::as_object).collect();
    let mut has_page = false;
    let of_passages = passages.iter().flat_map(|passage| {
        let title = passage.get("title").or_else(|| passage.get("name")).and_then(JsonValue::as_str);
        ["url", "source"].into_iter().filter_map(move |name| Some((passage.get(name)?.as_str()?, title)))
    });
    let of_source = ["url", "name", "id"].into_iter().filter_map(|of| Some((text(of)?, name)));
    for (url, title) in of_source.chain(of_passages).filter(|(url, _)| is_web_page(url)) {
        has_page = true;
        let title = title.filter(|title| *title != url).map(str::to_owned);
        let page = web_source(parts, None, url.to_owned(), title);
        parts.extend(page);
    }
    let id = text("id").or(name);
    let Some(id) = id.filter(|_| !has_page) else { return };
    let is_known =
        |part: &Part| matches!(part, Part::Source(Source::Document { source_id, .. }) if source_id == id);
    if !parts.iter().any(is_known) {
        parts.push(Part::Source(Source::Document {
            source_id: id.to_owned(),
            media_type: name.and_then(media_type_of_name).unwrap_or(UNKNOWN_MEDIA_TYPE).to_owned(),
            title: name.map(str::to_owned),
            filename: None,
            extra: None,
        }));
    }
}

fn is_web_page(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}
