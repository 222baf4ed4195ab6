//! The change feed: one row for each change. It holds ids only, no texts.

use sea_orm::entity::prelude::*;

use crate::model::{ConversationId, MessageId, OwnerId, Timestamp};

/// A row of `change`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "change")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub owner_id: OwnerId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub revision: i64,
    pub kind: i16,
    pub conversation_id: ConversationId,
    pub message_id: Option<MessageId>,
    pub changed_at: Timestamp,
    pub actor: Option<OwnerId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
