//! Messages. Each has a position in its conversation, and an id.

use sea_orm::entity::prelude::*;

use crate::model::{
    ConversationId, Json, Message, MessageId, MessageStatus, OwnerId, Parts, Role, Timestamp, TokenUsage,
};
use crate::store::error::Error;

/// A row of `message`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message")]
pub struct Model {
    pub conversation_id: ConversationId,
    pub position: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MessageId,
    pub owner_id: OwnerId,
    pub role: i16,
    pub content: String,
    pub metadata: Json,
    pub created_at: Timestamp,
    pub fingerprint: Option<Vec<u8>>,
    pub branch: Option<i64>,
    pub parent_position: Option<i64>,
    pub parts: Option<String>,
    pub status: i16,
    pub model: Option<String>,
    pub usage: Option<String>,
    pub edited_at: Option<Timestamp>,
    pub deleted_at: Option<Timestamp>,
    pub pinned: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The number, from 1, of the last message of the user among those of an append. A user who writes has read what came
/// before, so it is where the unread messages begin.
pub(in crate::store) fn last_of_user(rows: &[Model]) -> Option<i64> {
    let nth = rows.iter().rposition(|row| row.role == Role::User.code())?;
    i64::try_from(nth + 1).ok()
}

/// An unknown role or status is a fault in the database, so the error is internal.
impl TryFrom<Model> for Message {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let role = Role::from_code(row.role)
            .ok_or_else(|| Error::broken(format!("message {} has the unknown role {}", row.id, row.role)))?;
        let status = MessageStatus::from_code(row.status).ok_or_else(|| {
            Error::broken(format!("message {} has the unknown status {}", row.id, row.status))
        })?;
        let broken = |what| move || Error::broken(format!("message {} has unreadable {what}", row.id));
        let parts = row.parts.as_deref().map(|text| Parts::from_json(text).ok_or_else(broken("parts")));
        let usage = row.usage.as_deref().map(|text| TokenUsage::from_json(text).ok_or_else(broken("usage")));
        let (parts, usage) = (parts.transpose()?, usage.transpose()?);
        // On the trunk the parent is the message before.
        let parent = if row.branch.is_some() { row.parent_position } else { Some(row.position - 1) };
        Ok(Self {
            id: row.id,
            conversation: row.conversation_id,
            position: row.position,
            owner: row.owner_id,
            role,
            content: row.content,
            metadata: row.metadata,
            created_at: row.created_at,
            branch: row.branch,
            parent: parent.filter(|position| *position > 0),
            status,
            parts,
            model: row.model,
            usage,
            edited_at: row.edited_at,
            deleted_at: row.deleted_at,
            pinned: row.pinned,
        })
    }
}
