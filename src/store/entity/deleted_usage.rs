//! The token usage of deleted messages, so that sums still have it. One row for the messages of an owner that have the
//! same time and model: no row tells which message it was.

use sea_orm::entity::prelude::*;

use crate::model::{OwnerId, Timestamp};

/// A row of `deleted_usage`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deleted_usage")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub owner_id: OwnerId,
    /// When the messages were created.
    #[sea_orm(primary_key, auto_increment = false)]
    pub created_at: Timestamp,
    /// Empty for messages without a model.
    #[sea_orm(primary_key, auto_increment = false)]
    pub model: String,
    pub message_count: i64,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub total_tokens: i64,
    pub cached_input_tokens: i64,
    pub reasoning_tokens: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
