//! Signed URLs for uploads and downloads: who has one needs no credentials until it ends.
//!
//! A URL is the same for a while, so that browsers keep what they have downloaded.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use crate::model::{AttachmentId, Timestamp};
use crate::store::database::Store;
use crate::store::error::{Error, Result};
use crate::store::scope::Scoped;
use crate::store::signing_key;

const SECOND: i64 = 1_000_000;

/// What a URL is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkPurpose {
    /// To send a file.
    Upload,
    /// To get a file.
    Download,
}

impl LinkPurpose {
    fn name(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Download => "download",
        }
    }
}

/// A signed URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLink {
    /// The URL.
    pub url: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Scoped {
    /// A URL for an attachment.
    ///
    /// # Errors
    /// - `FilesDisabled`: there are no attachments.
    pub async fn file_link(&self, purpose: LinkPurpose, id: AttachmentId) -> Result<FileLink> {
        let (_, rules) = self.files()?;
        let key = self.store.link_key().await?;
        let seconds = expiry(self.store.0.clock.now(), rules.link);
        let signature = URL_SAFE_NO_PAD.encode(hmac::sign(key, &signed(purpose, id, seconds)));
        let url = format!("{}/files/{id}?expires={seconds}&signature={signature}", rules.public_url);
        Ok(FileLink { url, expires_at: Timestamp(seconds * SECOND) })
    }
}

impl Store {
    /// Whether a URL was signed for this purpose and has not ended. `expires` is in seconds since 1970.
    pub async fn is_link(
        &self,
        purpose: LinkPurpose,
        id: AttachmentId,
        expires: i64,
        signature: &str,
    ) -> Result<bool> {
        let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return Ok(false) };
        let key = self.link_key().await?;
        let is_signed = hmac::verify(key, &signed(purpose, id, expires), &signature).is_ok();
        Ok(is_signed && expires.saturating_mul(SECOND) > self.0.clock.now().0)
    }

    async fn link_key(&self) -> Result<&hmac::Key> {
        let files = self.0.files.as_ref().ok_or(Error::FilesDisabled)?;
        let make = || async {
            let _lock = self.0.write_lock.acquire().await?;
            Ok(signing_key::find_or_make(&self.0.write, self.0.clock.now()).await?.link_key())
        };
        files.link_key.get_or_try_init(make).await
    }
}

fn signed(purpose: LinkPurpose, id: AttachmentId, seconds: i64) -> Vec<u8> {
    format!("{} {id} {seconds}", purpose.name()).into_bytes()
}

/// When a URL ends that is made now, in seconds: after `link` microseconds at least, at one of few moments.
fn expiry(now: Timestamp, link: i64) -> i64 {
    let step = Ord::max(link / 3, SECOND);
    (now.0.saturating_add(link) / step + 1).saturating_mul(step) / SECOND + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_stays_the_same_for_a_while_and_is_valid_long_enough() {
        let (link, start) = (900 * SECOND, 1_700_000_000 * SECOND);
        let mut kinds = std::collections::BTreeSet::new();
        for second in 0..600 {
            let now = start + second * SECOND;
            let left = expiry(Timestamp(now), link) * SECOND - now;
            assert!(left >= link && left <= link + link / 3 + 2 * SECOND, "{left}");
            kinds.insert(expiry(Timestamp(now), link));
        }
        assert!(kinds.len() <= 3, "{kinds:?}");
    }
}
