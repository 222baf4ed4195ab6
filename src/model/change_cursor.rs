//! Cursors of changes: the position in the feed of an owner, as opaque text.
//!
//! `changes(after:)` takes them, and webhooks use them as ids. The cursors of all other lists are in the API alone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::OwnerId;

/// The first byte of a cursor of a change. Cursors of other lists begin with other bytes.
const CHANGE: u8 = 3;

/// The cursor of a change.
pub fn change_cursor(owner: &OwnerId, revision: i64) -> String {
    let mut bytes = vec![CHANGE];
    bytes.extend_from_slice(&tag(owner));
    bytes.extend_from_slice(&revision.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The revision of a cursor of this owner. `None`: it is not one.
pub fn parse_change_cursor(owner: &OwnerId, cursor: &str) -> Option<i64> {
    let bytes: [u8; 17] = URL_SAFE_NO_PAD.decode(cursor).ok()?.try_into().ok()?;
    let (head, revision) = bytes.split_at(9);
    (head[0] == CHANGE && head[1..] == tag(owner))
        .then(|| revision.iter().fold(0, |value, byte| (value << 8) | i64::from(*byte)))
}

/// Identifies the owner.
fn tag(owner: &OwnerId) -> [u8; 8] {
    let mut hash = Sha256::new();
    hash.update([CHANGE]);
    hash.update(owner.as_str());
    let mut tag = [0; 8];
    tag.copy_from_slice(&hash.finalize()[..8]);
    tag
}
