//! The messages of shares, as they were when they were shared.

use sea_orm::entity::prelude::*;

use crate::model::{Json, OwnerId, Parts, Role, ShareId, SharedMessage, Timestamp};
use crate::store::error::Error;

/// A row of `shared_message`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "shared_message")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub share_id: ShareId,
    /// 1, 2, 3, … in the share.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    pub owner_id: OwnerId,
    pub role: i16,
    pub content: String,
    pub parts: Option<String>,
    pub metadata: Option<Json>,
    pub model: Option<String>,
    pub created_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// An unknown role or unreadable parts are a fault in the database, so the error is internal.
impl TryFrom<Model> for SharedMessage {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let broken = |what| move || Error::broken(format!("message {} of a share has {what}", row.number));
        let parts =
            row.parts.as_deref().map(|text| Parts::from_json(text).ok_or_else(broken("unreadable parts")));
        Ok(Self {
            role: Role::from_code(row.role).ok_or_else(broken("an unknown role"))?,
            content: row.content,
            parts: parts.transpose()?,
            metadata: row.metadata,
            model: row.model,
            created_at: row.created_at,
        })
    }
}
