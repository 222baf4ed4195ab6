//! Cursors: positions in lists, as opaque text.
//!
//! A cursor contains its list, so a cursor of another list or another owner is rejected. It is not secret and
//! gives no access: every read is limited to the viewer's data.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::model::{
    ConversationId, ConversationOrder, Invalid, OwnerId, SearchOrder, SearchPosition, Timestamp,
    change_cursor, parse_change_cursor,
};

const MESSAGE: u8 = 1;
const CONVERSATION: u8 = 2;
// 3 is that of a change: see `model::change_cursor`.
const HIT: u8 = 4;
const OWNER: u8 = 8;

/// The cursor of a message.
pub(in crate::graphql) fn of_message(conversation: ConversationId, position: i64) -> String {
    encode(MESSAGE, &[conversation.0.as_bytes(), &position.to_be_bytes()])
}

/// Parses the cursor of a message in `conversation`.
pub(in crate::graphql) fn message(
    argument: &str,
    cursor: &str,
    conversation: ConversationId,
) -> Result<i64, Invalid> {
    let bytes: [u8; 24] = decode(MESSAGE, cursor).ok_or_else(|| wrong(argument))?;
    let (id, position) = bytes.split_at(16);
    if id != conversation.0.as_bytes() {
        return Err(wrong(argument));
    }
    Ok(i64_from(position))
}

/// The cursor of a conversation in a list of an owner with this order.
pub(in crate::graphql) fn of_conversation(
    owner: &OwnerId,
    order: ConversationOrder,
    (time, id): (Timestamp, ConversationId),
) -> String {
    encode(CONVERSATION, &[&list_tag(owner, order), &time.0.to_be_bytes(), id.0.as_bytes()])
}

/// Parses the cursor of a conversation in this list.
pub(in crate::graphql) fn conversation(
    argument: &str,
    cursor: &str,
    owner: &OwnerId,
    order: ConversationOrder,
) -> Result<(Timestamp, ConversationId), Invalid> {
    let bytes: [u8; 32] = decode(CONVERSATION, cursor).ok_or_else(|| wrong(argument))?;
    let (tag, key) = bytes.split_at(8);
    let (time, id) = key.split_at(8);
    if tag != list_tag(owner, order) {
        return Err(wrong(argument));
    }
    let id = Uuid::from_slice(id).map_err(|_| wrong(argument))?;
    Ok((Timestamp(i64_from(time)), ConversationId(id)))
}

/// The cursor of a conversation in a list of an owner with this order.
pub(in crate::graphql) fn of_change(owner: &OwnerId, revision: i64) -> String {
    change_cursor(owner, revision)
}

/// Parses the cursor of a change of this owner.
pub(in crate::graphql) fn change(argument: &str, cursor: &str, owner: &OwnerId) -> Result<i64, Invalid> {
    parse_change_cursor(owner, cursor).ok_or_else(|| wrong(argument))
}

/// A list of found messages: whose, by which query, in which order.
#[derive(Clone, Copy)]
pub(in crate::graphql) struct SearchList([u8; 8]);

/// The list of what an owner finds with a query.
pub(in crate::graphql) fn search_list(owner: &OwnerId, query: &str, order: SearchOrder) -> SearchList {
    let mut hash = Sha256::new();
    hash.update([HIT, order as u8]);
    hash.update((owner.as_str().len() as u64).to_be_bytes());
    hash.update(owner.as_str());
    hash.update(query);
    let mut tag = [0; 8];
    tag.copy_from_slice(&hash.finalize()[..8]);
    SearchList(tag)
}

/// A place in a list of found messages.
pub(in crate::graphql) fn of_hit(list: SearchList, at: &SearchPosition) -> String {
    let SearchPosition { score, created_at, conversation, position } = at;
    let parts: [&[u8]; 5] = [
        &list.0,
        &score.to_be_bytes(),
        &created_at.0.to_be_bytes(),
        conversation.0.as_bytes(),
        &position.to_be_bytes(),
    ];
    encode(HIT, &parts)
}

/// The place a cursor stands for in a list of found messages.
pub(in crate::graphql) fn hit(
    argument: &str,
    cursor: &str,
    list: SearchList,
) -> Result<SearchPosition, Invalid> {
    let bytes: [u8; 44] = decode(HIT, cursor).ok_or_else(|| wrong(argument))?;
    let (tag, rest) = bytes.split_at(8);
    if tag != list.0 {
        return Err(wrong(argument));
    }
    let (score, rest) = rest.split_at(4);
    let (time, rest) = rest.split_at(8);
    let (id, position) = rest.split_at(16);
    let conversation = Uuid::from_slice(id).map_err(|_| wrong(argument))?;
    Ok(SearchPosition {
        score: score.iter().fold(0, |value, byte| (value << 8) | u32::from(*byte)),
        created_at: Timestamp(i64_from(time)),
        conversation: ConversationId(conversation),
        position: i64_from(position),
    })
}

/// The cursor of an owner in a report of all owners.
pub(in crate::graphql) fn of_owner(owner: &OwnerId) -> String {
    encode(OWNER, &[owner.as_str().as_bytes()])
}

/// Parses the cursor of an owner.
pub(in crate::graphql) fn owner(argument: &str, cursor: &str) -> Result<OwnerId, Invalid> {
    let bytes = decode_bytes(OWNER, cursor).ok_or_else(|| wrong(argument))?;
    let subject = String::from_utf8(bytes).map_err(|_| wrong(argument))?;
    OwnerId::new(subject).map_err(|_| wrong(argument))
}

/// The cursor of a text: the plain offset, which clients may also compute.
pub(in crate::graphql) fn of_text(offset: i64) -> String {
    offset.to_string()
}

/// Parses the cursor of a text.
pub(in crate::graphql) fn text(argument: &str, cursor: &str) -> Result<i64, Invalid> {
    let offset = cursor.parse().ok().filter(|offset| *offset >= 0 && of_text(*offset) == cursor);
    offset.ok_or_else(|| Invalid::new(argument, "must be a cursor of this text"))
}

fn wrong(argument: &str) -> Invalid {
    Invalid::new(argument, "must be a cursor of this list")
}

/// Identifies the list of an owner in an order.
fn list_tag(owner: &OwnerId, order: ConversationOrder) -> [u8; 8] {
    let mut hash = Sha256::new();
    hash.update([order as u8]);
    hash.update(owner.as_str());
    let mut tag = [0; 8];
    tag.copy_from_slice(&hash.finalize()[..8]);
    tag
}

fn encode(kind: u8, parts: &[&[u8]]) -> String {
    let mut bytes = vec![kind];
    for part in parts {
        bytes.extend_from_slice(part);
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode<const N: usize>(kind: u8, cursor: &str) -> Option<[u8; N]> {
    decode_bytes(kind, cursor)?.try_into().ok()
}

fn decode_bytes(kind: u8, cursor: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (found, rest) = bytes.split_first()?;
    (*found == kind).then(|| rest.to_vec())
}

fn i64_from(bytes: &[u8]) -> i64 {
    bytes.iter().fold(0, |value, byte| (value << 8) | i64::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: u128 = 7;
    const OWNER: &str = "ada";
    const ORDER: ConversationOrder = ConversationOrder::CreatedAscending;

    /// Any text, and valid cursors with a part replaced.
    fn cursors() -> impl Strategy<Value = String> {
        let (id, owner) = (ConversationId(Uuid::from_u128(ID)), OwnerId::new(OWNER).unwrap());
        let given = any::<(i64, u8)>().prop_map(move |(number, kind)| match kind % 4 {
            0 => of_message(id, number),
            1 => of_conversation(&owner, ORDER, (Timestamp(number), id)),
            2 => of_change(&owner, number),
            _ => of_text(number),
        });
        let changed = (given, any::<prop::sample::Index>(), 0..4_usize, "[A-Za-z0-9_=+/.-]{0,3}").prop_map(
            |(mut cursor, at, length, other)| {
                let start = at.index(cursor.len() + 1);
                cursor.replace_range(start..cursor.len().min(start + length), &other);
                cursor
            },
        );
        prop_oneof![".*", "[A-Za-z0-9_-]{0,60}", changed]
    }

    proptest! {
        #[test]
        fn a_message_cursor_holds_its_position(id: u128, other: u128, position in 0..i64::MAX) {
            let (id, other) = (ConversationId(Uuid::from_u128(id)), ConversationId(Uuid::from_u128(other)));
            let cursor = of_message(id, position);
            prop_assert_eq!(message("after", &cursor, id), Ok(position));
            prop_assert_eq!(message("after", &cursor, other).is_ok(), id == other);
        }

        #[test]
        fn a_conversation_cursor_holds_its_key(owner in "[a-z]{1,9}", time: i64, id: u128) {
            let owner = OwnerId::new(owner).unwrap();
            let stranger = OwnerId::new("Bob").unwrap();
            let key = (Timestamp(time), ConversationId(Uuid::from_u128(id)));
            let order = ConversationOrder::UpdatedDescending;
            let cursor = of_conversation(&owner, order, key);
            prop_assert_eq!(conversation("after", &cursor, &owner, order), Ok(key));
            prop_assert!(conversation("after", &cursor, &stranger, order).is_err());
            prop_assert!(conversation("after", &cursor, &owner, ConversationOrder::CreatedAscending).is_err());
            prop_assert!(message("after", &cursor, key.1).is_err());
        }

        #[test]
        fn a_change_cursor_holds_its_revision(owner in "[a-z]{1,9}", revision: i64) {
            let (owner, stranger) = (OwnerId::new(owner).unwrap(), OwnerId::new("Bob").unwrap());
            let cursor = of_change(&owner, revision);
            prop_assert_eq!(change("after", &cursor, &owner), Ok(revision));
            prop_assert!(change("after", &cursor, &stranger).is_err());
        }

        #[test]
        fn an_owner_cursor_holds_the_owner(name in "\\PC{1,60}") {
            let owner = OwnerId::new(name).unwrap();
            let cursor = of_owner(&owner);
            prop_assert!(change("after", &cursor, &owner).is_err());
            prop_assert_eq!(super::owner("after", &cursor), Ok(owner));
        }

        #[test]
        fn a_text_cursor_holds_its_offset(offset in 0..i64::MAX) {
            prop_assert_eq!(text("offset", &of_text(offset)), Ok(offset));
        }

        /// Every text that parses is a cursor that the server creates: each position has one text.
        #[test]
        fn any_text_is_a_cursor_or_rejected(given in cursors()) {
            let (id, owner) = (ConversationId(Uuid::from_u128(ID)), OwnerId::new(OWNER).unwrap());
            if let Ok(position) = message("after", &given, id) {
                prop_assert_eq!(of_message(id, position), given.as_str());
            }
            if let Ok(key) = conversation("after", &given, &owner, ORDER) {
                prop_assert_eq!(of_conversation(&owner, ORDER, key), given.as_str());
            }
            if let Ok(revision) = change("after", &given, &owner) {
                prop_assert_eq!(of_change(&owner, revision), given.as_str());
            }
            if let Ok(offset) = text("offset", &given) {
                prop_assert_eq!(of_text(offset), given.as_str());
            }
        }
    }
}
