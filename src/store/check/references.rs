//! The references to attachments, which follow from the parts of messages and of shares.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, FromQueryResult, IntoActiveModel,
    QueryFilter, QuerySelect, Statement,
};
use uuid::Uuid;

use super::dialect::Dialect;
use super::violation::FoundRow;
use crate::model::{AttachmentId, ConversationId, MessageId, OwnerId, ShareId};
use crate::store::entity::{attachment_reference, message, shared_message};
use crate::store::error::Result;
use crate::store::repository::attachment_references::{complete, referred_in};

/// The messages whose parts are read at once.
const MESSAGES: usize = 16;

/// A message or a share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Referrer {
    owner: OwnerId,
    conversation: ConversationId,
    id: Uuid,
}

#[derive(FromQueryResult)]
struct ReferrerRow {
    owner_id: OwnerId,
    conversation_id: ConversationId,
    id: Uuid,
    /// Of a row of `attachment_reference`.
    attachment_id: Option<AttachmentId>,
    /// Of a message of a share.
    number: Option<i64>,
}

/// What a referrer refers to, and the rows that it has.
#[derive(Default)]
struct References {
    wanted: BTreeSet<AttachmentId>,
    found: BTreeSet<AttachmentId>,
}

async fn rows(connection: &DatabaseTransaction, select: String, ids: &str) -> Result<Vec<ReferrerRow>> {
    let backend = connection.get_database_backend();
    let sql = format!("WITH {} {select}", Dialect(backend).chunk());
    let statement = Statement::from_sql_and_values(backend, sql, [ids.into()]);
    Ok(ReferrerRow::find_by_statement(statement).all(connection).await?)
}

/// The referrers of conversations whose rows are not those that they must have.
async fn wrong(connection: &DatabaseTransaction, ids: &str) -> Result<BTreeMap<Referrer, References>> {
    let dialect = Dialect(connection.get_database_backend());
    let stored = "SELECT c.owner_id, c.id AS conversation_id, r.referrer_id AS id, r.attachment_id, \
                  CAST(NULL AS bigint) AS number FROM chunk AS c \
                  JOIN attachment_reference AS r ON r.conversation_id = c.id";
    let mut all: BTreeMap<Referrer, References> = BTreeMap::new();
    for row in rows(connection, stored.to_owned(), ids).await? {
        let references = all.entry(referrer(&row)).or_default();
        references.found.extend(row.attachment_id);
    }
    // Texts are searched only for users who have attachments.
    let attachments = "SELECT c.owner_id, c.id AS conversation_id, c.id, CAST(NULL AS uuid) AS attachment_id, \
                       CAST(NULL AS bigint) AS number FROM chunk AS c \
                       WHERE EXISTS (SELECT 1 FROM attachment AS t WHERE t.owner_id = c.owner_id) LIMIT 1";
    if all.is_empty() && rows(connection, attachments.to_owned(), ids).await?.is_empty() {
        return Ok(all);
    }
    let messages = format!(
        "SELECT c.owner_id, c.id AS conversation_id, m.id, CAST(NULL AS uuid) AS attachment_id, \
         CAST(NULL AS bigint) AS number FROM chunk AS c {} WHERE m.parts LIKE '%\"attachment:%'",
        dialect.messages()
    );
    let messages = rows(connection, messages, ids).await?;
    for some in messages.chunks(MESSAGES) {
        let parts: Vec<(MessageId, Option<String>)> = message::Entity::find()
            .select_only()
            .columns([message::Column::Id, message::Column::Parts])
            .filter(message::Column::Id.is_in(some.iter().map(|row| row.id)))
            .into_tuple()
            .all(connection)
            .await?;
        let mut parts: BTreeMap<Uuid, _> = parts.into_iter().map(|(id, parts)| (id.0, parts)).collect();
        for row in some {
            let referred = referred_in(parts.remove(&row.id).flatten().as_deref())?;
            all.entry(referrer(row)).or_default().wanted.extend(referred);
        }
    }
    let shared = "SELECT c.owner_id, c.id AS conversation_id, s.id, CAST(NULL AS uuid) AS attachment_id, n.number \
                  FROM chunk AS c JOIN share AS s ON s.owner_id = c.owner_id AND s.conversation_id = c.id \
                  JOIN shared_message AS n ON n.share_id = s.id WHERE n.parts LIKE '%\"attachment:%'";
    for row in rows(connection, shared.to_owned(), ids).await? {
        let key = (ShareId(row.id), row.number.unwrap_or_default());
        let shared = shared_message::Entity::find_by_id(key).one(connection).await?;
        let referred = referred_in(shared.and_then(|shared| shared.parts).as_deref())?;
        all.entry(referrer(&row)).or_default().wanted.extend(referred);
    }
    for (referrer, references) in &mut all {
        // An import keeps the names of attachments that it does not have.
        let named: Vec<_> = references.wanted.iter().copied().collect();
        references.wanted = complete(connection, &referrer.owner, &named).await?;
    }
    all.retain(|_, references| references.wanted != references.found);
    Ok(all)
}

fn referrer(row: &ReferrerRow) -> Referrer {
    Referrer { owner: row.owner_id.clone(), conversation: row.conversation_id, id: row.id }
}

/// Messages and shares whose references are not those of their parts.
pub(super) async fn find(connection: &DatabaseTransaction, ids: &str) -> Result<Vec<FoundRow>> {
    let found = |(referrer, references): (Referrer, References)| FoundRow {
        owner: Some(referrer.owner.as_str().to_owned()),
        conversation: Some(referrer.conversation.0),
        other: Some(referrer.id),
        found: i64::try_from(references.found.len()).ok(),
        expected: i64::try_from(references.wanted.len()).ok(),
        ..FoundRow::default()
    };
    Ok(wrong(connection, ids).await?.into_iter().map(found).collect())
}

/// Makes the references again.
pub(super) async fn repair(connection: &DatabaseTransaction, ids: &str) -> Result<()> {
    for (referrer, References { wanted, found }) in wrong(connection, ids).await? {
        for id in found.difference(&wanted) {
            attachment_reference::Entity::delete_by_id((*id, referrer.id)).exec(connection).await?;
        }
        for id in wanted.difference(&found) {
            let row = attachment_reference::Model {
                attachment_id: *id,
                referrer_id: referrer.id,
                conversation_id: referrer.conversation,
                owner_id: referrer.owner.clone(),
            };
            attachment_reference::Entity::insert(row.into_active_model())
                .exec_without_returning(connection)
                .await?;
        }
    }
    Ok(())
}
