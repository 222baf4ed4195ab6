//! Accepts connections.
//!
//! The number of connections is limited, in total and, if configured, for each address. An address beyond its limit
//! gets 503. If all slots are taken, the connection that has been without a request for longest is closed, so idle
//! connections keep nobody out. If none is idle, the new connection gets 503 at once: a load balancer then asks another
//! replica, and a client retries. The server reads and drops what such a client sends, so that it can read the
//! response. No fault of one connection ends the loop. Running out of file descriptors makes it wait, not spin.

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{self, Connections, Protocol};
use super::connection_slot::ConnectionSlot;
use crate::server::metrics::{GaugeGuard, Metrics};
use crate::server::quota::Quota;

/// How long to wait for open files, or whatever else is lacking.
const PAUSE: Duration = Duration::from_millis(200);

/// How long those who are sent away may take to be gone.
const LEAVING: Duration = Duration::from_millis(100);

/// Refused connections that may be open at once, until their clients have read the answer. More are closed
/// at once, and their clients may see a broken connection instead.
pub(in crate::server) const REFUSED: usize = 64;

/// How many connections there may be at once.
#[derive(Clone, Copy)]
pub(in crate::server) struct Bounds {
    pub(in crate::server) all: usize,
    /// From one address, if that matters.
    pub(in crate::server) of_address: Option<usize>,
}

/// Takes connections from one listener.
pub(in crate::server) struct Acceptor {
    protocol: Protocol,
    router: Router,
    slots: Arc<Semaphore>,
    addresses: Option<Arc<Quota<IpAddr>>>,
    metrics: Arc<Metrics>,
    inside: Arc<Connections>,
    refused: Arc<Semaphore>,
    connections: TaskTracker,
}

impl Acceptor {
    /// An acceptor that takes no more connections than that at once.
    pub(in crate::server) fn new(
        protocol: Protocol,
        router: Router,
        bounds: Bounds,
        metrics: &Arc<Metrics>,
    ) -> Self {
        Self {
            protocol,
            router,
            slots: Arc::new(Semaphore::new(bounds.all.min(Semaphore::MAX_PERMITS))),
            addresses: bounds.of_address.map(Quota::new),
            metrics: metrics.clone(),
            inside: Arc::default(),
            refused: Arc::new(Semaphore::new(REFUSED)),
            connections: TaskTracker::new(),
        }
    }

    /// Takes connections until the `closing` begins; those there are then finish what they have begun,
    /// unless they are `cut`.
    pub(in crate::server) async fn run(
        &self,
        listener: TcpListener,
        closing: &CancellationToken,
        cut: &CancellationToken,
    ) {
        let mut lacking = false;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = closing.cancelled() => return,
            };
            match accepted {
                Ok((stream, from)) => {
                    lacking = false;
                    self.take(stream, from.ip(), closing.clone(), cut.clone()).await;
                }
                Err(error) if is_theirs(&error) => {}
                Err(error) => {
                    if !lacking {
                        tracing::error!(%error, "cannot take connections for now");
                    }
                    lacking = true;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn take(
        &self,
        stream: TcpStream,
        from: IpAddr,
        closing: CancellationToken,
        cut: CancellationToken,
    ) {
        let Some(slot) = self.slot(from).await else {
            tracing::debug!(%from, "all places are taken");
            self.metrics.connections_refused.inc();
            self.refuse(stream, closing);
            return;
        };
        let (protocol, inside, router) = (self.protocol.clone(), self.inside.clone(), self.router.clone());
        self.connections.spawn(async move {
            protocol.serve(stream, slot, &inside, router, &closing, &cut).await;
        });
    }

    /// Answers a connection that there is no place for, and closes it.
    fn refuse(&self, stream: TcpStream, closing: CancellationToken) {
        let Ok(permit) = self.refused.clone().try_acquire_owned() else {
            return connection::refuse_at_once(&stream);
        };
        let protocol = self.protocol.clone();
        self.connections.spawn(async move {
            tokio::select! {
                () = protocol.refuse(stream) => {}
                () = closing.cancelled() => {}
            }
            drop(permit);
        });
    }

    /// A place for one more, if need be of somebody who does not use it.
    async fn slot(&self, from: IpAddr) -> Option<ConnectionSlot> {
        let share = match &self.addresses {
            Some(addresses) => Some(addresses.take(&network(from))?),
            None => None,
        };
        let permit = match self.slots.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) if !self.inside.make_room() => return None,
            Err(_) => tokio::time::timeout(LEAVING, self.slots.clone().acquire_owned()).await.ok()?.ok()?,
        };
        Some(ConnectionSlot::new(permit, share, GaugeGuard::new(&self.metrics.connections)))
    }

    /// Waits until all connections have ended, but for those that have become WebSockets.
    pub(in crate::server) async fn finished(&self) {
        self.connections.close();
        self.connections.wait().await;
    }
}

/// Whether it failed for the sake of the client: it was gone before it was taken.
fn is_theirs(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Whose connections are counted together: one host may have all of an IPv6 /64 to come from.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_counted_as_one() {
        for (one, other, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
            ("2001:db8::1", "2001:db8::ffff:0:0:2", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
        ] {
            let [one, other] = [one, other].map(|address| network(address.parse().unwrap()));
            assert_eq!(one == other, same, "{one} {other}");
        }
    }
}
