//! Inputs of parts.

use async_graphql::{InputObject, OneofObject};

use super::ToolState;
use crate::graphql::schema::scalar::Json;
use crate::model::{ContentLimits, Invalid, Part, Parts, Source};

/// One part of a message: exactly one field.
#[derive(OneofObject)]
pub(in crate::graphql) enum MessagePartInput {
    /// A text.
    Text(TextPartInput),
    /// Reasoning of the model.
    Reasoning(ReasoningPartInput),
    /// A file.
    File(FilePartInput),
    /// A tool call and its result.
    Tool(ToolPartInput),
    /// A web page that the model refers to.
    SourceUrl(SourceUrlPartInput),
    /// A document that the model refers to.
    SourceDocument(SourceDocumentPartInput),
    /// Any other data, stored unchanged.
    Data(DataPartInput),
    /// A part of a kind that has no field here, stored unchanged.
    Custom(CustomPartInput),
}

/// A text.
#[derive(InputObject)]
pub(in crate::graphql) struct TextPartInput {
    /// UTF-8 without NUL. May be empty when another part is not.
    text: String,
    /// Further fields of the part, as its SDK has them: an object, never interpreted.
    extra: Option<Json>,
}

/// Reasoning of the model.
#[derive(InputObject)]
pub(in crate::graphql) struct ReasoningPartInput {
    /// UTF-8 without NUL. May be empty when another part is not.
    text: String,
    /// Further fields of the part, as its SDK has them: an object, never interpreted.
    extra: Option<Json>,
}

/// A file: an attachment, a file that is stored elsewhere, or the file itself in a `data:` URL.
#[derive(InputObject)]
pub(in crate::graphql) struct FilePartInput {
    /// For example image/png. 1 byte to 1 KiB.
    media_type: String,
    /// The name of the file. At most 1 KiB.
    filename: Option<String>,
    /// The address of the file, 1 byte to 8 KiB. `attachment:` and the id of an attachment that was uploaded, for a file on
    /// this server (`createAttachment`). A `data:` URL contains the file and may be longer: over 8 KiB it becomes an
    /// attachment, and the stored message refers to that. Where the server has no attachments, it is stored as it is and
    /// counts as a part of the message.
    url: String,
    /// Further fields of the part, as its SDK has them: an object, never interpreted.
    extra: Option<Json>,
}

/// A tool call and its result.
#[derive(InputObject)]
pub(in crate::graphql) struct ToolPartInput {
    /// The id of the call. 1 byte to 8 KiB.
    tool_call_id: String,
    /// The name of the tool. 1 byte to 1 KiB.
    tool_name: String,
    /// The state of the call.
    state: ToolState,
    /// The input of the tool.
    input: Option<Json>,
    /// The output of the tool.
    output: Option<Json>,
    /// The error, if the tool failed.
    error_text: Option<String>,
    /// Further fields of the part, as its SDK has them: an object, never interpreted.
    extra: Option<Json>,
}

/// A web page that the model refers to.
#[derive(InputObject)]
pub(in crate::graphql) struct SourceUrlPartInput {
    /// The id of the source. 1 byte to 8 KiB.
    source_id: String,
    /// The address of the page. 1 byte to 8 KiB.
    url: String,
    /// The title of the page. At most 1 KiB.
    title: Option<String>,
    /// Further fields of the part, as its SDK has them: an object, never interpreted.
    extra: Option<Json>,
}

/// A document that the model refers to.
#[derive(InputObject)]
pub(in crate::graphql) struct SourceDocumentPartInput {
    /// The id of the source. 1 byte to 8 KiB.
    source_id: String,
    /// The media type of the document, for example application/pdf. 1 byte to 1 KiB.
    media_type: String,
    /// The title of the document. At most 1 KiB.
    title: Option<String>,
    /// The file name of the document. At most 1 KiB.
    filename: Option<String>,
    /// Further fields of the part, as its SDK has them: an object, never interpreted.
    extra: Option<Json>,
}

/// Any other data, stored unchanged.
#[derive(InputObject)]
pub(in crate::graphql) struct DataPartInput {
    /// The name of the data. 1 byte to 1 KiB.
    name: String,
    /// The value, never interpreted.
    data: Json,
    /// Further fields of the part, as its SDK has them: an object, never interpreted.
    extra: Option<Json>,
}

/// A part of a kind that has no type here, stored unchanged: what an SDK calls a step, a custom part, or a kind that
/// is newer than this server.
#[derive(InputObject)]
pub(in crate::graphql) struct CustomPartInput {
    /// The kind, as its SDK calls it. 1 byte to 1 KiB.
    kind: String,
    /// The part, never interpreted.
    data: Json,
    /// Further fields of the part, as its SDK has them: an object, never interpreted.
    extra: Option<Json>,
}

impl MessagePartInput {
    fn parse(self, most: usize) -> Result<Part, Invalid> {
        let checked =
            |argument: &str, json: Option<Json>| json.map(|json| json.check(argument, most)).transpose();
        Ok(match self {
            Self::Text(TextPartInput { text, extra }) => {
                Part::Text { text, extra: checked("text.extra", extra)? }
            }
            Self::Reasoning(ReasoningPartInput { text, extra }) => {
                Part::Reasoning { text, extra: checked("reasoning.extra", extra)? }
            }
            Self::File(FilePartInput { media_type, filename, url, extra }) => {
                Part::File { media_type, filename, url, extra: checked("file.extra", extra)? }
            }
            Self::Tool(tool) => Part::Tool {
                tool_call_id: tool.tool_call_id,
                tool_name: tool.tool_name,
                state: tool.state.into(),
                input: checked("tool.input", tool.input)?,
                output: checked("tool.output", tool.output)?,
                error_text: tool.error_text,
                extra: checked("tool.extra", tool.extra)?,
            },
            Self::SourceUrl(SourceUrlPartInput { source_id, url, title, extra }) => {
                let extra = checked("sourceUrl.extra", extra)?;
                Part::Source(Source::Url { source_id, url, title, extra })
            }
            Self::SourceDocument(source) => Part::Source(Source::Document {
                source_id: source.source_id,
                media_type: source.media_type,
                title: source.title,
                filename: source.filename,
                extra: checked("sourceDocument.extra", source.extra)?,
            }),
            Self::Data(DataPartInput { name, data, extra }) => Part::Data {
                name,
                data: data.check("data.data", most)?,
                extra: checked("data.extra", extra)?,
            },
            Self::Custom(CustomPartInput { kind, data, extra }) => Part::Custom {
                kind,
                data: data.check("custom.data", most)?,
                extra: checked("custom.extra", extra)?,
            },
        })
    }
}

/// The parts of a message, within its limit together, and each of them, too. Errors name the path, such as
/// `parts[2].file.url`.
pub(in crate::graphql) fn parse_parts(
    argument: &str,
    inputs: Vec<MessagePartInput>,
    limits: ContentLimits,
) -> Result<Parts, Invalid> {
    let most = limits.message_bytes;
    let part = |(at, input): (usize, MessagePartInput)| {
        input.parse(most).map_err(|invalid| invalid.within(&format!("{argument}[{at}]")))
    };
    let parts = inputs.into_iter().enumerate().map(part).collect::<Result<_, _>>()?;
    match limits.has_attachments {
        true => Parts::to_attach(argument, parts, most),
        false => Parts::within(argument, parts, most),
    }
}
