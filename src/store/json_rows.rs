//! A list parameter of any length as a table: one JSON array in one parameter.
//!
//! The text of the statement does not depend on the length of the list, so the database prepares it once.

use sea_orm::DbBackend;
use sea_orm::sea_query::{Expr, ExprTrait, Func, FunctionCall};
use serde_json::{Value, json};

use crate::model::{ConversationId, MessageId};

/// The name of the table in a statement.
pub(super) const REQUESTED: &str = "requested";

/// A table with one row for each element of a JSON array. Each element is an array of columns.
#[derive(Clone)]
pub(super) struct JsonRows {
    backend: DbBackend,
    rows: String,
}

impl JsonRows {
    pub(super) fn new(backend: DbBackend, rows: impl IntoIterator<Item = Value>) -> Self {
        Self { backend, rows: Value::from_iter(rows).to_string() }
    }

    /// One row for each position in a conversation.
    pub(super) fn places(backend: DbBackend, places: &[(ConversationId, i64)]) -> Self {
        let rows = places.iter().map(|(id, position)| json!([id.0.simple().to_string(), position]));
        Self::new(backend, rows)
    }

    /// One row for each id of a message.
    pub(super) fn message_ids(backend: DbBackend, ids: &[MessageId]) -> Self {
        Self::new(backend, ids.iter().map(|id| json!([id.0.simple().to_string()])))
    }

    /// The function that returns the rows. Give it the name [`REQUESTED`].
    pub(super) fn table(&self) -> FunctionCall {
        let rows = Expr::val(self.rows.as_str());
        match self.backend {
            DbBackend::Sqlite => Func::cust("json_each").arg(rows),
            _ => Func::cust("jsonb_array_elements").arg(rows.cast_as("jsonb")),
        }
    }

    /// A column of the row, counted from 0.
    pub(super) fn text(&self, column: usize) -> Expr {
        // sea-query has `->>` for JSON columns of PostgreSQL only.
        match self.backend {
            DbBackend::Sqlite => Expr::cust(format!("({REQUESTED}.value ->> {column})")),
            _ => Expr::cust(format!("({REQUESTED} ->> {column})")),
        }
    }

    pub(super) fn number(&self, column: usize) -> Expr {
        self.text(column).cast_as("bigint")
    }

    /// A UUID, which the JSON has in hexadecimal without hyphens.
    pub(super) fn uuid(&self, column: usize) -> Expr {
        match self.backend {
            DbBackend::Sqlite => Func::cust("unhex").arg(self.text(column)).into(),
            _ => self.text(column).cast_as("uuid"),
        }
    }
}
