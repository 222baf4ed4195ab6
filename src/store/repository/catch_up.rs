//! Who has missed something: one statement for all that are followed.
//!
//! Signals may be lost, so a poll asks for all followers whether the database has gone beyond
//! where they stand. The owner stands in every place that is asked for; what is not theirs counts as
//! ended, and their own read tells them so.

use sea_orm::{DbBackend, FromQueryResult, Statement};
use serde_json::{Value, json};

use crate::model::{ConversationId, OwnerId};
use crate::store::database::Store;
use crate::store::error::Result;

const CONVERSATIONS_SQLITE: &str = "SELECT w.key AS at FROM json_each($1) AS w \
     LEFT JOIN conversation AS c ON c.id = unhex(w.value ->> 0) AND c.owner_id = w.value ->> 1 \
     WHERE c.last_position IS NULL OR c.last_position > w.value ->> 2";
const CONVERSATIONS_POSTGRES: &str = "SELECT w.ord - 1 AS at \
     FROM jsonb_array_elements($1::text::jsonb) WITH ORDINALITY AS w(it, ord) \
     LEFT JOIN LATERAL (SELECT last_position FROM conversation \
     WHERE id = (w.it ->> 0)::uuid AND owner_id = w.it ->> 1 LIMIT 1) AS c ON true \
     WHERE c.last_position IS NULL OR c.last_position > (w.it ->> 2)::bigint";
const ACCOUNTS_SQLITE: &str = "SELECT w.key AS at FROM json_each($1) AS w \
     JOIN account AS a ON a.id = w.value ->> 0 WHERE a.revision > w.value ->> 1";
const ACCOUNTS_POSTGRES: &str = "SELECT w.ord - 1 AS at \
     FROM jsonb_array_elements($1::text::jsonb) WITH ORDINALITY AS w(it, ord) \
     CROSS JOIN LATERAL (SELECT revision FROM account WHERE id = w.it ->> 0 LIMIT 1) AS a \
     WHERE a.revision > (w.it ->> 1)::bigint";

#[derive(FromQueryResult)]
struct Beyond {
    at: i64,
}

impl Store {
    /// Which of these conversations have messages after a position, or are not there for their owner:
    /// their indices.
    pub async fn conversations_beyond(
        &self,
        places: &[((OwnerId, ConversationId), i64)],
    ) -> Result<Vec<usize>> {
        let owners = places.iter().map(|((owner, _), _)| owner);
        let places = places
            .iter()
            .map(|((owner, id), position)| json!([id.0.simple().to_string(), owner.as_str(), position]));
        self.beyond(owners, places.collect(), CONVERSATIONS_SQLITE, CONVERSATIONS_POSTGRES).await
    }

    /// Which of these owners have changes after a revision: their indices.
    pub async fn accounts_beyond(&self, places: &[(OwnerId, i64)]) -> Result<Vec<usize>> {
        let owners = places.iter().map(|(owner, _)| owner);
        let places = places.iter().map(|(owner, revision)| json!([owner.as_str(), revision]));
        self.beyond(owners, places.collect(), ACCOUNTS_SQLITE, ACCOUNTS_POSTGRES).await
    }

    async fn beyond<'o>(
        &self,
        owners: impl Iterator<Item = &'o OwnerId>,
        places: Value,
        sqlite: &str,
        postgres: &str,
    ) -> Result<Vec<usize>> {
        let reader = self.reader_of(owners);
        let backend = self.backend();
        let sql = if backend == DbBackend::Sqlite { sqlite } else { postgres };
        let statement = Statement::from_sql_and_values(backend, sql, [places.to_string().into()]);
        let found = Beyond::find_by_statement(statement).all(&reader).await?;
        Ok(found.into_iter().filter_map(|row| usize::try_from(row.at).ok()).collect())
    }
}
