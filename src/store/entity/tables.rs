//! The tables and columns of the entities: for data migrations, which copy all of them, and for a test that compares
//! them with the schema of both databases.

use sea_orm::{ColumnTrait, ColumnType, EntityTrait, IdenStatic, Iterable, PrimaryKeyToColumn};

use super::{
    account, attachment, attachment_reference, audit_entry, blob, blob_chunk, branch, change, conversation,
    conversation_label, deleted_usage, deletion, message, message_feedback, message_text,
    message_token_count, object_removal, revocation, search_block, search_segment, search_state, share,
    shared_message, signing_key, stream, webhook, webhook_position,
};

/// A column of an entity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Column {
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Its type, as PostgreSQL calls it.
    pub sql_type: &'static str,
    /// Whether it may be null.
    pub nullable: bool,
}

/// A table, with the columns of all its entities: two entities may have columns of one table.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// The columns that identify a row.
    pub key: Vec<&'static str>,
    /// All columns.
    pub columns: Vec<Column>,
}

/// All tables, by name.
pub fn tables() -> Vec<Table> {
    let mut all: Vec<Table> = Vec::new();
    for table in entities() {
        match all.iter_mut().find(|other| other.name == table.name) {
            Some(other) => {
                let more = table.columns.into_iter().filter(|column| !other.columns.contains(column));
                let more: Vec<_> = more.collect();
                other.columns.extend(more);
            }
            None => all.push(table),
        }
    }
    all.sort_by_key(|table| table.name);
    all
}

/// All columns of all tables.
pub fn columns() -> Vec<Column> {
    let mut columns: Vec<_> = tables().into_iter().flat_map(|table| table.columns).collect();
    columns.sort();
    columns
}

fn entities() -> Vec<Table> {
    vec![
        of::<account::Entity>(),
        of::<attachment::Entity>(),
        of::<attachment_reference::Entity>(),
        of::<audit_entry::Entity>(),
        of::<blob::Entity>(),
        of::<blob_chunk::Entity>(),
        of::<branch::Entity>(),
        of::<change::Entity>(),
        of::<conversation::Entity>(),
        of::<conversation_label::Entity>(),
        of::<deleted_usage::Entity>(),
        of::<deletion::Entity>(),
        of::<message::Entity>(),
        of::<message_feedback::Entity>(),
        of::<message_text::Entity>(),
        of::<message_token_count::Entity>(),
        of::<object_removal::Entity>(),
        of::<revocation::Entity>(),
        of::<search_block::Entity>(),
        of::<search_segment::Entity>(),
        of::<search_state::Entity>(),
        of::<share::Entity>(),
        of::<shared_message::Entity>(),
        of::<signing_key::Entity>(),
        of::<stream::Entity>(),
        of::<webhook::Entity>(),
        of::<webhook_position::Entity>(),
    ]
}

fn of<E: EntityTrait>() -> Table {
    let name = E::default().table_name();
    let columns = E::Column::iter().map(|column| {
        let definition = column.def();
        Column {
            table: name.to_owned(),
            name: column.as_str().to_owned(),
            sql_type: sql_type(definition.get_column_type()),
            nullable: definition.is_null(),
        }
    });
    let key = E::PrimaryKey::iter().map(|key| key.into_column().as_str());
    Table { name, key: key.collect(), columns: columns.collect() }
}

fn sql_type(of: &ColumnType) -> &'static str {
    match of {
        ColumnType::Uuid => "uuid",
        ColumnType::BigInteger => "bigint",
        ColumnType::SmallInteger => "smallint",
        ColumnType::Boolean => "boolean",
        ColumnType::Text | ColumnType::String(_) => "text",
        ColumnType::Blob | ColumnType::Binary(_) | ColumnType::VarBinary(_) => "bytea",
        _ => "another type",
    }
}
