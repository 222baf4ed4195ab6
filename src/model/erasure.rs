//! The receipt of an erasure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{OwnerId, Timestamp};

/// The numbers of removed rows, by table. It counts no table without any.
pub type ErasedRows = BTreeMap<String, u64>;

/// What a receipt says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ErasureContent {
    /// What stands for the user: the receipt does not name them.
    pub user_hash: String,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339.
    pub erased_at: String,
    /// The numbers of removed rows.
    pub rows: ErasedRows,
}

/// A receipt: what it says, and the proof that a server with the database's key said so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ErasureReceipt {
    /// What it says.
    pub content: ErasureContent,
    /// SHA-256 of the content as compact JSON with the keys in their order, in hexadecimal.
    pub sha256: String,
    /// The Ed25519 public key of the database, in Base64.
    pub public_key: String,
    /// The Ed25519 signature of the same JSON, in Base64.
    pub signature: String,
}

impl ErasureContent {
    /// The bytes that are hashed and signed.
    pub fn to_json(&self) -> String {
        // Texts and numbers always have a form in JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Their SHA-256, in hexadecimal.
    pub fn sha256(&self) -> String {
        Sha256::digest(self.to_json()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl ErasureReceipt {
    /// Reads a receipt.
    ///
    /// # Errors
    /// The text is not a receipt.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The receipt as indented JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// When the erasure ended.
    pub fn erased_at(&self) -> Option<Timestamp> {
        Timestamp::parse("erasedAt", &self.content.erased_at).ok()
    }

    /// The number of removed rows.
    pub fn row_count(&self) -> u64 {
        self.content.rows.values().sum()
    }
}

/// Why a receipt is not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ErasureFault {
    /// The content was changed.
    #[error("the receipt was changed: its SHA-256 does not match its content")]
    Changed,
    /// The database has no key, or another one.
    #[error("the receipt is not of this database: its public key is another")]
    OtherKey,
    /// The signature is not that of the key.
    #[error("the receipt is not genuine: its signature is not valid")]
    Forged,
    /// It is about another user.
    #[error("the receipt is about another user than {}", .0.as_str())]
    OtherUser(OwnerId),
    /// The database has rows of the user.
    #[error("the table `{table}` has {rows} rows of the user{}", if *.is_new { ", who wrote again after the erasure" } else { "" })]
    Rows {
        /// The table.
        table: &'static str,
        /// How many.
        rows: u64,
        /// The user wrote something after the erasure.
        is_new: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> ErasureContent {
        ErasureContent {
            user_hash: "ab".into(),
            started_at: "2026-11-29T08:00:00.000000Z".into(),
            erased_at: "2026-11-29T08:00:01.000000Z".into(),
            rows: ErasedRows::from([("message".into(), 3), ("conversation".into(), 1)]),
        }
    }

    #[test]
    fn the_signed_form_is_fixed() {
        let json = r#"{"userHash":"ab","startedAt":"2026-11-29T08:00:00.000000Z","erasedAt":"2026-11-29T08:00:01.000000Z","rows":{"conversation":1,"message":3}}"#;
        assert_eq!(content().to_json(), json);
        // printf '%s' "$json" | sha256sum
        assert_eq!(content().sha256(), "74ba9dabffb56b2a5b0ed6ae586ca751d953c391cacdf810ccc0a03e6f23857f");
    }

    #[test]
    fn a_receipt_is_read_as_it_was_written() {
        let receipt = ErasureReceipt {
            sha256: content().sha256(),
            content: content(),
            public_key: "key".into(),
            signature: "signature".into(),
        };
        assert_eq!(ErasureReceipt::parse(&receipt.to_json()).unwrap(), receipt);
        assert_eq!(receipt.row_count(), 4);
        assert!(ErasureReceipt::parse(&receipt.to_json().replace("\"rows\"", "\"other\"")).is_err());
    }
}
