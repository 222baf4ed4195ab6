//! What conversations are prepared for, and the rules that conversations and messages share.

use uuid::Uuid;

use crate::clock::Clock;
use crate::import::format::Format;
use crate::import::parsed::Dropped;
use crate::model::{ContentLimits, OwnerId, Timestamp};

/// The namespace of the UUIDs of imports.
const NAMESPACE: Uuid = Uuid::from_u128(0x9b1f_6c0e_52a4_4f0e_8f1d_3a6e_2c77_d501);

/// 1990-01-01: no chat is older, so an earlier time is a mistake.
pub(super) const EARLIEST: Timestamp = Timestamp(631_152_000_000_000);

/// What conversations are prepared for.
#[derive(Debug, Clone)]
pub(in crate::import) struct Target {
    pub(in crate::import) owner: OwnerId,
    pub(in crate::import) limits: ContentLimits,
    pub(in crate::import) clock: Clock,
}

/// Ids are made of the owner, the format and the ids at the source, so that an import can be repeated.
pub(super) fn uuid(owner: &OwnerId, format: Format, origin: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("{}\0{format:?}\0{origin}", owner.as_str()).as_bytes())
}

/// PostgreSQL cannot store NUL, and no text needs it.
pub(super) fn without_nul(text: String, what: &'static str, dropped: &mut Dropped) -> String {
    if !text.contains('\0') {
        return text;
    }
    dropped.add(format!("NUL in {what}"), "texts cannot contain U+0000");
    text.replace('\0', "")
}
