//! Rows of the hot reads.

use std::ops::Range;

use rusqlite::Row;
use rusqlite::types::ValueRef;
use uuid::Uuid;

use crate::model::{Conversation, ConversationId, Json, Labels, MessageId, OwnerId, Timestamp};
use crate::store::entity::message;
use crate::store::error::Result;
use crate::store::hot::reads::request::text_of;
use crate::store::row_budget::ROW_OVERHEAD;

/// The columns that [`message_of`] decodes.
macro_rules! message_columns {
    () => {
        "m.position, m.id, m.role, m.content, m.metadata, m.parts, m.created_at, m.status, m.branch, \
         m.parent_position, m.model, m.usage, m.edited_at, m.deleted_at, m.pinned"
    };
}
pub(super) use message_columns;

/// The columns that [`conversation_of`] decodes.
macro_rules! conversation_columns {
    () => {
        "c.id, c.title, c.metadata, c.labels, c.created_at, c.updated_at, c.message_count, c.last_position, c.branch, \
         c.head_position, c.branches, c.trunk, c.read_position, c.unread_ignored, c.unarchive_on_message, \
         c.pinned_at, c.archived_at, c.trashed_at, c.expires_at"
    };
}
pub(super) use conversation_columns;

/// The indices of the content, the metadata and the parts among the columns of a message.
pub(super) const MESSAGE_TEXTS: Range<usize> = 3..6;

/// The indices of the title, the metadata and the labels among the columns of a conversation.
pub(super) const CONVERSATION_TEXTS: Range<usize> = 1..4;

/// The number of columns that [`conversation_of`] decodes.
pub(super) const CONVERSATION_COLUMNS: usize = 19;

/// The size of a row, computed before any of it is copied. The texts are among these columns.
pub(super) fn texts(row: &Row<'_>, columns: Range<usize>) -> rusqlite::Result<usize> {
    let mut bytes = ROW_OVERHEAD;
    for column in columns {
        if let ValueRef::Text(text) = row.get_ref(column)? {
            bytes += text.len();
        }
    }
    Ok(bytes)
}

pub(super) fn conversation_of(row: &Row<'_>, owner: &OwnerId) -> rusqlite::Result<Conversation> {
    Ok(Conversation {
        id: ConversationId(id_of(row, 0)?),
        owner: owner.clone(),
        title: row.get(1)?,
        metadata: json_of(row, 2)?,
        labels: Labels::stored(row.get(3)?),
        created_at: Timestamp(row.get(4)?),
        updated_at: Timestamp(row.get(5)?),
        message_count: row.get(6)?,
        last_position: row.get(7)?,
        branch: row.get(8)?,
        head_position: row.get(9)?,
        branches: row.get(10)?,
        trunk: row.get(11)?,
        read_position: row.get(12)?,
        unread_ignored: row.get(13)?,
        unarchive_on_message: row.get(14)?,
        pinned_at: time_of(row, 15)?,
        archived_at: time_of(row, 16)?,
        trashed_at: time_of(row, 17)?,
        expires_at: time_of(row, 18)?,
    })
}

pub(super) fn message_of(
    row: &Row<'_>,
    at: usize,
    conversation: ConversationId,
    owner: &OwnerId,
) -> Result<message::Model> {
    let content = row.get_ref(at + 3)?.as_bytes().map_err(rusqlite::Error::from)?;
    Ok(message::Model {
        conversation_id: conversation,
        position: row.get(at)?,
        id: MessageId(id_of(row, at + 1)?),
        owner_id: owner.clone(),
        role: row.get(at + 2)?,
        content: text_of(content)?,
        metadata: json_of(row, at + 4)?,
        parts: row.get(at + 5)?,
        created_at: Timestamp(row.get(at + 6)?),
        fingerprint: None,
        status: row.get(at + 7)?,
        branch: row.get(at + 8)?,
        parent_position: row.get(at + 9)?,
        model: row.get(at + 10)?,
        usage: row.get(at + 11)?,
        edited_at: time_of(row, at + 12)?,
        deleted_at: time_of(row, at + 13)?,
        pinned: row.get::<_, Option<bool>>(at + 14)?.unwrap_or_default(),
    })
}

/// Usually the empty object, which needs no allocation.
fn json_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Json> {
    let text = row.get_ref(column)?.as_str()?;
    Ok(if text == "{}" { Json::empty_object() } else { Json::stored(text.to_owned()) })
}

fn time_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp))
}

pub(super) fn id_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    row.get::<_, [u8; 16]>(column).map(Uuid::from_bytes)
}
