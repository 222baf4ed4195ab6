//! Conversations.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait;

use crate::model::{Conversation, ConversationId, Json, Labels, OwnerId, Timestamp};

/// A row of `conversation`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "conversation")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ConversationId,
    pub owner_id: OwnerId,
    pub title: Option<String>,
    /// The title after [`crate::model::fold`], for the filter `titleContains`.
    pub title_folded: Option<String>,
    pub metadata: Json,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub message_count: i64,
    pub last_position: i64,
    pub fingerprint: Option<Vec<u8>>,
    pub branch: i64,
    pub head_position: i64,
    pub branches: i64,
    pub trunk: i64,
    /// [`crate::model::ConversationState`]. It follows from `trashed_at` and `archived_at`.
    pub state: i16,
    pub pinned_at: Option<Timestamp>,
    pub archived_at: Option<Timestamp>,
    pub trashed_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    /// [`Labels::to_json`]. Null if there are none.
    pub labels: Option<String>,
    pub read_position: i64,
    /// How many messages after `read_position` are not unread: deleted ones, and the user's own.
    pub unread_ignored: i64,
    pub unarchive_on_message: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// `updated_at` after a change at a time: always later than before, whatever the clock does.
pub(in crate::store) fn next_updated_at(now: Timestamp) -> Expr {
    let updated_at = || Expr::col(Column::UpdatedAt);
    Expr::case(updated_at().lt(now), now).finally(updated_at().add(1_i64)).into()
}

/// Whether there are unread messages: see [`Conversation::unread_count`].
pub(in crate::store) fn is_unread() -> Expr {
    let read = Expr::col(Column::ReadPosition).add(Expr::col(Column::UnreadIgnored));
    Expr::col(Column::LastPosition).gt(read)
}

impl From<Model> for Conversation {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            owner: row.owner_id,
            title: row.title,
            metadata: row.metadata,
            created_at: row.created_at,
            updated_at: row.updated_at,
            message_count: row.message_count,
            last_position: row.last_position,
            head_position: row.head_position,
            branch: row.branch,
            branches: row.branches,
            trunk: row.trunk,
            pinned_at: row.pinned_at,
            archived_at: row.archived_at,
            trashed_at: row.trashed_at,
            expires_at: row.expires_at,
            labels: Labels::stored(row.labels),
            read_position: row.read_position,
            unread_ignored: row.unread_ignored,
            unarchive_on_message: row.unarchive_on_message,
        }
    }
}
