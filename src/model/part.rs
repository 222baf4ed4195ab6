//! Parts: the content of a message that is more than a text.
//!
//! The parts of a message are written and read together, and stored as JSON in one column. Their total size
//! is limited. Single fields have limits only where a longer value is a mistake.

mod source;

use serde::{Deserialize, Deserializer, Serialize};

use super::content::{MAX_MESSAGE_BYTES, bounded};
use super::{Invalid, Json, MAX_INLINE_BYTES, attachment_of, is_data_url};
pub use source::Source;

/// The most parts of a message.
pub const MAX_PARTS: usize = 1000;

/// The longest name, title or media type, in bytes.
const MAX_NAME_BYTES: usize = 1024;

/// The longest URL and id, in bytes. Some providers keep state in the ids of tool calls.
const MAX_URL_BYTES: usize = 8 * 1024;

/// A part of a message. The names are those of the JSON in the database and never change once released.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Part {
    /// A text.
    Text {
        /// Without NUL; may be empty.
        text: String,
    },
    /// Reasoning of the model.
    Reasoning {
        /// Without NUL; may be empty.
        text: String,
    },
    /// A file that is stored elsewhere.
    File {
        /// For example `image/png`.
        media_type: String,
        /// The name of the file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filename: Option<String>,
        /// The address of the file.
        url: String,
    },
    /// A tool call and its result.
    Tool {
        /// The id of the call.
        tool_call_id: String,
        /// The name of the tool.
        tool_name: String,
        /// The state of the call.
        state: ToolState,
        /// The input of the tool.
        #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
        input: Option<Json>,
        /// The output of the tool.
        #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
        output: Option<Json>,
        /// The error, if the tool failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error_text: Option<String>,
    },
    /// A web page or a document that the model refers to.
    Source(Source),
    /// Any other data, stored unchanged.
    Data {
        /// The name of the data.
        name: String,
        /// The value. Must not be null.
        data: Json,
    },
}

/// The state of a tool call. The names are stored in the database and never change once released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ToolState {
    /// The model is writing the input.
    InputStreaming,
    /// The input is complete.
    InputAvailable,
    /// The call needs an approval.
    ApprovalRequested,
    /// The tool returned an output.
    OutputAvailable,
    /// The tool has failed.
    OutputError,
    /// The call was denied.
    OutputDenied,
}

/// Keeps a JSON null as a given value. By default serde reads it as `None`.
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

    /// Checks one part. Errors name the field, beginning with the kind of the part: `file.url`.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        match self {
            Self::Text { text } => without_nul("text.text", text),
            Self::Reasoning { text } => without_nul("reasoning.text", text),
            Self::File { media_type, filename, url } => {
                required("file.mediaType", media_type, MAX_NAME_BYTES)?;
                optional("file.filename", filename.as_deref(), MAX_NAME_BYTES)?;
                file_url("file.url", url)?;
                attachment_of("file.url", url).map(|_| ())
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

    /// Whether it has a `data:` URL that is stored as an attachment, where there are attachments.
    pub fn is_large_data_url(&self) -> bool {
        matches!(self, Self::File { url, .. } if url.len() > MAX_INLINE_BYTES && is_data_url(url))
    }

    fn is_empty_text(&self) -> bool {
        matches!(self, Self::Text { text } | Self::Reasoning { text } if text.is_empty())
    }
}

/// Shows only the kind: parts are data of users.
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

/// The parts of a message: 1 to 1000, at most 16 MiB of JSON together, without NUL.
///
/// Texts may be empty, for example at the start of a stream, but not all parts may be empty texts.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Parts(Vec<Part>);

impl Parts {
    /// Checks the parts. Errors name `argument` with the path: `parts[2].file.url`.
    ///
    /// # Errors
    /// There are no parts or too many, they are too large, all are empty texts, or a part is invalid.
    pub fn new(argument: &str, parts: Vec<Part>) -> Result<Self, Invalid> {
        Self::within(argument, parts, MAX_MESSAGE_BYTES)
    }

    /// The same with another limit of the JSON, in bytes.
    ///
    /// # Errors
    /// As for [`Parts::new`].
    pub fn within(argument: &str, parts: Vec<Part>, most: usize) -> Result<Self, Invalid> {
        Self::check(argument, parts, most, |_| 0)
    }

    /// The same where large `data:` URLs are going to be attachments: they do not count.
    ///
    /// # Errors
    /// As for [`Parts::new`].
    pub fn to_attach(argument: &str, parts: Vec<Part>, most: usize) -> Result<Self, Invalid> {
        let attached = |part: &Part| match part {
            Part::File { url, .. } if part.is_large_data_url() => url.len(),
            _ => 0,
        };
        Self::check(argument, parts, most, attached)
    }

    fn check(
        argument: &str,
        parts: Vec<Part>,
        most: usize,
        not_counted: impl Fn(&Part) -> usize,
    ) -> Result<Self, Invalid> {
        if parts.len() > MAX_PARTS {
            let rule = format!("must have at most {MAX_PARTS} parts, has {}", parts.len());
            return Err(Invalid::new(argument, rule));
        }
        for (at, part) in parts.iter().enumerate() {
            part.check().map_err(|invalid| invalid.within(&format!("{argument}[{at}]")))?;
        }
        if parts.iter().all(Part::is_empty_text) {
            return Err(Invalid::new(argument, "must not be empty"));
        }
        let parts = Self(parts);
        let bytes = parts.to_json().len() - parts.0.iter().map(not_counted).sum::<usize>();
        if bytes > most {
            let rule = format!("must have at most {most} bytes of JSON in total, has {bytes}");
            return Err(Invalid::new(argument, rule));
        }
        Ok(parts)
    }

    /// The content of the message: the texts that are not empty, joined by blank lines. It is never longer
    /// than a [`Content`](super::Content) may be.
    pub fn content(&self) -> String {
        let texts = self.0.iter().filter_map(|part| match part {
            Part::Text { text } if !text.is_empty() => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n\n")
    }

    /// The same parts with canonical JSON values.
    pub(super) fn canonical(&self) -> Self {
        Self(self.0.iter().map(Part::canonical).collect())
    }

    /// The compact JSON for the database.
    pub fn to_json(&self) -> String {
        #[expect(clippy::expect_used, reason = "every key is a string and every Json was checked")]
        serde_json::to_string(&self.0).expect("parts can be written as JSON")
    }

    /// Parts from a row of the database, which were checked when they were written. `None` if the text was
    /// not written by [`Parts::to_json`]. There is no error with a position, because it would quote the text.
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// The approximate memory that they take, in bytes.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(Part::bytes).sum()
    }

    /// The parts, in order.
    pub fn as_slice(&self) -> &[Part] {
        &self.0
    }

    /// Returns the parts.
    pub fn into_vec(self) -> Vec<Part> {
        self.0
    }
}

/// Shows only the count: parts are data of users.
impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Parts({})", self.0.len())
    }
}

/// Checks the URL of a file. A `data:` URL is the file itself, and may be as long as all parts.
fn file_url(argument: &str, url: &str) -> Result<(), Invalid> {
    required(argument, url, if is_data_url(url) { MAX_MESSAGE_BYTES } else { MAX_URL_BYTES })
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
    bounded(argument, text, MAX_MESSAGE_BYTES)
}

#[cfg(test)]
mod tests;
