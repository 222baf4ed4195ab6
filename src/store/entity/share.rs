//! Shares. See [`crate::model::Share`].

use sea_orm::entity::prelude::*;

use crate::model::{ConversationId, OwnerId, Share, ShareId, Timestamp};

/// A row of `share`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "share")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ShareId,
    pub owner_id: OwnerId,
    pub conversation_id: ConversationId,
    /// [`crate::model::share_hash`].
    pub secret_hash: Vec<u8>,
    pub title: Option<String>,
    pub label: Option<String>,
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub message_count: i64,
    pub view_count: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<Model> for Share {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            conversation: row.conversation_id,
            title: row.title,
            label: row.label,
            created_at: row.created_at,
            expires_at: row.expires_at,
            message_count: row.message_count,
            view_count: row.view_count,
        }
    }
}
