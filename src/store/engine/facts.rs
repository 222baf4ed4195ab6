//! What a database says about itself, for `scrollback doctor`. Nothing is changed.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow};
use sea_orm::sqlx::{self, ConnectOptions, Connection, Row};
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;

use super::connect::{Settings, check_first_connection};
use crate::model::Timestamp;

/// What is known of the configured database.
pub enum DatabaseFacts {
    /// A file.
    Sqlite(SqliteFacts),
    /// A server.
    Postgres(Box<PostgresFacts>),
}

/// Of an SQLite database.
pub struct SqliteFacts {
    /// The file.
    pub file: PathBuf,
    /// The bytes of the file. `None`: it does not exist yet.
    pub bytes: Option<u64>,
    /// The bytes of its write-ahead log.
    pub wal_bytes: u64,
}

/// Of a PostgreSQL database, through the role and the address that are configured.
pub struct PostgresFacts {
    /// For example 170002.
    pub version_number: i32,
    /// For example 17.2.
    pub version: String,
    /// The values of settings: `on`, `off` or others.
    pub fsync: String,
    /// The same.
    pub full_page_writes: String,
    /// The same.
    pub synchronous_commit: String,
    /// The same.
    pub autovacuum: String,
    /// The encoding of the database.
    pub encoding: String,
    /// Whether it only follows another server.
    pub is_standby: bool,
    /// Whether it refuses writes.
    pub is_read_only: bool,
    /// Whether the role is a superuser.
    pub is_superuser: bool,
    /// Whether this connection is encrypted.
    pub is_encrypted: bool,
    /// Whether it comes from the same machine.
    pub is_local: bool,
    /// How many connections the role can have besides those that others have now.
    pub free_connections: i64,
    /// How long the oldest open transaction has been open.
    pub oldest_transaction: Duration,
    /// Its clock.
    pub clock: Timestamp,
}

/// The statement has no parameters, and runs without a transaction.
const FACTS: &str = "
    SELECT current_setting('server_version_num')::int AS version_number,
        current_setting('server_version') AS version,
        current_setting('fsync') AS fsync,
        current_setting('full_page_writes') AS full_page_writes,
        current_setting('synchronous_commit') AS synchronous_commit,
        current_setting('autovacuum') AS autovacuum,
        pg_encoding_to_char(database.encoding)::text AS encoding,
        pg_is_in_recovery() AS is_standby,
        current_setting('default_transaction_read_only') = 'on' AS is_read_only,
        role.rolsuper AS is_superuser,
        COALESCE((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS is_encrypted,
        COALESCE(inet_client_addr() = inet_server_addr() OR inet_client_addr() << '127.0.0.0/8', true) AS is_local,
        LEAST(
            current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint
                - sessions.of_all,
            CASE database.datconnlimit WHEN -1 THEN 1000000 ELSE database.datconnlimit - sessions.of_database END,
            CASE role.rolconnlimit WHEN -1 THEN 1000000 ELSE role.rolconnlimit - sessions.of_role END
        ) AS free_connections,
        COALESCE(EXTRACT(EPOCH FROM sessions.oldest), 0)::float8 AS oldest_transaction,
        (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint AS clock
    FROM pg_database AS database, pg_roles AS role, (
        SELECT count(*) AS of_all,
            count(*) FILTER (WHERE datname = current_database()) AS of_database,
            count(*) FILTER (WHERE usename = current_user) AS of_role,
            clock_timestamp() - min(xact_start) FILTER (WHERE pid <> pg_backend_pid()) AS oldest
        FROM pg_stat_activity WHERE backend_type = 'client backend'
    ) AS sessions
    WHERE database.datname = current_database() AND role.rolname = current_user";

/// What the database says.
///
/// # Errors
/// It cannot be reached, or a pooler is in between that cannot be used.
pub async fn database_facts(settings: &Settings) -> anyhow::Result<DatabaseFacts> {
    if let Some(file) = settings.sqlite_file()? {
        let size = |suffix: &str| {
            let mut name = file.clone().into_os_string();
            name.push(suffix);
            std::fs::metadata(name).map(|metadata| metadata.len())
        };
        let (bytes, wal_bytes) = (size("").ok(), size("-wal").unwrap_or_default());
        return Ok(DatabaseFacts::Sqlite(SqliteFacts { bytes, wal_bytes, file }));
    }
    check_first_connection(&settings.url, settings.acquire_timeout).await?;
    let asked = tokio::time::timeout(settings.statement_timeout, postgres_facts(&settings.url)).await;
    let facts = asked.context("PostgreSQL does not answer within `database.statement_timeout`")??;
    Ok(DatabaseFacts::Postgres(Box::new(facts)))
}

async fn postgres_facts(url: &str) -> anyhow::Result<PostgresFacts> {
    // An error could have the URL, with a password.
    let options: PgConnectOptions =
        url.parse().map_err(|_| anyhow!("cannot read the setting `database.url`"))?;
    let options = options.application_name("scrollback doctor").disable_statement_logging();
    let mut connection: PgConnection = options.connect().await.context("cannot connect to PostgreSQL")?;
    let row = sqlx::query(FACTS).fetch_one(&mut connection).await.context("cannot ask PostgreSQL")?;
    let facts = PostgresFacts {
        version_number: row.try_get("version_number")?,
        version: row.try_get("version")?,
        fsync: row.try_get("fsync")?,
        full_page_writes: row.try_get("full_page_writes")?,
        synchronous_commit: row.try_get("synchronous_commit")?,
        autovacuum: row.try_get("autovacuum")?,
        encoding: row.try_get("encoding")?,
        is_standby: row.try_get("is_standby")?,
        is_read_only: row.try_get("is_read_only")?,
        is_superuser: row.try_get("is_superuser")?,
        is_encrypted: row.try_get("is_encrypted")?,
        is_local: row.try_get("is_local")?,
        free_connections: row.try_get("free_connections")?,
        oldest_transaction: Duration::try_from_secs_f64(row.try_get("oldest_transaction")?)
            .unwrap_or_default(),
        clock: Timestamp(row.try_get("clock")?),
    };
    // Its errors do not matter: everything is read.
    let _ = connection.close().await;
    Ok(facts)
}
