//! The attachments of an export, with their contents.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use futures_util::{TryStreamExt, pin_mut};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::sink::{ExportSink, write};
use super::{ExportSnapshot, records};
use crate::model::{AttachmentId, ExportRecord};
use crate::store::entity::{attachment, blob, blob_chunk};
use crate::store::error::{Error, Result};
use crate::store::files;

/// The attachments that are read at once.
const ROWS: u64 = 500;

/// The bytes of a content in a record.
const CONTENT_BYTES: usize = 768 * 1024;

impl ExportSnapshot {
    /// The file of an attachment, if the owner has it, it was uploaded, and it has at most `most` bytes.
    ///
    /// # Errors
    /// The database or the storage cannot be read.
    pub async fn small_file(&self, id: AttachmentId, most: usize) -> Result<Option<Vec<u8>>> {
        let find = attachment::Entity::find_by_id(id)
            .filter(attachment::Column::OwnerId.eq(self.scope.owner.clone()));
        let Some(row) = find.one(&*self.reads).await? else { return Ok(None) };
        let Some(blob) = blob::Entity::find_by_id(row.blob_id).one(&*self.reads).await? else {
            return Ok(None);
        };
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        if blob.uploaded_at.is_none() || blob.byte_size > most {
            return Ok(None);
        }
        let chunks = self.chunks(&blob).await?;
        let bytes = files::read(self.scope.store.clone(), chunks, 0..blob.byte_size);
        pin_mut!(bytes);
        let mut file = Vec::new();
        while let Some(more) = bytes.try_next().await? {
            file.extend_from_slice(&more);
        }
        Ok(Some(file))
    }

    async fn chunks(&self, blob: &blob::Model) -> Result<Vec<blob_chunk::Model>> {
        let chunks = blob_chunk::Entity::find()
            .filter(blob_chunk::Column::BlobId.eq(blob.id))
            .filter(blob_chunk::Column::OwnerId.eq(self.scope.owner.clone()))
            .order_by_asc(blob_chunk::Column::Start);
        Ok(chunks.all(&*self.reads).await?)
    }

    /// The attachments that meet a condition, with their contents.
    pub(super) async fn attachments<S: ExportSink>(
        &self,
        condition: Condition,
        sink: &mut S,
    ) -> std::result::Result<u64, S::Error> {
        let (mut count, mut after) = (0, AttachmentId(Uuid::nil()));
        let mut written = HashSet::new();
        loop {
            let page = attachment::Entity::find()
                .filter(attachment::Column::OwnerId.eq(self.scope.owner.clone()))
                .filter(attachment::Column::Id.gt(after))
                .filter(condition.clone())
                .order_by_asc(attachment::Column::Id)
                .limit(ROWS);
            let page = page.all(&*self.reads).await.map_err(Error::from)?;
            let Some(last) = page.last() else { return Ok(count) };
            after = last.id;
            for row in page {
                let found =
                    blob::Entity::find_by_id(row.blob_id).one(&*self.reads).await.map_err(Error::from)?;
                let blob = found.ok_or_else(|| Error::broken("an attachment has no blob".into()))?;
                count += 1;
                write(sink, ExportRecord::Attachment(records::attachment(row, &blob))).await?;
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
        let chunks = self.chunks(blob).await?;
        let bytes = files::read(self.scope.store.clone(), chunks, 0..blob.byte_size);
        pin_mut!(bytes);
        let mut waiting = BytesMut::new();
        while let Some(more) = bytes.try_next().await? {
            waiting.extend_from_slice(&more);
            while waiting.len() >= CONTENT_BYTES {
                let piece = waiting.split_to(CONTENT_BYTES);
                write(sink, ExportRecord::AttachmentChunk(STANDARD.encode(piece))).await?;
            }
        }
        if !waiting.is_empty() {
            write(sink, ExportRecord::AttachmentChunk(STANDARD.encode(waiting))).await?;
        }
        Ok(())
    }
}
