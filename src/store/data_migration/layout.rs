//! How the engines order a table, and the statements that read and write it. SeaORM has no statements on tables that are
//! known only when the program runs.

use sea_orm::DbBackend;

use crate::store::engine::slot;
use crate::store::entity::tables::Table;

/// A column of the key by which a table is read, and its type.
pub(super) type KeyColumn = (&'static str, &'static str);

/// The key by which an engine reads a table from its beginning to its end. For most tables it is the primary key.
pub(super) fn read_key(backend: DbBackend, table: &Table) -> Vec<KeyColumn> {
    match (table.name, backend) {
        ("message", DbBackend::Sqlite) => vec![(slot::SLOT, "bigint")],
        // The table has an index by id, too, but this is the order of the target's slots.
        ("message", _) => vec![("conversation_id", "uuid"), ("position", "bigint")],
        _ => {
            let sql_type = |name: &str| table.columns.iter().find(|column| column.name == name);
            let typed =
                |name: &&'static str| (*name, sql_type(name).map_or("text", |column| column.sql_type));
            table.key.iter().map(typed).collect()
        }
    }
}

/// The columns of texts and bytes, whose sizes vary.
pub(super) fn large_columns(table: &Table) -> impl Iterator<Item = &str> {
    let is_large = |sql_type: &str| ["text", "bytea"].contains(&sql_type);
    table.columns.iter().filter(move |column| is_large(column.sql_type)).map(|column| column.name.as_str())
}

/// The sizes of the next rows in bytes, in order.
pub(super) fn select_sizes(backend: DbBackend, table: &Table, is_first: bool, limit: usize) -> String {
    let sizes: Vec<_> =
        large_columns(table).map(|name| format!("coalesce(octet_length({}), 0)", quoted(name))).collect();
    let size = if sizes.is_empty() { "0".to_owned() } else { sizes.join(" + ") };
    select(backend, table, &format!("CAST({size} AS bigint)"), is_first, limit)
}

/// All columns of the next rows, and then those of the key.
pub(super) fn select_rows(backend: DbBackend, table: &Table, is_first: bool, limit: usize) -> String {
    let columns = table.columns.iter().map(|column| quoted(&column.name));
    let key = read_key(backend, table).into_iter().map(|(name, _)| quoted(name));
    select(backend, table, &columns.chain(key).collect::<Vec<_>>().join(", "), is_first, limit)
}

/// The parameters are the key of the row before. The limit is part of the text, so that it is part of the plan.
fn select(backend: DbBackend, table: &Table, list: &str, is_first: bool, limit: usize) -> String {
    let key: Vec<_> = read_key(backend, table).into_iter().map(|(name, _)| quoted(name)).collect();
    let (name, order) = (quoted(table.name), key.join(", "));
    let parameters: Vec<_> = (1..=key.len()).map(|number| format!("${number}")).collect();
    let after =
        if is_first { String::new() } else { format!("WHERE ({order}) > ({}) ", parameters.join(", ")) };
    format!("SELECT {list} FROM {name} {after}ORDER BY {order} LIMIT {limit}")
}

/// The columns from which SQLite derives the slot of a row, by their place: the conversation and the position.
pub(super) fn slot_columns(backend: DbBackend, table: &Table) -> Option<[usize; 2]> {
    let has_slot = table.name == "message" && backend == DbBackend::Sqlite;
    let place = |name: &str| table.columns.iter().position(|column| column.name == name);
    has_slot.then_some([place("conversation_id")?, place("position")?])
}

/// Inserts rows. The parameters of a row are its columns, and then its [`slot_columns`].
pub(super) fn insert_rows(backend: DbBackend, table: &Table, rows: usize) -> String {
    let mut columns: Vec<_> = table.columns.iter().map(|column| quoted(&column.name)).collect();
    let width = columns.len();
    let has_slot = slot_columns(backend, table).is_some();
    if has_slot {
        columns.push(quoted(slot::SLOT));
    }
    let row = |row: usize| {
        let mut values: Vec<_> = match backend {
            // SQLite looks numbered parameters up one after the other, which takes long if there are thousands.
            DbBackend::Sqlite => vec!["?".to_owned(); width],
            _ => (1..=width).map(|at| format!("${}", row * width + at)).collect(),
        };
        if has_slot {
            values.push(slot::of_parameters("?", "?"));
        }
        format!("({})", values.join(", "))
    };
    // For the numbers that PostgreSQL otherwise gives itself.
    let overriding = if backend == DbBackend::Postgres { "OVERRIDING SYSTEM VALUE " } else { "" };
    let (name, columns) = (quoted(table.name), columns.join(", "));
    let values = (0..rows).map(row).collect::<Vec<_>>().join(", ");
    format!("INSERT INTO {name} ({columns}) {overriding}VALUES {values}")
}

pub(super) fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::entity::tables::tables;

    fn table(name: &str) -> Table {
        tables().into_iter().find(|table| table.name == name).unwrap()
    }

    #[test]
    fn conversations_come_before_their_messages() {
        let names: Vec<_> = tables().iter().map(|table| table.name).collect();
        let place = |wanted| names.iter().position(|name| *name == wanted).unwrap();
        assert!(place("conversation") < place("message"), "SQLite takes slots from conversations");
        assert!(names.is_sorted(), "the order of a migration");
    }

    #[test]
    fn rows_are_read_after_a_key() {
        let branch = table("branch");
        assert_eq!(
            select_sizes(DbBackend::Postgres, &branch, true, 7),
            "SELECT CAST(0 AS bigint) FROM \"branch\" ORDER BY \"conversation_id\", \"branch\" LIMIT 7"
        );
        let rows = select_rows(DbBackend::Sqlite, &table("message_text"), false, 2);
        assert_eq!(
            rows,
            "SELECT \"message_id\", \"start\", \"text\", \"message_id\", \"start\" FROM \"message_text\" \
             WHERE (\"message_id\", \"start\") > ($1, $2) ORDER BY \"message_id\", \"start\" LIMIT 2"
        );
    }

    #[test]
    fn only_sqlite_inserts_slots() {
        let [sqlite, postgres] = [DbBackend::Sqlite, DbBackend::Postgres]
            .map(|backend| insert_rows(backend, &table("message"), 2));
        assert_eq!(sqlite.matches("<< 32").count(), 2);
        assert!(!postgres.contains("slot") && postgres.contains("OVERRIDING SYSTEM VALUE"), "{postgres}");
    }
}
