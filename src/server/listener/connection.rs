//! A connection: HTTP/1.1, or HTTP/2 if the client sends its preface.
//!
//! There are timeouts for the head of a request, for the next request, and for the client to read. A slow
//! client is disconnected; on HTTP/2, only the stream that it does not read is closed. Handlers have their
//! own timeouts for what they wait for: a body, the database, events of a stream. A connection that is
//! upgraded to a WebSocket has its own timeouts too.

mod activity;
mod body_source;
mod linger;
mod open_connections;
mod over_limit;
mod request_body;
mod response_abort;
mod response_body;
mod transport;

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Version, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::address::{ClientAddress, address_group};
use super::connection_slot::ConnectionSlot;
use crate::server::settings::Settings;
use activity::{ClientTimeouts, ConnectionActivity, RequestExchange, TimeoutKind};
use linger::LingerLimits;
pub(in crate::server) use open_connections::OpenConnections;
pub(in crate::server) use over_limit::reject_immediately;
use request_body::RequestBody;
pub(in crate::server) use response_abort::ResponseAbortHandle;
use response_body::TrackedResponseBody;
use transport::Transport;

/// The most concurrent requests of an HTTP/2 connection.
const MAX_CONCURRENT_STREAMS: u32 = 100;

/// The most streams that a client may reset before the server has handled them. More close the connection
/// (CVE-2023-44487, "rapid reset").
const MAX_PENDING_RESETS: usize = 20;

/// An unread body larger than this closes its HTTP/1.1 connection. The rest of a smaller one may have arrived
/// already, so the connection is kept.
const KEEP_ALIVE_UNREAD_BYTES: u64 = 16 * 1024;

/// The paths of shares, whose requests are limited for each address.
const SHARED: &str = "/shared/";

/// Keeps a connection from being idle. It is in the extensions of HTTP/2 requests, where a WebSocket is one
/// of many streams of the connection.
#[derive(Clone)]
pub(in crate::server) struct ConnectionGuard {
    _exchange: Arc<RequestExchange>,
}

/// The HTTP/1.1 connection of a request for an upgrade. It is in the extensions of the request.
#[derive(Clone)]
pub(in crate::server) struct UpgradedConnection(Arc<ConnectionActivity>);

impl UpgradedConnection {
    /// Makes the connection linger when it is dropped, so that a client that is still sending can read the
    /// last message.
    pub(in crate::server) fn linger(&self) {
        self.0.linger_when_dropped();
    }
}

/// Serves connections with the configured protocols, limits and timeouts.
#[derive(Clone)]
pub(in crate::server) struct ConnectionServer {
    builder: Builder<TokioExecutor>,
    timeouts: ClientTimeouts,
    /// The time after which a connection is closed if sent bytes are not acknowledged.
    tcp_user_timeout: Duration,
    linger: LingerLimits,
}

impl ConnectionServer {
    pub(in crate::server) fn new(settings: &Settings) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        // hyper's header timeout is not used: it would include the time between requests.
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_buf_size(settings.header_limit);
        builder
            .http2()
            .timer(TokioTimer::new())
            // WebSockets over HTTP/2, RFC 8441.
            .enable_connect_protocol()
            .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
            .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
            .max_header_list_size(u32::try_from(settings.header_limit).unwrap_or(u32::MAX))
            .keep_alive_interval(settings.ping_interval)
            .keep_alive_timeout(settings.dead_after.saturating_sub(settings.ping_interval));
        let timeouts = ClientTimeouts {
            request_head: settings.header_timeout,
            idle: settings.keep_alive,
            write: settings.write_timeout,
        };
        let linger = LingerLimits { bytes: settings.lingering_bytes, time: settings.lingering_time };
        let tcp_user_timeout = settings.dead_after.max(settings.write_timeout);
        Self { builder, timeouts, tcp_user_timeout, linger }
    }

    /// Serves a connection until it ends. When `closing` is cancelled it finishes its requests, when `abort`
    /// is cancelled it ends at once.
    pub(in crate::server) async fn serve(
        &self,
        stream: TcpStream,
        slot: ConnectionSlot,
        open_connections: &OpenConnections,
        router: Router,
        closing: &CancellationToken,
        abort: &CancellationToken,
    ) {
        if let Err(error) = self.configure_socket(&stream) {
            tracing::debug!(%error, "a connection ended before it was served");
            return;
        }
        let address = stream.peer_addr().ok().map(|peer| ClientAddress(address_group(peer.ip())));
        let activity = ConnectionActivity::new(self.timeouts);
        open_connections.add(&activity);
        let transport = TokioIo::new(Transport::new(stream, activity.clone(), self.linger, slot));
        let requests = activity.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            let multiplexed = request.version() == Version::HTTP_2;
            let exchange = Arc::new(requests.request_started(multiplexed));
            if multiplexed {
                request.extensions_mut().insert(ConnectionGuard { _exchange: exchange.clone() });
            } else if request.headers().contains_key(header::UPGRADE) {
                request.extensions_mut().insert(UpgradedConnection(requests.clone()));
            }
            if let Some(address) = address.filter(|_| request.uri().path().starts_with(SHARED)) {
                request.extensions_mut().insert(address);
            }
            let expects_continue = request.headers().contains_key(header::EXPECT);
            let activity = requests.clone();
            let request = request.map(|body| {
                if multiplexed {
                    Body::new(body)
                } else {
                    Body::new(RequestBody::new(body, activity.clone()))
                }
            });
            let answered = router.clone().oneshot(request);
            async move {
                let mut response = answered.await?;
                // HTTP/2 resets only the stream, with NO_ERROR (RFC 9113, 8.1).
                let unread = if multiplexed { 0 } else { activity.unread() };
                if unread > KEEP_ALIVE_UNREAD_BYTES || unread > 0 && expects_continue {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                ResponseAbortHandle::connect(&mut response, &exchange);
                Ok::<_, Infallible>(response.map(|body| TrackedResponseBody::new(body, exchange)))
            }
        });
        let connection = pin!(self.builder.serve_connection_with_upgrades(transport, service));
        tokio::select! {
            () = drive(connection, &activity, closing) => {}
            () = abort.cancelled() => {}
        }
        activity.connection_closed();
    }

    fn configure_socket(&self, stream: &TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        #[cfg(target_os = "linux")]
        socket2::SockRef::from(stream).set_tcp_user_timeout(Some(self.tcp_user_timeout))?;
        Ok(())
    }
}

/// A connection with graceful shutdown.
trait GracefulConnection: Future {
    fn shut_down(self: Pin<&mut Self>);
}

impl<I, S, E, B> GracefulConnection for hyper_util::server::conn::auto::UpgradeableConnection<'_, I, S, E>
where
    Self: Future,
    S: hyper::service::Service<Request<Incoming>, Response = axum::http::Response<B>>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: 'static,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    E: hyper_util::server::conn::auto::HttpServerConnExec<S::Future, B>,
{
    fn shut_down(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Polls a connection until it ends or a timeout expires.
async fn drive<C: GracefulConnection>(
    mut connection: Pin<&mut C>,
    activity: &Arc<ConnectionActivity>,
    closing: &CancellationToken,
) {
    let mut closed = pin!(closing.cancelled());
    // The deadline of a graceful shutdown, once it has begun.
    let mut shutting_down = None;
    // If the timer fires early it is reset, so it need not be reset on every event.
    let mut timer = pin!(sleep_until(Instant::now()));
    poll_fn(|cx| {
        loop {
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            activity.register(cx.waker());
            if shutting_down.is_none() && closed.as_mut().poll(cx).is_ready() {
                shutting_down = Some(activity.close_deadline());
                connection.as_mut().shut_down();
                continue;
            }
            let Some((mut at, what)) = activity.next_timeout() else { return Poll::Pending };
            if what == TimeoutKind::Idle {
                at = shutting_down.unwrap_or(at);
            }
            if at > Instant::now() {
                if timer.deadline() > at || timer.is_elapsed() {
                    timer.as_mut().reset(at);
                }
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
            } else if what == TimeoutKind::Idle && shutting_down.is_none() {
                // HTTP/2 sends GOAWAY, so that the client does not send another request.
                shutting_down = Some(activity.close_deadline());
                connection.as_mut().shut_down();
            } else if what != TimeoutKind::Write || !activity.drop_unread_responses() {
                tracing::debug!(?what, "a client exceeded a timeout");
                return Poll::Ready(());
            }
        }
    })
    .await;
}
