//! Writes an attachment as an export has it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sea_orm::{EntityTrait, IntoActiveModel};

use crate::model::{
    ExportedAttachment, Filename, Invalid, MAX_FILE_BYTES, MediaType, NewAttachment, SHA256_BYTES, Timestamp,
};
use crate::store::entity::attachment;
use crate::store::error::Result;
use crate::store::files::Upload;
use crate::store::scope::Scoped;

impl Scoped {
    /// Writes an attachment as an export has it. Returns the upload that its content belongs into, unless it is there.
    ///
    /// # Errors
    /// - `FilesDisabled`: the configuration says so.
    /// - `Invalid`: a value breaks a rule.
    /// - `Conflict`: the id is that of another attachment.
    pub async fn restore_attachment(&self, exported: ExportedAttachment) -> Result<Option<Upload>> {
        self.files()?;
        let (id, uploaded_at) = (exported.id, exported.uploaded_at);
        let (created_at, new) = restored(exported)?;
        let tx = self.begin_attachment().await?;
        if self.repeated(&tx, &new).await?.is_none() {
            let blob = match self.find_blob(tx.connection(), &new).await? {
                Some(blob) => blob,
                None => self.insert_blob(tx.connection(), &new).await?,
            };
            // The messages that refer to it come later.
            let row = self.attachment_row(&blob, new, (created_at, self.store.0.clock.now()));
            attachment::Entity::insert(row.into_active_model())
                .exec_without_returning(tx.connection())
                .await?;
        }
        tx.commit(false).await?;
        let upload = self.upload(id).await?.filter(|upload| uploaded_at.is_some() && !upload.is_complete());
        Ok(upload.map(|upload| upload.completed_at(uploaded_at)))
    }
}

/// The values of an export, checked.
fn restored(exported: ExportedAttachment) -> std::result::Result<(Timestamp, NewAttachment), Invalid> {
    let sha256 = STANDARD.decode(&exported.sha256).ok().filter(|bytes| bytes.len() == SHA256_BYTES);
    let rule = || Invalid::new("attachment.sha256", format!("must be {SHA256_BYTES} bytes in Base64"));
    if !(1..=i64::from(MAX_FILE_BYTES)).contains(&exported.byte_size) {
        let rule = format!("must be 1 to {MAX_FILE_BYTES}, got {}", exported.byte_size);
        return Err(Invalid::new("attachment.byteSize", rule));
    }
    let filename = exported.filename.map(|name| Filename::new("attachment.filename", name));
    let new = NewAttachment {
        id: Some(exported.id),
        filename: filename.transpose()?,
        media_type: MediaType::new("attachment.mediaType", exported.media_type)?,
        byte_size: exported.byte_size,
        sha256: sha256.ok_or_else(rule)?,
    };
    Ok((exported.created_at, new))
}
