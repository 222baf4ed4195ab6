//! Answers that stream: messages whose text grows while it is written.

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
use crate::graphql::execution::selection_plan::{FieldWriter, ObjectWriter};
use crate::model::{self, Invalid, MessageId, StreamEnd, TextChunk, check_text_chunk};
use crate::store::Result;

/// Text that was added to a message.
#[derive(SimpleObject)]
pub(in crate::graphql) struct MessageTextChunk {
    /// Code points before it.
    offset: i64,
    /// What was added.
    text: String,
    /// How far the message is. Anything but STREAMING: this is the last chunk.
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
        field: |name| {
            Some(match name {
                "offset" => FieldWriter::Leaf(|out, piece| write_display(out, &piece.offset)),
                "text" => FieldWriter::Text(|piece| Some(&piece.text)),
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

    fn unloaded(&self) -> Option<MessageId> {
        None
    }
}

/// Text to add to a streaming message.
#[derive(InputObject)]
struct AppendMessageTextInput {
    /// The id of the streaming message.
    message_id: ID,
    /// How many Unicode code points the writer has sent before.
    offset: i64,
    /// UTF-8 without NUL. Empty: only tells that the writer is still there.
    text: String,
}

/// How far the text is.
#[derive(SimpleObject)]
struct AppendMessageTextPayload {
    /// The new length in code points: the next offset.
    length: i64,
    /// The writer should stop now.
    stop_requested: bool,
}

/// How a streaming message ends.
#[derive(InputObject)]
struct FinishMessageInput {
    /// The id of the streaming message.
    message_id: ID,
    /// COMPLETE, INTERRUPTED or FAILED.
    status: MessageStatus,
    /// What the whole message is made of, where it is more than the text that was streamed: its content
    /// is then the text parts, joined by blank lines. It must begin with the streamed text, because
    /// subscribers to the text get only the rest. To say something else, update the message afterwards.
    parts: Option<Vec<MessagePartInput>>,
    /// What it cost.
    usage: Option<TokenUsageInput>,
    /// The caller's own data; null makes it {}.
    metadata: MaybeUndefined<Json>,
}

impl FinishMessageInput {
    fn parse(self) -> std::result::Result<StreamEnd, Invalid> {
        let status = model::MessageStatus::from(self.status);
        if status == model::MessageStatus::Streaming {
            return Err(Invalid::new("status", "must be COMPLETE, INTERRUPTED or FAILED"));
        }
        let message = argument::message_id("messageId", &self.message_id)?;
        let parts = self.parts.map(|parts| parse_parts("parts", parts)).transpose()?;
        let usage = self.usage.map(|usage| usage.parse("usage")).transpose()?;
        Ok(StreamEnd { message, status, parts, usage, metadata: Json::patch(self.metadata)? })
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

/// Which message's writer is to stop.
#[derive(InputObject)]
struct StopMessageInput {
    /// The id of the streaming message.
    message_id: ID,
}

/// The message, still streaming until its writer has heard.
#[derive(SimpleObject)]
struct StopMessagePayload {
    /// The message.
    message: Message,
}

/// Changes to messages that stream.
#[derive(Default)]
pub(in crate::graphql) struct StreamMutation;

#[Object]
impl StreamMutation {
    /// Adds text to a STREAMING message. `offset` is how many Unicode code points the writer has sent
    /// before: a repeat changes nothing, a hole is a CONFLICT that tells the length. CONFLICT also once
    /// the message has ended.
    async fn append_message_text(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The text to add and the message to add it to.")] input: AppendMessageTextInput,
    ) -> Result<AppendMessageTextPayload> {
        let id = argument::message_id("input.messageId", &input.message_id)?;
        if input.offset < 0 {
            return Err(Invalid::new("input.offset", "must not be negative").into());
        }
        check_text_chunk("input.text", &input.text)?;
        let progress = ctx.store()?.append_text(id, input.offset, &input.text).await?;
        Ok(AppendMessageTextPayload { length: progress.length, stop_requested: progress.stop_requested })
    }

    /// Ends a STREAMING message; its text so far is its content. A repeat with the same status changes
    /// nothing. CONFLICT when it has ended otherwise.
    async fn finish_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message to end, its final status and its final parts.")]
        input: FinishMessageInput,
    ) -> Result<FinishMessagePayload> {
        let end = input.parse().map_err(|invalid| invalid.within("input"))?;
        Ok(FinishMessagePayload { message: ctx.store()?.finish_message(end).await?.into() })
    }

    /// Asks the writer of the message to stop; from any device. The writer learns it from its next
    /// `appendMessageText`. Where nobody writes it, nothing changes.
    async fn stop_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message to stop.")] input: StopMessageInput,
    ) -> Result<StopMessagePayload> {
        let id = argument::message_id("input.messageId", &input.message_id)?;
        Ok(StopMessagePayload { message: ctx.store()?.stop_message(id).await?.into() })
    }
}
