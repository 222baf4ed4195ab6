//! The contents of messages: texts, images and files.

use super::file_urls::{FileUrls, data_url};
use super::json::{drop_default, object, read, read_fields, set_default, stored, stored_fields, text};
use crate::model::{
    Invalid, JsonObject, JsonValue, MAX_INLINE_BYTES, Part, Role, Source, decode_data_url, is_data_url,
};

/// The prefix of the kinds of custom parts that hold something of OpenAI.
pub(super) const KIND: &str = "openai.";

/// The type of an image whose URL does not say it.
const SOME_IMAGE: &str = "image/*";

/// The type of a file whose URL does not say it.
const SOME_FILE: &str = "application/octet-stream";

/// The type of texts of this author.
pub(super) fn text_type(role: Role) -> &'static str {
    if role == Role::Assistant { "output_text" } else { "input_text" }
}

/// The name of the field with the text of a content.
fn text_field(content_type: &str) -> Option<&'static str> {
    match content_type {
        "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text" => Some("text"),
        "refusal" => Some("refusal"),
        _ => None,
    }
}

fn is_image(content_type: &str) -> bool {
    ["input_image", "computer_screenshot"].contains(&content_type)
}

/// Sets the fields that OpenAI sets in its answers.
pub(super) fn complete(content: &mut JsonObject) {
    match text(content, "type") {
        Some("output_text") => set_default(content, "annotations", JsonValue::Array(Vec::new())),
        Some("input_image") => set_default(content, "detail", "auto".into()),
        _ => {}
    }
}

/// Checks a content of a client.
pub(super) fn check(argument: &str, content: &JsonObject) -> Result<(), Invalid> {
    let kind =
        text(content, "type").ok_or_else(|| Invalid::new(format!("{argument}.type"), "must be a string"))?;
    match text_field(kind) {
        Some(field) if text(content, field).is_none() => {
            Err(Invalid::new(format!("{argument}.{field}"), "must be a string"))
        }
        _ => Ok(()),
    }
}

/// The part that stores a content.
pub(super) fn part(argument: &str, role: Role, content: &JsonObject) -> Result<Part, Invalid> {
    let kind = text(content, "type").unwrap_or_default().to_owned();
    let mut rest = content.clone();
    if let Some(field) = text_field(&kind) {
        let text = match rest.shift_remove(field) {
            Some(JsonValue::String(text)) => text,
            _ => String::new(),
        };
        drop_default(&mut rest, "type", text_type(role));
        if kind == "output_text" && rest.get("annotations") == Some(&JsonValue::Array(Vec::new())) {
            rest.shift_remove("annotations");
        }
        return Ok(Part::Text { text, extra: stored_fields(argument, rest)? });
    }
    let found = match kind.as_str() {
        kind if is_image(kind) => take_url(&mut rest, &["image_url"]),
        "input_file" => take_url(&mut rest, &["file_data", "file_url"]),
        _ => None,
    };
    let Some(url) = found.filter(|url| kind == "input_file" || !url.is_empty()) else {
        let data = stored(argument, &JsonValue::Object(content.clone()))?;
        return Ok(Part::Custom { kind: format!("{KIND}{kind}"), data, extra: None });
    };
    let given = media_type(&url);
    let media_type = given.unwrap_or_else(|| if is_image(&kind) { SOME_IMAGE } else { SOME_FILE }.to_owned());
    let filename = match rest.get("filename") {
        Some(JsonValue::String(name)) => Some(name.clone()),
        _ => None,
    };
    if filename.is_some() {
        rest.shift_remove("filename");
    }
    if kind == "input_image" {
        drop_default(&mut rest, "detail", "auto");
    }
    drop_default(&mut rest, "type", file_type(&media_type));
    Ok(Part::File { media_type, filename, url, extra: stored_fields(argument, rest)? })
}

/// The one of these fields that has a URL which a part can hold.
fn take_url(fields: &mut JsonObject, names: &[&str]) -> Option<String> {
    let name = names.iter().find(|name| text(fields, name).is_some())?;
    let url = text(fields, name)?;
    let is_data = is_data_url(url);
    let is_right_field = match *name {
        "file_data" => is_data,
        "file_url" => !is_data,
        _ => true,
    };
    // A large one becomes an attachment, and comes back in the usual form.
    let is_same = !is_data || url.len() <= MAX_INLINE_BYTES || encoded(url).as_deref() == Some(url);
    let is_attachment = url.starts_with("attachment:");
    if !is_right_field || !is_same || is_attachment || url.is_empty() {
        return None;
    }
    match fields.shift_remove(*name) {
        Some(JsonValue::String(url)) => Some(url),
        _ => None,
    }
}

/// The usual form of a `data:` URL.
fn encoded(url: &str) -> Option<String> {
    Some(data_url(&media_type(url)?, &decode_data_url(url)?))
}

/// The type that a `data:` URL has.
fn media_type(url: &str) -> Option<String> {
    let head = is_data_url(url).then(|| url[5..].split(',').next()).flatten()?;
    let found = head.split(';').next().unwrap_or_default();
    (!found.is_empty()).then(|| found.to_owned())
}

fn file_type(media_type: &str) -> &'static str {
    if media_type.starts_with("image/") { "input_image" } else { "input_file" }
}

/// The content that a part stores, if it stores one.
pub(super) fn of_part(role: Role, part: &Part, urls: &FileUrls) -> Option<JsonObject> {
    let mut content = JsonObject::new();
    let extra = read_fields(part.extra());
    match part {
        Part::Text { text: value, .. } => {
            let kind = text(&extra, "type").unwrap_or(text_type(role)).to_owned();
            let field = text_field(&kind).unwrap_or("text");
            content.extend(object([("type", kind.into()), (field, value.as_str().into())]));
        }
        Part::File { media_type, filename, url, .. } => {
            let kind = text(&extra, "type").unwrap_or(file_type(media_type)).to_owned();
            let url = urls.resolve(url);
            let field = match (is_image(&kind), is_data_url(url)) {
                (true, _) => "image_url",
                (false, true) => "file_data",
                (false, false) => "file_url",
            };
            content.extend(object([("type", kind.into()), (field, url.into())]));
            if let Some(name) = filename {
                content.insert("filename".to_owned(), name.as_str().into());
            }
        }
        Part::Custom { kind, data, .. } if kind.starts_with(KIND) => match read(data) {
            JsonValue::Object(fields) => content.extend(fields),
            _ => return None,
        },
        _ => return None,
    }
    if !matches!(part, Part::Custom { .. }) {
        content.extend(extra);
        complete(&mut content);
    }
    Some(content)
}

/// A source as an annotation of the text before it.
pub(super) fn annotation(source: &Source, end: usize, index: usize) -> JsonValue {
    let number = |number: usize| JsonValue::read(number.to_string().as_bytes()).unwrap_or(JsonValue::Null);
    JsonValue::Object(match source {
        Source::Url { url, title, .. } => object([
            ("type", "url_citation".into()),
            ("url", url.as_str().into()),
            ("title", title.as_deref().unwrap_or(url).into()),
            ("start_index", number(end)),
            ("end_index", number(end)),
        ]),
        Source::Document { source_id, title, filename, .. } => object([
            ("type", "file_citation".into()),
            ("file_id", source_id.as_str().into()),
            ("filename", filename.as_deref().or(title.as_deref()).unwrap_or(source_id).into()),
            ("index", number(index)),
        ]),
    })
}
