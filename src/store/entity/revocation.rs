//! Tokens that are refused. Row-level security does not cover it: servers read all of it.

use sea_orm::entity::prelude::*;

use crate::model::Timestamp;

/// A row of `revocation`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "revocation")]
pub(crate) struct Model {
    /// 1, 2, 3, … in the order of commits.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    /// 1: a token, 2: a user.
    pub kind: i16,
    /// The `jti` or the `sub`.
    pub name: String,
    pub issued_before: Option<Timestamp>,
    /// When the row may be deleted.
    pub until: Option<Timestamp>,
    pub is_undone: bool,
    pub created_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
