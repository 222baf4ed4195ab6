//! The first connection to PostgreSQL, before the pools. It fails at once with the reason. A pool would retry until
//! its timeout and report only the timeout.

use std::future::Future;
use std::io;
use std::time::Duration;

use anyhow::{anyhow, bail};
use sea_orm::sqlx::error::DatabaseError;
use sea_orm::sqlx::{self, ConnectOptions, Connection, Row};
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;

/// How often the check asks which session serves a connection.
const ROUNDS: usize = 3;

/// The error for a pooler that does not keep sessions.
pub(in crate::store) const POOLER_WITHOUT_SESSIONS: &str = "a connection pooler gives each transaction another session of \
     PostgreSQL, which Scrollback cannot use: set `pool_mode = session` in PgBouncer, or connect to PostgreSQL \
     directly";

/// Connects to PostgreSQL and checks that a connection keeps its session.
///
/// # Errors
/// No connection can be made within `timeout`, or a pooler changes its session.
pub(in crate::store) async fn check(url: &str, timeout: Duration) -> anyhow::Result<()> {
    let options: PgConnectOptions = url.parse().map_err(|error| match error {
        sqlx::Error::Configuration(fault) => anyhow!("cannot read the setting `database.url`: {fault}"),
        _ => anyhow!("cannot read the setting `database.url`"),
    })?;
    let options = options.application_name("scrollback start").disable_statement_logging();
    let target = target(&options);
    let mut first = match with_timeout(timeout, options.connect()).await {
        Ok(connection) => connection,
        Err(error) => {
            let on_disk = matches!(&error, sqlx::Error::Io(error) if error.kind() == io::ErrorKind::NotFound);
            let fault = match (on_disk, is_socket(&options)) {
                (true, true) => "there is no such socket".to_owned(),
                (true, false) => {
                    "a file that `database.url` names (`sslrootcert`, `sslcert`, `sslkey`) does not exist"
                        .to_owned()
                }
                (false, _) => fault(&error),
            };
            bail!("cannot connect to PostgreSQL at {target}: {fault}")
        }
    };
    // Where there is no second connection to be had, the pools will say so.
    let second = with_timeout(timeout, options.connect()).await;
    let changes = match second {
        Ok(mut second) => {
            let changes = with_timeout(timeout, changes_session(&mut first, &mut second)).await;
            let _ = with_timeout(timeout, second.close()).await;
            changes
        }
        Err(_) => Ok(false),
    };
    let _ = with_timeout(timeout, first.close()).await;
    match changes {
        Ok(true) => bail!("cannot use PostgreSQL at {target}: {POOLER_WITHOUT_SESSIONS}"),
        // A pooler with one session lets the second connection wait.
        Ok(false) | Err(sqlx::Error::Io(_)) => Ok(()),
        Err(error) => bail!("cannot use PostgreSQL at {target}: {}", fault(&error)),
    }
}

/// Whether one session serves both connections, or several sessions serve one. A connection that keeps its session is
/// never reported. A pooler in transaction mode is detected whichever idle session it picks: if it always picks the
/// same, both connections have it; if it alternates, the first connection has two.
async fn changes_session(first: &mut PgConnection, second: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let mut sessions = (session(first).await?, None);
    for _ in 0..ROUNDS {
        let again = session(first).await?;
        let other = session(second).await?;
        if again != sessions.0 || other == sessions.0 || sessions.1.is_some_and(|known| known != other) {
            return Ok(true);
        }
        sessions.1 = Some(other);
    }
    Ok(false)
}

/// The process of PostgreSQL that serves a statement. SeaORM would prepare the statement, which needs a session that
/// stays the same.
async fn session(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(connection).await?.try_get(0)
}

async fn with_timeout<T>(
    timeout: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(timeout, work).await.unwrap_or_else(|_| {
        let fault = format!("no answer within {timeout:?} (`database.acquire_timeout`)");
        Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, fault)))
    })
}

fn is_socket(options: &PgConnectOptions) -> bool {
    options.get_socket().is_some() || options.get_host().starts_with('/')
}

/// The target of a connection for messages, without the password.
fn target(options: &PgConnectOptions) -> String {
    let host = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => options.get_host().to_owned(),
    };
    let user = options.get_username();
    let database = options.get_database().unwrap_or(user);
    format!("{host}, port {}, as user {user:?} to database {database:?}", options.get_port())
}

const CONNECTION_CLOSED: &str = "the server closed the connection";

/// The error of the driver, and what to do about it.
fn fault(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Io(error) => io_fault(error),
        sqlx::Error::Database(error) => database_fault(error.as_ref()),
        sqlx::Error::Tls(error) => format!("TLS failed: {error} (`sslmode` in `database.url`)"),
        // The driver reports a closed connection this way.
        sqlx::Error::Protocol(fault) if fault.contains("SSLRequest: 0x00") => CONNECTION_CLOSED.to_owned(),
        sqlx::Error::Protocol(fault) => format!("the answer is not that of PostgreSQL: {fault}"),
        error => error.to_string(),
    }
}

fn io_fault(error: &io::Error) -> String {
    let message = error.to_string();
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused: no server listens there".to_owned(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => CONNECTION_CLOSED.to_owned(),
        _ if message.contains("failed to lookup address information") => format!("no such host: {message}"),
        _ => message,
    }
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn database_fault(error: &dyn DatabaseError) -> String {
    let message = error.message();
    match error.code().as_deref() {
        Some("3D000") => format!("{message}: create it first, with `createdb`"),
        Some("28000") if message.contains("no encryption") => {
            format!("{message}: the server may ask for TLS, `sslmode=require` in `database.url`")
        }
        _ if message.contains("extra_float_digits") => {
            format!("{message}: set `ignore_startup_parameters = extra_float_digits` in PgBouncer")
        }
        _ => message.to_owned(),
    }
}
