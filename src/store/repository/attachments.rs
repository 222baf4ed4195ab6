//! Attachments: creating, finding and deleting them.
//!
//! Each write locks the account, as every write of a message does. So what a message begins to refer to cannot be removed
//! at the same moment.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QuerySelect, SelectTwo,
};
use uuid::Uuid;

use crate::model::{
    Attachment, AttachmentId, AuditAction, AuditEntry, FileRules, Filename, Invalid, NewAttachment, Timestamp,
};
use crate::store::database::{Files, Store};
use crate::store::entity::{attachment, attachment_reference, blob};
use crate::store::error::{Error, Result};
use crate::store::repository::{audit, blobs};
use crate::store::row_budget::{ROW_OVERHEAD, RowSize};
use crate::store::scope::Scoped;
use crate::store::transaction::PlainTx;

/// Ids in a statement.
const IDS: usize = 500;

impl RowSize for Attachment {
    fn size(&self) -> usize {
        ROW_OVERHEAD + self.media_type.len() + self.filename.as_ref().map_or(0, String::len)
    }
}

impl Scoped {
    /// Creates an attachment. If the owner has the same file already, there is nothing to upload.
    ///
    /// # Errors
    /// - `FilesDisabled`: the configuration says so.
    /// - `Invalid`: the file is not allowed, or the owner has too many.
    /// - `Conflict`: the id is that of another attachment.
    pub async fn create_attachment(&self, new: NewAttachment) -> Result<Attachment> {
        let (_, rules) = self.files()?;
        let now = self.store.0.clock.now();
        let tx = self.begin_attachment().await?;
        if let Some(there) = self.repeated(&tx, &new).await? {
            // Something is going to refer to it, so it stays if what refers to it now is deleted in between.
            set_unused_since(tx.connection(), &[there.id], Some(now)).await?;
            tx.commit(false).await?;
            return Ok(there);
        }
        rules.check("input", new.media_type.as_str(), new.byte_size)?;
        self.check_count(tx.connection(), rules).await?;
        let blob = match self.find_blob(tx.connection(), &new).await? {
            Some(blob) => blob,
            None => {
                self.check_bytes(tx.connection(), rules, new.byte_size).await?;
                self.insert_blob(tx.connection(), &new).await?
            }
        };
        let row = self.attachment_row(&blob, new, (now, now));
        attachment::Entity::insert(row.clone().into_active_model())
            .exec_without_returning(tx.connection())
            .await?;
        self.audit_attachment(&tx, AuditAction::CreateAttachment).await?;
        tx.commit(false).await?;
        Ok(attachment_of(row, blob))
    }

    /// Begins to write an attachment. Every other write of the owner waits.
    pub(super) async fn begin_attachment(&self) -> Result<PlainTx> {
        let tx = PlainTx::begin(&self.store, &self.owner).await?;
        tx.make_account(&self.owner, self.store.0.clock.now()).await?;
        tx.lock_account_alone(&self.owner).await?;
        audit::refuse_if_just_erased(tx.connection(), &self.store, &self.owner).await?;
        Ok(tx)
    }

    /// The attachment that an earlier, equal call created.
    ///
    /// # Errors
    /// - `Conflict`: the id is that of another attachment.
    pub(super) async fn repeated(&self, tx: &PlainTx, new: &NewAttachment) -> Result<Option<Attachment>> {
        let Some(id) = new.id else { return Ok(None) };
        let find = attachment::Entity::find_by_id(id).find_also_related(blob::Entity);
        let Some(found) = find.one(tx.connection()).await? else { return Ok(None) };
        let there = with_blob(found).filter(|there| self.is_repeat(there, new));
        there.map(Some).ok_or(Error::Conflict)
    }

    /// The attachments of the owner, each with its content.
    pub(in crate::store) fn own_attachments(&self) -> SelectTwo<attachment::Entity, blob::Entity> {
        attachment::Entity::find()
            .find_also_related(blob::Entity)
            .filter(attachment::Column::OwnerId.eq(self.owner.clone()))
    }

    pub(super) fn attachment_row(
        &self,
        blob: &blob::Model,
        new: NewAttachment,
        (created_at, unused_since): (Timestamp, Timestamp),
    ) -> attachment::Model {
        attachment::Model {
            id: new.id.unwrap_or_else(|| AttachmentId(self.store.0.clock.new_id())),
            owner_id: self.owner.clone(),
            blob_id: blob.id,
            filename: new.filename.map(Filename::into_string),
            media_type: new.media_type.into_string(),
            created_at,
            unused_since: Some(unused_since),
        }
    }

    fn is_repeat(&self, there: &Attachment, new: &NewAttachment) -> bool {
        there.owner == self.owner
            && there.filename.as_deref() == new.filename.as_ref().map(Filename::as_str)
            && there.media_type == new.media_type.as_str()
            && there.byte_size == new.byte_size
            && there.sha256 == new.sha256
    }

    async fn check_count(&self, connection: &impl ConnectionTrait, rules: &FileRules) -> Result<()> {
        let of_owner = attachment::Column::OwnerId.eq(self.owner.clone());
        let count = attachment::Entity::find().filter(of_owner).count(connection).await?;
        if count >= rules.owner_files {
            let rule = format!("would be one of more than {} attachments: delete some", rules.owner_files);
            return Err(Invalid::new("input", rule).into());
        }
        Ok(())
    }

    async fn check_bytes(
        &self,
        connection: &impl ConnectionTrait,
        rules: &FileRules,
        byte_size: i64,
    ) -> Result<()> {
        let sum = Func::coalesce([blob::Column::ByteSize.sum().cast_as("bigint"), Expr::val(0_i64)]);
        let used: Option<i64> = blob::Entity::find()
            .select_only()
            .column_as(Expr::from(sum), "used")
            .filter(blob::Column::OwnerId.eq(self.owner.clone()))
            .into_tuple()
            .one(connection)
            .await?;
        let used = used.unwrap_or(0);
        if used.saturating_add(byte_size) > rules.owner_bytes {
            let rule = format!(
                "must be at most {}, what is left of the {} bytes for all files, got {}",
                Ord::max(rules.owner_bytes - used, 0),
                rules.owner_bytes,
                byte_size
            );
            return Err(Invalid::new("input.byteSize", rule).into());
        }
        Ok(())
    }

    pub(super) async fn find_blob(
        &self,
        connection: &impl ConnectionTrait,
        new: &NewAttachment,
    ) -> Result<Option<blob::Model>> {
        let find = blob::Entity::find()
            .filter(blob::Column::OwnerId.eq(self.owner.clone()))
            .filter(blob::Column::Sha256.eq(new.sha256.clone()))
            .filter(blob::Column::ByteSize.eq(new.byte_size));
        Ok(find.one(connection).await?)
    }

    pub(super) async fn insert_blob(
        &self,
        connection: &impl ConnectionTrait,
        new: &NewAttachment,
    ) -> Result<blob::Model> {
        let row = blob::Model {
            id: self.store.0.clock.new_id(),
            owner_id: self.owner.clone(),
            sha256: new.sha256.clone(),
            byte_size: new.byte_size,
            received: 0,
            uploaded_at: None,
        };
        blob::Entity::insert(row.clone().into_active_model()).exec_without_returning(connection).await?;
        Ok(row)
    }

    async fn audit_attachment(&self, tx: &PlainTx, action: AuditAction) -> Result<()> {
        let Some(actor) = self.audited_actor(action) else { return Ok(()) };
        let entry = AuditEntry::new(self.store.0.clock.now(), actor, action).about(&self.owner);
        audit::add(tx.connection(), entry).await
    }

    /// Attachments by id, in no order. Unknown and foreign ids are left out.
    pub async fn attachments(&self, ids: &[AttachmentId]) -> Result<HashMap<AttachmentId, Attachment>> {
        let mut found = HashMap::with_capacity(ids.len());
        for some in ids.chunks(IDS) {
            let of_ids = attachment::Column::Id.is_in(some.iter().copied());
            let select = self.own_attachments().filter(of_ids);
            let read = || async {
                let rows = select.clone().all(&self.reader()).await?;
                self.take(rows.into_iter().filter_map(with_blob).collect())
            };
            let attachments = self.with_reservation(read).await?;
            found.extend(attachments.into_iter().map(|attachment| (attachment.id, attachment)));
        }
        Ok(found)
    }

    /// Deletes an attachment that nothing refers to. A repeat changes nothing.
    ///
    /// # Errors
    /// - `AttachmentInUse`: a message or a share refers to it.
    pub async fn delete_attachment(&self, id: AttachmentId) -> Result<()> {
        let tx = PlainTx::begin(&self.store, &self.owner).await?;
        let find = attachment::Entity::find_by_id(id)
            .filter(attachment::Column::OwnerId.eq(self.owner.clone()))
            .one(tx.connection())
            .await?;
        if find.is_none() {
            return Ok(());
        }
        tx.lock_account_alone(&self.owner).await?;
        if is_used(tx.connection(), id).await? {
            return Err(Error::AttachmentInUse);
        }
        remove(tx.connection(), &[id], self.store.0.clock.now()).await?;
        self.audit_attachment(&tx, AuditAction::DeleteAttachment).await?;
        tx.commit(true).await
    }

    /// Where files are, and which are allowed.
    ///
    /// # Errors
    /// - `FilesDisabled`: none are.
    pub(in crate::store) fn files(&self) -> Result<(&Files, &FileRules)> {
        let files = self.store.0.files.as_ref();
        files.and_then(|files| Some((files, files.rules.as_ref()?))).ok_or(Error::FilesDisabled)
    }
}

impl Store {
    /// Deletes attachments that nothing referred to since `before`. Returns their number.
    pub async fn delete_unused_attachments(&self, before: Timestamp) -> Result<u64> {
        let mut deleted = 0;
        loop {
            let found = attachment::Entity::find()
                .filter(attachment::Column::UnusedSince.lt(before))
                .limit(IDS as u64)
                .all(&self.reader_of_all_owners())
                .await?;
            if found.is_empty() {
                return Ok(deleted);
            }
            for row in found {
                let tx = PlainTx::begin(self, &row.owner_id).await?;
                match tx.lock_account_alone(&row.owner_id).await {
                    // The erasure removes it.
                    Err(Error::BeingErased) => return Ok(deleted),
                    locked => locked?,
                }
                // A message may refer to it since it was found, or all the time.
                if is_used(tx.connection(), row.id).await? {
                    set_unused_since(tx.connection(), &[row.id], None).await?;
                } else {
                    remove(tx.connection(), &[row.id], self.0.clock.now()).await?;
                    deleted += 1;
                }
                tx.commit(true).await?;
            }
        }
    }
}

/// An attachment with its content. Each has one.
pub(in crate::store) fn with_blob(
    (row, blob): (attachment::Model, Option<blob::Model>),
) -> Option<Attachment> {
    blob.map(|blob| attachment_of(row, blob))
}

fn attachment_of(row: attachment::Model, blob: blob::Model) -> Attachment {
    Attachment {
        id: row.id,
        owner: row.owner_id,
        filename: row.filename,
        media_type: row.media_type,
        byte_size: blob.byte_size,
        sha256: blob.sha256,
        created_at: row.created_at,
        uploaded_at: blob.uploaded_at,
    }
}

/// Says since when attachments wait for a reference, or that they do not.
pub(super) async fn set_unused_since(
    connection: &impl ConnectionTrait,
    ids: &[AttachmentId],
    time: Option<Timestamp>,
) -> Result<()> {
    attachment::Entity::update_many()
        .col_expr(attachment::Column::UnusedSince, Expr::val(time))
        .filter(attachment::Column::Id.is_in(ids.iter().copied()))
        .exec(connection)
        .await?;
    Ok(())
}

/// Whether something refers to an attachment.
async fn is_used(connection: &impl ConnectionTrait, id: AttachmentId) -> Result<bool> {
    let of_attachment = attachment_reference::Column::AttachmentId.eq(id);
    let found = attachment_reference::Entity::find().filter(of_attachment).one(connection).await?;
    Ok(found.is_some())
}

/// Removes attachments, and their files unless other attachments have the same.
pub(super) async fn remove(
    connection: &DatabaseTransaction,
    ids: &[AttachmentId],
    now: Timestamp,
) -> Result<()> {
    let those = || attachment::Column::Id.is_in(ids.iter().copied());
    let blobs = |of| {
        let find = attachment::Entity::find().select_only().column(attachment::Column::BlobId).distinct();
        find.filter::<Expr>(of).into_tuple::<Uuid>().all(connection)
    };
    let before = blobs(those()).await?;
    attachment::Entity::delete_many().filter(those()).exec(connection).await?;
    let shared = blobs(attachment::Column::BlobId.is_in(before.iter().copied())).await?;
    let alone: Vec<Uuid> = before.into_iter().filter(|blob| !shared.contains(blob)).collect();
    blobs::remove_blobs(connection, &alone, now).await
}
