//! Parts: what a message is made of when it is more than a text.
//!
//! The parts of a message are written and read together and stand in one column, as JSON. Their
//! whole size is what is bounded; single fields are bounded only where a longer value is a mistake.

mod source;

use serde::{Deserialize, Deserializer, Serialize};

use super::content::bounded;
use super::{Invalid, Json};
pub use source::Source;

/// Most parts of a message.
pub const MAX_PARTS: usize = 1000;

/// Largest JSON form of a message's parts together, in bytes.
pub const MAX_PARTS_BYTES: usize = 256 * 1024;

/// Longest name, title or media type, in bytes.
const MAX_NAME_BYTES: usize = 1024;

/// Longest URL and longest id, in bytes. Some providers keep state in the ids of tool calls.
const MAX_URL_BYTES: usize = 8 * 1024;

/// One part of a message. The names are those of the database's JSON and never change once released.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Part {
    /// What is said.
    Text {
        /// Without NUL; may be empty.
        text: String,
    },
    /// What the model thought before it spoke.
    Reasoning {
        /// Without NUL; may be empty.
        text: String,
    },
    /// A file, kept elsewhere.
    File {
        /// For example `image/png`.
        media_type: String,
        /// What the user calls it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filename: Option<String>,
        /// Where it is.
        url: String,
    },
    /// A call of a tool, and what came of it.
    Tool {
        /// Which call.
        tool_call_id: String,
        /// Which tool.
        tool_name: String,
        /// How far the call is.
        state: ToolState,
        /// What the tool is given.
        #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
        input: Option<Json>,
        /// What the tool answered.
        #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
        output: Option<Json>,
        /// Why there is no answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error_text: Option<String>,
    },
    /// A web page or a document that the model refers to.
    Source(Source),
    /// Anything else, kept as it came.
    Data {
        /// What it is.
        name: String,
        /// Not null.
        data: Json,
    },
}

/// How far a tool call is. The names stand in the database and never change once released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ToolState {
    /// The model is writing the input.
    InputStreaming,
    /// The input is complete.
    InputAvailable,
    /// Somebody must allow the call first.
    ApprovalRequested,
    /// The tool has answered.
    OutputAvailable,
    /// The tool has failed.
    OutputError,
    /// The call was not allowed.
    OutputDenied,
}

/// A JSON null is a value that was given; serde would take it for nothing.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

impl Part {
    fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let json = |json: &Option<Json>| json.as_ref().map_or(0, |json| json.as_str().len());
        let texts = match self {
            Self::Text { text } | Self::Reasoning { text } => text.len(),
            Self::File { media_type, filename, url } => media_type.len() + text(filename) + url.len(),
            Self::Tool { tool_call_id, tool_name, input, output, error_text, .. } => {
                tool_call_id.len() + tool_name.len() + json(input) + json(output) + text(error_text)
            }
            Self::Source(source) => source.bytes(),
            Self::Data { name, data } => name.len() + data.as_str().len(),
        };
        size_of::<Self>() + texts
    }

    /// Checks the rules for one part, `argument`s named from the part on: `file.url`.
    fn check(&self) -> Result<(), Invalid> {
        match self {
            Self::Text { text } => without_nul("text.text", text),
            Self::Reasoning { text } => without_nul("reasoning.text", text),
            Self::File { media_type, filename, url } => {
                required("file.mediaType", media_type, MAX_NAME_BYTES)?;
                optional("file.filename", filename.as_deref(), MAX_NAME_BYTES)?;
                file_url("file.url", url)
            }
            Self::Tool { tool_call_id, tool_name, error_text, .. } => {
                required("tool.toolCallId", tool_call_id, MAX_URL_BYTES)?;
                required("tool.toolName", tool_name, MAX_NAME_BYTES)?;
                error_text.as_deref().map_or(Ok(()), |text| without_nul("tool.errorText", text))
            }
            Self::Source(source) => source.check(),
            Self::Data { name, data } => {
                required("data.name", name, MAX_NAME_BYTES)?;
                match data.as_str() {
                    "null" => Err(Invalid::new("data.data", "must not be null")),
                    _ => Ok(()),
                }
            }
        }
    }

    fn canonical(&self) -> Self {
        let canonical = |json: &Json| Json::stored(json.canonical().into_owned());
        let mut part = self.clone();
        match &mut part {
            Self::Tool { input, output, .. } => {
                for json in [input, output].into_iter().flatten() {
                    *json = canonical(json);
                }
            }
            Self::Data { data, .. } => *data = canonical(data),
            Self::Text { .. } | Self::Reasoning { .. } | Self::File { .. } | Self::Source(_) => {}
        }
        part
    }

    fn is_empty_text(&self) -> bool {
        matches!(self, Self::Text { text } | Self::Reasoning { text } if text.is_empty())
    }
}

/// Shows the kind only: parts are what users wrote.
impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text { .. } => "Text",
            Self::Reasoning { .. } => "Reasoning",
            Self::File { .. } => "File",
            Self::Tool { .. } => "Tool",
            Self::Source(Source::Url { .. }) => "SourceUrl",
            Self::Source(Source::Document { .. }) => "SourceDocument",
            Self::Data { .. } => "Data",
        })
    }
}

/// The parts of a message: 1 to 1000, at most 256 KiB of JSON together, without NUL.
///
/// Texts may be empty, as a stream's are when it begins, but not when there is nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct Parts(Vec<Part>);

impl Parts {
    /// Checks the rules; `argument` is named when one is broken, with a path to the fault:
    /// `parts[2].file.url`.
    ///
    /// # Errors
    /// None or too many, too large, nothing but empty texts, or a part that breaks a rule of its own.
    pub fn new(argument: &str, parts: Vec<Part>) -> Result<Self, Invalid> {
        if parts.len() > MAX_PARTS {
            let rule = format!("must be at most {MAX_PARTS}, are {}", parts.len());
            return Err(Invalid::new(argument, rule));
        }
        for (at, part) in parts.iter().enumerate() {
            part.check().map_err(|invalid| invalid.within(&format!("{argument}[{at}]")))?;
        }
        if parts.iter().all(Part::is_empty_text) {
            return Err(Invalid::new(argument, "must not be empty"));
        }
        let parts = Self(parts);
        let bytes = parts.to_json().len();
        if bytes > MAX_PARTS_BYTES {
            let rule = format!("must be at most {MAX_PARTS_BYTES} bytes of JSON together, have {bytes}");
            return Err(Invalid::new(argument, rule));
        }
        Ok(parts)
    }

    /// What the parts say: the texts that are not empty, joined by blank lines. Empty when none is.
    /// Never longer than a content may be.
    pub fn content(&self) -> String {
        let texts = self.0.iter().filter_map(|part| match part {
            Part::Text { text } if !text.is_empty() => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n\n")
    }

    /// The same parts with their JSON values in a form that all equal values have.
    pub(super) fn canonical(&self) -> Self {
        Self(self.0.iter().map(Part::canonical).collect())
    }

    /// The compact JSON that a row of the database holds.
    pub fn to_json(&self) -> String {
        #[expect(clippy::expect_used, reason = "every key is a string and every Json was checked")]
        serde_json::to_string(&self.0).expect("parts can be written as JSON")
    }

    /// Parts that a row of the database holds, and so were checked when they were written. `None`
    /// when the text is not what [`Parts::to_json`] writes; it does not say where, because that would
    /// quote the text.
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// About what they take in memory, in bytes.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(Part::bytes).sum()
    }

    /// The parts, in order.
    pub fn as_slice(&self) -> &[Part] {
        &self.0
    }

    /// The parts, taken out.
    pub fn into_vec(self) -> Vec<Part> {
        self.0
    }
}

/// Shows the count only: parts are what users wrote.
impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Parts({})", self.0.len())
    }
}

/// Where a file is: any URL, of a length that does not hold a file.
fn file_url(argument: &str, url: &str) -> Result<(), Invalid> {
    let is_data = url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
    if is_data && url.len() > MAX_URL_BYTES {
        let rule = format!(
            "must be at most {MAX_URL_BYTES} bytes, has {}: store the file elsewhere and give its URL",
            url.len()
        );
        return Err(Invalid::new(argument, rule));
    }
    required(argument, url, MAX_URL_BYTES)
}

fn required(argument: &str, text: &str, most: usize) -> Result<(), Invalid> {
    if text.is_empty() {
        return Err(Invalid::new(argument, "must not be empty"));
    }
    bounded(argument, text, most)
}

fn optional(argument: &str, text: Option<&str>, most: usize) -> Result<(), Invalid> {
    text.map_or(Ok(()), |text| bounded(argument, text, most))
}

fn without_nul(argument: &str, text: &str) -> Result<(), Invalid> {
    bounded(argument, text, MAX_PARTS_BYTES)
}

#[cfg(test)]
mod tests;
