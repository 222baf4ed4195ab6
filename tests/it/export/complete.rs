//! An export has everything that the database has of the user, but for what is derived.

use std::collections::BTreeSet;

use rusqlite::types::ValueRef;
use scrollback::model::Timestamp;
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use super::{lines, records};
use crate::harness::{Engine, TestApp, on_each_database};

on_each_database!(an_export_has_everything_of_the_user);

/// The tables that are not derived.
const TABLES: [&str; 12] = [
    "conversation",
    "conversation_label",
    "message",
    "message_text",
    "attachment",
    "attachment_reference",
    "message_feedback",
    "deleted_usage",
    "share",
    "shared_message",
    "change",
    "audit_entry",
];

/// Columns of what is derived.
const DERIVED: [&str; 5] = ["title_folded", "label_key", "fingerprint", "secret_hash", "blob_id"];

/// The values of all rows: texts, ids and times, as an export writes them.
async fn values(app: &TestApp) -> BTreeSet<(String, String)> {
    let url = app.config.database_url();
    let mut found = BTreeSet::new();
    if app.engine == Engine::Sqlite {
        let connection = rusqlite::Connection::open(url.strip_prefix("sqlite://").unwrap()).unwrap();
        for table in TABLES {
            let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                for (index, name) in names.iter().enumerate() {
                    let value = match row.get_ref(index).unwrap() {
                        ValueRef::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
                        ValueRef::Blob(bytes) => match Uuid::from_slice(bytes) {
                            Ok(id) => id.to_string(),
                            Err(_) => continue,
                        },
                        ValueRef::Integer(number) if name.ends_with("_at") => Timestamp(number).to_string(),
                        _ => continue,
                    };
                    found.insert((name.clone(), value));
                }
            }
        }
    } else {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        for table in TABLES {
            let query = format!(
                "SELECT key, value FROM {table} AS t, jsonb_each_text(to_jsonb(t)) WHERE value IS NOT NULL"
            );
            for row in sqlx::query(sqlx::AssertSqlSafe(query)).fetch_all(&mut connection).await.unwrap() {
                let (name, value): (String, String) = (row.get(0), row.get(1));
                let value = match value.parse() {
                    Ok(number) if name.ends_with("_at") => Timestamp(number).to_string(),
                    Ok(_) => continue,
                    Err(_) => value,
                };
                found.insert((name, value));
            }
        }
    }
    found.retain(|(name, value)| !DERIVED.contains(&name.as_str()) && value != "true" && value != "false");
    found
}

async fn an_export_has_everything_of_the_user(app: TestApp) {
    let ada = app.client("ada");
    for word in ["Zebra \"one\"", "zwei \\ \u{1F600}"] {
        crate::user_erasure::fill(&ada, word).await;
    }
    let acting = app.back_end().acting_for("ada");
    acting.append(&acting.new_conversation().await, "for somebody").await;
    let values = values(&app).await;
    assert!(values.len() > 60, "{values:?}");
    let exported = lines(&records(&app.store, "ada").await);
    for (name, value) in values {
        // JSON is there as it is, other texts are in it as strings.
        let quoted = serde_json::to_string(&value).unwrap();
        let text = quoted.trim_start_matches('"').trim_end_matches('"');
        assert!(exported.contains(&value) || exported.contains(text), "{name}: {value}");
    }
}
