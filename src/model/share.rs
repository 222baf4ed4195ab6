//! Shares: copies of a branch that anybody with the secret can read.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    Attachment, AttachmentId, ConversationId, Invalid, Json, MessageId, Parts, Role, ShareId, Timestamp,
    Title, content::bounded,
};

/// The bytes of a secret: 192 bits.
const SECRET_BYTES: usize = 24;

/// The longest label of a share, in bytes of UTF-8.
const MAX_LABEL_BYTES: usize = 255;

/// Gives access to a share. It is shown once, and only its hash is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct ShareSecret(String);

impl ShareSecret {
    /// A secret from random bytes.
    pub fn from_bytes(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// 32 characters that need no escapes in a URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// It must not be logged.
impl std::fmt::Debug for ShareSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ShareSecret")
    }
}

/// What is stored of a secret. Of any text: one that is no secret has a hash that no share has. So it takes as long to
/// find nothing, whatever is wrong with it.
pub fn share_hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret).to_vec()
}

/// The note of the owner on a share: at most 255 bytes without NUL.
#[derive(Clone, PartialEq, Eq)]
pub struct ShareLabel(String);

impl ShareLabel {
    /// Checks the value. Errors name `argument`.
    ///
    /// # Errors
    /// The text has more than 255 bytes or contains NUL.
    pub fn new(argument: &str, text: String) -> Result<Self, Invalid> {
        bounded(argument, &text, MAX_LABEL_BYTES)?;
        Ok(Self(text))
    }

    /// The text.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Users write it.
impl std::fmt::Debug for ShareLabel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ShareLabel({} bytes)", self.0.len())
    }
}

/// A share to make.
#[derive(Debug, Clone)]
pub struct NewShare {
    /// The id that the client chose. It makes the call repeatable.
    pub id: Option<ShareId>,
    /// The conversation.
    pub conversation: ConversationId,
    /// The last message of the branch. `None`: that of the active one.
    pub leaf: Option<MessageId>,
    /// What readers see. `None`: the title of the conversation. Some(None): none.
    pub title: Option<Option<Title>>,
    /// For the owner alone.
    pub label: Option<ShareLabel>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// Whether readers see the metadata of messages.
    pub with_metadata: bool,
}

/// What may be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareRules {
    /// Whether anything may.
    pub is_enabled: bool,
    /// The most messages of a share.
    pub messages: u32,
    /// The most bytes of a share.
    pub bytes: usize,
    /// The most shares of a conversation.
    pub shares: u32,
    /// Whether a share can be read while the conversation is in the trash.
    pub while_trashed: bool,
}

/// A share, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The id. It gives no access.
    pub id: ShareId,
    /// The conversation that it was copied from.
    pub conversation: ConversationId,
    /// What readers see.
    pub title: Option<String>,
    /// For the owner alone.
    pub label: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// How many messages it has.
    pub message_count: i64,
    /// How often it was read.
    pub view_count: i64,
}

/// A share, as readers see it.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedConversation {
    /// The share. Readers do not see its id.
    pub share: Share,
    /// The messages, oldest first.
    pub messages: Vec<SharedMessage>,
    /// The attachments that they refer to.
    pub attachments: HashMap<AttachmentId, Attachment>,
}

/// A message of a share. Exports have it in this form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SharedMessage {
    /// The author.
    pub role: Role,
    /// The text.
    pub content: String,
    /// The parts, if it is more than a text.
    pub parts: Option<Parts>,
    /// Data of the client, if the owner shares it.
    pub metadata: Option<Json>,
    /// The model that wrote it.
    pub model: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_192_bits_and_fits_a_url() {
        let secret = ShareSecret::from_bytes([255; SECRET_BYTES]);
        assert_eq!(secret.as_str(), "_".repeat(32));
        assert_eq!(format!("{secret:?}"), "ShareSecret");
        assert_eq!(share_hash(secret.as_str()).len(), 32);
        assert_ne!(share_hash(secret.as_str()), share_hash(""));
    }
}
