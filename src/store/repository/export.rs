//! Reads everything of a user, from one state of the database, in pages.

mod records;

use std::collections::{HashMap, HashSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use futures_util::{TryStreamExt, pin_mut};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use uuid::Uuid;

use crate::model::{
    AttachmentId, AuditEntry, ConversationId, EXPORT_VERSION, ExportEnd, ExportHeader, ExportRecord,
    ExportedMessage, Feedback, Message, MessageId, MessageStatus, ShareId, SharedMessage, Timestamp,
};
use crate::store::engine::slot;
use crate::store::entity::{
    attachment, audit_entry, blob, blob_chunk, change, conversation, deleted_usage, message,
    message_feedback, message_text, share, shared_message,
};
use crate::store::error::{Error, Result};
use crate::store::files;
use crate::store::scope::Scoped;
use crate::store::snapshot;

/// The rows that are read at once. Messages can be large.
const CONVERSATIONS: usize = 50;
const MESSAGES: u64 = 50;
const ROWS: u64 = 500;

/// The bytes of a content in a record.
const CONTENT_BYTES: usize = 768 * 1024;

/// Takes the records in their order.
pub trait ExportSink {
    /// The error that ends an export.
    type Error: From<Error>;

    /// Takes a record.
    ///
    /// # Errors
    /// It cannot be written: the export ends.
    fn write(&mut self, record: ExportRecord) -> std::result::Result<(), Self::Error>;
}

impl Scoped {
    /// Gives everything of the owner to `sink`. Writes of the meantime are not in it. Returns how much it was.
    ///
    /// # Errors
    /// The database cannot be read, or the sink fails.
    pub async fn export<S: ExportSink>(&self, sink: &mut S) -> std::result::Result<ExportEnd, S::Error> {
        let reads = snapshot::begin(&self.store, &self.owner).await?;
        sink.write(ExportRecord::Header(ExportHeader {
            format: "scrollback".into(),
            version: EXPORT_VERSION,
            user: self.owner.as_str().to_owned(),
            exported_at: self.store.0.clock.now(),
        }))?;
        let export = Export { scope: self, reads: &reads };
        let attachments = export.attachments(sink).await?;
        let end = ExportEnd { attachments, ..export.conversations(sink).await? };
        export.deleted_usage(sink).await?;
        export.changes(sink).await?;
        export.audit_entries(sink).await?;
        sink.write(ExportRecord::End(end))?;
        reads.rollback().await.map_err(Error::from)?;
        Ok(end)
    }
}

struct Export<'e> {
    scope: &'e Scoped,
    reads: &'e DatabaseTransaction,
}

impl Export<'_> {
    /// All attachments with their contents.
    async fn attachments<S: ExportSink>(&self, sink: &mut S) -> std::result::Result<u64, S::Error> {
        let (mut count, mut after) = (0, AttachmentId(Uuid::nil()));
        let mut written = HashSet::new();
        loop {
            let page = attachment::Entity::find()
                .filter(attachment::Column::OwnerId.eq(self.scope.owner.clone()))
                .filter(attachment::Column::Id.gt(after))
                .order_by_asc(attachment::Column::Id)
                .limit(ROWS);
            let page = page.all(self.reads).await.map_err(Error::from)?;
            let Some(last) = page.last() else { return Ok(count) };
            after = last.id;
            for row in page {
                let found =
                    blob::Entity::find_by_id(row.blob_id).one(self.reads).await.map_err(Error::from)?;
                let blob = found.ok_or_else(|| Error::broken("an attachment has no blob".into()))?;
                count += 1;
                sink.write(ExportRecord::Attachment(records::attachment(row, &blob)))?;
                if blob.uploaded_at.is_some() && written.insert(blob.id) {
                    self.content(&blob, sink).await?;
                }
            }
        }
    }

    /// The content of an attachment, in pieces.
    async fn content<S: ExportSink>(
        &self,
        blob: &blob::Model,
        sink: &mut S,
    ) -> std::result::Result<(), S::Error> {
        let chunks = blob_chunk::Entity::find()
            .filter(blob_chunk::Column::BlobId.eq(blob.id))
            .filter(blob_chunk::Column::OwnerId.eq(self.scope.owner.clone()))
            .order_by_asc(blob_chunk::Column::Start);
        let chunks = chunks.all(self.reads).await.map_err(Error::from)?;
        let bytes = files::read(self.scope.store.clone(), chunks, 0..blob.byte_size);
        pin_mut!(bytes);
        let mut waiting = BytesMut::new();
        while let Some(more) = bytes.try_next().await? {
            waiting.extend_from_slice(&more);
            while waiting.len() >= CONTENT_BYTES {
                let piece = waiting.split_to(CONTENT_BYTES);
                sink.write(ExportRecord::AttachmentChunk(STANDARD.encode(piece)))?;
            }
        }
        if !waiting.is_empty() {
            sink.write(ExportRecord::AttachmentChunk(STANDARD.encode(waiting)))?;
        }
        Ok(())
    }

    async fn conversations<S: ExportSink>(&self, sink: &mut S) -> std::result::Result<ExportEnd, S::Error> {
        let mut end = ExportEnd::default();
        for ids in self.conversation_ids().await?.chunks(CONVERSATIONS) {
            let mut rows = self.rows(ids).await?;
            let mut shares = self.shares(ids).await?;
            for id in ids {
                let row = rows.remove(id);
                let row = row.ok_or_else(|| Error::broken("a snapshot has lost a conversation".into()))?;
                end.conversations += 1;
                sink.write(ExportRecord::Conversation(Box::new(records::conversation(row))))?;
                end.messages += self.messages(*id, sink).await?;
                for share in shares.remove(id).unwrap_or_default() {
                    let messages = self.shared_messages(share.id).await?;
                    sink.write(ExportRecord::Share(Box::new(records::share(share, messages))))?;
                }
            }
        }
        Ok(end)
    }

    /// All of them, the oldest first. No index has this order, so they are sorted once.
    async fn conversation_ids(&self) -> Result<Vec<ConversationId>> {
        let ids = self
            .scope
            .own_conversations()
            .select_only()
            .column(conversation::Column::Id)
            .order_by_asc(conversation::Column::CreatedAt)
            .order_by_asc(conversation::Column::Id);
        Ok(ids.into_tuple().all(self.reads).await?)
    }

    async fn rows(&self, ids: &[ConversationId]) -> Result<HashMap<ConversationId, conversation::Model>> {
        let ids = ids.iter().copied();
        let rows = self.scope.own_conversations().filter(conversation::Column::Id.is_in(ids));
        Ok(rows.all(self.reads).await?.into_iter().map(|row| (row.id, row)).collect())
    }

    async fn messages<S: ExportSink>(
        &self,
        conversation: ConversationId,
        sink: &mut S,
    ) -> std::result::Result<u64, S::Error> {
        let mut count = 0;
        let mut after = 0;
        loop {
            let page = self.messages_after(conversation, after).await?;
            let Some(last) = page.last() else { return Ok(count) };
            after = last.position;
            for message in page {
                count += 1;
                sink.write(ExportRecord::Message(Box::new(message)))?;
            }
        }
    }

    async fn messages_after(&self, conversation: ConversationId, after: i64) -> Result<Vec<ExportedMessage>> {
        let backend = self.reads.get_database_backend();
        let rows = self
            .scope
            .own_messages()
            .filter(message::Column::ConversationId.eq(conversation))
            .filter(message::Column::Position.gt(after))
            .filter(Condition::all().add_option(slot::among(backend, conversation, (after + 1, slot::LAST))))
            .order_by_asc(message::Column::Position)
            .limit(MESSAGES)
            .all(self.reads)
            .await?;
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let streaming = rows.iter().filter(|row| row.status == MessageStatus::Streaming.code());
        let mut texts = self.texts(streaming.map(|row| row.id).collect()).await?;
        let mut feedback = self.feedback(conversation, ids).await?;
        let messages = rows.into_iter().map(|row| {
            let fingerprint = row.fingerprint.as_ref().map(|bytes| STANDARD.encode(bytes));
            let mut message = Message::try_from(row)?;
            if let Some(text) = texts.remove(&message.id) {
                message.content = text;
            }
            let feedback = feedback.remove(&message.id);
            Ok(records::message(message, feedback, fingerprint))
        });
        messages.collect()
    }

    /// The shares of conversations, without their messages.
    async fn shares(&self, ids: &[ConversationId]) -> Result<HashMap<ConversationId, Vec<share::Model>>> {
        let rows = share::Entity::find()
            .filter(share::Column::OwnerId.eq(self.scope.owner.clone()))
            .filter(share::Column::ConversationId.is_in(ids.iter().copied()))
            .order_by_asc(share::Column::CreatedAt)
            .order_by_asc(share::Column::Id);
        let mut shares: HashMap<ConversationId, Vec<share::Model>> = HashMap::new();
        for row in rows.all(self.reads).await? {
            shares.entry(row.conversation_id).or_default().push(row);
        }
        Ok(shares)
    }

    async fn shared_messages(&self, share: ShareId) -> Result<Vec<SharedMessage>> {
        let rows = shared_message::Entity::find()
            .filter(shared_message::Column::OwnerId.eq(self.scope.owner.clone()))
            .filter(shared_message::Column::ShareId.eq(share))
            .order_by_asc(shared_message::Column::Number);
        rows.all(self.reads).await?.into_iter().map(SharedMessage::try_from).collect()
    }

    /// The texts so far of messages that are being written.
    async fn texts(&self, ids: Vec<MessageId>) -> Result<HashMap<MessageId, String>> {
        let mut texts: HashMap<MessageId, String> = HashMap::new();
        if ids.is_empty() {
            return Ok(texts);
        }
        let chunks = message_text::Entity::find()
            .filter(message_text::Column::MessageId.is_in(ids))
            .order_by_asc(message_text::Column::MessageId)
            .order_by_asc(message_text::Column::Start);
        for chunk in chunks.all(self.reads).await? {
            texts.entry(chunk.message_id).or_default().push_str(&chunk.text);
        }
        Ok(texts)
    }

    async fn feedback(
        &self,
        conversation: ConversationId,
        ids: Vec<MessageId>,
    ) -> Result<HashMap<MessageId, Feedback>> {
        let rows = message_feedback::Entity::find()
            .filter(message_feedback::Column::OwnerId.eq(self.scope.owner.clone()))
            .filter(message_feedback::Column::ConversationId.eq(conversation))
            .filter(message_feedback::Column::MessageId.is_in(ids))
            .all(self.reads)
            .await?;
        rows.into_iter().map(|row| Ok((row.message_id, row.try_into()?))).collect()
    }

    async fn deleted_usage<S: ExportSink>(&self, sink: &mut S) -> std::result::Result<(), S::Error> {
        let mut after = (Timestamp(i64::MIN), String::new());
        loop {
            let key =
                Expr::tuple([deleted_usage::Column::CreatedAt, deleted_usage::Column::Model].map(Expr::col));
            let page = deleted_usage::Entity::find()
                .filter(deleted_usage::Column::OwnerId.eq(self.scope.owner.clone()))
                .filter(key.gt(Expr::tuple([Expr::val(after.0), Expr::val(after.1)])))
                .order_by_asc(deleted_usage::Column::CreatedAt)
                .order_by_asc(deleted_usage::Column::Model)
                .limit(ROWS);
            let page = page.all(self.reads).await.map_err(Error::from)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = (last.created_at, last.model.clone());
            for row in page {
                sink.write(ExportRecord::DeletedUsage(records::usage(row)))?;
            }
        }
    }

    async fn changes<S: ExportSink>(&self, sink: &mut S) -> std::result::Result<(), S::Error> {
        let mut after = 0;
        loop {
            let page = change::Entity::find()
                .filter(change::Column::OwnerId.eq(self.scope.owner.clone()))
                .filter(change::Column::Revision.gt(after))
                .order_by_asc(change::Column::Revision)
                .limit(ROWS);
            let page = page.all(self.reads).await.map_err(Error::from)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.revision;
            for row in page {
                sink.write(ExportRecord::Change(records::change(row)?))?;
            }
        }
    }

    async fn audit_entries<S: ExportSink>(&self, sink: &mut S) -> std::result::Result<(), S::Error> {
        let mut after = 0;
        loop {
            let page = audit_entry::Entity::find()
                .filter(audit_entry::Column::OwnerId.eq(self.scope.owner.clone()))
                .filter(audit_entry::Column::Number.gt(after))
                .order_by_asc(audit_entry::Column::Number)
                .limit(ROWS);
            let page = page.all(self.reads).await.map_err(Error::from)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.number;
            for row in page {
                let entry = AuditEntry::try_from(row)?;
                sink.write(ExportRecord::Audit(records::audit_entry(&entry)))?;
            }
        }
    }
}
