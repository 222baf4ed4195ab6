//! All rows of a database, as text that does not depend on the engine.

use std::collections::BTreeMap;

use scrollback::store::entities::{Column, tables};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::harness::{Program, shared_cluster};

/// The rows of each table, sorted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rows(BTreeMap<&'static str, Vec<String>>);

impl Rows {
    pub(super) async fn of(program: &Program, url: &str) -> Self {
        let mut rows = BTreeMap::new();
        for table in tables() {
            let query = |text: fn(&Column) -> String| {
                let mut columns = table.columns.clone();
                columns.sort();
                let texts = columns.iter().map(|column| format!("coalesce({}, 'null')", text(column)));
                let list = texts.collect::<Vec<_>>().join(" || '|' || ");
                AssertSqlSafe(format!("SELECT {list} FROM \"{}\"", table.name))
            };
            let mut found: Vec<String> = match url.strip_prefix("sqlite://") {
                Some(file) => {
                    let file = program.folder().join(file);
                    let mut connection = SqliteConnection::connect(file.to_str().unwrap()).await.unwrap();
                    let rows = sqlx::query_scalar(query(on_sqlite)).fetch_all(&mut connection).await.unwrap();
                    connection.close().await.unwrap();
                    rows
                }
                // As a superuser, from whom row-level security hides nothing.
                None => {
                    let url = shared_cluster().url(url.rsplit('/').next().unwrap());
                    let mut connection = PgConnection::connect(&url).await.unwrap();
                    sqlx::query_scalar(query(on_postgres)).fetch_all(&mut connection).await.unwrap()
                }
            };
            found.sort();
            rows.insert(table.name, found);
        }
        Self(rows)
    }

    pub(super) fn count(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    pub(super) fn assert_no_table_is_empty(&self) {
        let empty: Vec<_> = self.0.iter().filter(|(_, rows)| rows.is_empty()).map(|(name, _)| name).collect();
        assert!(empty.is_empty(), "{empty:?}");
    }
}

fn on_sqlite(column: &Column) -> String {
    let name = format!("\"{}\"", column.name);
    match column.sql_type {
        "uuid" | "bytea" => format!("CASE WHEN {name} IS NOT NULL THEN lower(hex({name})) END"),
        "text" => name,
        _ => format!("CAST({name} AS TEXT)"),
    }
}

fn on_postgres(column: &Column) -> String {
    let name = format!("\"{}\"", column.name);
    match column.sql_type {
        "uuid" => format!("replace({name}::text, '-', '')"),
        "bytea" => format!("encode({name}, 'hex')"),
        "boolean" => format!("{name}::int::text"),
        _ => format!("{name}::text"),
    }
}
