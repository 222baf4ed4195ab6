//! Content in the form of OpenAI's API: a text, or an array of parts.

use super::block_fields::BlockFields;
use super::parts::{block_data, data, file};
use crate::import::fields::Fields;
use crate::import::format::Format;
use crate::model::{JsonValue, Part};

/// The parts of a content. What has no place in them is added to `rest`.
pub(super) fn content_parts(format: Format, content: JsonValue, rest: &mut BlockFields) -> Vec<Part> {
    match content {
        JsonValue::String(text) => vec![Part::text(text)],
        JsonValue::Array(items) => items
            .into_iter()
            .enumerate()
            .filter_map(|(at, item)| content_part(format, at, item, rest))
            .collect(),
        other => data(format, "content", other).into_iter().collect(),
    }
}

fn content_part(format: Format, at: usize, item: JsonValue, rest: &mut BlockFields) -> Option<Part> {
    let Some(object) = item.as_object() else {
        return match item {
            JsonValue::String(text) => Some(Part::text(text)),
            other => data(format, "content", other),
        };
    };
    let original = item.clone();
    let kind = object.get("type").and_then(JsonValue::as_str).unwrap_or_default().to_owned();
    let mut fields = Fields::of(item)?;
    let part = match kind.as_str() {
        "text" | "input_text" | "output_text" | "" => fields.text("text").map(Part::text),
        "refusal" => {
            let text = fields.text("refusal");
            fields.put("kind", JsonValue::from("refusal"));
            text.map(Part::text)
        }
        "image_url" | "input_image" => linked_file(&mut fields, "image_url"),
        "video_url" => linked_file(&mut fields, "video_url"),
        "image" => fields.text("image").map(|url| file(url, None, None)),
        "input_audio" => audio(&mut fields),
        "file" | "input_file" => uploaded_file(&mut fields, format),
        _ => None,
    };
    match part {
        Some(part) => {
            rest.add(at, fields);
            Some(part)
        }
        None => block_data(format, original),
    }
}

/// `{"url": …}`, or the address itself.
fn linked_file(fields: &mut Fields, name: &str) -> Option<Part> {
    if let Some(url) = fields.id(name) {
        return Some(file(url, None, None));
    }
    let mut link = fields.object(name)?;
    let url = link.id("url")?;
    fields.put(name, link.into_value());
    Some(file(url, None, None))
}

/// `{"data": base64, "format": "wav"}`.
fn audio(fields: &mut Fields) -> Option<Part> {
    let mut audio = fields.object("input_audio")?;
    let data = audio.id("data")?;
    let format = audio.text("format").unwrap_or_default();
    let media_type = match format.as_str() {
        "" => "audio/wav".to_owned(),
        "mp3" => "audio/mpeg".to_owned(),
        other => format!("audio/{other}"),
    };
    fields.put("input_audio", audio.into_value());
    Some(file(format!("data:{media_type};base64,{data}"), Some(media_type), None))
}

/// `{"file": {"file_id" or "file_data", "filename"}}`, or the same without the inner object.
fn uploaded_file(fields: &mut Fields, format: Format) -> Option<Part> {
    let mut inner = fields.object("file");
    let source = inner.as_mut().unwrap_or(fields);
    let filename = source.text("filename");
    let url = match source.id("file_data").or_else(|| source.id("file_url")) {
        Some(url) => url,
        None => format!("{}:{}", format.name(), source.id("file_id")?),
    };
    if let Some(inner) = inner {
        fields.put("file", inner.into_value());
    }
    Some(file(url, None, filename))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::JsonObject;

    fn parts(text: &str) -> (String, String) {
        let mut rest = BlockFields::default();
        let parts = content_parts(Format::OpenAi, JsonValue::read(text.as_bytes()).unwrap(), &mut rest);
        let mut metadata = JsonObject::new();
        rest.put_into(&mut metadata, "content");
        (serde_json::to_string(&parts).unwrap(), JsonValue::Object(metadata).to_string())
    }

    #[test]
    fn every_kind_becomes_a_part() {
        let (found, rest) = parts(
            r#"[{"type":"text","text":"a"},"b",{"type":"refusal","refusal":"no"},
                {"type":"image_url","image_url":{"url":"https://example.com/a.png","detail":"low"}},
                {"type":"input_audio","input_audio":{"data":"AA==","format":"mp3"}},
                {"type":"file","file":{"file_id":"f1","filename":"a.pdf"}},
                {"type":"text","text":5},{"type":"new","x":1},null]"#,
        );
        let expected = concat!(
            r#"[{"text":{"text":"a"}},{"text":{"text":"b"}},{"text":{"text":"no"}},"#,
            r#"{"file":{"mediaType":"image/png","url":"https://example.com/a.png"}},"#,
            r#"{"file":{"mediaType":"audio/mpeg","url":"data:audio/mpeg;base64,AA=="}},"#,
            r#"{"file":{"mediaType":"application/pdf","filename":"a.pdf","url":"openai-jsonl:f1"}},"#,
            r#"{"data":{"name":"openai-jsonl/text","data":{"type":"text","text":5}}},"#,
            r#"{"data":{"name":"openai-jsonl/new","data":{"type":"new","x":1}}}]"#,
        );
        assert_eq!(found, expected);
        let expected =
            r#"{"content":[{"index":2,"kind":"refusal"},{"index":3,"image_url":{"detail":"low"}}]}"#;
        assert_eq!(rest, expected);
    }
}
