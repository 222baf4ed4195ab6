//! Accounts: the counter of changes of an owner.

use sea_orm::ActiveValue;
use sea_orm::entity::prelude::*;

use crate::model::{OwnerId, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OwnerId,
    /// The revision of the newest change.
    pub revision: i64,
    pub created_at: Timestamp,
    /// The retention rule of this owner instead of that of the configuration: how long a conversation is kept without
    /// activity, in microseconds.
    pub retention_after: Option<i64>,
    /// [`crate::model::RetentionAction`].
    pub retention_action: Option<i16>,
    /// When the erasure of this owner began, if it is being erased. No write of the owner succeeds then.
    pub erasing_since: Option<Timestamp>,
    /// The numbers of rows that the erasure has removed so far: a JSON object with the names of tables.
    pub erased_rows: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl ActiveModel {
    /// The account of an owner without changes.
    pub(crate) fn of(owner: &OwnerId, created_at: Timestamp) -> Self {
        Self {
            id: ActiveValue::Set(owner.clone()),
            revision: ActiveValue::Set(0),
            created_at: ActiveValue::Set(created_at),
            ..<Self as Default>::default()
        }
    }
}
