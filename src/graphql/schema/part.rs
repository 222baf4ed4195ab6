//! Parts of messages.

pub(in crate::graphql) mod input;

use async_graphql::{Enum, SimpleObject, Union};

use super::scalar::Json;
use crate::model;

/// What a message is made of.
#[derive(Union)]
pub(in crate::graphql) enum MessagePart {
    Text(TextPart),
    Reasoning(ReasoningPart),
    File(FilePart),
    Tool(ToolPart),
    SourceUrl(SourceUrlPart),
    SourceDocument(SourceDocumentPart),
    Data(DataPart),
}

/// What is said.
#[derive(SimpleObject)]
pub(in crate::graphql) struct TextPart {
    /// May be empty.
    text: String,
}

/// What the model thought before it spoke.
#[derive(SimpleObject)]
pub(in crate::graphql) struct ReasoningPart {
    /// May be empty.
    text: String,
}

/// A file, kept elsewhere.
#[derive(SimpleObject)]
pub(in crate::graphql) struct FilePart {
    /// For example image/png.
    media_type: String,
    /// What the user calls it.
    filename: Option<String>,
    /// Where it is; the text as it was given.
    url: String,
}

/// A call of a tool, and what came of it.
#[derive(SimpleObject)]
pub(in crate::graphql) struct ToolPart {
    /// Which call.
    tool_call_id: String,
    /// Which tool.
    tool_name: String,
    /// How far the call is.
    state: ToolState,
    /// What the tool is given.
    input: Option<Json>,
    /// What the tool answered.
    output: Option<Json>,
    /// Why there is no answer.
    error_text: Option<String>,
}

/// How far a tool call is.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "model::ToolState")]
pub(in crate::graphql) enum ToolState {
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

/// A web page that the model refers to.
#[derive(SimpleObject)]
pub(in crate::graphql) struct SourceUrlPart {
    /// Identifies the source.
    source_id: String,
    /// The address of the page, as the client gave it.
    url: String,
    /// The title of the page.
    title: Option<String>,
}

/// A document that the model refers to.
#[derive(SimpleObject)]
pub(in crate::graphql) struct SourceDocumentPart {
    /// Identifies the source.
    source_id: String,
    /// The media type of the document, for example application/pdf. Documents stored before this field
    /// existed have application/octet-stream.
    media_type: String,
    /// The title of the document.
    title: Option<String>,
    /// The file name of the document.
    filename: Option<String>,
}

/// Anything else, kept as it came.
#[derive(SimpleObject)]
pub(in crate::graphql) struct DataPart {
    /// What it is.
    name: String,
    /// The value itself; never interpreted.
    data: Json,
}

impl From<model::Part> for MessagePart {
    fn from(part: model::Part) -> Self {
        use model::{Part, Source};
        match part {
            Part::Text { text } => Self::Text(TextPart { text }),
            Part::Reasoning { text } => Self::Reasoning(ReasoningPart { text }),
            Part::File { media_type, filename, url } => Self::File(FilePart { media_type, filename, url }),
            Part::Tool { tool_call_id, tool_name, state, input, output, error_text } => {
                Self::Tool(ToolPart {
                    tool_call_id,
                    tool_name,
                    state: state.into(),
                    input: input.map(Json::from),
                    output: output.map(Json::from),
                    error_text,
                })
            }
            Part::Source(Source::Url { source_id, url, title }) => {
                Self::SourceUrl(SourceUrlPart { source_id, url, title })
            }
            Part::Source(Source::Document { source_id, media_type, title, filename }) => {
                Self::SourceDocument(SourceDocumentPart { source_id, media_type, title, filename })
            }
            Part::Data { name, data } => Self::Data(DataPart { name, data: data.into() }),
        }
    }
}

#[cfg(test)]
mod tests;
