//! The writers of the fields of parts.

use async_graphql::parser::types::SelectionSet;

use super::ToolState;
use crate::graphql::execution::json_writer::{
    write_enum, write_json, write_list, write_option, write_string,
};
use crate::graphql::execution::related::Related;
use crate::graphql::execution::selection_plan::{
    FieldPlan, FieldWriter, Fragments, ObjectWriter, SelectionPlan,
};
use crate::model::{Json, Part, Source};

/// The union of all parts.
const UNION: &[&str] = &["MessagePart"];

/// The writer of a field: it writes nothing of another kind of part.
macro_rules! field {
    ($part:pat => $write:ident($value:expr)) => {
        |out, part| matches!(part, $part if $write(out, $value))
    };
    ($part:pat => $write:ident?($value:expr)) => {
        |out, part| matches!(part, $part if write_option(out, $value, $write))
    };
}

/// The writer of a kind of part. Every kind has `extra`.
macro_rules! writer {
    ($type:literal, $($name:literal: $field:expr),+ $(,)?) => {
        ObjectWriter {
            name: $type,
            belongs_to: UNION,
            field: |name| {
                Some(FieldWriter::Leaf(match name {
                    $($name => $field,)+
                    "extra" => |out, part| write_option(out, part.extra(), write_json),
                    _ => return None,
                }))
            },
        }
    };
}

const TEXT: ObjectWriter<Part> =
    writer!("TextPart", "text": field!(Part::Text { text, .. } => write_string(text)));

const REASONING: ObjectWriter<Part> =
    writer!("ReasoningPart", "text": field!(Part::Reasoning { text, .. } => write_string(text)));

const FILE: ObjectWriter<Part> = writer!(
    "FilePart",
    "mediaType": field!(Part::File { media_type, .. } => write_string(media_type)),
    "filename": field!(Part::File { filename, .. } => write_string?(filename.as_deref())),
    "url": field!(Part::File { url, .. } => write_string(url)),
);

const TOOL: ObjectWriter<Part> = writer!(
    "ToolPart",
    "toolCallId": field!(Part::Tool { tool_call_id, .. } => write_string(tool_call_id)),
    "toolName": field!(Part::Tool { tool_name, .. } => write_string(tool_name)),
    "state": field!(Part::Tool { state, .. } => write_enum(ToolState::from(*state))),
    "input": field!(Part::Tool { input, .. } => write_json?(input.as_ref())),
    "output": field!(Part::Tool { output, .. } => write_json?(output.as_ref())),
    "errorText": field!(Part::Tool { error_text, .. } => write_string?(error_text.as_deref())),
);

const SOURCE_URL: ObjectWriter<Part> = writer!(
    "SourceUrlPart",
    "sourceId": field!(Part::Source(Source::Url { source_id, .. }) => write_string(source_id)),
    "url": field!(Part::Source(Source::Url { url, .. }) => write_string(url)),
    "title": field!(Part::Source(Source::Url { title, .. }) => write_string?(title.as_deref())),
);

const SOURCE_DOCUMENT: ObjectWriter<Part> = writer!(
    "SourceDocumentPart",
    "sourceId": field!(Part::Source(Source::Document { source_id, .. }) => write_string(source_id)),
    "mediaType": field!(Part::Source(Source::Document { media_type, .. }) => write_string(media_type)),
    "title": field!(Part::Source(Source::Document { title, .. }) => write_string?(title.as_deref())),
    "filename": field!(Part::Source(Source::Document { filename, .. }) => write_string?(filename.as_deref())),
);

const DATA: ObjectWriter<Part> = writer!(
    "DataPart",
    "name": field!(Part::Data { name, .. } => write_string(name)),
    "data": field!(Part::Data { data, .. } => write_json(data)),
);

const CUSTOM: ObjectWriter<Part> = writer!(
    "CustomPart",
    "kind": field!(Part::Custom { kind, .. } => write_string(kind)),
    "data": field!(Part::Custom { data, .. } => write_json(data)),
);

/// A text part of a message without parts: the text of the message.
const TEXT_ALONE: ObjectWriter<str> = ObjectWriter {
    name: TEXT.name,
    belongs_to: UNION,
    field: |name| {
        Some(FieldWriter::Leaf(match name {
            "text" => write_string,
            "extra" => |out, _| write_option(out, None::<&Json>, write_json),
            _ => return None,
        }))
    },
};

/// The plan of a list of parts: one for each kind.
pub(in crate::graphql) struct PartsPlan {
    text: SelectionPlan<Part>,
    reasoning: SelectionPlan<Part>,
    file: SelectionPlan<Part>,
    tool: SelectionPlan<Part>,
    source_url: SelectionPlan<Part>,
    source_document: SelectionPlan<Part>,
    data: SelectionPlan<Part>,
    custom: SelectionPlan<Part>,
    text_alone: SelectionPlan<str>,
}

impl PartsPlan {
    /// Plans the selection of parts. `None` if that of a kind is left to async-graphql.
    pub(in crate::graphql) fn of(selection: &SelectionSet, fragments: &Fragments) -> Option<Self> {
        let of = |kind: &ObjectWriter<Part>| SelectionPlan::of(kind, selection, fragments);
        Some(Self {
            text: of(&TEXT)?,
            reasoning: of(&REASONING)?,
            file: of(&FILE)?,
            tool: of(&TOOL)?,
            source_url: of(&SOURCE_URL)?,
            source_document: of(&SOURCE_DOCUMENT)?,
            data: of(&DATA)?,
            custom: of(&CUSTOM)?,
            text_alone: SelectionPlan::of(&TEXT_ALONE, selection, fragments)?,
        })
    }

    /// Writes parts.
    pub(in crate::graphql) fn write(&self, out: &mut Vec<u8>, parts: &[Part], related: &Related<'_>) -> bool {
        write_list(out, parts, |out, part| related.fits(out) && self.of_part(part).write(out, part, related))
    }

    /// Writes the part of a message without parts, if it has a text.
    pub(in crate::graphql) fn write_text(
        &self,
        out: &mut Vec<u8>,
        text: &str,
        related: &Related<'_>,
    ) -> bool {
        let alone = Some(text).filter(|text| !text.is_empty());
        write_list(out, alone, |out, text| self.text_alone.write(out, text, related))
    }

    fn of_part(&self, part: &Part) -> &SelectionPlan<Part> {
        match part {
            Part::Text { .. } => &self.text,
            Part::Reasoning { .. } => &self.reasoning,
            Part::File { .. } => &self.file,
            Part::Tool { .. } => &self.tool,
            Part::Source(Source::Url { .. }) => &self.source_url,
            Part::Source(Source::Document { .. }) => &self.source_document,
            Part::Data { .. } => &self.data,
            Part::Custom { .. } => &self.custom,
        }
    }
}
