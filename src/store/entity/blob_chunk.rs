//! The objects that contents consist of. Together they are a file without holes, in the order of `start`.

use sea_orm::entity::prelude::*;

use crate::model::OwnerId;

/// A row of `blob_chunk`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "blob_chunk")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    /// The name of the object.
    pub id: Uuid,
    pub blob_id: Uuid,
    pub owner_id: OwnerId,
    /// The first byte in the file.
    pub start: i64,
    pub byte_size: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
