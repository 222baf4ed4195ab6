//! Messages that stream: their text grows while it is written.
//!
//! Each chunk of text is a row of its own, so no write rewrites a growing row. The end of the stream joins the chunks
//! into the message. Offsets count Unicode code points. A repeated chunk changes nothing, and a gap is an error. The
//! row of `stream` exists exactly as long as the message is being written. The operation that deletes it ends the
//! message, so only one of two concurrent operations can.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait, Func, Query};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, Condition, EntityTrait, FromQueryResult, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect, Select,
};

use crate::model::{
    AuditAction, Change, ChangeKind, ConversationId, Invalid, Message, MessageId, MessageStatus, OwnerId,
    Parts, StreamEnd, StreamProgress, TextChunk, Timestamp, Viewer,
};
use crate::signals::Topic;
use crate::store::database::Store;
use crate::store::entity::{message, message_text, stream};
use crate::store::error::Error;
use crate::store::error::Result;
use crate::store::hot::writer::request::NewTextChunk;
use crate::store::repository::attachment_references::{Referrer, refer, referred_in};
use crate::store::row_budget::RowSize;
use crate::store::scope::Scoped;
use crate::store::transaction::{PlainTx, Tx};

/// The maximum number of texts in one statement. Few, because texts can be long.
const TEXTS_PER_STATEMENT: usize = 4;

/// The maximum number of streams that one call of [`Store::interrupt_silent`] ends.
const INTERRUPT_BATCH: u64 = 100;

#[derive(FromQueryResult)]
struct TextRow {
    id: MessageId,
    status: i16,
    content: String,
    start: Option<i64>,
    text: Option<String>,
}

impl RowSize for TextRow {
    fn size(&self) -> usize {
        self.content.len() + self.text.as_ref().map_or(0, String::len)
    }
}

/// Begins the stream of a message with its initial text.
pub(in crate::store) async fn begin_stream(tx: &Tx, message: &message::Model, text: String) -> Result<()> {
    let row = stream::Model {
        message_id: message.id,
        conversation_id: message.conversation_id,
        owner_id: message.owner_id.clone(),
        length: code_points(&text),
        stop_requested: false,
        written_at: tx.now(),
    };
    stream::Entity::insert(row.into_active_model()).exec_without_returning(tx.connection()).await?;
    if !text.is_empty() {
        let row = message_text::Model { message_id: message.id, start: 0, text };
        message_text::Entity::insert(row.into_active_model()).exec_without_returning(tx.connection()).await?;
    }
    Ok(())
}

/// Deletes a stream and its text chunks.
pub(in crate::store) async fn delete_stream(tx: &Tx, id: MessageId) -> Result<()> {
    stream::Entity::delete_by_id(id).exec(tx.connection()).await?;
    message_text::Entity::delete_many()
        .filter(message_text::Column::MessageId.eq(id))
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// Deletes the streams of a conversation, with their text chunks.
pub(in crate::store) async fn delete_streams(tx: &Tx, conversation: ConversationId) -> Result<()> {
    let streams = stream::Entity::find()
        .filter(stream::Column::ConversationId.eq(conversation))
        .all(tx.connection())
        .await?;
    for stream in streams {
        delete_stream(tx, stream.message_id).await?;
    }
    Ok(())
}

impl Scoped {
    /// Adds text to a streaming message at an offset. The text may become `most` code points long.
    ///
    /// # Errors
    /// - `NotFound`: no such message for this owner.
    /// - `State`: the message has ended.
    /// - `Hole`: the offset is behind the end of the text.
    /// - `Invalid`: the text would become too long.
    pub async fn append_text(
        &self,
        id: MessageId,
        (offset, text): (i64, &str),
        most: usize,
    ) -> Result<StreamProgress> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        if offset.saturating_add(code_points(text)) > most {
            return Err(Invalid::new("input.text", format!("must end within {most} code points")).into());
        }
        if let Some(progress) = self.extend(id, offset, text).await? {
            return Ok(progress);
        }
        let row = stream::Entity::find_by_id(id)
            .filter(stream::Column::OwnerId.eq(self.owner.clone()))
            .one(&self.reader())
            .await?;
        let Some(row) = row else { return Err(self.not_streaming(id).await) };
        if offset > row.length {
            return Err(Error::Hole(row.length));
        }
        let added = skip_code_points(text, row.length - offset);
        if added.is_empty() {
            return Ok(StreamProgress { length: row.length, stop_requested: row.stop_requested });
        }
        // Another write of the same text was faster. The client retries with the new length.
        let extended = self.extend(id, row.length, added).await?;
        extended.ok_or(Error::State("being written by another writer"))
    }

    /// Adds text if the stream ends at `start`.
    async fn extend(&self, message: MessageId, start: i64, text: &str) -> Result<Option<StreamProgress>> {
        let (owner, text, code_points) = (self.owner.clone(), text.to_owned(), code_points(text));
        let chunk = NewTextChunk { owner, message, start, text, code_points };
        Ok(self.store.0.writer.append_text(chunk, &self.trace).await?.1)
    }

    /// The error for a message that has no stream.
    async fn not_streaming(&self, id: MessageId) -> Error {
        match self.message(id).await {
            Ok(Some(_)) => Error::State("not being written any more"),
            Ok(None) => Error::NotFound("message"),
            Err(error) => error,
        }
    }

    /// Ends a stream: its text chunks become the content of the message. A repeat changes nothing.
    ///
    /// # Errors
    /// - `NotFound`: no such message for this owner.
    /// - `State`: the message ended with another status.
    /// - `Invalid`: the parts do not begin with the streamed text.
    pub async fn finish_message(&self, end: StreamEnd) -> Result<Message> {
        let parts = match end.parts {
            Some(parts) => Some(self.attach_parts(parts).await?),
            None => None,
        };
        self.end(StreamEnd { parts, ..end }, None).await?.ok_or(Error::NotFound("message"))
    }

    /// Ends a stream. With `written_before`, only if its last write is older; `None` if it is not.
    async fn end(&self, end: StreamEnd, written_before: Option<Timestamp>) -> Result<Option<Message>> {
        let mut tx = Tx::begin(self, AuditAction::FinishMessage, 1).await?;
        let row = self.lock_message(&tx, end.message).await?;
        let mut delete = stream::Entity::delete_many().filter(stream::Column::MessageId.eq(end.message));
        if let Some(before) = written_before {
            delete = delete.filter(stream::Column::WrittenAt.lt(before));
        }
        if delete.exec(tx.connection()).await?.rows_affected == 0 {
            return match written_before {
                Some(_) => Ok(None),
                None if row.status == end.status.code() => row.try_into().map(Some),
                None => Err(Error::State("not being written any more")),
            };
        }
        let chunks = message_text::Entity::find()
            .filter(message_text::Column::MessageId.eq(end.message))
            .order_by_asc(message_text::Column::Start)
            .all(tx.connection())
            .await?;
        message_text::Entity::delete_many()
            .filter(message_text::Column::MessageId.eq(end.message))
            .exec(tx.connection())
            .await?;
        let conversation = row.conversation_id;
        let mut row = row.into_active_model();
        let streamed: String = chunks.into_iter().map(|chunk| chunk.text).collect();
        let (content, parts) = match end.parts {
            Some(parts) => (content_of(&streamed, &parts)?, Some(parts.to_json())),
            None => (streamed, None),
        };
        row.content = ActiveValue::Set(content);
        row.parts = ActiveValue::Set(parts);
        if let Some(usage) = end.usage {
            row.usage = ActiveValue::Set(Some(usage.to_json()));
        }
        row.status = ActiveValue::Set(end.status.code());
        if let Some(metadata) = end.metadata {
            row.metadata = ActiveValue::Set(metadata);
        }
        let row = row.update(tx.connection()).await?;
        refer(&tx, Referrer::message(&row), &referred_in(row.parts.as_deref())?).await?;
        tx.record(Change { kind: ChangeKind::MessageUpdated, conversation, message: Some(end.message) });
        tx.commit().await?;
        self.store.0.signals.signal(&Topic::Message(end.message));
        row.try_into().map(Some)
    }

    /// Asks the writer of a message to stop. Changes nothing if the message has ended.
    ///
    /// # Errors
    /// - `NotFound`: no such message for this owner.
    pub async fn stop_message(&self, id: MessageId) -> Result<Message> {
        let stop = stream::Entity::update_many()
            .col_expr(stream::Column::StopRequested, Expr::val(true))
            .filter(stream::Column::MessageId.eq(id))
            .filter(stream::Column::OwnerId.eq(self.owner.clone()));
        let tx = PlainTx::begin(&self.store, &self.owner).await?;
        if stop.exec(tx.connection()).await?.rows_affected > 0 {
            self.audit_stop(tx.connection(), id).await?;
        }
        tx.commit(false).await?;
        self.message(id).await?.ok_or(Error::NotFound("message"))
    }

    /// The text so far of messages that are being written, and the content of messages that have ended.
    pub async fn texts(&self, ids: &[MessageId]) -> Result<HashMap<MessageId, String>> {
        let mut texts: HashMap<MessageId, String> = HashMap::new();
        for some in ids.chunks(TEXTS_PER_STATEMENT) {
            let read = || async { self.take(self.text_rows(some).await?) };
            for row in self.with_reservation(read).await? {
                let text = texts.entry(row.id).or_insert(row.content);
                text.push_str(row.text.as_deref().unwrap_or_default());
            }
        }
        Ok(texts)
    }

    /// The text chunks of a message from an offset on, and its status. `None` if the owner has no such message.
    pub async fn pieces(
        &self,
        id: MessageId,
        offset: i64,
    ) -> Result<Option<(Vec<TextChunk>, MessageStatus)>> {
        let rows = self.text_from(id, offset).into_model::<TextRow>().all(&self.reader()).await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let status = MessageStatus::from_code(first.status)
            .ok_or_else(|| Error::broken(format!("a message has the unknown status {}", first.status)))?;
        let chunk = |start: i64, text: &str| {
            let skipped = Ord::max(offset - start, 0);
            TextChunk { offset: start + skipped, text: skip_code_points(text, skipped).to_owned(), status }
        };
        let chunks = if status == MessageStatus::Streaming {
            let rows = rows.iter().filter_map(|row| Some((row.start?, row.text.as_deref()?)));
            rows.map(|(start, text)| chunk(start, text)).filter(|chunk| !chunk.text.is_empty()).collect()
        } else {
            vec![chunk(0, &first.content)]
        };
        Ok(Some((chunks, status)))
    }

    async fn text_rows(&self, ids: &[MessageId]) -> Result<Vec<TextRow>> {
        let select = self
            .own_messages_with_chunks(Condition::all())
            .filter(message::Column::Id.is_in(ids.iter().copied()))
            .order_by_asc(message::Column::Id)
            .order_by_asc(message_text::Column::Start);
        Ok(select.into_model::<TextRow>().all(&self.reader()).await?)
    }

    /// Selects the [`TextRow`]s of one message, from the chunk on that contains an offset. So the cost of reading the
    /// end of a text does not depend on the length of the text.
    fn text_from(&self, id: MessageId, offset: i64) -> Select<message::Entity> {
        let start = Query::select()
            .expr(Func::max(message_text::Column::Start.into_expr()))
            .from(message_text::Entity)
            .and_where(message_text::Column::MessageId.eq(id))
            .and_where(message_text::Column::Start.lte(offset))
            .take();
        let start = Func::coalesce([Expr::SubQuery(None, Box::new(start.into())), Expr::val(0_i64)]);
        let chunks =
            Condition::all().add(Expr::col((message_text::Entity, message_text::Column::Start)).gte(start));
        self.own_messages_with_chunks(chunks)
            .filter(message::Column::Id.eq(id))
            .order_by_asc(message_text::Column::Start)
    }

    /// Selects the [`TextRow`]s of the owner's messages, with the text chunks that match a condition. Messages and
    /// chunks come from one statement, because a stream can end between two.
    fn own_messages_with_chunks(&self, chunks: Condition) -> Select<message::Entity> {
        let of_message =
            message_text::Column::MessageId.into_expr().equals((message::Entity, message::Column::Id));
        let mut select = self.own_messages().select_only().columns([
            message::Column::Id,
            message::Column::Status,
            message::Column::Content,
        ]);
        QuerySelect::query(&mut select)
            .column((message_text::Entity, message_text::Column::Start))
            .column((message_text::Entity, message_text::Column::Text))
            .left_join(message_text::Entity, chunks.add(of_message));
        select
    }
}

impl Store {
    /// Interrupts messages whose last write is older than a time, and keeps their text. Several replicas can run it
    /// at the same time. Returns the number of interrupted messages.
    pub async fn interrupt_silent(&self, before: Timestamp) -> Result<usize> {
        let silent = stream::Entity::find()
            .filter(stream::Column::WrittenAt.lt(before))
            .limit(INTERRUPT_BATCH)
            .all(&self.reader_of_all_owners())
            .await?;
        let mut interrupted = 0;
        for stream in silent {
            let owner: OwnerId = stream.owner_id;
            let end = StreamEnd {
                message: stream.message_id,
                status: MessageStatus::Interrupted,
                parts: None,
                usage: None,
                metadata: None,
            };
            match self.viewed_by(&Viewer::new(owner)).end(end, Some(before)).await {
                Ok(ended) => interrupted += usize::from(ended.is_some()),
                Err(Error::NotFound(_) | Error::BeingErased) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(interrupted)
    }
}

/// The content of the parts. It must begin with the streamed text: subscribers to the text get only the rest.
fn content_of(streamed: &str, parts: &Parts) -> Result<String> {
    let content = parts.content();
    if content.starts_with(streamed) {
        return Ok(content);
    }
    let rule = "must have texts that, joined by blank lines, begin with the text that was streamed";
    Err(Invalid::new("input.parts", rule).into())
}

fn code_points(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

/// The text without its first code points.
fn skip_code_points(text: &str, code_points: i64) -> &str {
    let skipped = usize::try_from(code_points).unwrap_or(0);
    text.char_indices().nth(skipped).map_or("", |(at, _)| &text[at..])
}
