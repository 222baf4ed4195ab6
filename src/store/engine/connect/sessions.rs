//! The sessions of other processes of Scrollback on a PostgreSQL database, which has no lock as SQLite has.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};

/// The names of the sessions of servers and commands: `RowLevelSecurity::session`, and those of signals.
const OTHERS: &str = "SELECT count(*) FROM pg_stat_activity \
    WHERE datname = current_database() AND pid <> pg_backend_pid() \
    AND application_name IN ('scrollback', 'scrollback row-level security', 'scrollback signals')";

/// PostgreSQL ends the sessions of a process some time after the process has gone.
const PATIENCE: Duration = Duration::from_secs(3);
const INTERVAL: Duration = Duration::from_millis(50);

/// Rejects a PostgreSQL database that servers or commands use.
///
/// # Errors
/// There are such sessions.
pub(super) async fn refuse_others(connection: &DatabaseConnection) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let sessions = others(connection).await.context("cannot read the sessions of PostgreSQL")?;
        if sessions == 0 {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            bail!(
                "servers or commands of Scrollback use the database in {sessions} sessions: stop them first"
            );
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// How many sessions of other servers and commands there are. None on SQLite. A role that is neither theirs nor may read
/// all statistics does not see them.
pub(in crate::store) async fn others(connection: &impl ConnectionTrait) -> Result<i64, DbErr> {
    if connection.get_database_backend() != DbBackend::Postgres {
        return Ok(0);
    }
    let row = connection.query_one_raw(Statement::from_string(DbBackend::Postgres, OTHERS)).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(0))
}
