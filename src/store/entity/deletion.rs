//! The deletions of messages: a column of `message` that only a deletion reads and writes.

use sea_orm::entity::prelude::*;

use crate::model::{DeletionId, MessageId};

/// What a deletion needs of a row of `message`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MessageId,
    pub deletion_id: Option<DeletionId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
