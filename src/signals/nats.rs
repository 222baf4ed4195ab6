//! Signals over NATS core: one subject that all replicas share.

use async_nats::{Client, ConnectOptions, Event};
use futures_util::StreamExt;
use tokio::task::JoinSet;

use super::{Relay, Signals, wire};

const SUBJECT: &str = "scrollback.signals";

/// Carries signals between all replicas on this NATS, for as long as the relay is kept. It connects
/// when it can, and again when the connection was lost.
///
/// # Errors
/// The URL cannot be used.
pub async fn relay(signals: &Signals, url: &str) -> anyhow::Result<Relay> {
    let wakes = signals.clone();
    let client = ConnectOptions::new()
        .name("scrollback")
        .retry_on_initial_connect()
        .event_callback(move |event| {
            // Whatever was said while there was no connection is lost.
            if matches!(event, Event::Connected) {
                wakes.deliver_all();
            }
            tracing::info!("NATS: {event}");
            std::future::ready(())
        })
        .connect(url)
        .await?;
    let replica = rand::random();
    let mut tasks = JoinSet::new();
    tasks.spawn(speak(signals.clone(), client.clone(), replica));
    tasks.spawn(listen(signals.clone(), client, replica));
    Ok(Relay { _tasks: tasks })
}

async fn speak(signals: Signals, client: Client, replica: wire::Replica) {
    let Some(outbox) = &signals.0.outbox else { return };
    loop {
        for payload in wire::encode(replica, outbox.take().await) {
            if let Err(error) = client.publish(SUBJECT, payload.into()).await {
                tracing::warn!(%error, "cannot signal other replicas");
            }
        }
    }
}

async fn listen(signals: Signals, client: Client, replica: wire::Replica) {
    match client.subscribe(SUBJECT).await {
        Ok(mut messages) => {
            while let Some(message) = messages.next().await {
                wire::hear(&signals, replica, &String::from_utf8_lossy(&message.payload));
            }
        }
        Err(error) => tracing::error!(%error, "cannot listen to other replicas"),
    }
}
