//! One connection: HTTP/1.1, or HTTP/2 for who begins with its preface.
//!
//! The server waits for a client only so long: for the head of a request, for another request, and for
//! the client to read. Slower clients are disconnected; of HTTP/2, only the answer that is not read. What a handler waits for (a body, the database, news
//! for a stream) is the handler's to bound. A connection that becomes a WebSocket leaves
//! all this behind.

mod activity;
mod answer;
mod content;
mod idle;
mod linger;
mod refusal;
mod request_body;
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
use activity::{Activity, Exchange, Overdue, Patience};
use answer::Answer;
pub(in crate::server) use idle::Connections;
use linger::LingerLimits;
pub(in crate::server) use refusal::refuse_at_once;
use request_body::RequestBody;
use transport::Transport;

/// Requests that an HTTP/2 connection may have open at once.
const STREAMS: u32 = 100;

/// Streams that a client may reset before the server has looked at them; more end the connection
/// (CVE-2023-44487, "rapid reset").
const RESETS: usize = 20;

/// A body that is left unread and larger than this ends its HTTP/1.1 connection. Of a smaller one the rest
/// may have come with the head, and the connection can go on.
const SMALL_BODY: u64 = 16 * 1024;

/// Keeps the connection of a request from being idle: found in the extensions of requests that came over
/// HTTP/2, where a socket is one of many things on its connection.
#[derive(Clone)]
pub(in crate::server) struct ConnectionGuard {
    _exchange: Arc<Exchange>,
}

/// The HTTP/1.1 connection of a request that asks for an upgrade: found in its extensions.
#[derive(Clone)]
pub(in crate::server) struct UpgradedConnection(Arc<Activity>);

impl UpgradedConnection {
    /// When the connection is dropped, lets the client read what was sent last, although it may still be
    /// sending itself.
    pub(in crate::server) fn linger(&self) {
        self.0.linger_when_dropped();
    }
}

/// How connections are spoken on and how long clients may take.
#[derive(Clone)]
pub(in crate::server) struct Protocol {
    builder: Builder<TokioExecutor>,
    patience: Patience,
    /// How long sent bytes may stay unacknowledged: the other side is gone, and says nothing.
    unacknowledged: Duration,
    linger: LingerLimits,
}

impl Protocol {
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
            .max_concurrent_streams(STREAMS)
            .max_pending_accept_reset_streams(RESETS)
            .max_header_list_size(u32::try_from(settings.header_limit).unwrap_or(u32::MAX))
            .keep_alive_interval(settings.ping_interval)
            .keep_alive_timeout(settings.dead_after.saturating_sub(settings.ping_interval));
        let patience = Patience {
            head: settings.header_timeout,
            idle: settings.keep_alive,
            unread: settings.write_timeout,
        };
        let linger = LingerLimits { bytes: settings.lingering_bytes, time: settings.lingering_time };
        let unacknowledged = settings.dead_after.max(settings.write_timeout);
        Self { builder, patience, unacknowledged, linger }
    }

    /// Serves a connection to its end. `closing` lets it finish what it has begun, `cut` does not.
    pub(in crate::server) async fn serve(
        &self,
        stream: TcpStream,
        slot: ConnectionSlot,
        among: &Connections,
        router: Router,
        closing: &CancellationToken,
        cut: &CancellationToken,
    ) {
        if let Err(error) = self.prepare(&stream) {
            tracing::debug!(%error, "a connection was gone at once");
            return;
        }
        let activity = Activity::new(self.patience);
        among.add(&activity);
        let transport = TokioIo::new(Transport::new(stream, activity.clone(), self.linger, slot));
        let requests = activity.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            let multiplexed = request.version() == Version::HTTP_2;
            let exchange = Arc::new(requests.begin(multiplexed));
            if multiplexed {
                request.extensions_mut().insert(ConnectionGuard { _exchange: exchange.clone() });
            } else if request.headers().contains_key(header::UPGRADE) {
                request.extensions_mut().insert(UpgradedConnection(requests.clone()));
            }
            let waits_to_send = request.headers().contains_key(header::EXPECT);
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
                if unread > SMALL_BODY || unread > 0 && waits_to_send {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response.map(|body| Answer::new(body, exchange)))
            }
        });
        let connection = pin!(self.builder.serve_connection_with_upgrades(transport, service));
        tokio::select! {
            () = attend(connection, &activity, closing) => {}
            () = cut.cancelled() => {}
        }
        activity.end();
    }

    fn prepare(&self, stream: &TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        #[cfg(target_os = "linux")]
        socket2::SockRef::from(stream).set_tcp_user_timeout(Some(self.unacknowledged))?;
        Ok(())
    }
}

/// A connection that can be told to take no more requests.
trait Connection: Future {
    fn finish(self: Pin<&mut Self>);
}

impl<I, S, E, B> Connection for hyper_util::server::conn::auto::UpgradeableConnection<'_, I, S, E>
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
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Drives a connection until it ends or its client has taken too long.
async fn attend<C: Connection>(
    mut connection: Pin<&mut C>,
    activity: &Arc<Activity>,
    closing: &CancellationToken,
) {
    let mut closed = pin!(closing.cancelled());
    // Once it has been told to take no more requests: until when it may close by itself.
    let mut finishing = None;
    // Rung early it is set again; so it need not be moved whenever something happens.
    let mut alarm = pin!(sleep_until(Instant::now()));
    poll_fn(|cx| {
        loop {
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            activity.register(cx.waker());
            if finishing.is_none() && closed.as_mut().poll(cx).is_ready() {
                finishing = Some(activity.farewell());
                connection.as_mut().finish();
                continue;
            }
            let Some((mut at, what)) = activity.overdue() else { return Poll::Pending };
            if what == Overdue::Request {
                at = finishing.unwrap_or(at);
            }
            if at > Instant::now() {
                if alarm.deadline() > at || alarm.is_elapsed() {
                    alarm.as_mut().reset(at);
                }
                if alarm.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
            } else if what == Overdue::Request && finishing.is_none() {
                // HTTP/2 says so, lest the client send a request meanwhile.
                finishing = Some(activity.farewell());
                connection.as_mut().finish();
            } else if what != Overdue::Reading || !activity.forget_unread() {
                tracing::debug!(?what, "a client took too long");
                return Poll::Ready(());
            }
        }
    })
    .await;
}
