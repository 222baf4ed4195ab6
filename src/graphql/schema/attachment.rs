//! Attachments.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::argument;
use super::scalar::DateTime;
use crate::graphql::execution::context::ContextExt;
use crate::model::{self, Filename, Invalid, MediaType, NewAttachment, SHA256_BYTES, hex};
use crate::store::{LinkPurpose, Result};

/// A file on this server, which messages can refer to.
#[derive(Clone)]
pub(in crate::graphql) struct Attachment(model::Attachment);

impl From<model::Attachment> for Attachment {
    fn from(attachment: model::Attachment) -> Self {
        Self(attachment)
    }
}

/// A file on this server, which messages can refer to.
#[Object]
impl Attachment {
    /// The id. A part refers to it with the URL `attachment:ID`.
    pub(in crate::graphql) async fn id(&self) -> ID {
        ID::from(self.0.id.0)
    }

    /// The name of the file.
    async fn filename(&self) -> Option<&str> {
        self.0.filename.as_deref()
    }

    /// For example image/png.
    async fn media_type(&self) -> &str {
        &self.0.media_type
    }

    /// The size of the file in bytes.
    async fn byte_size(&self) -> i64 {
        self.0.byte_size
    }

    /// The SHA-256 of the file, in hexadecimal.
    async fn sha256(&self) -> String {
        hex(&self.0.sha256)
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When the file was complete and had its SHA-256. Null: it has to be uploaded.
    async fn uploaded_at(&self) -> Option<DateTime> {
        self.0.uploaded_at.map(DateTime)
    }

    /// Where the file can be downloaded without credentials, for 15 minutes at least (`files.link`). Relative to the URL of
    /// this server, unless it has a `files.public_url`. Null until the file was uploaded.
    async fn download_url(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        if self.0.uploaded_at.is_none() {
            return Ok(None);
        }
        let link = ctx.store()?.file_link(LinkPurpose::Download, self.0.id).await?;
        Ok(Some(link.url))
    }
}

/// A file to attach.
#[derive(InputObject)]
struct CreateAttachmentInput {
    /// A UUID that the client created for this attachment only. A retry with the same fields returns the same attachment, and
    /// a new upload target. Error CONFLICT: the id is that of another attachment.
    id: Option<ID>,
    /// The name of the file, 1 byte to 1 KiB without control characters.
    filename: Option<String>,
    /// For example image/png. It must be allowed by the server (`files.media_types`).
    media_type: String,
    /// The size of the file in bytes: 1 to 1 GiB (`files.file_bytes`).
    byte_size: i32,
    /// The SHA-256 of the file: 64 hexadecimal digits.
    sha256: String,
}

impl CreateAttachmentInput {
    fn parse(self) -> std::result::Result<NewAttachment, Invalid> {
        Ok(NewAttachment {
            id: self.id.map(|id| argument::attachment_id("id", &id)).transpose()?,
            filename: self.filename.map(|name| Filename::new("filename", name)).transpose()?,
            media_type: MediaType::new("mediaType", self.media_type)?,
            byte_size: self.byte_size.into(),
            sha256: sha256("sha256", &self.sha256)?,
        })
    }
}

fn sha256(argument: &str, text: &str) -> std::result::Result<Vec<u8>, Invalid> {
    let byte = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).ok().filter(|text| !text.starts_with('+'))?;
        u8::from_str_radix(text, 16).ok()
    };
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
    let bytes = bytes.filter(|bytes| bytes.len() == SHA256_BYTES && text.len() == 2 * SHA256_BYTES);
    bytes.ok_or_else(|| Invalid::new(argument, "must be 64 hexadecimal digits"))
}

/// Where to send a file.
#[derive(SimpleObject)]
struct UploadTarget {
    /// The URL, which needs no credentials. Relative to the URL of this server, unless it has a `files.public_url`.
    url: String,
    /// The method: PUT. The body is the file.
    method: String,
    /// The headers to send.
    headers: Vec<HttpHeader>,
    /// When the URL ends. A retry of `createAttachment` with the same id gives another one.
    expires_at: DateTime,
}

/// A header of a request.
#[derive(SimpleObject)]
struct HttpHeader {
    /// The name.
    name: String,
    /// The value.
    value: String,
}

/// The attachment that was created.
#[derive(SimpleObject)]
struct CreateAttachmentPayload {
    /// The attachment.
    attachment: Attachment,
    /// Where to send the file. Null: the viewer has the same file already, nothing needs to be sent.
    upload: Option<UploadTarget>,
}

/// The attachment to delete.
#[derive(InputObject)]
struct DeleteAttachmentInput {
    /// The id of the attachment.
    id: ID,
}

/// The attachment that was deleted.
#[derive(SimpleObject)]
struct DeleteAttachmentPayload {
    /// The id of the attachment.
    deleted_attachment_id: ID,
}

/// Mutations of attachments.
#[derive(Default)]
pub(in crate::graphql) struct AttachmentMutation;

#[Object]
impl AttachmentMutation {
    /// Announces a file, and says where to send it: to the URL of `upload`, with PUT. Then a message can refer to it with a
    /// file part whose URL is `attachment:ID`. A file that no message refers to is deleted after a day (`files.unused`); one
    /// that messages referred to goes with the last of them. Error FORBIDDEN: the server has no attachments. Error
    /// BAD_USER_INPUT: the file is not allowed, or the viewer has 10,000 attachments or 10 GiB (`files.owner_files`,
    /// `files.owner_bytes`).
    async fn create_attachment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The file to attach.")] input: CreateAttachmentInput,
    ) -> Result<CreateAttachmentPayload> {
        let new = input.parse().map_err(|invalid| invalid.within("input"))?;
        let attachment = ctx.store()?.create_attachment(new).await?;
        let upload = match attachment.uploaded_at {
            Some(_) => None,
            None => {
                let link = ctx.store()?.file_link(LinkPurpose::Upload, attachment.id).await?;
                Some(UploadTarget {
                    url: link.url,
                    method: "PUT".into(),
                    headers: vec![HttpHeader {
                        name: "content-type".into(),
                        value: attachment.media_type.clone(),
                    }],
                    expires_at: DateTime(link.expires_at),
                })
            }
        };
        Ok(CreateAttachmentPayload { attachment: attachment.into(), upload })
    }

    /// Deletes an attachment and its file. A retry changes nothing. Error CONFLICT: a message or a share refers to it.
    async fn delete_attachment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The attachment to delete.")] input: DeleteAttachmentInput,
    ) -> Result<DeleteAttachmentPayload> {
        let id = argument::attachment_id("input.id", &input.id)?;
        ctx.store()?.delete_attachment(id).await?;
        Ok(DeleteAttachmentPayload { deleted_attachment_id: ID::from(id.0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sha256_has_64_digits() {
        let text = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852b855";
        assert_eq!(hex(&sha256("sha256", text).unwrap()), text.to_ascii_lowercase());
        for wrong in
            ["", "e3", &text[1..], &format!("{text}00"), &text.replace('E', "g"), &text.replace("E3", "+3")]
        {
            assert_eq!(
                sha256("sha256", wrong).unwrap_err().to_string(),
                "`sha256` must be 64 hexadecimal digits"
            );
        }
    }
}
