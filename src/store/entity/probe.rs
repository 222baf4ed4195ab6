//! The columns of the entities, for a test that compares them with the schema of both databases.

use sea_orm::{ColumnTrait, ColumnType, EntityTrait, IdenStatic, Iterable};

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

/// All columns of all entities, each once: two entities may have columns of one table.
pub fn columns() -> Vec<Column> {
    let tables = [
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
    ];
    let mut columns = tables.concat();
    columns.sort();
    columns.dedup();
    columns
}

fn of<E: EntityTrait>() -> Vec<Column> {
    let columns = E::Column::iter().map(|column| {
        let definition = column.def();
        Column {
            table: E::default().table_name().to_owned(),
            name: column.as_str().to_owned(),
            sql_type: sql_type(definition.get_column_type()),
            nullable: definition.is_null(),
        }
    });
    columns.collect()
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
