//! How far the full-text index of an owner is. One row an owner, from the first time that something is indexed.

use sea_orm::entity::prelude::*;

use crate::model::{ConversationId, OwnerId};

/// A row of `search_state`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "search_state")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub owner_id: OwnerId,
    /// [`search::index::VERSION`] of what is in the index.
    pub version: i16,
    /// Goes up with every write to the index: two that write at the same time do not both succeed.
    pub generation: i64,
    /// The index has all changes up to this one.
    pub revision: i64,
    /// Whether it has what was there before `revision` when it began.
    pub is_complete: bool,
    /// While it is not: all conversations before this one are in the index, and this one up to the position.
    pub backfill_conversation: Option<ConversationId>,
    pub backfill_position: i64,
    /// Changes up to this revision may be in the index already, from when it was filled.
    pub backfill_revision: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
