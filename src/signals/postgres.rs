//! Signals over LISTEN and NOTIFY: one connection that listens, one that notifies.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener};
use sqlx::{ConnectOptions, PgConnection};
use tokio::task::JoinSet;

use super::{Relay, Signals, wire};

/// The channel all replicas share. Databases do not hear each other.
const CHANNEL: &str = "scrollback";

/// How long to wait before connecting again.
const PAUSE: Duration = Duration::from_millis(500);

/// Carries signals between the replicas on this database, for as long as the relay is kept. Broken
/// connections come back by themselves.
///
/// # Errors
/// The URL cannot be read.
pub fn relay(signals: &Signals, url: &str) -> Result<Relay, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    let options = options.application_name("scrollback signals").disable_statement_logging();
    let replica = rand::random();
    let mut tasks = JoinSet::new();
    tasks.spawn(speak(signals.clone(), options.clone(), replica));
    tasks.spawn(listen(signals.clone(), options, replica));
    Ok(Relay { _tasks: tasks })
}

async fn speak(signals: Signals, options: PgConnectOptions, replica: wire::Replica) {
    let Some(outbox) = &signals.0.outbox else { return };
    let mut connection: Option<PgConnection> = None;
    loop {
        for payload in wire::encode(replica, outbox.take().await) {
            while let Err(error) = notify(&mut connection, &options, &payload).await {
                tracing::warn!(%error, "cannot signal other replicas");
                connection = None;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn notify(
    connection: &mut Option<PgConnection>,
    options: &PgConnectOptions,
    payload: &str,
) -> Result<(), sqlx::Error> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(options.connect().await?),
    };
    sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(payload).execute(connection).await?;
    Ok(())
}

async fn listen(signals: Signals, options: PgConnectOptions, replica: wire::Replica) {
    loop {
        if let Err(error) = listen_once(&signals, &options, replica).await {
            tracing::warn!(%error, "cannot listen to other replicas");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn listen_once(
    signals: &Signals,
    options: &PgConnectOptions,
    replica: wire::Replica,
) -> Result<(), sqlx::Error> {
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(CHANNEL).await?;
    // Whatever was said before is lost.
    signals.deliver_all();
    while let Some(notification) = listener.try_recv().await? {
        wire::hear(signals, replica, notification.payload());
    }
    tracing::info!("lost the connection that listens to other replicas");
    Ok(())
}
