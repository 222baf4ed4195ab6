//! The key that signs receipts of erasures. One row at most.

use sea_orm::entity::prelude::*;

use crate::model::Timestamp;

/// A row of `signing_key`.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_key")]
pub(crate) struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i16,
    /// An Ed25519 key pair in the form of PKCS #8, version 2 (RFC 8410).
    pub pkcs8: Vec<u8>,
    pub created_at: Timestamp,
}

/// The key is a secret.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("created_at", &self.created_at).finish_non_exhaustive()
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
