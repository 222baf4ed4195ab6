//! Signals over core NATS: all replicas share one subject.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, anyhow};
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use futures_util::StreamExt;
use percent_encoding::percent_decode_str;
use tokio::task::JoinSet;

use super::{ReplicaLink, Signals, payload};

const SUBJECT: &str = "scrollback.signals";

/// How long [`check`] waits.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// Sends signals between all replicas on this NATS server, until the link is dropped. It connects in the
/// background and reconnects when the connection is lost.
///
/// # Errors
/// The URL is not valid.
pub async fn connect(signals: &Signals, url: &str) -> anyhow::Result<ReplicaLink> {
    let wakes = signals.clone();
    let client = connect_options(url)?
        .name("scrollback")
        .retry_on_initial_connect()
        .event_callback(move |event| {
            // Signals that were sent while there was no connection are lost.
            if matches!(event, Event::Connected) {
                wakes.wake_all();
            }
            tracing::info!("NATS: {event}");
            std::future::ready(())
        })
        .connect(url)
        .await?;
    let replica = rand::random();
    let mut tasks = JoinSet::new();
    tasks.spawn(send_signals(signals.clone(), client.clone(), replica));
    tasks.spawn(receive_signals(signals.clone(), client, replica));
    Ok(ReplicaLink { _tasks: tasks })
}

/// Options with the credentials in a URL, which the library does not use by itself: `nats://user:password@host`, or
/// `nats://token@host`.
///
/// # Errors
/// It is not the URL of a NATS server. The error does not have the URL, which may have a password.
pub fn connect_options(url: &str) -> anyhow::Result<ConnectOptions> {
    let server = ServerAddr::from_str(url).map_err(|_| anyhow!("it is not the URL of a NATS server"))?;
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let options = ConnectOptions::new();
    Ok(match (server.username(), server.password()) {
        (None, _) => options,
        (Some(token), None) => options.token(decoded(token)),
        (Some(user), Some(password)) => options.user_and_password(decoded(user), decoded(password)),
    })
}

/// Connects once, and disconnects.
///
/// # Errors
/// The server cannot be reached, or refuses. The error does not have the URL, which may have a password.
pub async fn check(url: &str) -> anyhow::Result<()> {
    let connect = connect_options(url)?.name("scrollback doctor").connect(url);
    let connected =
        tokio::time::timeout(CHECK_TIMEOUT, connect).await.context("no answer within 3 seconds")?;
    let client = connected.map_err(|error| anyhow!("cannot connect: {error}"))?;
    client.drain().await.context("cannot disconnect")
}

async fn send_signals(signals: Signals, client: Client, replica: payload::ReplicaId) {
    let Some(outbox) = &signals.0.outbox else { return };
    loop {
        for payload in payload::encode(replica, outbox.take().await) {
            signals.0.figures.sent(&payload);
            if let Err(error) = client.publish(SUBJECT, payload.into()).await {
                tracing::warn!(%error, "cannot send signals to other replicas");
            }
        }
    }
}

async fn receive_signals(signals: Signals, client: Client, replica: payload::ReplicaId) {
    match client.subscribe(SUBJECT).await {
        Ok(mut messages) => {
            while let Some(message) = messages.next().await {
                payload::deliver(&signals, replica, &String::from_utf8_lossy(&message.payload));
            }
        }
        Err(error) => tracing::error!(%error, "cannot receive signals from other replicas"),
    }
}
