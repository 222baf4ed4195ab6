//! Detects the format of a file from its first bytes and the keys of its first entries.

use serde_json::{Map, Value};

use super::format::Format;

/// The number of entries whose keys are checked. Some exports begin with entries that are not conversations.
const MAX_ENTRIES: usize = 100;

/// The detected format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    /// A supported format in the supported layout.
    Readable(Format),
    /// A supported format with another layout: one object per line instead of one array, or the other way
    /// round.
    WrongLayout(Format),
    /// Another format: its description, and what to do.
    Other(&'static str, &'static str),
}

/// The layout of the entries of a JSON file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Array,
    Object,
    Lines,
}

const CANNOT: &str = "which Scrollback cannot import";
const UNPACK: &str = "unpack it first";
const ZIP: FileKind =
    FileKind::Other("is a ZIP archive", "unpack it first; an export of ChatGPT is conversations.json in it");
const GZIP: FileKind = FileKind::Other("is compressed with gzip", "unpack it first, with gunzip");
const UTF_16: FileKind = FileKind::Other(
    "is encoded in UTF-16",
    "convert it to UTF-8 first, with `iconv --from-code UTF-16 --to-code UTF-8`",
);

/// The first bytes of file formats.
const MAGIC: [(&[u8], FileKind); 13] = [
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (b"\x1f\x8b", GZIP),
    (b"\xff\xfe", UTF_16),
    (b"\xfe\xff", UTF_16),
    (b"\x28\xb5\x2f\xfd", FileKind::Other("is compressed with Zstandard", UNPACK)),
    (b"\xfd7zXZ", FileKind::Other("is compressed with xz", UNPACK)),
    (b"BZh", FileKind::Other("is compressed with bzip2", UNPACK)),
    (b"7z\xbc\xaf", FileKind::Other("is a 7-Zip archive", UNPACK)),
    (b"SQLite format 3\0", FileKind::Other("is an SQLite database", CANNOT)),
    (b"%PDF-", FileKind::Other("is a PDF", CANNOT)),
    (b"PAR1", FileKind::Other("is a Parquet file", CANNOT)),
    (b"ARROW1", FileKind::Other("is an Arrow file", CANNOT)),
];

/// Detects the format of a file. `None` if it is unknown.
pub(super) fn detect(bytes: &[u8]) -> Option<FileKind> {
    if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Some(*kind);
    }
    let text = bytes.trim_ascii();
    match text {
        [] => Some(FileKind::Other("is empty", "nothing can be imported from it")),
        // UTF-16 without its byte order mark.
        [0, _, ..] | [_, 0, ..] => Some(UTF_16),
        [b'{' | b'[', ..] => json(text),
        _ => Some(plain(text)),
    }
}

/// The kind of a text that is not JSON.
fn plain(text: &[u8]) -> FileKind {
    let start = String::from_utf8_lossy(&text[..text.len().min(1024)]).to_lowercase();
    if start.starts_with("<!doctype html") || start.starts_with("<html") {
        return FileKind::Other("is an HTML page", "use the JSON file of the same export");
    }
    // The last character may be incomplete.
    let is_binary = start.trim_end_matches('\u{fffd}').contains(['\0', '\u{fffd}']);
    if is_binary {
        FileKind::Other("is a binary file", CANNOT)
    } else {
        FileKind::Other("is plain text", CANNOT)
    }
}

fn json(text: &[u8]) -> Option<FileKind> {
    let (layout, entries) = entries(text);
    let kind = entries.iter().filter_map(Value::as_object).find_map(kind_of_keys)?;
    Some(match kind {
        FileKind::Readable(format) if !accepts(format, layout) => FileKind::WrongLayout(format),
        kind => kind,
    })
}

fn accepts(format: Format, layout: Layout) -> bool {
    match format {
        Format::OpenAssistant => layout != Layout::Array,
        Format::ShareGpt => layout == Layout::Array,
        Format::ChatGpt => layout != Layout::Lines,
    }
}

/// The first entries of a file that can be parsed.
fn entries(text: &[u8]) -> (Layout, Vec<Value>) {
    let in_array = text.strip_prefix(b"[");
    let mut rest = in_array.unwrap_or(text);
    let mut entries = Vec::new();
    while entries.len() < MAX_ENTRIES {
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<Value>();
        let Some(Ok(value)) = values.next() else { break };
        rest = rest[values.byte_offset()..].trim_ascii_start();
        if in_array.is_some() {
            rest = rest.strip_prefix(b",").unwrap_or_default();
        }
        entries.push(value);
    }
    let layout = match (in_array, entries.len()) {
        (Some(_), _) => Layout::Array,
        (None, 1) if rest.is_empty() => Layout::Object,
        (None, _) => Layout::Lines,
    };
    (layout, entries)
}

/// The format of an entry with these fields.
fn kind_of_keys(fields: &Map<String, Value>) -> Option<FileKind> {
    let has = |name: &str| fields.contains_key(name);
    let first_of = |name: &str| fields.get(name).and_then(Value::as_array).map(|list| list.first());
    let is_message = |value: Option<Option<&Value>>, keys: [&str; 2]| {
        value.is_some_and(|first| first.is_none_or(|first| keys.iter().all(|key| first.get(key).is_some())))
    };
    if fields.get("mapping").is_some_and(Value::is_object) {
        return Some(FileKind::Readable(Format::ChatGpt));
    }
    if has("message_tree_id") && has("prompt") {
        return Some(FileKind::Readable(Format::OpenAssistant));
    }
    if has("message_tree_id") && has("message_id") {
        return Some(FileKind::Other(
            "looks like OpenAssistant messages without their trees",
            "import the file of message trees instead",
        ));
    }
    if is_message(first_of("conversations"), ["from", "value"]) {
        return Some(FileKind::Readable(Format::ShareGpt));
    }
    if has("chat_messages") {
        return Some(FileKind::Other("looks like an export of Claude", CANNOT));
    }
    if has("conversationId") && (has("messages") || has("messagesTree")) {
        return Some(FileKind::Other("looks like an export of LibreChat", CANNOT));
    }
    if fields.get("chat").is_some_and(|chat| chat.get("history").or(chat.get("messages")).is_some()) {
        return Some(FileKind::Other("looks like an export of Open WebUI", CANNOT));
    }
    if is_message(first_of("messages"), ["role", "parts"]) {
        return Some(FileKind::Other("looks like messages of the AI SDK", CANNOT));
    }
    if is_message(first_of("messages"), ["role", "content"]) {
        return Some(FileKind::Other("looks like messages for OpenAI's API", CANNOT));
    }
    (has("history") && has("version"))
        .then_some(FileKind::Other("looks like an export of Chatbot UI", CANNOT))
}

impl FileKind {
    /// The description of the file and what to do, after the name of the file.
    pub(super) fn advice(self, asked: Format) -> String {
        match self {
            Self::Readable(format) => {
                format!("looks like {}: use `scrollback import {}`", format.contents(), format.name())
            }
            Self::WrongLayout(format) => {
                let (layout, filter) = match format {
                    Format::OpenAssistant => ("one on each line, not an array", "jq --compact-output '.[]'"),
                    _ => ("one array", "jq --slurp ."),
                };
                let import = match format == asked {
                    true => String::new(),
                    false => format!(" and use `scrollback import {}`", format.name()),
                };
                let contents = format.contents();
                format!("looks like {contents}, which must be {layout}: convert it with `{filter}`{import}")
            }
            Self::Other(what, CANNOT) => format!("{what}, {CANNOT}"),
            Self::Other(what, advice) => format!("{what}: {advice}"),
        }
    }
}

#[cfg(test)]
mod tests;
