//! Uploads and downloads of the contents of attachments.
//!
//! An upload is written in chunks. What arrived is kept when it breaks off, and any server goes on with it. Memory holds one
//! chunk of an upload, whatever the size of the file.

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, TryStreamExt, pin_mut, stream};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use sha2::{Digest, Sha256};

use crate::model::{Attachment, AttachmentId, OwnerId, ShareId, Timestamp, Viewer};
use crate::store::database::Store;
use crate::store::entity::{attachment, attachment_reference, blob, blob_chunk};
use crate::store::error::{Error, Result};
use crate::store::repository::attachments::with_blob;
use crate::store::scope::Scoped;

/// The bytes of an object. Memory holds as many of each upload.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;

/// How often a file that is in memory is written again because another upload of it was faster.
const ATTEMPTS: u32 = 100;

/// The content of an attachment that is being uploaded.
pub struct Upload {
    scope: Scoped,
    blob: blob::Model,
    /// Of all bytes, if this upload wrote all of them.
    hash: Option<Sha256>,
    /// What is not in an object yet.
    buffer: BytesMut,
    /// The time to store when the file is complete. `None`: that of the moment.
    completed_at: Option<Timestamp>,
}

impl Store {
    /// The view of an owner without credentials, for a URL that the server has signed.
    pub fn owned_by(&self, owner: OwnerId) -> Scoped {
        self.viewed_by(&Viewer::new(owner))
    }

    /// The owner of an attachment.
    pub async fn attachment_owner(&self, id: AttachmentId) -> Result<Option<OwnerId>> {
        let found = attachment::Entity::find_by_id(id).one(&self.reader_of_all_owners()).await?;
        Ok(found.map(|row| row.owner_id))
    }
}

impl Scoped {
    /// The content of an attachment, to be written from where it ends. `None`: there is no such attachment.
    pub async fn upload(&self, id: AttachmentId) -> Result<Option<Upload>> {
        let find = self.own_attachments().filter(attachment::Column::Id.eq(id));
        let Some((_, Some(blob))) = find.one(&self.reader()).await? else { return Ok(None) };
        let hash = (blob.received == 0).then(Sha256::new);
        Ok(Some(Upload { scope: self.clone(), blob, hash, buffer: BytesMut::new(), completed_at: None }))
    }

    /// An attachment and its content. `None`: there is no such attachment, or it was not uploaded.
    pub async fn file(&self, id: AttachmentId) -> Result<Option<StoredFile>> {
        self.files()?;
        let find = self.own_attachments().filter(attachment::Column::Id.eq(id));
        let uploaded = find.filter(blob::Column::UploadedAt.is_not_null());
        let Some(found) = uploaded.one(&self.reader()).await? else { return Ok(None) };
        let blob = found.0.blob_id;
        let Some(attachment) = with_blob(found) else { return Ok(None) };
        let chunks = self.chunks(blob).await?;
        Ok(Some(StoredFile { store: self.store.clone(), attachment, chunks }))
    }

    /// Stores a file that is in memory as the content of an attachment.
    pub(in crate::store) async fn write_file(&self, id: AttachmentId, file: &Bytes) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let mut upload = self.upload(id).await?.ok_or(Error::NotFound("attachment"))?;
            if upload.is_complete() {
                return Ok(());
            }
            let received = usize::try_from(upload.received()).unwrap_or(usize::MAX).min(file.len());
            let written = async {
                upload.write(file.slice(received..)).await?;
                upload.finish().await
            };
            match written.await {
                Err(Error::UploadMoved) => {}
                done => return done,
            }
        }
        Err(Error::Busy)
    }

    /// A file of a share. `None`: the share has no such file.
    pub(in crate::store) async fn file_of_share(
        &self,
        share: ShareId,
        id: AttachmentId,
    ) -> Result<Option<StoredFile>> {
        let find = attachment_reference::Entity::find_by_id((id, share.0))
            .filter(attachment_reference::Column::OwnerId.eq(self.owner.clone()));
        match find.one(&self.reader()).await? {
            Some(_) => self.file(id).await,
            None => Ok(None),
        }
    }
}

impl Upload {
    /// The same for a file that was complete at another time, elsewhere.
    pub(in crate::store) fn completed_at(self, time: Option<Timestamp>) -> Self {
        Self { completed_at: time, ..self }
    }

    /// Whether the content is there and right.
    pub fn is_complete(&self) -> bool {
        self.blob.uploaded_at.is_some()
    }

    /// How many bytes are stored.
    pub fn received(&self) -> i64 {
        self.blob.received
    }

    /// How many bytes the file has.
    pub fn byte_size(&self) -> i64 {
        self.blob.byte_size
    }

    /// Adds bytes. They are stored when there are many.
    ///
    /// # Errors
    /// - `TooManyBytes`: the file would be larger than it was said to be.
    /// - `UploadMoved`: another upload of the same file is going on, or has ended.
    /// - `Unavailable`: the storage failed. What is stored stays.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<()> {
        let waiting = self.buffer.len() + bytes.len();
        if self.blob.received.saturating_add(i64::try_from(waiting).unwrap_or(i64::MAX)) > self.blob.byte_size
        {
            return Err(Error::TooManyBytes(self.blob.byte_size));
        }
        while self.buffer.len() + bytes.len() >= CHUNK_BYTES {
            let rest = bytes.split_to(CHUNK_BYTES - self.buffer.len());
            self.buffer.extend_from_slice(&rest);
            self.flush().await?;
        }
        self.buffer.extend_from_slice(&bytes);
        Ok(())
    }

    /// Stores what was written.
    pub async fn flush(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let bytes = self.buffer.split().freeze();
        if let Some(hash) = &mut self.hash {
            hash.update(&bytes);
        }
        let (files, _) = self.scope.files()?;
        self.blob.received = self.scope.add_chunk(files, self.blob.id, self.blob.received, bytes).await?;
        Ok(())
    }

    /// Stores the rest, and checks the file if it is complete.
    ///
    /// # Errors
    /// - `WrongHash`: the file has another SHA-256 than was said. All of it is removed.
    /// - As for [`Upload::write`].
    pub async fn finish(&mut self) -> Result<()> {
        self.flush().await?;
        if self.is_complete() || self.blob.received < self.blob.byte_size {
            return Ok(());
        }
        let hash = match self.hash.take() {
            Some(hash) => hash,
            None => self.hash_of_stored().await?,
        };
        if hash.finalize().as_slice() != self.blob.sha256 {
            self.scope.empty_blob(&self.blob).await?;
            self.blob.received = 0;
            return Err(Error::WrongHash);
        }
        self.blob.uploaded_at = Some(self.scope.complete_blob(&self.blob, self.completed_at).await?);
        Ok(())
    }

    async fn hash_of_stored(&self) -> Result<Sha256> {
        let mut hash = Sha256::new();
        let chunks = self.scope.chunks(self.blob.id).await?;
        let stored = read(self.scope.store.clone(), chunks, 0..self.blob.byte_size);
        pin_mut!(stored);
        while let Some(bytes) = stored.next().await {
            hash.update(&bytes?);
        }
        Ok(hash)
    }
}

/// The content of an attachment.
pub struct StoredFile {
    store: Store,
    /// What it is.
    pub attachment: Attachment,
    chunks: Vec<blob_chunk::Model>,
}

impl StoredFile {
    /// The bytes of a range of the file. Memory holds few of them at a time.
    pub fn read(self, range: std::ops::Range<i64>) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        read(self.store, self.chunks, range)
    }
}

/// The bytes of a range of a file.
pub(in crate::store) fn read(
    store: Store,
    chunks: Vec<blob_chunk::Model>,
    range: std::ops::Range<i64>,
) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    let parts = chunks.into_iter().filter_map(move |chunk| {
        let from = Ord::max(range.start, chunk.start) - chunk.start;
        let to = Ord::min(range.end, chunk.start + chunk.byte_size) - chunk.start;
        (from < to).then(|| (chunk.id, from.unsigned_abs()..to.unsigned_abs()))
    });
    stream::iter(parts)
        .then(move |(id, range)| {
            let store = store.clone();
            async move {
                let files = store.0.files.as_ref().ok_or(Error::FilesDisabled)?;
                files.storage.read(id, range).await
            }
        })
        .try_flatten()
}
