//! How far a webhook is in the changes of an owner.

use sea_orm::entity::prelude::*;

use crate::model::{OwnerId, Timestamp};

/// A row of `webhook_position`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_position")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub owner_id: OwnerId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub webhook: String,
    /// Changes up to this one were delivered.
    pub revision: i64,
    /// How often the delivery of the next change failed.
    pub attempts: i64,
    /// When it failed first.
    pub failing_since: Option<Timestamp>,
    /// When it is tried again. Null: at once.
    pub next_attempt_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
