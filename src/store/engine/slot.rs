//! Where SQLite keeps a message: its conversation's number, and its position in the low 32 bits.
//!
//! A slot is how a message is found there and nothing more. What it belongs to and whose it is its other
//! columns say, and every statement checks them too: a statement that names a slot names the
//! conversation, the position and the owner besides.

use sea_orm::sea_query::{Alias, Expr, InsertStatement, IntoIden, Query};
use sea_orm::{ActiveModelTrait, ColumnTrait, DbBackend, IntoActiveModel, Iterable};

use crate::model::ConversationId;
use crate::store::entity::message;

/// The slot of a position in a conversation, all of it SQL. Null where there is no such conversation.
macro_rules! slot {
    ($conversation:literal, $position:literal) => {
        concat!("((SELECT number FROM conversation WHERE id = ", $conversation, ") << 32) + ", $position)
    };
}
pub(in crate::store) use slot;

/// Finds what a condition on a conversation and positions asks for. On PostgreSQL its key does.
pub(in crate::store) fn among(
    backend: DbBackend,
    conversation: ConversationId,
    positions: (i64, i64),
) -> Option<Expr> {
    let (first, last) = positions;
    let sql = concat!("slot BETWEEN ", slot!("?", "?"), " AND ", slot!("?", "?"));
    let values: [sea_orm::Value; 4] = [conversation.into(), first.into(), conversation.into(), last.into()];
    (backend == DbBackend::Sqlite).then(|| Expr::cust_with_values(sql, values))
}

/// The last position that has a slot.
pub(in crate::store) const LAST: i64 = u32::MAX as i64;

/// Inserts a message.
pub(in crate::store) fn insert(backend: DbBackend, row: message::Model) -> InsertStatement {
    let conversation = row.conversation_id;
    let position = row.position;
    let row = row.into_active_model();
    let (mut columns, mut values) = (Vec::new(), Vec::new());
    for column in message::Column::iter() {
        if let Some(value) = row.get(column).into_value() {
            columns.push(column.into_iden());
            values.push(column.save_as(Expr::val(value)));
        }
    }
    if backend == DbBackend::Sqlite {
        let slot: [sea_orm::Value; 2] = [conversation.into(), position.into()];
        columns.push(Alias::new("slot").into_iden());
        values.push(Expr::cust_with_values(slot!("?", "?"), slot));
    }
    Query::insert().into_table(message::Entity).columns(columns).values_panic(values).to_owned()
}

#[cfg(test)]
mod tests {
    use sea_orm::{Condition, EntityTrait, QueryFilter, QueryTrait};

    use super::*;

    #[test]
    fn slots_are_named_where_there_are_any() {
        let sql = |backend| {
            let id = ConversationId(uuid::Uuid::nil());
            let named = Condition::all().add_option(among(backend, id, (1, 7)));
            message::Entity::delete_many().filter(named).build(backend).to_string()
        };
        let number =
            "((SELECT number FROM conversation WHERE id = '00000000-0000-0000-0000-000000000000') << 32)";
        assert_eq!(
            sql(DbBackend::Sqlite),
            format!("DELETE FROM \"message\" WHERE slot BETWEEN {number} + 1 AND {number} + 7")
        );
        assert_eq!(sql(DbBackend::Postgres), "DELETE FROM \"message\" WHERE TRUE");
    }
}
