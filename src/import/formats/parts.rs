//! Parts made of the values of a source.

use crate::import::fields::Fields;
use crate::import::format::Format;
use crate::import::parsed::{Dropped, ParsedMessage};
use crate::model::{Json, JsonValue, Part, Role, Source, ToolState, is_data_url};

/// The media type of a file about which nothing is known: RFC 2046 defines it as "any kind of data".
pub(super) const UNKNOWN_MEDIA_TYPE: &str = "application/octet-stream";

/// The name of a tool that the source does not name.
pub(super) const UNKNOWN_TOOL: &str = "unknown";

/// The value as it is.
pub(super) fn json(value: &JsonValue) -> Json {
    Json::stored(value.to_string())
}

/// The arguments of a tool. Sources often have them as a text that is JSON, which is parsed. Any other text is kept
/// as a JSON string.
pub(super) fn arguments(value: &JsonValue) -> Json {
    match value.as_str().map(|text| JsonValue::read(text.as_bytes())) {
        Some(Ok(parsed)) => json(&parsed),
        _ => json(value),
    }
}

/// A number as JSON.
pub(super) fn number(number: usize) -> JsonValue {
    JsonValue::read(number.to_string().as_bytes()).unwrap_or(JsonValue::Null)
}

/// Content of a kind that Scrollback has no part for. `None`: it says nothing.
pub(super) fn data(format: Format, kind: &str, value: JsonValue) -> Option<Part> {
    let data = json(&value);
    let says_something = match Fields::of(value) {
        Some(mut fields) => {
            let is_text =
                matches!(fields.get("type").and_then(JsonValue::as_str), Some("text" | "think" | "thinking"));
            if is_text {
                fields.ignore("type");
            }
            !fields.rest().is_empty()
        }
        None => !matches!(data.as_str(), "null" | "\"\"" | "[]"),
    };
    let kind = if kind.is_empty() { "content" } else { kind };
    says_something.then(|| Part::Data { name: format!("{}/{kind}", format.name()), data, extra: None })
}

/// A block of a message as data, named by its `type`.
pub(super) fn block_data(format: Format, block: JsonValue) -> Option<Part> {
    let kind =
        block.as_object().and_then(|fields| fields.get("type")?.as_str()).unwrap_or_default().to_owned();
    data(format, &kind, block)
}

/// An entry of a list of messages that is no object. `None`: it is null or empty.
pub(super) fn broken_message(
    format: Format,
    value: JsonValue,
    dropped: &mut Dropped,
) -> Option<ParsedMessage> {
    let part = data(format, "message", value);
    if part.is_none() {
        dropped.add("message", "it is not an object");
    }
    part.map(|part| ParsedMessage::new(Role::System, vec![part]))
}

/// A file. A missing media type is guessed from the `data:` URL, the file name or the address.
pub(super) fn file(url: String, media_type: Option<String>, filename: Option<String>) -> Part {
    let filename = filename.filter(|name| !name.is_empty());
    let media_type = media_type
        .filter(|media_type| media_type.contains('/'))
        .or_else(|| media_type_of_data_url(&url))
        .or_else(|| filename.as_deref().and_then(media_type_of_name).map(str::to_owned))
        .or_else(|| {
            let path = url.split(['?', '#']).next().unwrap_or_default();
            media_type_of_name(path).map(str::to_owned)
        })
        .unwrap_or_else(|| UNKNOWN_MEDIA_TYPE.to_owned());
    Part::File { media_type, filename, url, extra: None }
}

/// Takes the first of these fields that has a media type. Other descriptions, such as `pdf`, stay.
pub(super) fn take_media_type(fields: &mut Fields, names: &[&str]) -> Option<String> {
    let is_media_type =
        |name: &&&str| fields.get(name).and_then(JsonValue::as_str).is_some_and(|text| text.contains('/'));
    let name = names.iter().find(is_media_type)?;
    fields.text(name)
}

fn media_type_of_data_url(url: &str) -> Option<String> {
    let head = is_data_url(url).then(|| url[5..].split(',').next())??;
    let media_type = head.split(';').next()?.trim();
    media_type.contains('/').then(|| media_type.to_owned())
}

/// The media type of files with the extension of this name.
pub(super) fn media_type_of_name(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "heic" => "image/heic",
        "svg" => "image/svg+xml",
        "pdf" => "application/pdf",
        "txt" | "log" => "text/plain",
        "md" | "markdown" => "text/markdown",
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "csv" => "text/csv",
        "json" => "application/json",
        "xml" => "application/xml",
        "zip" => "application/zip",
        "doc" => "application/msword",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xls" => "application/vnd.ms-excel",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "m4a" => "audio/mp4",
        "ogg" => "audio/ogg",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "mov" => "video/quicktime",
        _ => return None,
    })
}

/// A web page that the model refers to. `None`: `parts` already refer to it, or it has no address.
pub(super) fn web_source(
    parts: &[Part],
    id: Option<String>,
    url: String,
    title: Option<String>,
) -> Option<Part> {
    let is_known =
        |part: &Part| matches!(part, Part::Source(Source::Url { url: known, .. }) if *known == url);
    if url.is_empty() || parts.iter().any(is_known) {
        return None;
    }
    let source_id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| url.clone());
    Some(Part::Source(Source::Url {
        source_id,
        url,
        title: title.filter(|title| !title.is_empty()),
        extra: None,
    }))
}

/// A call of a tool without a result.
pub(super) fn tool_call(id: String, name: Option<String>, input: Option<Json>) -> Part {
    Part::Tool {
        tool_call_id: id,
        tool_name: name.filter(|name| !name.is_empty()).unwrap_or_else(|| UNKNOWN_TOOL.to_owned()),
        state: ToolState::InputAvailable,
        input,
        output: None,
        error_text: None,
        extra: None,
    }
}

/// The result of a tool. [`super::tool_results::join`] joins it with its call.
pub(super) fn tool_result(id: String, name: Option<String>, output: Json) -> Part {
    let mut part = tool_call(id, name, None);
    if let Part::Tool { state, output: place, .. } = &mut part {
        *state = ToolState::OutputAvailable;
        *place = Some(output);
    }
    part
}

/// Whether one of the parts is a text that is not empty.
pub(super) fn has_text(parts: &[Part]) -> bool {
    parts.iter().any(|part| matches!(part, Part::Text { text, .. } if !text.trim().is_empty()))
}

/// Adds the flat text of a message whose parts are known, too: as a part if they have no text, and to the fields that are
/// kept if it is not a copy of their texts.
pub(super) fn add_flat_text(fields: &mut Fields, name: &str, text: String, parts: &mut Vec<Part>) {
    if !has_text(parts) {
        parts.push(Part::text(text));
        return;
    }
    if !is_copy(&text, parts) {
        fields.put(name, JsonValue::from(text));
    }
}

/// Whether the texts of the parts contain the text. The separators between texts do not matter.
pub(super) fn is_copy(text: &str, parts: &[Part]) -> bool {
    let without_separators = |text: &str| -> String {
        text.chars().filter(|character| !character.is_whitespace() && *character != '`').collect()
    };
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text { text, .. } => Some(without_separators(text)),
        _ => None,
    });
    texts.collect::<String>().contains(&without_separators(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media_type(url: &str, media_type: Option<&str>, filename: Option<&str>) -> String {
        match file(url.to_owned(), media_type.map(str::to_owned), filename.map(str::to_owned)) {
            Part::File { media_type, .. } => media_type,
            _ => String::new(),
        }
    }

    #[test]
    fn a_missing_media_type_is_guessed() {
        assert_eq!(media_type("x", Some("image/png"), Some("a.pdf")), "image/png");
        assert_eq!(media_type("data:image/webp;base64,AA==", None, Some("a.pdf")), "image/webp");
        assert_eq!(media_type("x", Some("pdf"), Some("a.PDF")), "application/pdf");
        assert_eq!(media_type("https://example.com/a.jpg?size=1.5", None, None), "image/jpeg");
        assert_eq!(media_type("file:1", None, Some("a.unknown")), "application/octet-stream");
    }

    #[test]
    fn a_flat_text_that_is_no_copy_is_kept() {
        let mut fields = Fields::default();
        let mut parts = vec![Part::text("a b".to_owned()), Part::text("c".to_owned())];
        add_flat_text(&mut fields, "text", "a b\n\nc".to_owned(), &mut parts);
        assert!(fields.get("text").is_none());
        add_flat_text(&mut fields, "text", "a d".to_owned(), &mut parts);
        assert_eq!((fields.text("text").as_deref(), parts.len()), (Some("a d"), 2));
        let mut parts = Vec::new();
        add_flat_text(&mut fields, "text", "a".to_owned(), &mut parts);
        assert!(fields.get("text").is_none() && has_text(&parts));
    }

    #[test]
    fn arguments_are_parsed_if_they_are_json() {
        let arguments = |text: &str| arguments(&JsonValue::from(text)).into_string();
        assert_eq!(arguments(r#"{"b": 1, "a": 2}"#), r#"{"b":1,"a":2}"#);
        assert_eq!(arguments(r#"{"b": "#), r#""{\"b\": ""#);
    }

    #[test]
    fn data_without_content_is_left_out() {
        let data = |text: &str| data(Format::Claude, "x", JsonValue::read(text.as_bytes()).unwrap());
        assert!(data("null").is_none() && data(r#"{"type":"text","text":null}"#).is_none());
        assert!(data("0").is_some() && data(r#"{"type":"pause"}"#).is_some());
    }
}
