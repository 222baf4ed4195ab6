//! One connection: HTTP/1.1, or HTTP/2 for who begins with its preface.
//!
//! The server waits for a client only so long: for the head of a request, for another request, and for
//! the client to read. Slower clients are disconnected; of HTTP/2, only the answer that is not read. What a handler waits for (a body, the database, news
//! for a stream) is the handler's to bound. A connection that becomes a WebSocket leaves
//! all this behind.

mod activity;
mod body_source;
mod linger;
mod open_connections;
mod over_limit;
mod request_body;
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

use super::connection_slot::ConnectionSlot;
use crate::server::settings::Settings;
use activity::{ClientTimeouts, ConnectionActivity, RequestExchange, TimeoutKind};
use linger::LingerLimits;
pub(in crate::server) use open_connections::OpenConnections;
pub(in crate::server) use over_limit::reject_immediately;
use request_body::RequestBody;
use response_body::TrackedResponseBody;
use transport::Transport;

/// Requests that an HTTP/2 connection may have open at once.
const MAX_CONCURRENT_STREAMS: u32 = 100;

/// Streams that a client may reset before the server has looked at them; more end the connection
/// (CVE-2023-44487, "rapid reset").
const MAX_PENDING_RESETS: usize = 20;

/// A body that is left unread and larger than this ends its HTTP/1.1 connection. Of a smaller one the rest
/// may have come with the head, and the connection can go on.
const KEEP_ALIVE_UNREAD_BYTES: u64 = 16 * 1024;

/// Keeps the connection of a request from being idle: found in the extensions of requests that came over
/// HTTP/2, where a socket is one of many things on its connection.
#[derive(Clone)]
pub(in crate::server) struct ConnectionGuard {
    _exchange: Arc<RequestExchange>,
}

/// The HTTP/1.1 connection of a request that asks for an upgrade: found in its extensions.
#[derive(Clone)]
pub(in crate::server) struct UpgradedConnection(Arc<ConnectionActivity>);

impl UpgradedConnection {
    /// When the connection is dropped, lets the client read what was sent last, although it may still be
    /// sending itself.
    pub(in crate::server) fn linger(&self) {
        self.0.linger_when_dropped();
    }
}

/// How connections are spoken on and how long clients may take.
#[derive(Clone)]
pub(in crate::server) struct ConnectionServer {
    builder: Builder<TokioExecutor>,
    timeouts: ClientTimeouts,
    /// How long sent bytes may stay tcp_user_timeout: the other side is gone, and says nothing.
    tcp_user_timeout: Duration,
    linger: LingerLimits,
}

impl ConnectionServer {
    pub(in crate::server) fn new(settings: &Settings) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        // No timeout of hyper's for heads: it would count the time between requests, too.
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

    /// Serves a connection to its end. `closing` lets it finish what it has begun, `abort` does not.
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
            tracing::debug!(%error, "a connection was gone at once");
            return;
        }
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
                // HTTP/2 resets the one stream with NO_ERROR (RFC 9113, 8.1), and the connection goes on.
                let unread = if multiplexed { 0 } else { activity.unread() };
                if unread > KEEP_ALIVE_UNREAD_BYTES || unread > 0 && expects_continue {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
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

/// A connection that can be told to take no more requests.
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

/// Drives a connection until it ends or its client has taken too long.
async fn drive<C: GracefulConnection>(
    mut connection: Pin<&mut C>,
    activity: &Arc<ConnectionActivity>,
    closing: &CancellationToken,
) {
    let mut closed = pin!(closing.cancelled());
    // Once it has been told to take no more requests: until when it may close by itself.
    let mut shutting_down = None;
    // Rung early it is set again; so it need not be moved whenever something happens.
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
                // HTTP/2 says so, lest the client send a request meanwhile.
                shutting_down = Some(activity.close_deadline());
                connection.as_mut().shut_down();
            } else if what != TimeoutKind::Write || !activity.drop_unread_responses() {
                tracing::debug!(?what, "a client took too long");
                return Poll::Ready(());
            }
        }
    })
    .await;
}
