//! Which messages and shares refer to which attachments.

use sea_orm::entity::prelude::*;

use crate::model::{AttachmentId, ConversationId, OwnerId};

/// A row of `attachment_reference`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attachment_reference")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub attachment_id: AttachmentId,
    #[sea_orm(primary_key, auto_increment = false)]
    /// The id of the message or the share.
    pub referrer_id: Uuid,
    pub conversation_id: ConversationId,
    pub owner_id: OwnerId,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
