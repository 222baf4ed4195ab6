//! The slot of a message on SQLite: the primary key of `message`, made of the number of the conversation and, in the
//! low 32 bits, the position.
//!
//! A slot only finds rows. It does not check ownership: a statement that uses a slot also has the conversation, the
//! position and the owner in its condition.

use sea_orm::sea_query::{DynIden, Expr, ExprTrait, InsertStatement, IntoIden, Query};
use sea_orm::{ActiveModelTrait, ColumnTrait, DbBackend, IntoActiveModel, Iterable};

use crate::model::ConversationId;
use crate::store::entity::{conversation, message};

/// The slot of a position in a conversation, for `store::hot`. Null if the conversation does not exist.
macro_rules! slot {
    ($conversation:literal, $position:literal) => {
        concat!("((SELECT number FROM conversation WHERE id = ", $conversation, ") << 32) + ", $position)
    };
}
pub(in crate::store) use slot;

/// `message.slot`. SQLite alone has it, so it is not in the entity.
pub(in crate::store) const SLOT: &str = "slot";

/// `conversation.number`. SQLite alone has it, so it is not in the entity.
const NUMBER: &str = "number";

/// The slot of a position in a conversation. Null if the conversation does not exist.
fn slot_of(conversation: impl Into<Expr>, position: impl Into<Expr>) -> Expr {
    let mut number = Query::select();
    number
        .column((conversation::Entity, NUMBER))
        .from(conversation::Entity)
        .and_where(conversation::Column::Id.into_expr().eq(conversation));
    Expr::SubQuery(None, Box::new(number.into())).left_shift(32).add(position)
}

/// The same as text, of the parameters of a statement.
pub(in crate::store) fn of_parameters(conversation: &str, position: &str) -> String {
    format!("((SELECT number FROM conversation WHERE id = {conversation}) << 32) + {position}")
}

/// On SQLite the condition that finds the message at a position. PostgreSQL finds it by its primary key.
pub(in crate::store) fn at(
    backend: DbBackend,
    conversation: impl Into<Expr>,
    position: impl Into<Expr>,
) -> Option<Expr> {
    let slot = || Expr::col((message::Entity, SLOT));
    (backend == DbBackend::Sqlite).then(|| slot().eq(slot_of(conversation, position)))
}

/// On SQLite the condition that finds the messages of a conversation between two positions, both included.
/// PostgreSQL finds them by its primary key.
pub(in crate::store) fn among(
    backend: DbBackend,
    conversation: ConversationId,
    (first, last): (i64, i64),
) -> Option<Expr> {
    let slot = |position| slot_of(conversation, position);
    let column = || Expr::col((message::Entity, SLOT));
    (backend == DbBackend::Sqlite).then(|| column().between(slot(first), slot(last)))
}

/// The last position that has a slot.
pub(in crate::store) const LAST: i64 = u32::MAX as i64;

/// Inserts a message.
pub(in crate::store) fn insert(backend: DbBackend, row: message::Model) -> InsertStatement {
    insert_all(backend, [row])
}

/// Inserts messages.
pub(in crate::store) fn insert_all(
    backend: DbBackend,
    rows: impl IntoIterator<Item = message::Model>,
) -> InsertStatement {
    let mut columns: Vec<DynIden> = message::Column::iter().map(IntoIden::into_iden).collect();
    if backend == DbBackend::Sqlite {
        columns.push(SLOT.into_iden());
    }
    let mut insert = Query::insert().into_table(message::Entity).columns(columns).to_owned();
    for row in rows {
        let slot = (backend == DbBackend::Sqlite).then(|| slot_of(row.conversation_id, row.position));
        let row = row.into_active_model();
        // All values of a model are set.
        let values = message::Column::iter()
            .filter_map(|column| row.get(column).into_value().map(|value| column.save_as(Expr::val(value))));
        insert.values_panic(values.chain(slot));
    }
    insert
}

#[cfg(test)]
mod tests {
    use sea_orm::{Condition, EntityTrait, QueryFilter, QueryTrait};

    use super::*;

    #[test]
    fn only_sqlite_conditions_use_slots() {
        let sql = |backend| {
            let id = ConversationId(uuid::Uuid::nil());
            let named = Condition::all().add_option(among(backend, id, (1, 7)));
            message::Entity::delete_many().filter(named).build(backend).to_string()
        };
        let number = "((SELECT conversation.number FROM conversation \
            WHERE conversation.id = '00000000-0000-0000-0000-000000000000') << 32)";
        assert_eq!(
            sql(DbBackend::Sqlite).replace('"', ""),
            format!("DELETE FROM message WHERE message.slot BETWEEN {number} + 1 AND {number} + 7")
        );
        assert_eq!(sql(DbBackend::Postgres), "DELETE FROM \"message\" WHERE TRUE");
    }
}
