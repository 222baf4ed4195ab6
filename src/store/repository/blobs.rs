//! The contents of attachments, and the removal of objects.
//!
//! Between any two steps the process can be killed. So an object has a row in the database as long as it may exist:
//!
//! 1. A row in `object_removal`, due in an hour, says that the object is being written.
//! 2. The object is written.
//! 3. One transaction removes that row and puts the object into its blob. It fails if the removal has begun.
//! 4. The transaction that removes the last reference to a blob moves its objects to `object_removal`, due at once.
//! 5. The removal begins in a transaction of its own, the object is removed, and then its row.

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use crate::model::Timestamp;
use crate::store::database::{Files, Store};
use crate::store::engine::background::in_background;
use crate::store::entity::{blob, blob_chunk, object_removal};
use crate::store::error::{Error, Result};
use crate::store::scope::Scoped;
use crate::store::transaction::PlainTx;

/// How long the write of an object may take, in microseconds.
const WRITE_TIME: i64 = 3600 * 1_000_000;

/// Objects that are removed at once, and objects that are moved in a statement.
const OBJECTS: usize = 100;

/// Objects that are removed at the same time.
const REMOVALS: usize = 8;

impl Scoped {
    /// Writes the next bytes of a blob, durably. Returns how many bytes it has then.
    ///
    /// # Errors
    /// - `UploadMoved`: another upload of the same file has written there.
    /// - `Unavailable`: the storage failed.
    pub(in crate::store) async fn add_chunk(
        &self,
        files: &Files,
        blob: Uuid,
        start: i64,
        bytes: Bytes,
    ) -> Result<i64> {
        let id = self.store.0.clock.new_id();
        let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        let due_at = Timestamp(self.store.0.clock.now().0.saturating_add(WRITE_TIME));
        let tx = PlainTx::begin(&self.store, &self.owner).await?;
        insert_removals(tx.connection(), &[id], due_at).await?;
        tx.commit(false).await?;
        let chunk =
            blob_chunk::Model { id, blob_id: blob, owner_id: self.owner.clone(), start, byte_size: size };
        let added = match files.storage.put(id, bytes).await {
            Ok(()) => self.insert_chunk(chunk).await,
            Err(error) => Err(error),
        };
        if added.is_err() {
            // The object belongs to no blob.
            self.make_due(id).await?;
        }
        added.map(|()| start + size)
    }

    /// Puts an object that was written at the end of its blob.
    async fn insert_chunk(&self, chunk: blob_chunk::Model) -> Result<()> {
        let tx = PlainTx::begin(&self.store, &self.owner).await?;
        tx.lock_account_alone(&self.owner).await?;
        let written = object_removal::Entity::delete_many()
            .filter(object_removal::Column::Id.eq(chunk.id))
            .filter(object_removal::Column::Begun.eq(false))
            .exec(tx.connection())
            .await?;
        if written.rows_affected == 0 {
            return Err(Error::unavailable("a part of a file took too long to write"));
        }
        let advanced = blob::Entity::update_many()
            .col_expr(blob::Column::Received, Expr::val(chunk.start + chunk.byte_size))
            .filter(blob::Column::Id.eq(chunk.blob_id))
            .filter(blob::Column::OwnerId.eq(self.owner.clone()))
            .filter(blob::Column::Received.eq(chunk.start))
            .filter(blob::Column::UploadedAt.is_null())
            .exec(tx.connection())
            .await?;
        if advanced.rows_affected == 0 {
            return Err(Error::UploadMoved);
        }
        blob_chunk::Entity::insert(chunk.into_active_model()).exec_without_returning(tx.connection()).await?;
        tx.commit(false).await
    }

    /// Lets an object be removed at once.
    async fn make_due(&self, id: Uuid) -> Result<()> {
        let tx = PlainTx::begin(&self.store, &self.owner).await?;
        object_removal::Entity::update_many()
            .col_expr(object_removal::Column::DueAt, Expr::val(self.store.0.clock.now()))
            .filter(object_removal::Column::Id.eq(id))
            .exec(tx.connection())
            .await?;
        tx.commit(true).await
    }

    /// The objects of a blob, in the order of the file.
    pub(in crate::store) async fn chunks(&self, blob: Uuid) -> Result<Vec<blob_chunk::Model>> {
        let find = blob_chunk::Entity::find()
            .filter(blob_chunk::Column::BlobId.eq(blob))
            .filter(blob_chunk::Column::OwnerId.eq(self.owner.clone()))
            .order_by_asc(blob_chunk::Column::Start);
        Ok(find.all(&self.reader()).await?)
    }

    /// Says that a blob has all its bytes, and that they have the right SHA-256.
    pub(in crate::store) async fn complete_blob(
        &self,
        blob: &blob::Model,
        time: Option<Timestamp>,
    ) -> Result<Timestamp> {
        let now = time.unwrap_or_else(|| self.store.0.clock.now());
        let tx = PlainTx::begin(&self.store, &self.owner).await?;
        let updated = blob::Entity::update_many()
            .col_expr(blob::Column::UploadedAt, Expr::val(now))
            .filter(blob::Column::Id.eq(blob.id))
            .filter(blob::Column::OwnerId.eq(self.owner.clone()))
            .filter(blob::Column::Received.eq(blob.byte_size))
            .filter(blob::Column::UploadedAt.is_null())
            .exec(tx.connection())
            .await?;
        tx.commit(false).await?;
        if updated.rows_affected == 0 { Err(Error::UploadMoved) } else { Ok(now) }
    }

    /// Removes the bytes of a blob that has the wrong ones.
    pub(in crate::store) async fn empty_blob(&self, blob: &blob::Model) -> Result<()> {
        let tx = PlainTx::begin(&self.store, &self.owner).await?;
        tx.lock_account_alone(&self.owner).await?;
        let updated = blob::Entity::update_many()
            .col_expr(blob::Column::Received, Expr::val(0_i64))
            .filter(blob::Column::Id.eq(blob.id))
            .filter(blob::Column::OwnerId.eq(self.owner.clone()))
            .filter(blob::Column::UploadedAt.is_null())
            .exec(tx.connection())
            .await?;
        if updated.rows_affected > 0 {
            remove_chunks(tx.connection(), &[blob.id], self.store.0.clock.now()).await?;
        }
        tx.commit(true).await
    }
}

/// Removes blobs that nothing refers to. Their objects are removed after the commit.
pub(super) async fn remove_blobs(
    connection: &impl ConnectionTrait,
    blobs: &[Uuid],
    now: Timestamp,
) -> Result<()> {
    remove_chunks(connection, blobs, now).await?;
    blob::Entity::delete_many()
        .filter(blob::Column::Id.is_in(blobs.iter().copied()))
        .exec(connection)
        .await?;
    Ok(())
}

async fn remove_chunks(connection: &impl ConnectionTrait, blobs: &[Uuid], now: Timestamp) -> Result<()> {
    let of_blobs = || blob_chunk::Column::BlobId.is_in(blobs.iter().copied());
    let ids: Vec<Uuid> = blob_chunk::Entity::find()
        .select_only()
        .column(blob_chunk::Column::Id)
        .filter(of_blobs())
        .into_tuple()
        .all(connection)
        .await?;
    insert_removals(connection, &ids, now).await?;
    blob_chunk::Entity::delete_many().filter(of_blobs()).exec(connection).await?;
    Ok(())
}

/// Adds objects to those that are removed when they are due.
pub(in crate::store) async fn insert_removals(
    connection: &impl ConnectionTrait,
    ids: &[Uuid],
    due_at: Timestamp,
) -> Result<()> {
    for some in ids.chunks(OBJECTS) {
        let rows = some.iter().map(|id| object_removal::Model { id: *id, due_at, begun: false });
        object_removal::Entity::insert_many(rows.map(IntoActiveModel::into_active_model))
            .exec_without_returning(connection)
            .await?;
    }
    Ok(())
}

impl Store {
    /// Removes the objects that are due. Several processes may do so at the same time. Returns how many there were.
    ///
    /// # Errors
    /// - `Unavailable`: some could not be removed. They stay due.
    pub async fn remove_objects(&self) -> Result<u64> {
        in_background(self.remove_due_objects()).await
    }

    async fn remove_due_objects(&self) -> Result<u64> {
        let Some(files) = &self.0.files else { return Ok(0) };
        let mut removed = 0;
        loop {
            let due = self.begin_removals().await?;
            if due.is_empty() {
                return Ok(removed);
            }
            let storage = files.storage.clone();
            let deletes = due.clone().into_iter().map(move |id| {
                let storage = storage.clone();
                async move { storage.delete(id).await }
            });
            stream::iter(deletes).buffer_unordered(REMOVALS).try_collect::<Vec<()>>().await?;
            let _lock = self.0.write_lock.acquire().await?;
            object_removal::Entity::delete_many()
                .filter(object_removal::Column::Id.is_in(due.iter().copied()))
                .exec(&self.0.write)
                .await?;
            removed += due.len() as u64;
        }
    }

    /// Some objects that are due. From now on they cannot be put into a blob.
    async fn begin_removals(&self) -> Result<Vec<Uuid>> {
        let due: Vec<Uuid> = object_removal::Entity::find()
            .select_only()
            .column(object_removal::Column::Id)
            .filter(object_removal::Column::DueAt.lte(self.0.clock.now()))
            .order_by_asc(object_removal::Column::DueAt)
            .limit(OBJECTS as u64)
            .into_tuple()
            .all(&self.0.read)
            .await?;
        if due.is_empty() {
            return Ok(due);
        }
        let _lock = self.0.write_lock.acquire().await?;
        object_removal::Entity::update_many()
            .col_expr(object_removal::Column::Begun, Expr::val(true))
            .filter(object_removal::Column::Id.is_in(due.iter().copied()))
            .exec(&self.0.write)
            .await?;
        // Those that were put into a blob meanwhile have no row any more.
        let begun = object_removal::Entity::find()
            .select_only()
            .column(object_removal::Column::Id)
            .filter(object_removal::Column::Id.is_in(due))
            .filter(object_removal::Column::Begun.eq(true))
            .into_tuple()
            .all(&self.0.write)
            .await?;
        Ok(begun)
    }
}
