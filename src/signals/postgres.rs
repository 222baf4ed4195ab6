//! Signals over LISTEN and NOTIFY: one connection that listens, one that notifies.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener};
use sqlx::{ConnectOptions, PgConnection};
use tokio::task::JoinSet;

use super::{ReplicaLink, Signals, payload};

/// The channel all replicas share. Databases do not hear each other.
const CHANNEL: &str = "scrollback";

/// How long to wait before connecting again.
const RECONNECT_DELAY: Duration = Duration::from_millis(500);

/// Carries signals between the replicas on this database, for as long as the relay is kept. Broken
/// connections come back by themselves.
///
/// # Errors
/// The URL cannot be read.
pub fn connect(signals: &Signals, url: &str) -> Result<ReplicaLink, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    let options = options.application_name("scrollback signals").disable_statement_logging();
    let replica = rand::random();
    let mut tasks = JoinSet::new();
    tasks.spawn(send_signals(signals.clone(), options.clone(), replica));
    tasks.spawn(receive_signals(signals.clone(), options, replica));
    Ok(ReplicaLink { _tasks: tasks })
}

async fn send_signals(signals: Signals, options: PgConnectOptions, replica: payload::ReplicaId) {
    let Some(outbox) = &signals.0.outbox else { return };
    let mut connection: Option<PgConnection> = None;
    loop {
        for payload in payload::encode(replica, outbox.take().await) {
            while let Err(error) = notify(&mut connection, &options, &payload).await {
                tracing::warn!(%error, "cannot signal other replicas");
                connection = None;
                tokio::time::sleep(RECONNECT_DELAY).await;
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

async fn receive_signals(signals: Signals, options: PgConnectOptions, replica: payload::ReplicaId) {
    loop {
        if let Err(error) = receive_until_disconnected(&signals, &options, replica).await {
            tracing::warn!(%error, "cannot listen to other replicas");
        }
        tokio::time::sleep(RECONNECT_DELAY).await;
    }
}

async fn receive_until_disconnected(
    signals: &Signals,
    options: &PgConnectOptions,
    replica: payload::ReplicaId,
) -> Result<(), sqlx::Error> {
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(CHANNEL).await?;
    // Whatever was payloads before is lost.
    signals.wake_all();
    while let Some(notification) = listener.try_recv().await? {
        payload::deliver(signals, replica, notification.payload());
    }
    tracing::info!("lost the connection that listens to other replicas");
    Ok(())
}
