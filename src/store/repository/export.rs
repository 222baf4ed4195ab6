//! Reads the data of a user, from one state of the database, in pages.

mod attachments;
pub(in crate::store) mod messages;
mod records;
pub(in crate::store) mod sink;

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait,
};

use sink::{ExportSink, write};

use crate::model::{
    AuditAction, AuditActor, AuditEntry, Conversation, ConversationId, EXPORT_VERSION, ExportEnd,
    ExportHeader, ExportRecord, ShareId, SharedMessage, Timestamp,
};
use crate::store::engine::long_read::for_long;
use crate::store::entity::{
    attachment, attachment_reference, audit_entry, change, conversation, deleted_usage, share, shared_message,
};
use crate::store::error::{Error, Result};
use crate::store::repository::audit;
use crate::store::scope::Scoped;
use crate::store::snapshot;
use crate::store::transaction::PlainTx;

/// The rows that are read at once.
const CONVERSATIONS: usize = 50;
const ROWS: u64 = 500;

/// PostgreSQL ends transactions that do nothing for a few seconds. An export waits for its reader. It only reads, so nobody
/// waits for it.
pub(super) const LET_READERS_BE_SLOW: &str = "SET LOCAL idle_in_transaction_session_timeout = '1h'";

/// One state of the data of an owner. Writes of the meantime are not in it. It holds a connection to the database.
pub struct ExportSnapshot {
    scope: Scoped,
    reads: Arc<DatabaseTransaction>,
    exported_at: Timestamp,
    /// The oldest first.
    conversations: Vec<ConversationId>,
}

impl Scoped {
    /// Gives everything of the owner to `sink`. Writes of the meantime are not in it. Returns how much it was.
    ///
    /// # Errors
    /// The database cannot be read, or the sink fails.
    pub async fn export<S: ExportSink>(&self, sink: &mut S) -> std::result::Result<ExportEnd, S::Error> {
        let snapshot = self.export_snapshot(None).await?;
        let end = snapshot.write_all_records(sink).await?;
        snapshot.close().await?;
        Ok(end)
    }

    /// Begins to read one state of the database, with all conversations of the owner or some of them. It has no
    /// conversations of other owners.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn export_snapshot(&self, only: Option<&[ConversationId]>) -> Result<ExportSnapshot> {
        let reads = for_long(snapshot::begin(&self.store, &self.owner)).await?;
        if self.backend() == DbBackend::Postgres {
            reads.execute_unprepared(LET_READERS_BE_SLOW).await?;
        }
        self.export_of(Arc::new(reads), only).await
    }

    /// The same in a transaction that has begun.
    pub(in crate::store) async fn export_of(
        &self,
        reads: Arc<DatabaseTransaction>,
        only: Option<&[ConversationId]>,
    ) -> Result<ExportSnapshot> {
        // The first statement decides which state it is. No index has this order, so they are sorted once.
        let ids = self
            .own_conversations()
            .filter(
                Condition::all()
                    .add_option(only.map(|ids| conversation::Column::Id.is_in(ids.iter().copied()))),
            )
            .select_only()
            .column(conversation::Column::Id)
            .order_by_asc(conversation::Column::CreatedAt)
            .order_by_asc(conversation::Column::Id);
        let conversations = ids.into_tuple().all(&*reads).await?;
        Ok(ExportSnapshot {
            scope: self.clone(),
            exported_at: self.store.0.clock.now(),
            reads,
            conversations,
        })
    }
}

fn lost() -> Error {
    Error::broken("a snapshot has lost a conversation".into())
}

impl ExportSnapshot {
    /// The conversations, the oldest first.
    pub fn conversation_ids(&self) -> &[ConversationId] {
        &self.conversations
    }

    /// When it was read.
    pub fn exported_at(&self) -> Timestamp {
        self.exported_at
    }

    /// Some of the conversations, in this order.
    ///
    /// # Errors
    /// The database cannot be read, or the snapshot has no such conversation.
    pub async fn conversations(&self, ids: &[ConversationId]) -> Result<Vec<Conversation>> {
        let mut rows = self.rows(ids).await?;
        let row = |id| rows.remove(id).map(Conversation::from).ok_or_else(lost);
        ids.iter().map(row).collect()
    }

    /// Gives everything of the owner to `sink`.
    ///
    /// # Errors
    /// The database cannot be read, or the sink fails.
    pub async fn write_all_records<S: ExportSink>(
        &self,
        sink: &mut S,
    ) -> std::result::Result<ExportEnd, S::Error> {
        self.write_header(sink).await?;
        let attachments = self.attachments(Condition::all(), sink).await?;
        let end = ExportEnd { attachments, ..self.write_conversations(sink).await? };
        self.deleted_usage(sink).await?;
        self.changes(sink).await?;
        self.audit_entries(sink).await?;
        write(sink, ExportRecord::End(end)).await?;
        Ok(end)
    }

    /// Gives the conversations of the snapshot to `sink`, and the attachments that they refer to, but nothing else of the
    /// owner.
    ///
    /// # Errors
    /// The database cannot be read, or the sink fails.
    pub async fn write_conversation_records<S: ExportSink>(
        &self,
        sink: &mut S,
    ) -> std::result::Result<ExportEnd, S::Error> {
        self.write_header(sink).await?;
        let referred = attachment_reference::Entity::find()
            .select_only()
            .column(attachment_reference::Column::AttachmentId)
            .filter(attachment_reference::Column::OwnerId.eq(self.scope.owner.clone()))
            .filter(attachment_reference::Column::ConversationId.is_in(self.conversations.iter().copied()));
        let condition = Condition::all().add(attachment::Column::Id.in_subquery(referred.into_query()));
        let attachments = self.attachments(condition, sink).await?;
        let end = ExportEnd { attachments, ..self.write_conversations(sink).await? };
        write(sink, ExportRecord::End(end)).await?;
        Ok(end)
    }

    /// Adds the entry of a back end that reads the snapshot for the owner to the audit log. Others have none.
    ///
    /// # Errors
    /// - `BeingErased`: the owner is being erased.
    pub async fn audit(&self) -> Result<()> {
        let Some(actor) = &self.scope.actor else { return Ok(()) };
        let Scoped { store, owner, .. } = &self.scope;
        let tx = PlainTx::begin(store, owner).await?;
        match tx.lock_account(owner).await {
            // The log does not name users who have no data, or who were erased.
            Err(Error::BeingErased) if self.conversations.is_empty() => return Ok(()),
            locked => locked?,
        }
        let now = store.0.clock.now();
        let entry = AuditEntry::new(now, AuditActor::BackEnd(actor.clone()), AuditAction::Export);
        let conversation = match self.conversations[..] {
            [only] => Some(only),
            _ => None,
        };
        let count = i64::try_from(self.conversations.len()).ok();
        let entry = AuditEntry { conversation, count, ..entry.about(owner) };
        audit::add(tx.connection(), entry).await?;
        tx.commit(false).await
    }

    /// Gives the connection back, unless others still read from it.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn close(self) -> Result<()> {
        match Arc::into_inner(self.reads) {
            Some(reads) => Ok(reads.rollback().await?),
            None => Ok(()),
        }
    }

    async fn write_header<S: ExportSink>(&self, sink: &mut S) -> std::result::Result<(), S::Error> {
        let header = ExportHeader {
            format: "scrollback".into(),
            version: EXPORT_VERSION,
            user: self.scope.owner.as_str().to_owned(),
            exported_at: self.exported_at,
        };
        write(sink, ExportRecord::Header(header)).await
    }

    async fn write_conversations<S: ExportSink>(
        &self,
        sink: &mut S,
    ) -> std::result::Result<ExportEnd, S::Error> {
        let mut end = ExportEnd::default();
        for ids in self.conversations.chunks(CONVERSATIONS) {
            let mut rows = self.rows(ids).await?;
            let mut shares = self.shares(ids).await?;
            for id in ids {
                let row = rows.remove(id);
                let row = row.ok_or_else(lost)?;
                end.conversations += 1;
                write(sink, ExportRecord::Conversation(Box::new(records::conversation(row)))).await?;
                end.messages += self.write_messages(*id, sink).await?;
                for share in shares.remove(id).unwrap_or_default() {
                    let messages = self.shared_messages(share.id).await?;
                    write(sink, ExportRecord::Share(Box::new(records::share(share, messages)))).await?;
                }
            }
        }
        Ok(end)
    }

    async fn rows(&self, ids: &[ConversationId]) -> Result<HashMap<ConversationId, conversation::Model>> {
        let ids = ids.iter().copied();
        let rows = self.scope.own_conversations().filter(conversation::Column::Id.is_in(ids));
        Ok(rows.all(&*self.reads).await?.into_iter().map(|row| (row.id, row)).collect())
    }

    async fn write_messages<S: ExportSink>(
        &self,
        conversation: ConversationId,
        sink: &mut S,
    ) -> std::result::Result<u64, S::Error> {
        let mut count = 0;
        let mut pages = self.all_messages(conversation);
        while let Some(page) = pages.next().await? {
            for message in page {
                count += 1;
                write(sink, ExportRecord::Message(Box::new(message))).await?;
            }
        }
        Ok(count)
    }

    /// The shares of conversations, without their messages.
    async fn shares(&self, ids: &[ConversationId]) -> Result<HashMap<ConversationId, Vec<share::Model>>> {
        let rows = share::Entity::find()
            .filter(share::Column::OwnerId.eq(self.scope.owner.clone()))
            .filter(share::Column::ConversationId.is_in(ids.iter().copied()))
            .order_by_asc(share::Column::CreatedAt)
            .order_by_asc(share::Column::Id);
        let mut shares: HashMap<ConversationId, Vec<share::Model>> = HashMap::new();
        for row in rows.all(&*self.reads).await? {
            shares.entry(row.conversation_id).or_default().push(row);
        }
        Ok(shares)
    }

    async fn shared_messages(&self, share: ShareId) -> Result<Vec<SharedMessage>> {
        let rows = shared_message::Entity::find()
            .filter(shared_message::Column::OwnerId.eq(self.scope.owner.clone()))
            .filter(shared_message::Column::ShareId.eq(share))
            .order_by_asc(shared_message::Column::Number);
        rows.all(&*self.reads).await?.into_iter().map(SharedMessage::try_from).collect()
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
            let page = page.all(&*self.reads).await.map_err(Error::from)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = (last.created_at, last.model.clone());
            for row in page {
                write(sink, ExportRecord::DeletedUsage(records::usage(row))).await?;
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
            let page = page.all(&*self.reads).await.map_err(Error::from)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.revision;
            for row in page {
                write(sink, ExportRecord::Change(records::change(row)?)).await?;
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
            let page = page.all(&*self.reads).await.map_err(Error::from)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.number;
            for row in page {
                let entry = AuditEntry::try_from(row)?;
                write(sink, ExportRecord::Audit(records::audit_entry(&entry))).await?;
            }
        }
    }
}
