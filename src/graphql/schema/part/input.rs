//! What clients say about parts, read into the model.

use async_graphql::{InputObject, OneofObject};

use super::ToolState;
use crate::graphql::schema::scalar::Json;
use crate::model::{self, Invalid, MAX_PARTS_BYTES, Part, Parts, Source};

/// One part of a message: exactly one field.
#[derive(OneofObject)]
pub(in crate::graphql) enum MessagePartInput {
    /// What is said.
    Text(TextPartInput),
    /// What the model thought before it spoke.
    Reasoning(ReasoningPartInput),
    /// A file, kept elsewhere.
    File(FilePartInput),
    /// A call of a tool, and what came of it.
    Tool(ToolPartInput),
    /// A web page that the model refers to.
    SourceUrl(SourceUrlPartInput),
    /// A document that the model refers to.
    SourceDocument(SourceDocumentPartInput),
    /// Anything else, kept as it came.
    Data(DataPartInput),
}

/// What is said.
#[derive(InputObject)]
pub(in crate::graphql) struct TextPartInput {
    /// UTF-8 without NUL. May be empty when another part is not.
    text: String,
}

/// What the model thought before it spoke.
#[derive(InputObject)]
pub(in crate::graphql) struct ReasoningPartInput {
    /// UTF-8 without NUL. May be empty when another part is not.
    text: String,
}

/// A file, kept elsewhere.
#[derive(InputObject)]
pub(in crate::graphql) struct FilePartInput {
    /// For example image/png. 1 byte to 1 KiB.
    media_type: String,
    /// What the user calls it. At most 1 KiB.
    filename: Option<String>,
    /// Where it is: 1 byte to 8 KiB. A small file may stand in a data: URL; a larger one is stored
    /// elsewhere and its URL given.
    url: String,
}

/// A call of a tool, and what came of it.
#[derive(InputObject)]
pub(in crate::graphql) struct ToolPartInput {
    /// Which call. 1 byte to 8 KiB.
    tool_call_id: String,
    /// Which tool. 1 byte to 1 KiB.
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

/// A web page that the model refers to.
#[derive(InputObject)]
pub(in crate::graphql) struct SourceUrlPartInput {
    /// Identifies the source. 1 byte to 8 KiB.
    source_id: String,
    /// The address of the page. 1 byte to 8 KiB.
    url: String,
    /// The title of the page. At most 1 KiB.
    title: Option<String>,
}

/// A document that the model refers to.
#[derive(InputObject)]
pub(in crate::graphql) struct SourceDocumentPartInput {
    /// Identifies the source. 1 byte to 8 KiB.
    source_id: String,
    /// The media type of the document, for example application/pdf. 1 byte to 1 KiB.
    media_type: String,
    /// The title of the document. At most 1 KiB.
    title: Option<String>,
    /// The file name of the document. At most 1 KiB.
    filename: Option<String>,
}

/// Anything else, kept as it came.
#[derive(InputObject)]
pub(in crate::graphql) struct DataPartInput {
    /// What it is. 1 byte to 1 KiB.
    name: String,
    /// The value itself; never interpreted.
    data: Json,
}

impl MessagePartInput {
    fn parse(self) -> Result<Part, Invalid> {
        Ok(match self {
            Self::Text(TextPartInput { text }) => Part::Text { text },
            Self::Reasoning(ReasoningPartInput { text }) => Part::Reasoning { text },
            Self::File(FilePartInput { media_type, filename, url }) => {
                Part::File { media_type, filename, url }
            }
            Self::Tool(tool) => Part::Tool {
                tool_call_id: tool.tool_call_id,
                tool_name: tool.tool_name,
                state: tool.state.into(),
                input: tool.input.map(|input| json("tool.input", input)).transpose()?,
                output: tool.output.map(|output| json("tool.output", output)).transpose()?,
                error_text: tool.error_text,
            },
            Self::SourceUrl(SourceUrlPartInput { source_id, url, title }) => {
                Part::Source(Source::Url { source_id, url, title })
            }
            Self::SourceDocument(SourceDocumentPartInput { source_id, media_type, title, filename }) => {
                Part::Source(Source::Document { source_id, media_type, title, filename })
            }
            Self::Data(DataPartInput { name, data }) => Part::Data { name, data: json("data.data", data)? },
        })
    }
}

/// A value that may be as large as all the parts together.
fn json(argument: &str, json: Json) -> Result<model::Json, Invalid> {
    json.check_within(argument, MAX_PARTS_BYTES)
}

/// The parts of a message, checked; a fault is named with its path, such as `parts[2].file.url`.
pub(in crate::graphql) fn parse_parts(
    argument: &str,
    inputs: Vec<MessagePartInput>,
) -> Result<Parts, Invalid> {
    let part = |(at, input): (usize, MessagePartInput)| {
        input.parse().map_err(|invalid| invalid.within(&format!("{argument}[{at}]")))
    };
    let parts = inputs.into_iter().enumerate().map(part).collect::<Result<_, _>>()?;
    Parts::new(argument, parts)
}
