//! The entities and the migrated schema say the same, on both databases.

use scrollback::store::entities::{Column, columns};
use sqlx::{Connection, PgConnection, Row, SqliteConnection};

use crate::harness::{Engine, TestApp, on_each_database};

on_each_database!(entities_are_the_migrated_schema);

/// Columns that only SQLite has: where it keeps a message.
const OF_SQLITE: [(&str, &str); 2] = [("conversation", "number"), ("message", "slot")];

async fn entities_are_the_migrated_schema(app: TestApp) {
    let (found, expected) = match app.engine {
        Engine::Sqlite => {
            (of_sqlite(&app.config.database_url()).await, columns().into_iter().map(on_sqlite).collect())
        }
        _ => (of_postgres(&app.config.database_url()).await, columns()),
    };
    let sorted = |mut columns: Vec<Column>| {
        columns.sort();
        columns
    };
    assert_eq!(sorted(found), sorted(expected));
}

/// SQLite has fewer types.
fn on_sqlite(column: Column) -> Column {
    let sql_type = match column.sql_type {
        "uuid" | "bytea" => "BLOB",
        "bigint" | "smallint" | "boolean" => "INTEGER",
        "text" => "TEXT",
        other => other,
    };
    Column { sql_type, ..column }
}

fn known(name: &str) -> &'static str {
    const TYPES: [&str; 9] =
        ["uuid", "bytea", "bigint", "smallint", "boolean", "text", "BLOB", "INTEGER", "TEXT"];
    TYPES.iter().find(|known| **known == name).copied().unwrap_or("an unknown type")
}

async fn of_postgres(url: &str) -> Vec<Column> {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let query = "SELECT table_name::text, column_name::text, data_type::text, is_nullable = 'YES' \
                 FROM information_schema.columns \
                 WHERE table_schema = current_schema() AND table_name <> 'seaql_migrations'";
    let rows = sqlx::query(query).fetch_all(&mut connection).await.unwrap();
    let column = |row: sqlx::postgres::PgRow| Column {
        table: row.get(0),
        name: row.get(1),
        sql_type: known(row.get(2)),
        nullable: row.get(3),
    };
    rows.into_iter().map(column).collect()
}

async fn of_sqlite(url: &str) -> Vec<Column> {
    let mut connection = SqliteConnection::connect(url).await.unwrap();
    let query = "SELECT m.name, c.name, c.type, NOT c.\"notnull\" FROM sqlite_schema AS m, pragma_table_info(m.name) AS c \
                 WHERE m.type = 'table' AND m.name <> 'seaql_migrations' AND m.name NOT LIKE 'sqlite_%'";
    let rows = sqlx::query(query).fetch_all(&mut connection).await.unwrap();
    let column = |row: sqlx::sqlite::SqliteRow| Column {
        table: row.get(0),
        name: row.get(1),
        sql_type: known(row.get(2)),
        nullable: row.get(3),
    };
    let is_entitys = |column: &Column| !OF_SQLITE.contains(&(column.table.as_str(), column.name.as_str()));
    rows.into_iter().map(column).filter(is_entitys).collect()
}
