//! The images of a message that are attachments, as `data:` URLs.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::ExportError;
use crate::model::{AttachmentId, ExportedMessage, Part, Parts, attachment_of};
use crate::store::ExportSnapshot;

/// The most bytes of all images of a message.
const BYTES: usize = 8 * 1024 * 1024;

/// The media types that browsers and models show, without those that can have scripts.
const MEDIA_TYPES: [&str; 5] = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"];

/// The images of a message that are attachments.
#[derive(Default)]
pub(super) struct Images(HashMap<AttachmentId, String>);

impl Images {
    /// Reads the files. Images are left out that are not uploaded, or too large together with those before them.
    pub(super) async fn of(
        snapshot: &ExportSnapshot,
        message: &ExportedMessage,
    ) -> Result<Self, ExportError> {
        let mut images = HashMap::new();
        let mut left = BYTES;
        for part in message.parts.iter().flat_map(Parts::as_slice) {
            let Part::File { media_type, url, .. } = part else { continue };
            let Some(id) = attachment_of("url", url).ok().flatten() else { continue };
            if !is_shown(media_type) || images.contains_key(&id) {
                continue;
            }
            if let Some(file) = snapshot.small_file(id, left).await? {
                left -= file.len();
                images.insert(id, format!("data:{media_type};base64,{}", STANDARD.encode(file)));
            }
        }
        Ok(Self(images))
    }

    /// The `data:` URL of a file part: its own, or that of its attachment. `None`: it is no image of a type that is shown,
    /// or the image is elsewhere.
    pub(super) fn data_url<'i>(&'i self, media_type: &str, url: &'i str) -> Option<&'i str> {
        if !is_shown(media_type) {
            return None;
        }
        // The type in the URL decides how it is shown.
        let is_own = url.strip_prefix("data:").is_some_and(|rest| {
            rest.strip_prefix(media_type).is_some_and(|rest| rest.starts_with([';', ',']))
        });
        if is_own {
            return Some(url);
        }
        let id = attachment_of("url", url).ok().flatten()?;
        self.0.get(&id).map(String::as_str)
    }
}

fn is_shown(media_type: &str) -> bool {
    MEDIA_TYPES.contains(&media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_images_without_scripts_are_shown() {
        let images = Images::default();
        assert!(images.data_url("image/png", "data:image/png;base64,AA==").is_some());
        for (media_type, url) in [
            ("image/svg+xml", "data:image/svg+xml,<svg/>"),
            ("image/png", "data:image/svg+xml,<svg/>"),
            ("image/png", "data:image/pngx,"),
            ("image/png", "https://example.org/a.png"),
            ("text/html", "data:text/html,x"),
        ] {
            assert_eq!(images.data_url(media_type, url), None, "{url}");
        }
    }
}
