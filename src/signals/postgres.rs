//! Signals over LISTEN and NOTIFY, with one connection for each.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener};
use sqlx::{ConnectOptions, PgConnection};
use tokio::task::JoinSet;

use super::{ReplicaLink, Signals, payload};

/// The channel that all replicas share. Channels of different databases are separate.
const CHANNEL: &str = "scrollback";

/// Delay before a reconnect.
const RECONNECT_DELAY: Duration = Duration::from_millis(500);

/// Sends signals between the replicas on this database, until the link is dropped. Lost connections are
/// restored.
///
/// # Errors
/// The URL is not valid.
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
            signals.0.figures.sent(&payload);
            while let Err(error) = notify(&mut connection, &options, &payload).await {
                tracing::warn!(%error, "cannot send signals to other replicas");
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
            tracing::warn!(%error, "cannot receive signals from other replicas");
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
    // Signals that were sent before are lost.
    signals.wake_all();
    while let Some(notification) = listener.try_recv().await? {
        payload::deliver(signals, replica, notification.payload());
    }
    tracing::info!("lost the connection that receives signals from other replicas");
    Ok(())
}
