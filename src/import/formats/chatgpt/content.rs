//! The contents of messages of ChatGPT, by their `content_type`.

use crate::import::fields::Fields;
use crate::model::{Json, JsonObject, JsonValue, Part, Source};

/// The content of a message.
#[derive(Default)]
pub(super) struct Content {
    pub(super) parts: Vec<Part>,
    /// The fields that did not become parts.
    pub(super) rest: Fields,
    /// A tool has failed: why.
    pub(super) error: Option<String>,
    /// It is context that the product adds, and nobody said it.
    pub(super) is_context: bool,
}

pub(super) fn content(mut fields: Fields) -> Content {
    let kind = fields.text("content_type").unwrap_or_else(|| "text".to_owned());
    let mut found = Content::default();
    match kind.as_str() {
        "text" | "multimodal_text" => {}
        "code" => {
            let language = fields.text("language").filter(|language| language != "unknown");
            if let Some(text) = fields.text("text") {
                found.parts.push(Part::text(text));
            }
            if let Some(language) = language {
                fields.put("language", JsonValue::from(language));
            }
        }
        "execution_output" => found.parts.extend(fields.text("text").map(Part::text)),
        "thoughts" => found.parts = thoughts(&mut fields),
        "reasoning_recap" => {
            found.parts.extend(fields.text("content").map(Part::reasoning));
        }
        "tether_quote" => found.parts = quote(&mut fields),
        "tether_browsing_display" => {
            found.parts.extend(fields.text("result").map(Part::text));
        }
        "system_error" => {
            let name = fields.text("name");
            let text = fields.text("text");
            found.error = text.or(name);
            found.parts.extend(found.error.clone().map(Part::text));
        }
        "user_editable_context" | "model_editable_context" => {
            found.is_context = true;
            let names = ["user_profile", "user_instructions", "model_set_context"];
            let texts = names.iter().filter_map(|name| fields.text(name));
            found.parts = texts.map(Part::text).collect();
        }
        _ => {
            let object = std::mem::take(&mut fields).rest();
            found.parts.extend(data(&kind, &JsonValue::Object(object)));
        }
    }
    let mut described = Vec::new();
    // Of any kind: earlier exports have texts in `parts`, whatever the kind is.
    for part in fields.array("parts").unwrap_or_default() {
        match (part, kind.as_str()) {
            (JsonValue::String(text), "thoughts") => found.parts.push(Part::reasoning(text)),
            (JsonValue::String(text), _) => found.parts.push(Part::text(text)),
            (part, _) => object_part(&part, &mut found.parts, &mut described),
        }
    }
    if !described.is_empty() {
        fields.put("parts", JsonValue::Array(described));
    }
    found.rest = fields;
    found
}

/// A part that is not a text. What describes it, such as the size of a file, is added to `described`.
fn object_part(part: &JsonValue, parts: &mut Vec<Part>, described: &mut Vec<JsonValue>) {
    let Some(mut fields) = Fields::of(part.clone()) else {
        parts.extend(data("part", part));
        return;
    };
    let kind = fields.text("content_type");
    match kind.as_deref() {
        Some("image_asset_pointer") if fields.get("asset_pointer").is_some() => {
            asset(fields, "image/*", parts, described);
        }
        Some("audio_transcription") => match fields.text("text") {
            Some(text) => {
                parts.push(Part::text(text));
                describe(fields, described);
            }
            None => parts.extend(data("audio_transcription", part)),
        },
        Some("audio_asset_pointer") => asset(fields, "audio/*", parts, described),
        Some("real_time_user_audio_video_asset_pointer") => {
            let before = parts.len();
            for (name, media_type) in
                [("audio_asset_pointer", "audio/*"), ("video_container_asset_pointer", "video/*")]
            {
                if let Some(asset_fields) = fields.object(name) {
                    asset(asset_fields, media_type, parts, described);
                }
            }
            for frame in fields.array("frames_asset_pointers").unwrap_or_default() {
                match Fields::of(frame) {
                    Some(frame) => asset(frame, "image/*", parts, described),
                    None => parts.extend(data("frame", part)),
                }
            }
            if parts.len() == before {
                parts.extend(data("real_time_user_audio_video_asset_pointer", part));
            } else {
                describe(fields, described);
            }
        }
        // Text of an unusual form.
        None if fields.get("text").is_some_and(|text| text.as_str().is_some()) => {
            parts.extend(fields.text("text").map(Part::text));
            describe(fields, described);
        }
        kind => parts.extend(data(kind.unwrap_or("part"), part)),
    }
}

/// Adds the fields that did not become a part.
fn describe(fields: Fields, described: &mut Vec<JsonValue>) {
    let rest = fields.rest();
    if !rest.is_empty() {
        described.push(JsonValue::Object(rest));
    }
}

/// A file by its pointer. Its size and what made it describe it.
fn asset(mut fields: Fields, media_type: &str, parts: &mut Vec<Part>, described: &mut Vec<JsonValue>) {
    let Some(url) = fields.text("asset_pointer").filter(|url| !url.is_empty()) else {
        parts.extend(data("asset", &fields.into_value()));
        return;
    };
    let format = fields.text("format").filter(|format| !format.is_empty());
    let media_type = match (format, media_type.split_once('/')) {
        (Some(format), Some((kind, _))) if !format.contains('/') => format!("{kind}/{format}"),
        _ => media_type.to_owned(),
    };
    if fields.get("content_type").and_then(JsonValue::as_str).is_some_and(|kind| kind.ends_with("_pointer")) {
        fields.ignore("content_type");
    }
    fields.put("asset_pointer", JsonValue::from(url.as_str()));
    describe(fields, described);
    parts.push(Part::File { media_type, filename: None, url, extra: None });
}

/// Reasoning: newer exports have thoughts with summaries.
fn thoughts(fields: &mut Fields) -> Vec<Part> {
    let mut parts = Vec::new();
    for thought in fields.array("thoughts").unwrap_or_default() {
        if let JsonValue::String(text) = thought {
            parts.push(Part::reasoning(text));
            continue;
        }
        let Some(mut fields) = Fields::of(thought.clone()) else {
            parts.extend(data("thought", &thought));
            continue;
        };
        let texts = [fields.text("summary"), fields.text("content")];
        let text =
            texts.into_iter().flatten().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n");
        parts.push(Part::reasoning(text));
        // The chunks are the content again, and it is finished.
        fields.ignore("chunks");
        fields.ignore_scalar("finished");
        let rest = fields.rest();
        if !rest.is_empty() {
            parts.extend(data("thought", &JsonValue::Object(rest)));
        }
    }
    parts
}

/// A passage of a page.
fn quote(fields: &mut Fields) -> Vec<Part> {
    let mut parts: Vec<Part> = fields.text("text").map(Part::text).into_iter().collect();
    if let Some(url) = fields.text("url").filter(|url| !url.is_empty()) {
        let title = fields.text("title").filter(|title| !title.is_empty());
        parts.push(Part::Source(Source::Url { source_id: url.clone(), url, title, extra: None }));
    }
    parts
}

/// Any other content, stored unchanged.
pub(super) fn data(kind: &str, value: &JsonValue) -> Option<Part> {
    let is_nothing = *value == JsonValue::Null || *value == JsonValue::Object(JsonObject::new());
    let data = Json::stored(value.to_string());
    (!is_nothing).then(|| Part::Data { name: format!("chatgpt/{kind}"), data, extra: None })
}

/// Names the files of parts, and adds the files that have no part.
pub(super) fn add_attachments(parts: &mut Vec<Part>, metadata: &mut Fields) {
    let Some(attachments) = metadata.array("attachments") else { return };
    for attachment in &attachments {
        let Some(mut fields) = Fields::of(attachment.clone()) else { continue };
        let Some(id) = fields.id("id") else { continue };
        let name = fields.text("name").filter(|name| !name.is_empty());
        let media_type = ["mime_type", "mimeType"].iter().find_map(|name| fields.text(name));
        let media_type = media_type.filter(|media_type| !media_type.is_empty());
        let part = parts.iter_mut().find_map(|part| match part {
            Part::File { url, filename, media_type, .. } if url.ends_with(id.as_str()) => {
                Some((filename, media_type))
            }
            _ => None,
        });
        if let Some((filename, known)) = part {
            *filename = name;
            *known = media_type.unwrap_or_else(|| std::mem::take(known));
            continue;
        }
        let media_type = media_type.unwrap_or_else(|| "application/octet-stream".to_owned());
        parts.push(Part::File {
            media_type,
            filename: name,
            url: format!("file-service://{id}"),
            extra: None,
        });
    }
    // They have the sizes, and more.
    metadata.put("attachments", JsonValue::Array(attachments));
}
