//! One row a segment of the full-text index.

use sea_orm::entity::prelude::*;

use crate::model::OwnerId;

/// A row of `search_segment`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "search_segment")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub owner_id: OwnerId,
    /// The time at which it was begun, in microseconds.
    #[sea_orm(primary_key, auto_increment = false)]
    pub segment: i64,
    pub documents: i64,
    /// [`search::index::segment::Summary::times`].
    pub times: Vec<u8>,
    /// Of all its blocks.
    pub bytes: i64,
    /// Queries read it. If not, it is not whole yet, or its blocks are to be removed.
    pub is_live: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
