//! Blocks of `<details>` in the texts of older versions of Open WebUI: reasoning, calls of tools, and code that was run.

use super::html::{attributes, unescape};
use crate::import::fields::Fields;
use crate::import::format::Format;
use crate::import::formats::block_fields::BlockFields;
use crate::import::formats::parts::{arguments, data, json, tool_call};
use crate::model::{Json, JsonObject, JsonValue, Part, ToolState};

const OPEN: &str = "<details";
const CLOSE: &str = "</details>";

/// A block, and where it ends.
struct Block<'t> {
    kind: String,
    attributes: JsonObject,
    body: &'t str,
    end: usize,
}

/// The blocks of a text as parts, and the text around them. Any other `<details>`, and those in code, stay in the text.
pub(super) fn parts(text: &str, rest: &mut BlockFields) -> Vec<Part> {
    let mut parts = Vec::new();
    let (mut from, mut at, mut index) = (0, 0, 0);
    let mut is_in_code = false;
    while at < text.len() {
        let line_end = text[at..].find('\n').map_or(text.len(), |end| at + end + 1);
        let line = text[at..line_end].trim_start();
        let begin = line_end - line.len();
        if line.starts_with("```") || line.starts_with("~~~") {
            is_in_code = !is_in_code;
        }
        let block = (!is_in_code && line.starts_with(OPEN)).then(|| block(text, begin)).flatten();
        match block {
            Some(block) => {
                push_text(&mut parts, text[from..begin].trim_end_matches(['\n', '\r', ' ']));
                (at, from) = (block.end, block.end);
                add(index, block, &mut parts, rest);
                index += 1;
            }
            None => at = line_end,
        }
    }
    push_text(&mut parts, &text[from..]);
    parts
}

/// The lines around blocks belong to them.
fn push_text(parts: &mut Vec<Part>, text: &str) {
    let text = if parts.is_empty() { text } else { text.trim_start_matches(['\n', '\r']) };
    if !text.trim().is_empty() {
        parts.push(Part::text(text.to_owned()));
    }
}

/// The block at `begin`. `None`: it is another one, or it does not end. A block that was still being written ends with the
/// text.
fn block(text: &str, begin: usize) -> Option<Block<'_>> {
    let start = begin + OPEN.len();
    let (found, length) = attributes(&text[start..])?;
    let body = start + length;
    let attributes: JsonObject =
        found.into_iter().map(|(name, value)| (name, JsonValue::from(value))).collect();
    let of = |name: &str| attributes.get(name).and_then(JsonValue::as_str);
    let kind = of("type")
        .filter(|kind| matches!(*kind, "reasoning" | "tool_calls" | "code_interpreter"))?
        .to_owned();
    let is_done = of("done") != Some("false");
    let (body, end) = match closing(text, body) {
        Some(close) => (&text[body..close], close + CLOSE.len()),
        None if !is_done => (&text[body..], text.len()),
        None => return None,
    };
    Some(Block { kind, attributes, body, end })
}

/// Where the block ends whose body begins at `from`. It may have others in it.
fn closing(text: &str, from: usize) -> Option<usize> {
    let (mut at, mut open) = (from, 1);
    loop {
        let close = at + text[at..].find(CLOSE)?;
        open += text[at..close].matches(OPEN).count();
        open -= 1;
        if open == 0 {
            return Some(close);
        }
        at = close + CLOSE.len();
    }
}

fn add(index: usize, block: Block<'_>, parts: &mut Vec<Part>, rest: &mut BlockFields) {
    let Block { kind, attributes, body, .. } = block;
    let body = without_summary(body);
    let mut fields = Fields::of(JsonValue::Object(attributes)).unwrap_or_default();
    let is_done = fields.text("done").as_deref() != Some("false");
    match kind.as_str() {
        "reasoning" => {
            let text = unescape(body);
            let lines = text.trim().lines();
            let lines =
                lines.map(|line| line.strip_prefix("> ").or_else(|| line.strip_prefix('>')).unwrap_or(line));
            parts.push(Part::reasoning(lines.collect::<Vec<_>>().join("\n")));
        }
        "tool_calls" => tool(index, is_done, body, &mut fields, parts),
        _ => code(index, is_done, body, &mut fields, parts),
    }
    rest.add(index, fields);
}

fn without_summary(body: &str) -> &str {
    let body = body.trim_start();
    let after = body.strip_prefix("<summary>").and_then(|rest| rest.split_once("</summary>"));
    after.map_or(body, |(_, rest)| rest)
}

/// Values are JSON, and JSON texts in which the value is again JSON.
fn json_of(text: &str) -> Option<Json> {
    let text = text.trim();
    (!text.is_empty()).then(|| match JsonValue::read(text.as_bytes()) {
        Ok(value) => arguments(&value),
        Err(_) => json(&JsonValue::from(text)),
    })
}

fn tool(index: usize, is_done: bool, body: &str, fields: &mut Fields, parts: &mut Vec<Part>) {
    let id = fields.id("id").unwrap_or_else(|| format!("call_{index}"));
    let input = fields.text("arguments").as_deref().and_then(json_of).unwrap_or_else(Json::empty_object);
    let result = fields.text("result").as_deref().and_then(json_of).or_else(|| json_of(&unescape(body)));
    let mut part = tool_call(id, fields.id("name"), Some(input));
    if let Part::Tool { state, output, .. } = &mut part
        && (is_done || result.is_some())
    {
        *state = ToolState::OutputAvailable;
        *output = result;
    }
    parts.push(part);
    for name in ["files", "embeds"] {
        let value = fields.text(name).and_then(|text| JsonValue::read(text.as_bytes()).ok());
        for item in value.as_ref().and_then(JsonValue::as_array).unwrap_or_default() {
            match super::files::file_of(item.clone()) {
                Some((part, _)) if name == "files" => parts.push(part),
                _ => parts.extend(data(Format::OpenWebUi, name, item.clone())),
            }
        }
    }
}

/// The code is in a block of Markdown, and the output in an attribute.
fn code(index: usize, is_done: bool, body: &str, fields: &mut Fields, parts: &mut Vec<Part>) {
    let body = body.trim();
    let (language, code) = match body.strip_prefix("```").and_then(|code| code.strip_suffix("```")) {
        Some(code) => code.split_once('\n').unwrap_or(("", code)),
        None => ("", body),
    };
    let input = JsonObject::from([
        ("code".to_owned(), JsonValue::from(code.trim_end())),
        ("lang".to_owned(), JsonValue::from(language.trim())),
    ]);
    let id = fields.id("id").unwrap_or_else(|| format!("code_interpreter_{index}"));
    let mut part = tool_call(id, Some("code_interpreter".to_owned()), Some(json(&JsonValue::Object(input))));
    let result = fields.text("output").as_deref().and_then(json_of);
    if let Part::Tool { state, output, .. } = &mut part
        && (is_done || result.is_some())
    {
        *state = ToolState::OutputAvailable;
        *output = result;
    }
    parts.push(part);
}

#[cfg(test)]
mod tests;
