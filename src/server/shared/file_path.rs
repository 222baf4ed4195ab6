//! Where the files of a share are.

use crate::model::attachment_of;

/// The path of a file that a part of a share refers to. `None`: the URL is of something else.
pub(super) fn file_path(secret: &str, url: &str) -> Option<String> {
    let id = attachment_of("url", url).ok().flatten()?;
    let secret: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    Some(format!("/shared/{secret}/files/{id}"))
}
