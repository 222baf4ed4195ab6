//! Streams: one row for each message that is being written. The end of the stream deletes it.

use sea_orm::entity::prelude::*;

use crate::model::{ConversationId, MessageId, OwnerId, Timestamp};

/// A row of `stream`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "stream")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub message_id: MessageId,
    pub conversation_id: ConversationId,
    pub owner_id: OwnerId,
    pub length: i64,
    pub stop_requested: bool,
    pub written_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
