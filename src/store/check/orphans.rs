//! Rows whose parent is gone: conversations without an account, messages without a conversation, and so on.
//!
//! Each table is walked along an index, from one parent to the next, so a walk reads one entry for each parent and not
//! every row. SeaORM has no recursive queries.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend};
use uuid::Uuid;

use super::rows::query;
use super::violation::{FoundRow, Remedy, Violation};
use crate::store::database::Store;
use crate::store::error::Result;
use crate::store::snapshot;

/// The parents that are looked up in one statement.
const PARENTS: i64 = 2000;

const GONE: Remedy = Remedy::Impossible("the parent is gone: restore a backup");

/// A table, the column that names the parent, and the parent.
struct Walk {
    rule: &'static str,
    table: &'static str,
    column: &'static str,
    parent: (&'static str, &'static str),
    /// What the id is.
    label: &'static str,
}

const WALKS: &[Walk] = &[
    of_conversation("branch.conversation_id", "branch"),
    of_conversation("message_token_count.conversation_id", "message_token_count"),
    of_conversation("message_feedback.conversation_id", "message_feedback"),
    of_conversation("attachment_reference.conversation_id", "attachment_reference"),
    Walk {
        rule: "shared_message.share_id",
        table: "shared_message",
        column: "share_id",
        parent: ("share", "id"),
        label: "share",
    },
    Walk {
        rule: "message_text.message_id",
        table: "message_text",
        column: "message_id",
        parent: ("stream", "message_id"),
        label: "message",
    },
];

const fn of_conversation(rule: &'static str, table: &'static str) -> Walk {
    Walk { rule, table, column: "conversation_id", parent: ("conversation", "id"), label: "conversation" }
}

/// The tables whose owners must have an account, and whether background tasks see all of its rows.
const OWNED: &[(&str, &str, bool)] = &[
    ("conversation.owner_id", "conversation", false),
    ("change.owner_id", "change", true),
    ("share.owner_id", "share", true),
    ("attachment.owner_id", "attachment", true),
    ("search_state.owner_id", "search_state", true),
];

/// Walks from one value of a column to the next, at most [`PARENTS`], and counts the rows of the parent for each.
fn walk(table: &str, column: &str, parent: (&str, &str)) -> String {
    let next = |after: &str| {
        format!(
            "(SELECT t.{column} FROM {table} AS t WHERE t.{column} > {after} ORDER BY t.{column} LIMIT 1)"
        )
    };
    format!(
        "WITH RECURSIVE walk(id, n) AS (SELECT {}, 1 UNION ALL SELECT {}, walk.n + 1 FROM walk \
         WHERE walk.id IS NOT NULL AND walk.n < {PARENTS}) SELECT walk.id, (SELECT count(*) FROM {} AS p \
         WHERE p.{} = walk.id) AS found FROM walk WHERE walk.id IS NOT NULL ORDER BY walk.n",
        next("$1"),
        next("walk.id"),
        parent.0,
        parent.1
    )
}

/// The same for messages on SQLite, which have no index by conversation but are ordered by its number.
fn walk_slots() -> String {
    let next = |after: &str| {
        format!(
            "(SELECT m.slot >> 32 FROM message AS m WHERE m.slot >= ({after} + 1) << 32 ORDER BY m.slot LIMIT 1)"
        )
    };
    format!(
        "WITH RECURSIVE walk(id, n) AS (SELECT {}, 1 UNION ALL SELECT {}, walk.n + 1 FROM walk \
         WHERE walk.id IS NOT NULL AND walk.n < {PARENTS}) SELECT walk.id AS number, (SELECT m.conversation_id \
         FROM message AS m WHERE m.slot >= walk.id << 32 ORDER BY m.slot LIMIT 1) AS conversation, \
         (SELECT count(*) FROM conversation AS p WHERE p.number = walk.id) AS found \
         FROM walk WHERE walk.id IS NOT NULL ORDER BY walk.n",
        next("$1"),
        next("walk.id")
    )
}

/// Finds the rows of `walk`, a step at a time, each in a snapshot of its own.
pub(super) async fn find(store: &Store, report: &mut (dyn FnMut(Violation) + Send)) -> Result<()> {
    let sees_all = !store.0.row_level_security.is_active() || store.backend() == DbBackend::Sqlite;
    for (rule, table, is_seen) in OWNED {
        if sees_all || *is_seen {
            owners(store, rule, table, report).await?;
        }
    }
    if !sees_all {
        return Ok(());
    }
    let connection = snapshot::begin_for_owners(store, &[]).await?;
    messages(&connection, report).await?;
    connection.rollback().await?;
    for Walk { rule, table, column, parent, label } in WALKS {
        let sql = format!("SELECT w.id AS other, w.found FROM ({}) AS w", walk(table, column, *parent));
        let mut after = Uuid::nil();
        loop {
            let connection = snapshot::begin_for_owners(store, &[]).await?;
            let rows = query(&connection, &sql, [after.into()]).await?;
            connection.rollback().await?;
            let Some(last) = rows.last().and_then(|row| row.other) else { break };
            after = last;
            for row in rows.iter().filter(|row| row.found == Some(0)) {
                report(orphans(rule, row.place((label, "")), parent.0));
            }
        }
    }
    Ok(())
}

/// The messages whose conversation is gone.
async fn messages(
    connection: &DatabaseTransaction,
    report: &mut (dyn FnMut(Violation) + Send),
) -> Result<()> {
    let is_sqlite = connection.get_database_backend() == DbBackend::Sqlite;
    let sql = if is_sqlite {
        walk_slots()
    } else {
        let walk = walk("message", "conversation_id", ("conversation", "id"));
        format!("SELECT w.id AS conversation, w.found FROM ({walk}) AS w")
    };
    let (mut number, mut id) = (-1, Uuid::nil());
    loop {
        let after = if is_sqlite { sea_orm::Value::from(number) } else { id.into() };
        let rows = query(connection, &sql, [after]).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        (number, id) = (last.number.unwrap_or_default(), last.conversation.unwrap_or_default());
        for row in rows.iter().filter(|row| row.found == Some(0)) {
            let row = FoundRow { number: None, ..row.clone() };
            report(orphans("message.conversation_id", row.place(("", "")), "conversation"));
        }
    }
}

/// The owners that have rows of a table and no account.
async fn owners(
    store: &Store,
    rule: &'static str,
    table: &str,
    report: &mut (dyn FnMut(Violation) + Send),
) -> Result<()> {
    let sql =
        format!("SELECT w.id AS owner, w.found FROM ({}) AS w", walk(table, "owner_id", ("account", "id")));
    let mut after = String::new();
    loop {
        let rows = query(&store.reader_of_all_owners(), &sql, [after.into()]).await?;
        let Some(last) = rows.last().and_then(|row| row.owner.clone()) else { return Ok(()) };
        after = last;
        for row in rows.iter().filter(|row| row.found == Some(0)) {
            report(orphans(rule, row.place(("", "")), "account"));
        }
    }
}

fn orphans(rule: &'static str, place: String, parent: &str) -> Violation {
    Violation { rule, place, fault: format!("there is no such row in `{parent}`"), remedy: GONE }
}
