//! The records of a backup of all users: one JSON object a line, each with one key that says what it is.
//!
//! The file begins with `backup` and ends with `backupEnd`. In between is an `account` for each user, followed by the
//! records of the user's export ([`super::ExportRecord`]), from `header` to `end`.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// The version of the records. Newer ones cannot be restored.
pub const BACKUP_VERSION: u32 = 1;

/// A line that is not of the export of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BackupRecord {
    /// What the file is.
    Backup(BackupHeader),
    /// The key of the database.
    SigningKey(BackedUpKey),
    /// A user. The export of the user follows.
    Account(BackedUpAccount),
    /// The end: a file without it was cut off.
    BackupEnd(BackupEnd),
}

/// What the file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupHeader {
    /// `scrollback-backup`.
    pub format: String,
    /// [`BACKUP_VERSION`].
    pub version: u32,
    /// The state of the database that it has.
    pub taken_at: Timestamp,
}

/// The key that signs receipts of erasures and URLs of files. It is a secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackedUpKey {
    /// An Ed25519 key pair in the form of PKCS #8, in Base64.
    pub pkcs8: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Hides the key.
impl std::fmt::Debug for BackedUpKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BackedUpKey").field("created_at", &self.created_at).finish_non_exhaustive()
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackedUpAccount {
    /// The name.
    pub user: String,
    /// When the user first wrote something.
    pub created_at: Timestamp,
    /// The rule of retention of this user: microseconds without activity, 0 if conversations are kept.
    pub retention_after: Option<i64>,
    /// What happens then: the number of a [`super::RetentionAction`].
    pub retention_action: Option<i16>,
}

/// The end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupEnd {
    /// Users.
    pub users: u64,
    /// Conversations of all users.
    pub conversations: u64,
    /// Messages of all users.
    pub messages: u64,
}
