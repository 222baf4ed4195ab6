//! The rows of labels, which follow from `conversation.labels`.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, FromQueryResult, IntoActiveModel,
    QueryFilter, Statement,
};
use serde_json::json;
use uuid::Uuid;

use super::dialect::Dialect;
use super::violation::FoundRow;
use crate::model::{ConversationId, Labels, OwnerId, Timestamp};
use crate::store::entity::{conversation, conversation_label};
use crate::store::error::Result;

#[derive(FromQueryResult)]
struct LabelledRow {
    owner_id: OwnerId,
    id: ConversationId,
    labels: Option<String>,
    trashed_at: Option<Timestamp>,
}

/// The rows of the same keys that there are. SeaORM has no joins with table functions over a parameter.
const FOUND_SQLITE: &str = "SELECT l.owner_id, l.label_key, l.conversation_id, l.label, l.trashed \
     FROM json_each($1) AS w JOIN conversation_label AS l ON l.owner_id = w.value ->> 0 \
     AND l.label_key = w.value ->> 1 AND l.conversation_id = unhex(w.value ->> 2)";
const FOUND_POSTGRES: &str = "SELECT l.owner_id, l.label_key, l.conversation_id, l.label, l.trashed \
     FROM jsonb_array_elements($1::text::jsonb) AS w JOIN conversation_label AS l ON l.owner_id = w ->> 0 \
     AND l.label_key = w ->> 1 AND l.conversation_id = (w ->> 2)::uuid";

/// The rows that a conversation must have.
fn expected(row: &LabelledRow) -> Vec<conversation_label::Model> {
    let labels = Labels::stored(row.labels.clone());
    let label = |label: &crate::model::Label| conversation_label::Model {
        owner_id: row.owner_id.clone(),
        label_key: label.key().to_owned(),
        conversation_id: row.id,
        label: label.as_str().to_owned(),
        trashed: row.trashed_at.is_some(),
    };
    labels.iter().map(label).collect()
}

type Key = (String, String, Uuid);

fn key(row: &conversation_label::Model) -> Key {
    (row.owner_id.as_str().to_owned(), row.label_key.clone(), row.conversation_id.0)
}

/// Conversations that lack a row, or have another one.
pub(super) async fn find(connection: &DatabaseTransaction, ids: &str) -> Result<Vec<FoundRow>> {
    let backend = connection.get_database_backend();
    let sql = format!(
        "WITH {} SELECT c.owner_id, c.id, c.labels, c.trashed_at FROM chunk AS c WHERE c.labels IS NOT NULL",
        Dialect(backend).chunk()
    );
    let statement = Statement::from_sql_and_values(backend, sql, [ids.into()]);
    let labelled = LabelledRow::find_by_statement(statement).all(connection).await?;
    if labelled.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<_> = labelled.iter().flat_map(expected).collect();
    let keys = wanted
        .iter()
        .map(|row| json!([row.owner_id.as_str(), row.label_key, row.conversation_id.0.simple().to_string()]));
    let keys = serde_json::Value::from_iter(keys).to_string();
    let sql = if Dialect(backend).is_sqlite() { FOUND_SQLITE } else { FOUND_POSTGRES };
    let statement = Statement::from_sql_and_values(backend, sql, [keys.into()]);
    let found = conversation_label::Model::find_by_statement(statement).all(connection).await?;
    let found: BTreeMap<Key, _> = found.into_iter().map(|row| (key(&row), row)).collect();
    let mut rows = Vec::new();
    for row in &labelled {
        let expected = expected(row);
        let right = expected.iter().filter(|row| found.get(&key(row)) == Some(row)).count();
        if right != expected.len() {
            rows.push(FoundRow {
                owner: Some(row.owner_id.as_str().to_owned()),
                conversation: Some(row.id.0),
                found: i64::try_from(right).ok(),
                expected: i64::try_from(expected.len()).ok(),
                ..FoundRow::default()
            });
        }
    }
    Ok(rows)
}

/// Makes the rows of conversations again. Rows of conversations that do not exist are removed.
pub(super) async fn repair(
    connection: &DatabaseTransaction,
    owner: &OwnerId,
    conversations: &BTreeSet<Uuid>,
) -> Result<()> {
    for id in conversations.iter().map(|id| ConversationId(*id)) {
        conversation_label::Entity::delete_many()
            .filter(conversation_label::Column::OwnerId.eq(owner.clone()))
            .filter(conversation_label::Column::ConversationId.eq(id))
            .exec(connection)
            .await?;
        let find =
            conversation::Entity::find_by_id(id).filter(conversation::Column::OwnerId.eq(owner.clone()));
        let Some(row) = find.one(connection).await? else { continue };
        let row = LabelledRow {
            owner_id: row.owner_id,
            id: row.id,
            labels: row.labels,
            trashed_at: row.trashed_at,
        };
        let rows: Vec<_> = expected(&row).into_iter().map(IntoActiveModel::into_active_model).collect();
        if !rows.is_empty() {
            conversation_label::Entity::insert_many(rows).exec_without_returning(connection).await?;
        }
    }
    Ok(())
}
