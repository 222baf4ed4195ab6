//! Parts of messages.

pub(in crate::graphql) mod input;
pub(in crate::graphql) mod writers;

use std::collections::HashMap;

use async_graphql::{ComplexObject, Context, Enum, SimpleObject, Union};

use super::attachment::Attachment;
use super::scalar::Json;
use crate::graphql::execution::context::ContextExt;
use crate::model;
use crate::store::Result;

/// A part of a message.
#[derive(Union)]
pub(in crate::graphql) enum MessagePart {
    Text(TextPart),
    Reasoning(ReasoningPart),
    File(FilePart),
    Tool(ToolPart),
    SourceUrl(SourceUrlPart),
    SourceDocument(SourceDocumentPart),
    Data(DataPart),
    Custom(CustomPart),
}

/// A text.
#[derive(SimpleObject)]
pub(in crate::graphql) struct TextPart {
    /// May be empty.
    text: String,
    /// Further fields of the part, as its SDK has them: an object, never interpreted. For example the `state`, the
    /// `citations`, the `approval` or the `providerMetadata` of a part of the AI SDK.
    extra: Option<Json>,
}

/// Reasoning of the model.
#[derive(SimpleObject)]
pub(in crate::graphql) struct ReasoningPart {
    /// May be empty.
    text: String,
    /// Further fields of the part, as its SDK has them: an object, never interpreted. For example the `state`, the
    /// `citations`, the `approval` or the `providerMetadata` of a part of the AI SDK.
    extra: Option<Json>,
}

/// A file.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(in crate::graphql) struct FilePart {
    /// For example image/png.
    media_type: String,
    /// The name of the file.
    filename: Option<String>,
    /// The address of the file, as the client gave it; `attachment:` and an id for an attachment.
    url: String,
    /// Further fields of the part, as its SDK has them: an object, never interpreted. For example the `state`, the
    /// `citations`, the `approval` or the `providerMetadata` of a part of the AI SDK.
    extra: Option<Json>,
    /// The attachment, if it is known already.
    #[graphql(skip)]
    known: Option<model::Attachment>,
}

#[ComplexObject]
impl FilePart {
    /// The file, if it is on this server: the URL begins with `attachment:`.
    async fn attachment(&self, ctx: &Context<'_>) -> Result<Option<Attachment>> {
        if let Some(known) = &self.known {
            return Ok(Some(known.clone().into()));
        }
        let Some(id) = model::attachment_of("url", &self.url).ok().flatten() else { return Ok(None) };
        let found = ctx.loaders()?.attachment(id).await?;
        Ok(found.map(|found| Attachment::from(model::Attachment::clone(&found))))
    }
}

/// A tool call and its result.
#[derive(SimpleObject)]
pub(in crate::graphql) struct ToolPart {
    /// The id of the call.
    tool_call_id: String,
    /// The name of the tool.
    tool_name: String,
    /// The state of the call.
    state: ToolState,
    /// The input of the tool.
    input: Option<Json>,
    /// The output of the tool.
    output: Option<Json>,
    /// The error, if the tool failed.
    error_text: Option<String>,
    /// Further fields of the part, as its SDK has them: an object, never interpreted. For example the `state`, the
    /// `citations`, the `approval` or the `providerMetadata` of a part of the AI SDK.
    extra: Option<Json>,
}

/// The state of a tool call.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "model::ToolState")]
pub(in crate::graphql) enum ToolState {
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

/// A web page that the model refers to.
#[derive(SimpleObject)]
pub(in crate::graphql) struct SourceUrlPart {
    /// The id of the source.
    source_id: String,
    /// The address of the page, as the client gave it.
    url: String,
    /// The title of the page.
    title: Option<String>,
    /// Further fields of the part, as its SDK has them: an object, never interpreted. For example the `state`, the
    /// `citations`, the `approval` or the `providerMetadata` of a part of the AI SDK.
    extra: Option<Json>,
}

/// A document that the model refers to.
#[derive(SimpleObject)]
pub(in crate::graphql) struct SourceDocumentPart {
    /// The id of the source.
    source_id: String,
    /// The media type of the document, for example application/pdf. Documents stored before this field
    /// existed have application/octet-stream.
    media_type: String,
    /// The title of the document.
    title: Option<String>,
    /// The file name of the document.
    filename: Option<String>,
    /// Further fields of the part, as its SDK has them: an object, never interpreted. For example the `state`, the
    /// `citations`, the `approval` or the `providerMetadata` of a part of the AI SDK.
    extra: Option<Json>,
}

/// Any other data, stored unchanged.
#[derive(SimpleObject)]
pub(in crate::graphql) struct DataPart {
    /// The name of the data.
    name: String,
    /// The value, never interpreted.
    data: Json,
    /// Further fields of the part, as its SDK has them: an object, never interpreted. For example the `state`, the
    /// `citations`, the `approval` or the `providerMetadata` of a part of the AI SDK.
    extra: Option<Json>,
}

/// A part of a kind that has no type here, stored unchanged: what an SDK calls a step, a custom part, or a kind that
/// is newer than this server.
#[derive(SimpleObject)]
pub(in crate::graphql) struct CustomPart {
    /// The kind, as its SDK calls it.
    kind: String,
    /// The part, never interpreted.
    data: Json,
    /// Further fields of the part, as its SDK has them: an object, never interpreted. For example the `state`, the
    /// `citations`, the `approval` or the `providerMetadata` of a part of the AI SDK.
    extra: Option<Json>,
}

impl From<model::Part> for MessagePart {
    fn from(part: model::Part) -> Self {
        use model::{Part, Source};
        let json = |json: Option<model::Json>| json.map(Json::from);
        match part {
            Part::Text { text, extra } => Self::Text(TextPart { text, extra: json(extra) }),
            Part::Reasoning { text, extra } => Self::Reasoning(ReasoningPart { text, extra: json(extra) }),
            Part::File { media_type, filename, url, extra } => {
                Self::File(FilePart { media_type, filename, url, extra: json(extra), known: None })
            }
            Part::Tool { tool_call_id, tool_name, state, input, output, error_text, extra } => {
                Self::Tool(ToolPart {
                    tool_call_id,
                    tool_name,
                    state: state.into(),
                    input: json(input),
                    output: json(output),
                    error_text,
                    extra: json(extra),
                })
            }
            Part::Source(Source::Url { source_id, url, title, extra }) => {
                Self::SourceUrl(SourceUrlPart { source_id, url, title, extra: json(extra) })
            }
            Part::Source(Source::Document { source_id, media_type, title, filename, extra }) => {
                let extra = json(extra);
                Self::SourceDocument(SourceDocumentPart { source_id, media_type, title, filename, extra })
            }
            Part::Data { name, data, extra } => {
                Self::Data(DataPart { name, data: data.into(), extra: json(extra) })
            }
            Part::Custom { kind, data, extra } => {
                Self::Custom(CustomPart { kind, data: data.into(), extra: json(extra) })
            }
        }
    }
}

impl MessagePart {
    /// A part of a message of somebody else, with its attachment.
    pub(in crate::graphql) fn shared(
        part: model::Part,
        attachments: &HashMap<model::AttachmentId, model::Attachment>,
    ) -> Self {
        let mut part = Self::from(part);
        if let Self::File(file) = &mut part {
            let id = model::attachment_of("url", &file.url).ok().flatten();
            file.known = id.and_then(|id| attachments.get(&id).cloned());
        }
        part
    }
}

#[cfg(test)]
mod tests;
