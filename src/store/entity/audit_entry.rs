//! The audit log: one row for each write of a back end for a user, and for what operators did.
//!
//! Row-level security does not cover it: no request of a user reads it.

use sea_orm::ActiveValue;
use sea_orm::entity::prelude::*;

use crate::model::{
    AuditAction, AuditActor, AuditEntry, AuditedOwner, ConversationId, MessageId, OwnerId, Timestamp,
};
use crate::store::error::Error;

/// A row of `audit_entry`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_entry")]
pub(crate) struct Model {
    /// In the order of insertion.
    #[sea_orm(primary_key)]
    pub number: i64,
    pub created_at: Timestamp,
    /// [`AuditActor::kind`].
    pub actor_kind: i16,
    /// [`AuditActor::name`].
    pub actor: Option<String>,
    /// [`AuditAction::code`].
    pub action: i16,
    /// The user whose data it is about. Null if it is about several, or the user was erased.
    pub owner_id: Option<OwnerId>,
    /// Of an erased user.
    pub owner_hash: Option<String>,
    pub conversation_id: Option<ConversationId>,
    /// The only message, or the first of several.
    pub message_id: Option<MessageId>,
    /// How many messages or rows, where there can be several.
    pub count: Option<i64>,
    /// The receipt of an erasure, or the name of a webhook.
    pub detail: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// An unknown actor or action is a fault in the database, so the error is internal.
impl TryFrom<Model> for AuditEntry {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let broken = |what: &str| Error::broken(format!("entry {} of the audit log has {what}", row.number));
        let owner = match (row.owner_id, row.owner_hash) {
            (Some(owner), _) => Some(AuditedOwner::Known(owner)),
            (None, Some(hash)) => Some(AuditedOwner::Erased(hash)),
            (None, None) => None,
        };
        Ok(Self {
            created_at: row.created_at,
            actor: AuditActor::stored(row.actor_kind, row.actor).ok_or_else(|| broken("an unknown actor"))?,
            action: AuditAction::from_code(row.action).ok_or_else(|| broken("an unknown action"))?,
            owner,
            conversation: row.conversation_id,
            message: row.message_id,
            count: row.count,
            detail: row.detail,
        })
    }
}

/// A new row. Its number is the next one.
impl From<AuditEntry> for ActiveModel {
    fn from(entry: AuditEntry) -> Self {
        let (owner_id, owner_hash) = match entry.owner {
            Some(AuditedOwner::Known(owner)) => (Some(owner), None),
            Some(AuditedOwner::Erased(hash)) => (None, Some(hash)),
            None => (None, None),
        };
        Self {
            number: ActiveValue::NotSet,
            created_at: ActiveValue::Set(entry.created_at),
            actor_kind: ActiveValue::Set(entry.actor.kind()),
            actor: ActiveValue::Set(entry.actor.name().map(str::to_owned)),
            action: ActiveValue::Set(entry.action.code()),
            owner_id: ActiveValue::Set(owner_id),
            owner_hash: ActiveValue::Set(owner_hash),
            conversation_id: ActiveValue::Set(entry.conversation),
            message_id: ActiveValue::Set(entry.message),
            count: ActiveValue::Set(entry.count),
            detail: ActiveValue::Set(entry.detail),
        }
    }
}
