//! Objects that may exist and are in no blob: they are removed when they are due.

use sea_orm::entity::prelude::*;

use crate::model::Timestamp;

/// A row of `object_removal`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "object_removal")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    /// The name of the object.
    pub id: Uuid,
    /// An hour after its creation for an object that is being written: by then it is in a blob, or its upload has failed.
    pub due_at: Timestamp,
    /// Its removal has begun: it cannot be put into a blob any more.
    pub begun: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
