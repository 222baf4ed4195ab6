//! Citations: markers in the text that refer to pages.
//!
//! A marker is written between the private-use characters U+E200 and U+E201, with U+E202 between its fields. Without the
//! product that writes them they are rubbish, so they go from the text. The pages become sources, and the original
//! texts stay in the metadata.

use std::collections::HashSet;

use crate::import::fields::Fields;
use crate::model::{JsonValue, Part, Source};

const START: char = '\u{e200}';
const END: char = '\u{e201}';
const SEPARATOR: char = '\u{e202}';

/// The private-use characters that markers are made of.
const PRIVATE: std::ops::RangeInclusive<char> = '\u{e200}'..='\u{e2ff}';

/// Takes the markers out of the texts, and adds the sources.
pub(super) fn resolve(parts: &mut Vec<Part>, metadata: &mut Fields) {
    let references = metadata.get("content_references").and_then(JsonValue::as_array);
    let citations = metadata.get("citations").and_then(JsonValue::as_array);
    let references: Vec<JsonValue> = references.into_iter().flatten().cloned().collect();
    let citations: Vec<JsonValue> = citations.into_iter().flatten().cloned().collect();
    let mut originals = Vec::new();
    for part in parts.iter_mut() {
        if let Part::Text { text, .. } = part
            && text.contains(|character| PRIVATE.contains(&character))
        {
            let cleaned = without_markers(text, &references);
            originals.push(JsonValue::from(std::mem::replace(text, cleaned)));
        }
    }
    if !originals.is_empty() {
        metadata.put("originalTexts", JsonValue::Array(originals));
    }
    let mut known = HashSet::new();
    for reference in references.iter().chain(&citations) {
        add_sources(reference, &mut known, parts);
    }
}

fn field<'v>(value: &'v JsonValue, name: &str) -> Option<&'v str> {
    value.as_object()?.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// The pages of a reference: itself, what it groups, and the details of a citation.
fn add_sources(reference: &JsonValue, known: &mut HashSet<String>, parts: &mut Vec<Part>) {
    if let Some(url) = field(reference, "url").filter(|url| url.contains("://"))
        && known.insert(url.to_owned())
    {
        let title = field(reference, "title").map(str::to_owned);
        parts.push(Part::Source(Source::Url {
            source_id: url.to_owned(),
            url: url.to_owned(),
            title,
            extra: None,
        }));
    }
    let Some(fields) = reference.as_object() else { return };
    for name in ["items", "supporting_websites", "sources"] {
        for item in fields.get(name).and_then(JsonValue::as_array).into_iter().flatten() {
            add_sources(item, known, parts);
        }
    }
    if let Some(details) = fields.get("metadata") {
        add_sources(details, known, parts);
    }
}

/// The text without markers. The name of an entity stays.
fn without_markers(text: &str, references: &[JsonValue]) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|character| PRIVATE.contains(&character)) {
        cleaned.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(END).filter(|_| rest.starts_with(START));
        let Some(end) = end.map(|end| end + END.len_utf8()) else {
            rest = rest.chars().next().map_or("", |character| &rest[character.len_utf8()..]);
            continue;
        };
        let marker = &rest[..end];
        rest = &rest[end..];
        match visible(marker, references) {
            Some(visible) => cleaned.push_str(&visible),
            // "A cat …." becomes "A cat.".
            None if rest.starts_with(['.', ',', ';', ':', '!', '?', ')', '\n']) || rest.is_empty() => {
                cleaned.truncate(cleaned.trim_end_matches(' ').len());
            }
            None => {}
        }
    }
    cleaned.push_str(rest);
    cleaned
}

/// What a reader sees of a marker that is not a citation: `entity`, its kind and its name.
fn visible(marker: &str, references: &[JsonValue]) -> Option<String> {
    let inner = marker.trim_matches(|character| PRIVATE.contains(&character));
    let mut fields = inner.split(SEPARATOR);
    if fields.next() != Some("entity") {
        return None;
    }
    let reference = references.iter().find(|reference| field(reference, "matched_text") == Some(marker));
    if let Some(alt) = reference.and_then(|reference| field(reference, "alt")) {
        return Some(alt.to_owned());
    }
    let value = JsonValue::read(fields.next()?.as_bytes()).ok()?;
    value.as_array()?.get(1)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_go_and_entities_stay() {
        for (text, expected) in [
            ("A cat \u{e200}cite\u{e202}turn0search0\u{e201}.", "A cat."),
            ("One \u{e200}cite\u{e202}a\u{e202}b\u{e201} two", "One  two"),
            ("In \u{e200}entity\u{e202}[\"city\",\"Paris\",\"\"]\u{e201} now", "In Paris now"),
            ("Cut \u{e200}cite", "Cut cite"),
            ("\u{e203}x", "x"),
            ("plain", "plain"),
        ] {
            assert_eq!(without_markers(text, &[]), expected, "{text}");
        }
    }
}
