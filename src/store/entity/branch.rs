//! Branches: one row for each fork.

use sea_orm::entity::prelude::*;

use crate::model::ConversationId;

/// A row of `branch`: it continues `parent_branch` up to `fork_position`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "branch")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub conversation_id: ConversationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub branch: i64,
    pub parent_branch: i64,
    pub fork_position: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
