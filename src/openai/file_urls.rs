//! The URLs of files in items.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::model::{AttachmentId, attachment_of};

/// The URLs of attachments, by which others get the file.
#[derive(Debug, Default)]
pub struct FileUrls(HashMap<AttachmentId, String>);

impl FileUrls {
    /// Whether an attachment was made of a `data:` URL: its id follows from its content.
    pub fn is_of_data_url(id: AttachmentId) -> bool {
        id.0.get_version_num() == 5
    }

    /// Adds the URL of an attachment.
    pub fn insert(&mut self, id: AttachmentId, url: String) {
        self.0.insert(id, url);
    }

    /// Adds a file as a `data:` URL.
    pub fn insert_file(&mut self, id: AttachmentId, media_type: &str, file: &[u8]) {
        self.insert(id, data_url(media_type, file));
    }

    /// Whether the URL of an attachment is known.
    pub fn has(&self, id: AttachmentId) -> bool {
        self.0.contains_key(&id)
    }

    /// The URL for others.
    pub(super) fn resolve<'u>(&'u self, url: &'u str) -> &'u str {
        let id = attachment_of("url", url).ok().flatten();
        id.and_then(|id| self.0.get(&id)).map_or(url, String::as_str)
    }
}

/// A file as a `data:` URL.
pub(super) fn data_url(media_type: &str, file: &[u8]) -> String {
    format!("data:{media_type};base64,{}", STANDARD.encode(file))
}
