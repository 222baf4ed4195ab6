//! Feedback: one row for each message that has some.

use sea_orm::entity::prelude::*;

use crate::model::{ConversationId, Feedback, MessageId, OwnerId, Rating, Timestamp};
use crate::store::error::Error;

/// A row of `message_feedback`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message_feedback")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub conversation_id: ConversationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub message_id: MessageId,
    pub owner_id: OwnerId,
    pub rating: Option<i16>,
    /// A JSON array of strings.
    pub tags: String,
    pub comment: Option<String>,
    pub updated_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// An unknown rating or unreadable tags are a fault in the database, so the error is internal.
impl TryFrom<Model> for Feedback {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let broken =
            |what: &str| Error::broken(format!("the feedback on message {} has {what}", row.message_id));
        let rating = |code| Rating::from_code(code).ok_or_else(|| broken("an unknown rating"));
        Ok(Self {
            rating: row.rating.map(rating).transpose()?,
            tags: serde_json::from_str(&row.tags).map_err(|_| broken("unreadable tags"))?,
            comment: row.comment,
            updated_at: row.updated_at,
        })
    }
}
