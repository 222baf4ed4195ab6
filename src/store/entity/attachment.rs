//! Attachments. See [`crate::model::Attachment`].

use sea_orm::entity::prelude::*;

use crate::model::{AttachmentId, OwnerId, Timestamp};

/// A row of `attachment`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attachment")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AttachmentId,
    pub owner_id: OwnerId,
    pub blob_id: Uuid,
    pub filename: Option<String>,
    pub media_type: String,
    pub created_at: Timestamp,
    /// When it was created, as long as nothing has referred to it. What loses its last reference is removed at once.
    pub unused_since: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {
    #[sea_orm(belongs_to = "super::blob::Entity", from = "Column::BlobId", to = "super::blob::Column::Id")]
    Blob,
}

impl Related<super::blob::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Blob.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
