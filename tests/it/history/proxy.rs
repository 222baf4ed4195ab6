//! A network with faults: connections are delayed and reset at random, or all reset at once.

use std::time::Duration;

use rand::RngExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::deployment::{Addresses, Deployment, address};

/// A proxy in front of a deployment. Connections go to random replicas.
pub(super) struct Proxy {
    pub(super) url: String,
    resets: watch::Sender<()>,
    accepting: AbortHandle,
}

impl Proxy {
    pub(super) async fn before(deployment: &Deployment) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (resets, reset) = watch::channel(());
        let replicas = deployment.replicas.clone();
        let accepting = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(carry(client, replicas.clone(), reset.clone()));
            }
        });
        Self { url, resets, accepting: accepting.abort_handle() }
    }

    /// Resets every connection there is.
    pub(super) fn reset_all(&self) {
        self.resets.send_replace(());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(client: TcpStream, replicas: Addresses, mut reset: watch::Receiver<()>) {
    let replica = address(&replicas);
    let Ok(server) = TcpStream::connect(replica.trim_start_matches("http://")).await else { return };
    let (client_in, client_out) = client.into_split();
    let (server_in, server_out) = server.into_split();
    // Some connections break early, wherever they are.
    let budget = if rand::rng().random_bool(0.3) { rand::rng().random_range(1..4_000) } else { usize::MAX };
    reset.mark_unchanged();
    tokio::select! {
        () = pump(client_in, server_out, usize::MAX) => {}
        () = pump(server_in, client_out, budget) => {}
        _ = reset.changed() => {}
    }
}

/// Copies with pauses, at most `budget` bytes.
async fn pump(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, mut budget: usize) {
    let mut buffer = [0; 1024];
    while budget > 0 {
        let Ok(count) = from.read(&mut buffer).await else { return };
        if count == 0 {
            return;
        }
        if rand::rng().random_bool(0.05) {
            let pause = Duration::from_millis(rand::rng().random_range(1..30));
            tokio::time::sleep(pause).await;
        }
        let count = count.min(budget);
        budget = budget.saturating_sub(count);
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
