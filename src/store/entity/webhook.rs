//! Webhooks: which process delivers, and whether deliveries fail. One row for each that was ever configured.
//!
//! Row-level security does not cover it: it has nothing of users.

use sea_orm::entity::prelude::*;

use crate::model::Timestamp;

/// A row of `webhook`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// Earlier changes are not delivered.
    pub registered_at: Timestamp,
    /// The process that delivers, if one does.
    pub lease_holder: Option<String>,
    /// When another process may take over, by the clock of the database.
    pub lease_until: i64,
    /// The time of the first delivery that failed since one succeeded.
    pub failing_since: Option<Timestamp>,
    /// Nothing is delivered until an operator resumes the webhook.
    pub paused_since: Option<Timestamp>,
    /// Why the last delivery failed: a word of [`crate::model::DeliveryFault`].
    pub last_fault: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
