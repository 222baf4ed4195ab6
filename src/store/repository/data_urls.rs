//! Files inside of messages: large `data:` URLs become attachments.
//!
//! The id of the attachment depends on its owner and content alone, so a repeated write names the same attachment.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::model::{
    AttachmentId, Filename, Invalid, MediaType, MessageBody, NewAttachment, NewMessage, Part, Parts,
    attachment_url, decode_data_url,
};
use crate::store::error::{Error, Result};
use crate::store::scope::Scoped;

/// The namespace of the ids, made for this purpose.
const NAMESPACE: Uuid = Uuid::from_u128(0x5f1f_7d0a_52b6_4d0b_9a5e_0d8a_34c1_6e27);

/// What errors name.
const ARGUMENT: &str = "input.parts";

/// The type of a file whose media type cannot be one of a download.
const UNKNOWN: &str = "application/octet-stream";

impl Scoped {
    /// Stores the large `data:` URLs of messages as attachments, and refers to them instead.
    ///
    /// # Errors
    /// As for [`Scoped::attach_parts`].
    pub(in crate::store) async fn attach_files(&self, messages: Vec<NewMessage>) -> Result<Vec<NewMessage>> {
        let has_file = |message: &NewMessage| match &message.body {
            Some(MessageBody::Parts(parts)) => parts.as_slice().iter().any(Part::is_large_data_url),
            _ => false,
        };
        if !messages.iter().any(has_file) {
            return Ok(messages);
        }
        let mut attached = Vec::with_capacity(messages.len());
        for message in messages {
            let body = match message.body {
                Some(body) => Some(self.attach(body).await?),
                None => None,
            };
            attached.push(NewMessage { body, ..message });
        }
        Ok(attached)
    }

    /// The same of one body.
    pub(in crate::store) async fn attach(&self, body: MessageBody) -> Result<MessageBody> {
        match body {
            MessageBody::Text(_) => Ok(body),
            MessageBody::Parts(parts) => Ok(MessageBody::Parts(self.attach_parts(parts).await?)),
        }
    }

    /// The same of parts.
    ///
    /// # Errors
    /// - `Invalid`: one is not a valid `data:` URL, its media type is not allowed, or the owner has too many files.
    /// - `Unavailable`: the storage failed.
    pub async fn attach_parts(&self, parts: Parts) -> Result<Parts> {
        if self.files().is_err() || !parts.as_slice().iter().any(Part::is_large_data_url) {
            return Ok(parts);
        }
        let mut parts = parts.into_vec();
        for (at, part) in parts.iter_mut().enumerate().filter(|(_, part)| part.is_large_data_url()) {
            let Part::File { media_type, filename, url, .. } = part else { continue };
            let path = format!("{ARGUMENT}[{at}].file");
            let attached = self.attach_one(url, filename.as_deref(), media_type).await;
            *url = attached.map_err(|error| within(error, &path))?;
        }
        Ok(Parts::new(ARGUMENT, parts)?)
    }

    async fn attach_one(&self, url: &str, filename: Option<&str>, media_type: &str) -> Result<String> {
        let file = decode_data_url(url).filter(|file| !file.is_empty()).map(Bytes::from);
        let file = file.ok_or_else(|| Invalid::new("url", "must be a valid `data:` URL with a file"))?;
        let sha256 = Sha256::digest(&file).to_vec();
        let media_type = MediaType::new("mediaType", media_type.to_owned())
            .or_else(|_| MediaType::new("mediaType", UNKNOWN.to_owned()))?;
        let filename = filename.and_then(|name| Filename::new("filename", name.to_owned()).ok());
        let id = self.attachment_id(&sha256, filename.as_ref(), &media_type);
        let byte_size = i64::try_from(file.len()).unwrap_or(i64::MAX);
        let new = NewAttachment { id: Some(id), filename, media_type, byte_size, sha256 };
        self.create_attachment(new).await?;
        self.write_file(id, &file).await?;
        Ok(attachment_url(id))
    }

    fn attachment_id(
        &self,
        sha256: &[u8],
        filename: Option<&Filename>,
        media_type: &MediaType,
    ) -> AttachmentId {
        let filename = filename.map_or("", Filename::as_str);
        let owner = self.owner.as_str();
        let name = [owner.as_bytes(), sha256, media_type.as_str().as_bytes(), filename.as_bytes()].join(&0);
        AttachmentId(Uuid::new_v5(&NAMESPACE, &name))
    }
}

fn within(error: Error, path: &str) -> Error {
    match error {
        Error::Invalid(invalid) => {
            let field = invalid.argument.strip_prefix("input.").unwrap_or(&invalid.argument);
            Error::Invalid(Invalid::new(format!("{path}.{field}"), invalid.rule))
        }
        error => error,
    }
}
