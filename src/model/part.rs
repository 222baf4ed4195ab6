//! Parts: the content of a message that is more than a text.
//!
//! The parts of a message are written and read together, and stored as JSON in one column. Their total size
//! is limited. Single fields have limits only where a longer value is a mistake.

mod parts;
mod source;

use serde::{Deserialize, Deserializer, Serialize};

use super::content::{MAX_MESSAGE_BYTES, bounded};
use super::{Invalid, Json, MAX_INLINE_BYTES, attachment_of, is_data_url};
pub use parts::{MAX_PARTS, Parts};
pub use source::Source;

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
        /// Further fields of the SDK that wrote the part, an object.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        extra: Option<Json>,
    },
    /// Reasoning of the model.
    Reasoning {
        /// Without NUL; may be empty.
        text: String,
        /// Further fields of the SDK that wrote the part, an object.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        extra: Option<Json>,
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
        /// Further fields of the SDK that wrote the part, an object.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        extra: Option<Json>,
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
        /// Further fields of the SDK that wrote the part, an object.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        extra: Option<Json>,
    },
    /// A web page or a document that the model refers to.
    Source(Source),
    /// Any other data, stored unchanged.
    Data {
        /// The name of the data.
        name: String,
        /// The value. Must not be null.
        data: Json,
        /// Further fields of the SDK that wrote the part, an object.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        extra: Option<Json>,
    },
    /// A part of a kind that there is no type for, stored unchanged.
    Custom {
        /// The kind, as the SDK that wrote the part calls it.
        kind: String,
        /// The value. Must not be null.
        data: Json,
        /// Further fields of the SDK that wrote the part, an object.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        extra: Option<Json>,
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
    /// The approval was given or refused, and the tool has not run yet.
    ApprovalResponded,
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

/// The field `extra` of a part, by reference.
macro_rules! extra_of {
    ($part:expr) => {
        match $part {
            Part::Text { extra, .. }
            | Part::Reasoning { extra, .. }
            | Part::File { extra, .. }
            | Part::Tool { extra, .. }
            | Part::Source(Source::Url { extra, .. } | Source::Document { extra, .. })
            | Part::Data { extra, .. }
            | Part::Custom { extra, .. } => extra,
        }
    };
}

impl Part {
    /// A text and nothing else.
    pub fn text(text: String) -> Self {
        Self::Text { text, extra: None }
    }

    /// Reasoning and nothing else.
    pub fn reasoning(text: String) -> Self {
        Self::Reasoning { text, extra: None }
    }

    /// Further fields of the SDK that wrote the part.
    pub fn extra(&self) -> Option<&Json> {
        extra_of!(self).as_ref()
    }

    /// The place of the further fields.
    pub fn extra_mut(&mut self) -> &mut Option<Json> {
        extra_of!(self)
    }

    fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let json = |json: &Option<Json>| json.as_ref().map_or(0, |json| json.as_str().len());
        let texts = match self {
            Self::Text { text, .. } | Self::Reasoning { text, .. } => text.len(),
            Self::File { media_type, filename, url, .. } => media_type.len() + text(filename) + url.len(),
            Self::Tool { tool_call_id, tool_name, input, output, error_text, .. } => {
                tool_call_id.len() + tool_name.len() + json(input) + json(output) + text(error_text)
            }
            Self::Source(source) => source.bytes(),
            Self::Data { name: kind, data, .. } | Self::Custom { kind, data, .. } => {
                kind.len() + data.as_str().len()
            }
        };
        size_of::<Self>() + texts + self.extra().map_or(0, |extra| extra.as_str().len())
    }

    /// Checks one part. Errors name the field, beginning with the kind of the part: `file.url`.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        match self {
            Self::Text { text, .. } => without_nul("text.text", text)?,
            Self::Reasoning { text, .. } => without_nul("reasoning.text", text)?,
            Self::File { media_type, filename, url, .. } => {
                required("file.mediaType", media_type, MAX_NAME_BYTES)?;
                optional("file.filename", filename.as_deref(), MAX_NAME_BYTES)?;
                file_url("file.url", url)?;
                attachment_of("file.url", url)?;
            }
            Self::Tool { tool_call_id, tool_name, error_text, .. } => {
                required("tool.toolCallId", tool_call_id, MAX_URL_BYTES)?;
                required("tool.toolName", tool_name, MAX_NAME_BYTES)?;
                error_text.as_deref().map_or(Ok(()), |text| without_nul("tool.errorText", text))?;
            }
            Self::Source(source) => source.check()?,
            Self::Data { name, data, .. } => {
                required("data.name", name, MAX_NAME_BYTES)?;
                if data.as_str() == "null" {
                    return Err(Invalid::new("data.data", "must not be null"));
                }
            }
            Self::Custom { kind, data, .. } => {
                required("custom.kind", kind, MAX_NAME_BYTES)?;
                if data.as_str() == "null" {
                    return Err(Invalid::new("custom.data", "must not be null"));
                }
            }
        }
        match self.extra() {
            Some(extra) if !extra.as_str().starts_with('{') => {
                Err(Invalid::new(format!("{}.extra", self.field()), "must be an object"))
            }
            _ => Ok(()),
        }
    }

    /// The name of its field in an input.
    fn field(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Reasoning { .. } => "reasoning",
            Self::File { .. } => "file",
            Self::Tool { .. } => "tool",
            Self::Source(Source::Url { .. }) => "sourceUrl",
            Self::Source(Source::Document { .. }) => "sourceDocument",
            Self::Data { .. } => "data",
            Self::Custom { .. } => "custom",
        }
    }

    fn canonical(&self) -> Self {
        let canonical = |json: &mut Json| *json = Json::stored(json.canonical().into_owned());
        let mut part = self.clone();
        match &mut part {
            Self::Tool { input, output, .. } => [input, output].into_iter().flatten().for_each(canonical),
            Self::Data { data, .. } | Self::Custom { data, .. } => canonical(data),
            Self::Text { .. } | Self::Reasoning { .. } | Self::File { .. } | Self::Source(_) => {}
        }
        part.extra_mut().iter_mut().for_each(canonical);
        part
    }

    /// Whether it has a `data:` URL that is stored as an attachment, where there are attachments.
    pub fn is_large_data_url(&self) -> bool {
        matches!(self, Self::File { url, .. } if url.len() > MAX_INLINE_BYTES && is_data_url(url))
    }

    fn is_empty_text(&self) -> bool {
        matches!(self, Self::Text { text, .. } | Self::Reasoning { text, .. } if text.is_empty())
    }
}

/// Shows only the kind: parts are data of users.
impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.field())
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
