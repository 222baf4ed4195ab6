//! One row a block of a segment of the full-text index.

use sea_orm::entity::prelude::*;

use crate::model::OwnerId;

/// A row of `search_block`: see [`search::index`].
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "search_block")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub owner_id: OwnerId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub segment: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: Vec<u8>,
    pub data: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
