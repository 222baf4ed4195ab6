//! Several reads that see the same state of the database.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend};

use crate::model::OwnerId;
use crate::store::database::Store;
use crate::store::engine::long_read::for_long;
use crate::store::engine::row_level_security;
use crate::store::error::Result;
use crate::store::transaction;

/// Begins a transaction that only reads, for the rows of one owner. End it with a rollback.
///
/// On SQLite the state is that of the first read, on PostgreSQL that of the first statement (REPEATABLE READ).
pub(in crate::store) async fn begin(store: &Store, owner: &OwnerId) -> Result<DatabaseTransaction> {
    let transaction = transaction::begin_reading(&store.0.read).await?;
    if store.0.row_level_security.is_active() && store.backend() == DbBackend::Postgres {
        row_level_security::set_owner(&transaction, owner).await?;
    }
    Ok(transaction)
}

/// The same for the rows of some owners, and for statements that may take longer than those of requests.
pub(in crate::store) async fn begin_for_owners(
    store: &Store,
    owners: &[OwnerId],
) -> Result<DatabaseTransaction> {
    let connection = for_long(transaction::begin_reading(&store.0.read)).await?;
    if store.backend() == DbBackend::Postgres {
        connection.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
        if store.0.row_level_security.is_active() {
            row_level_security::set_owners_of(&connection, owners.iter()).await?;
        }
    }
    Ok(connection)
}
