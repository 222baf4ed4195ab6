//! The contents of attachments. The same content of an owner is stored once.

use sea_orm::entity::prelude::*;

use crate::model::{OwnerId, Timestamp};

/// A row of `blob`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "blob")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub owner_id: OwnerId,
    /// Of the whole file, as the client said.
    pub sha256: Vec<u8>,
    /// Of the whole file, as the client said.
    pub byte_size: i64,
    /// How many bytes there are: those of its chunks.
    pub received: i64,
    /// When all bytes were there and had the SHA-256.
    pub uploaded_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
