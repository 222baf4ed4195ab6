//! Which messages and shares refer to which attachments.
//!
//! The rows are written and removed in the transaction that writes or removes the message or the share. What loses its last
//! reference is removed in the same transaction.

use std::collections::BTreeSet;

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
    QueryTrait,
};
use uuid::Uuid;

use crate::model::{AttachmentId, ConversationId, Invalid, OwnerId, Part, Parts, attachment_of};
use crate::store::entity::{attachment, attachment_reference, blob, message, share};
use crate::store::error::{Error, Result};
use crate::store::repository::attachments::{remove, set_unused_since};
use crate::store::transaction::Tx;

/// Rows in a statement.
const ROWS: usize = 500;

/// What refers to an attachment.
#[derive(Clone, Copy)]
pub(in crate::store) struct Referrer<'o> {
    pub(in crate::store) owner: &'o OwnerId,
    pub(in crate::store) conversation: ConversationId,
    /// The id of the message or the share.
    pub(in crate::store) id: Uuid,
}

impl<'o> Referrer<'o> {
    /// Its references.
    fn references(self) -> Condition {
        Condition::all()
            .add(attachment_reference::Column::ConversationId.eq(self.conversation))
            .add(attachment_reference::Column::ReferrerId.eq(self.id))
            .add(attachment_reference::Column::OwnerId.eq(self.owner.clone()))
    }

    pub(in crate::store) fn share(row: &'o share::Model) -> Self {
        Self { owner: &row.owner_id, conversation: row.conversation_id, id: row.id.0 }
    }

    pub(in crate::store) fn message(row: &'o message::Model) -> Self {
        Self { owner: &row.owner_id, conversation: row.conversation_id, id: row.id.0 }
    }
}

/// Whether the JSON of parts may refer to an attachment. It is quick, and never wrong if it says no.
pub(in crate::store) fn may_refer(parts: Option<&str>) -> bool {
    parts.is_some_and(|parts| parts.contains("\"attachment:"))
}

/// The attachments that parts refer to.
pub(in crate::store) fn referred(parts: &Parts) -> BTreeSet<AttachmentId> {
    let of_part = |part: &Part| match part {
        Part::File { url, .. } => attachment_of("url", url).ok().flatten(),
        _ => None,
    };
    parts.as_slice().iter().filter_map(of_part).collect()
}

/// The same of the JSON of parts.
pub(in crate::store) fn referred_in(parts: Option<&str>) -> Result<BTreeSet<AttachmentId>> {
    let Some(json) = parts.filter(|json| may_refer(Some(json))) else { return Ok(BTreeSet::new()) };
    let parts = Parts::from_json(json).ok_or_else(|| Error::broken("parts that cannot be read".into()))?;
    Ok(referred(&parts))
}

/// Lets something refer to attachments.
///
/// # Errors
/// - `Invalid`: one of them does not exist, is another owner's or was not uploaded.
pub(in crate::store) async fn refer(
    tx: &Tx,
    referrer: Referrer<'_>,
    ids: &BTreeSet<AttachmentId>,
) -> Result<()> {
    let ids: Vec<_> = ids.iter().copied().collect();
    for some in ids.chunks(ROWS) {
        let complete = complete(tx.connection(), referrer.owner, some).await?;
        if let Some(missing) = some.iter().find(|id| !complete.contains(id)) {
            let rule =
                format!("must refer to attachments that were uploaded, `attachment:{missing}` was not");
            return Err(Invalid::new("input.parts", rule).into());
        }
        let row = |id: &AttachmentId| attachment_reference::Model {
            attachment_id: *id,
            referrer_id: referrer.id,
            conversation_id: referrer.conversation,
            owner_id: referrer.owner.clone(),
        };
        attachment_reference::Entity::insert_many(some.iter().map(|id| row(id).into_active_model()))
            .exec_without_returning(tx.connection())
            .await?;
        set_unused_since(tx.connection(), some, None).await?;
    }
    Ok(())
}

/// The same for those that exist. Others stay as they are named: nobody can get them.
pub(in crate::store) async fn refer_to_known(
    tx: &Tx,
    referrer: Referrer<'_>,
    ids: &BTreeSet<AttachmentId>,
) -> Result<()> {
    let ids: Vec<_> = ids.iter().copied().collect();
    let mut known = BTreeSet::new();
    for some in ids.chunks(ROWS) {
        known.append(&mut complete(tx.connection(), referrer.owner, some).await?);
    }
    refer(tx, referrer, &known).await
}

/// Those of the attachments that the owner has and that were uploaded.
pub(in crate::store) async fn complete(
    connection: &impl ConnectionTrait,
    owner: &OwnerId,
    ids: &[AttachmentId],
) -> Result<BTreeSet<AttachmentId>> {
    let found: Vec<AttachmentId> = attachment::Entity::find()
        .inner_join(blob::Entity)
        .select_only()
        .column(attachment::Column::Id)
        .filter(attachment::Column::Id.is_in(ids.iter().copied()))
        .filter(attachment::Column::OwnerId.eq(owner.clone()))
        .filter(blob::Column::UploadedAt.is_not_null())
        .into_tuple()
        .all(connection)
        .await?;
    Ok(found.into_iter().collect())
}

/// Removes the references of a message or a share.
pub(in crate::store) async fn release(tx: &Tx, referrer: Referrer<'_>) -> Result<()> {
    release_all(tx, referrer.references()).await
}

/// Removes all references of the messages and shares of a conversation.
pub(in crate::store) async fn release_conversation(
    tx: &Tx,
    owner: &OwnerId,
    conversation: ConversationId,
) -> Result<()> {
    let of_conversation = Condition::all()
        .add(attachment_reference::Column::ConversationId.eq(conversation))
        .add(attachment_reference::Column::OwnerId.eq(owner.clone()));
    release_all(tx, of_conversation).await
}

/// Removes all references of the messages of a conversation. Those of its shares stay.
pub(in crate::store) async fn release_messages(
    tx: &Tx,
    owner: &OwnerId,
    conversation: ConversationId,
) -> Result<()> {
    let shares = share::Entity::find()
        .select_only()
        .column(share::Column::Id)
        .filter(share::Column::ConversationId.eq(conversation))
        .filter(share::Column::OwnerId.eq(owner.clone()));
    let of_messages = Condition::all()
        .add(attachment_reference::Column::ConversationId.eq(conversation))
        .add(attachment_reference::Column::OwnerId.eq(owner.clone()))
        .add(attachment_reference::Column::ReferrerId.not_in_subquery(shares.into_query()));
    release_all(tx, of_messages).await
}

/// Lets a message refer to other attachments than before.
///
/// # Errors
/// As for [`refer`].
pub(in crate::store) async fn replace(
    tx: &Tx,
    referrer: Referrer<'_>,
    before: &BTreeSet<AttachmentId>,
    after: &BTreeSet<AttachmentId>,
) -> Result<()> {
    refer(tx, referrer, &after.difference(before).copied().collect()).await?;
    let gone: Vec<_> = before.difference(after).copied().collect();
    if gone.is_empty() {
        return Ok(());
    }
    release_all(tx, referrer.references().add(attachment_reference::Column::AttachmentId.is_in(gone))).await
}

async fn release_all(tx: &Tx, which: Condition) -> Result<()> {
    let connection = tx.connection();
    let ids: Vec<AttachmentId> = attachment_reference::Entity::find()
        .select_only()
        .column(attachment_reference::Column::AttachmentId)
        .distinct()
        .filter(which.clone())
        .into_tuple()
        .all(connection)
        .await?;
    if ids.is_empty() {
        return Ok(());
    }
    attachment_reference::Entity::delete_many().filter(which).exec(connection).await?;
    for some in ids.chunks(ROWS) {
        let ids = || some.iter().copied();
        let referred = attachment_reference::Entity::find()
            .select_only()
            .column(attachment_reference::Column::AttachmentId)
            .filter(attachment_reference::Column::AttachmentId.is_in(ids()));
        // Those that wait for another reference stay.
        let gone: Vec<AttachmentId> = attachment::Entity::find()
            .select_only()
            .column(attachment::Column::Id)
            .filter(attachment::Column::Id.is_in(ids()))
            .filter(attachment::Column::UnusedSince.is_null())
            .filter(attachment::Column::Id.not_in_subquery(referred.into_query()))
            .into_tuple()
            .all(connection)
            .await?;
        if !gone.is_empty() {
            remove(connection, &gone, tx.now()).await?;
        }
    }
    Ok(())
}
