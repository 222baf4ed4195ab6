//! Statements that return rows of violations.

use sea_orm::{ConnectionTrait, Statement, Value};

use super::violation::FoundRow;
use crate::store::error::Result;

/// Runs a statement that returns [`FoundRow`]s.
pub(super) async fn query(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<FoundRow>> {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let rows = connection.query_all_raw(statement).await?;
    Ok(rows.iter().map(FoundRow::read).collect::<std::result::Result<_, _>>()?)
}
