//! Identifiers: UUIDs of conversations and messages, and the token's subject of owners.

use std::convert::Infallible;
use std::sync::Arc;

use sea_orm::{DbErr, DeriveValueType, TryFromU64};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Invalid;

/// The id of a conversation.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, DeriveValueType, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ConversationId(pub Uuid);

/// The id of a message.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, DeriveValueType, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct MessageId(pub Uuid);

/// The id that a client chose for the deletion of a message.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, DeriveValueType, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct DeletionId(pub Uuid);

/// The id of a share.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, DeriveValueType, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ShareId(pub Uuid);

/// The id of an attachment.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, DeriveValueType, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct AttachmentId(pub Uuid);

/// The owner of a conversation: the claim `sub` of the token. Clones share the text, because every message
/// has one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, DeriveValueType)]
#[sea_orm(value_type = "String", from_str = "OwnerId::stored", to_str = "OwnerId::to_text")]
pub struct OwnerId(Arc<str>);

/// The longest accepted subject, in bytes.
const MAX_OWNER_BYTES: usize = 255;

impl OwnerId {
    /// An owner from the subject of verified credentials.
    ///
    /// # Errors
    /// The subject is empty, has more than 255 bytes or contains NUL: it could not be a database key.
    pub fn new(subject: impl Into<String>) -> Result<Self, Invalid> {
        let subject = subject.into();
        match subject.len() {
            0 => Err(Invalid::new("sub", "must not be empty")),
            n if n > MAX_OWNER_BYTES => Err(Invalid::new("sub", "must be at most 255 bytes")),
            _ if subject.contains('\0') => Err(Invalid::new("sub", "must not contain NUL")),
            _ => Ok(Self(subject.into())),
        }
    }

    /// An owner from a row of the database.
    fn stored(subject: &str) -> Result<Self, Infallible> {
        Ok(Self(subject.into()))
    }

    fn to_text(&self) -> String {
        self.as_str().to_owned()
    }

    /// The subject.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Parses a UUID in its canonical form: 36 characters with hyphens.
fn parse(argument: &str, text: &str) -> Result<Uuid, Invalid> {
    let uuid = if text.len() == 36 { Uuid::try_parse(text).ok() } else { None };
    uuid.ok_or_else(|| Invalid::new(argument, "must be a UUID"))
}

/// SeaORM requires this for keys. No key here is a number that the database generates.
macro_rules! not_a_number {
    ($($name:ident),+) => {
        $(impl TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($name)))
            }
        })+
    };
}

not_a_number!(ConversationId, MessageId, ShareId, AttachmentId, OwnerId);

macro_rules! uuid_id {
    ($name:ident) => {
        impl $name {
            /// Parses the canonical form with hyphens.
            ///
            /// # Errors
            /// `text` is not a UUID. The error names `argument`.
            pub fn parse(argument: &str, text: &str) -> Result<Self, Invalid> {
                parse(argument, text).map(Self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id!(ConversationId);
uuid_id!(MessageId);
uuid_id!(DeletionId);
uuid_id!(ShareId);
uuid_id!(AttachmentId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_is_an_id() {
        let canonical = "0197a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b";
        assert_eq!(ConversationId::parse("id", canonical).unwrap().to_string(), canonical);
        for wrong in ["", "1", "0197a1b2c3d47e5f8a6b7c8d9e0f1a2b", "{0197a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b}"] {
            let error = ConversationId::parse("id", wrong).unwrap_err();
            assert_eq!(error.to_string(), "`id` must be a UUID");
        }
    }

    #[test]
    fn an_owner_is_a_subject_that_can_be_a_key() {
        assert_eq!(OwnerId::new("ada").unwrap().as_str(), "ada");
        assert!(OwnerId::new("").is_err());
        assert!(OwnerId::new("a\0b").is_err());
        assert!(OwnerId::new("x".repeat(255)).is_ok());
        assert!(OwnerId::new("x".repeat(256)).is_err());
    }
}
