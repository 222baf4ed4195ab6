//! Signs and checks receipts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::model::{ErasedRows, ErasureContent, ErasureFault, ErasureReceipt, OwnerId, Timestamp};
use crate::store::error::{Error, Result};
use crate::store::signing_key::SigningKey;

/// Makes the receipt of an erasure that began and ended at these times.
pub(super) fn sign(
    key: &SigningKey,
    user_hash: String,
    (started_at, erased_at): (Timestamp, Timestamp),
    rows: ErasedRows,
) -> ErasureReceipt {
    let content = ErasureContent {
        user_hash,
        started_at: started_at.to_string(),
        erased_at: erased_at.to_string(),
        rows,
    };
    ErasureReceipt {
        sha256: content.sha256(),
        public_key: base64(key.public_key()),
        signature: base64(&key.sign(content.to_json().as_bytes())),
        content,
    }
}

/// What is wrong with a receipt, whatever the tables have.
pub(super) fn faults(
    receipt: &ErasureReceipt,
    user: &OwnerId,
    key: Option<&SigningKey>,
) -> Vec<ErasureFault> {
    let mut faults = Vec::new();
    if receipt.sha256 != receipt.content.sha256() {
        faults.push(ErasureFault::Changed);
    }
    let Some(key) = key.filter(|key| base64(key.public_key()) == receipt.public_key) else {
        faults.push(ErasureFault::OtherKey);
        return faults;
    };
    let public_key = UnparsedPublicKey::new(&ED25519, key.public_key());
    let is_genuine = STANDARD
        .decode(&receipt.signature)
        .is_ok_and(|signature| public_key.verify(receipt.content.to_json().as_bytes(), &signature).is_ok());
    if !is_genuine {
        faults.push(ErasureFault::Forged);
    }
    if receipt.content.user_hash != key.hash(user) {
        faults.push(ErasureFault::OtherUser(user.clone()));
    }
    faults
}

/// The receipt in the audit log.
pub(super) fn stored(detail: Option<&str>) -> Result<ErasureReceipt> {
    ErasureReceipt::parse(detail.unwrap_or_default())
        .map_err(|error| Error::broken(format!("a receipt in the audit log is not readable: {error}")))
}

pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
