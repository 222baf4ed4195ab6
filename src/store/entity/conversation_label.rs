//! One row for each label of a conversation. It finds and counts conversations by label.

use sea_orm::entity::prelude::*;

use crate::model::{ConversationId, OwnerId};

/// A row of `conversation_label`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "conversation_label")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub owner_id: OwnerId,
    /// [`crate::model::Label::key`].
    #[sea_orm(primary_key, auto_increment = false)]
    pub label_key: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub conversation_id: ConversationId,
    /// As it was typed.
    pub label: String,
    /// Whether the conversation is in the trash.
    pub trashed: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
