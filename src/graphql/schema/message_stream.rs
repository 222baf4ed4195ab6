//! Streaming messages.

use async_graphql::{ComplexObject, Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use super::argument;
use super::cursor;
use super::message::connection::MessageEdge;
use super::message::{Message, MessageStatus};
use super::part::input::{MessagePartInput, parse_parts};
use super::scalar::Json;
use super::usage::TokenUsageInput;
use crate::graphql::execution::context::ContextExt;
use crate::graphql::execution::json_writer::{write_display, write_enum};
use crate::graphql::execution::prerender::SubscriptionItem;
use crate::graphql::execution::related::Text;
use crate::graphql::execution::selection_plan::{FieldWriter, ObjectWriter};
use crate::model::{self, ContentLimits, Invalid, StreamEnd, TextChunk, check_text_chunk};
use crate::store::Result;

/// A chunk of the text of a message.
#[derive(SimpleObject)]
pub(in crate::graphql) struct MessageTextChunk {
    /// The number of code points before it.
    offset: i64,
    /// The added text.
    text: String,
    /// The status of the message. If it is not STREAMING, this is the last chunk.
    status: MessageStatus,
}

impl From<TextChunk> for MessageTextChunk {
    fn from(piece: TextChunk) -> Self {
        Self { offset: piece.offset, text: piece.text, status: piece.status.into() }
    }
}

impl SubscriptionItem for TextChunk {
    const WRITER: ObjectWriter<Self> = ObjectWriter {
        name: "MessageTextChunk",
        belongs_to: &[],
        field: |name| {
            Some(match name {
                "offset" => FieldWriter::Leaf(|out, piece| write_display(out, &piece.offset)),
                "text" => FieldWriter::Text(|piece| Text::Read(&piece.text)),
                "status" => {
                    FieldWriter::Leaf(|out, piece| write_enum(out, MessageStatus::from(piece.status)))
                }
                _ => return None,
            })
        },
    };

    fn cursor(&self) -> String {
        cursor::of_text(self.end())
    }
}

/// Text to add to a streaming message.
#[derive(InputObject)]
struct AppendMessageTextInput {
    /// The id of the streaming message.
    message_id: ID,
    /// The number of Unicode code points that the writer has sent before.
    offset: i64,
    /// UTF-8 without NUL. An empty text only renews the lease of the writer.
    text: String,
}

/// The progress of a streaming message.
#[derive(SimpleObject)]
struct AppendMessageTextPayload {
    /// The new length in code points: the next offset.
    length: i64,
    /// Whether a client requested that the writer stops.
    stop_requested: bool,
}

/// The end of a streaming message.
#[derive(InputObject)]
struct FinishMessageInput {
    /// The id of the streaming message.
    message_id: ID,
    /// COMPLETE, INTERRUPTED or FAILED.
    status: MessageStatus,
    /// The parts of the whole message, if it is more than the streamed text. Its content is then the text
    /// parts, joined by blank lines. It must start with the streamed text, because subscribers to the text
    /// get only the rest. To replace the text, update the message afterwards.
    parts: Option<Vec<MessagePartInput>>,
    /// The tokens that the message used.
    usage: Option<TokenUsageInput>,
    /// Data of the client, never interpreted. Null sets {}.
    metadata: MaybeUndefined<Json>,
}

impl FinishMessageInput {
    fn parse(self, limits: ContentLimits) -> std::result::Result<StreamEnd, Invalid> {
        let status = model::MessageStatus::from(self.status);
        if status == model::MessageStatus::Streaming {
            return Err(Invalid::new("status", "must be COMPLETE, INTERRUPTED or FAILED"));
        }
        let message = argument::message_id("messageId", &self.message_id)?;
        let parts = self.parts.map(|parts| parse_parts("parts", parts, limits)).transpose()?;
        let usage = self.usage.map(|usage| usage.parse("usage")).transpose()?;
        let metadata = Json::patch(self.metadata, limits.metadata_bytes)?;
        Ok(StreamEnd { message, status, parts, usage, metadata })
    }
}

/// The message with its whole text.
#[derive(SimpleObject)]
#[graphql(complex)]
struct FinishMessagePayload {
    /// The finished message.
    message: Message,
}

#[ComplexObject]
impl FinishMessagePayload {
    /// The finished message as an edge of the conversation's messages.
    async fn message_edge(&self) -> MessageEdge {
        self.message.clone().into()
    }
}

/// The message to stop.
#[derive(InputObject)]
struct StopMessageInput {
    /// The id of the streaming message.
    message_id: ID,
}

/// The message. It is streaming until its writer ends it.
#[derive(SimpleObject)]
struct StopMessagePayload {
    /// The message.
    message: Message,
}

/// Mutations of streaming messages.
#[derive(Default)]
pub(in crate::graphql) struct StreamMutation;

#[Object]
impl StreamMutation {
    /// Adds text to a STREAMING message. `offset` is the number of Unicode code points that the writer has
    /// sent before. A retry changes nothing. Error CONFLICT: the offset leaves a gap (`extensions.length` has
    /// the current length), or the message has ended.
    async fn append_message_text(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The text to add and the message to add it to.")] input: AppendMessageTextInput,
    ) -> Result<AppendMessageTextPayload> {
        let id = argument::message_id("input.messageId", &input.message_id)?;
        if input.offset < 0 {
            return Err(Invalid::new("input.offset", "must not be negative").into());
        }
        let most = ctx.content_limits()?.message_bytes;
        check_text_chunk("input.text", &input.text, most)?;
        let progress = ctx.store()?.append_text(id, (input.offset, &input.text), most).await?;
        Ok(AppendMessageTextPayload { length: progress.length, stop_requested: progress.stop_requested })
    }

    /// Ends a STREAMING message and keeps its text as content. A retry with the same status changes nothing.
    /// Error CONFLICT: the message has ended with another status.
    async fn finish_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message to end, its final status and its final parts.")]
        input: FinishMessageInput,
    ) -> Result<FinishMessagePayload> {
        let end = input.parse(ctx.content_limits()?).map_err(|invalid| invalid.within("input"))?;
        Ok(FinishMessagePayload { message: ctx.store()?.finish_message(end).await?.into() })
    }

    /// Requests that the writer of a streaming message stops. Any client of the viewer can do so. The writer
    /// sees the request in the response of its next `appendMessageText`. A message that is not streaming is
    /// not changed.
    async fn stop_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message to stop.")] input: StopMessageInput,
    ) -> Result<StopMessagePayload> {
        let id = argument::message_id("input.messageId", &input.message_id)?;
        Ok(StopMessagePayload { message: ctx.store()?.stop_message(id).await?.into() })
    }
}
