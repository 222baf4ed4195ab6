//! Accepts connections.
//!
//! The number of connections is limited, in total and, if configured, for each address. An address beyond its limit
//! gets 503. If all slots are taken, the connection that has been without a request for longest is closed, so idle
//! connections block no new ones. If none is idle, the new connection gets 503 at once: a load balancer then asks another
//! replica, and a client retries. The server reads and drops what such a client sends, so that it can read the
//! response. No fault of one connection ends the loop. Running out of file descriptors makes it wait, not spin.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::address::address_group;
use super::connection::{self, ConnectionServer, OpenConnections};
use super::connection_slot::ConnectionSlot;
use crate::server::metrics::{GaugeGuard, Metrics};
use crate::server::quota::Quota;

/// Delay before accepting again after an error, for example when there are no free file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(200);

/// Time for an evicted connection to close.
const EVICTION_TIMEOUT: Duration = Duration::from_millis(100);

/// The most rejected connections that stay open until their clients have read the response. Further ones are
/// closed at once, and their clients may see a broken connection instead.
pub(in crate::server) const MAX_REJECTING: usize = 64;

/// Limits of open connections.
#[derive(Clone, Copy)]
pub(in crate::server) struct ConnectionLimits {
    pub(in crate::server) total: usize,
    /// The limit for each address, if there is one.
    pub(in crate::server) per_address: Option<usize>,
}

/// Accepts connections from one listener.
pub(in crate::server) struct Acceptor {
    server: ConnectionServer,
    router: Router,
    slots: Arc<Semaphore>,
    addresses: Option<Arc<Quota<IpAddr>>>,
    metrics: Arc<Metrics>,
    open_connections: Arc<OpenConnections>,
    rejecting: Arc<Semaphore>,
    connections: TaskTracker,
}

impl Acceptor {
    /// Creates an acceptor with these limits.
    pub(in crate::server) fn new(
        server: ConnectionServer,
        router: Router,
        limits: ConnectionLimits,
        metrics: &Arc<Metrics>,
    ) -> Self {
        Self {
            server,
            router,
            slots: Arc::new(Semaphore::new(limits.total.min(Semaphore::MAX_PERMITS))),
            addresses: limits.per_address.map(Quota::new),
            metrics: metrics.clone(),
            open_connections: Arc::default(),
            rejecting: Arc::new(Semaphore::new(MAX_REJECTING)),
            connections: TaskTracker::new(),
        }
    }

    /// Accepts connections until `closing` is cancelled. Open connections then finish their requests, unless
    /// `abort` is cancelled.
    pub(in crate::server) async fn run(
        &self,
        listener: TcpListener,
        closing: &CancellationToken,
        abort: &CancellationToken,
    ) {
        let mut failing = false;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = closing.cancelled() => return,
            };
            match accepted {
                Ok((stream, from)) => {
                    failing = false;
                    self.handle(stream, from.ip(), closing.clone(), abort.clone()).await;
                }
                Err(error) if is_client_error(&error) => {}
                Err(error) => {
                    if !failing {
                        tracing::error!(%error, "cannot accept connections: retrying");
                    }
                    failing = true;
                    tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                }
            }
        }
    }

    async fn handle(
        &self,
        stream: TcpStream,
        from: IpAddr,
        closing: CancellationToken,
        abort: CancellationToken,
    ) {
        let Some(slot) = self.slot(from).await else {
            tracing::debug!(%from, "all connection slots are in use");
            self.metrics.connections_refused.inc();
            self.reject(stream, closing);
            return;
        };
        let (server, open_connections, router) =
            (self.server.clone(), self.open_connections.clone(), self.router.clone());
        self.connections.spawn(async move {
            server.serve(stream, slot, &open_connections, router, &closing, &abort).await;
        });
    }

    /// Responds with 503 and closes the connection.
    fn reject(&self, stream: TcpStream, closing: CancellationToken) {
        let Ok(permit) = self.rejecting.clone().try_acquire_owned() else {
            return connection::reject_immediately(&stream);
        };
        let server = self.server.clone();
        self.connections.spawn(async move {
            tokio::select! {
                () = server.reject(stream) => {}
                () = closing.cancelled() => {}
            }
            drop(permit);
        });
    }

    /// Takes a slot for a connection, if necessary by evicting an idle connection.
    async fn slot(&self, from: IpAddr) -> Option<ConnectionSlot> {
        let share = match &self.addresses {
            Some(addresses) => Some(addresses.try_acquire(&address_group(from))?),
            None => None,
        };
        let permit = match self.slots.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) if !self.open_connections.evict_idle() => return None,
            Err(_) => {
                tokio::time::timeout(EVICTION_TIMEOUT, self.slots.clone().acquire_owned()).await.ok()?.ok()?
            }
        };
        Some(ConnectionSlot::new(permit, share, GaugeGuard::new(&self.metrics.connections)))
    }

    /// Waits until all connections have ended, except for those that were upgraded to WebSockets.
    pub(in crate::server) async fn wait(&self) {
        self.connections.close();
        self.connections.wait().await;
    }
}

/// Whether accepting failed because the client disconnected.
fn is_client_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
