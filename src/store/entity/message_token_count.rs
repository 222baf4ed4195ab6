//! One row for each message that was counted and each tokenizer that it was counted with.

use sea_orm::entity::prelude::*;

use crate::model::{ConversationId, OwnerId};

/// The `branch` of messages that were appended before the conversation first forked.
pub(crate) const TRUNK: i64 = -1;

/// A row of `message_token_count`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message_token_count")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub conversation_id: ConversationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub tokenizer: i16,
    #[sea_orm(primary_key, auto_increment = false)]
    pub branch: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    /// Positions from the message before on the branch to this one.
    pub span: i64,
    /// Null for a deleted message, which is in no window.
    pub tokens: Option<i64>,
    pub owner_id: OwnerId,
    /// [`crate::model::ToolLinks`]; null where there are none.
    pub tool_calls: Option<Vec<u8>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
