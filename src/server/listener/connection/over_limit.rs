//! The response to connections over a limit: 503, in the protocol of the client.

use std::convert::Infallible;
use std::pin::pin;

use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::{ConnectionServer, linger};

/// The start of an HTTP/2 preface (RFC 9113, section 3.4), which no HTTP/1.1 request begins with.
const PREFACE: &[u8] = b"PRI";

const BODY: &str = r#"{"errors":[{"message":"the server has too many connections: retry later","extensions":{"code":"UNAVAILABLE","retryable":true}}]}"#;

/// The response for HTTP/1.1.
fn http1() -> String {
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
         content-type: application/json\r\ncache-control: no-store\r\ncontent-length: {}\r\n\r\n{BODY}",
        BODY.len()
    )
}

fn http2() -> Response<Body> {
    let mut response = Response::new(Body::from(BODY));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    for (name, value) in [
        (header::RETRY_AFTER, "1"),
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Responds without waiting for a request. The client may see a broken connection instead.
pub(in crate::server) fn reject_immediately(stream: &TcpStream) {
    // The response fits into an empty send buffer.
    let _ = stream.try_write(http1().as_bytes());
}

impl ConnectionServer {
    /// Responds once the client has started a request, because clients expect no response before, or after
    /// the lingering time.
    pub(in crate::server) async fn reject(&self, mut stream: TcpStream) {
        let mut first = [0; PREFACE.len()];
        let begun = timeout(self.linger.time, stream.peek(&mut first)).await;
        if matches!(begun, Ok(Ok(_))) && first == PREFACE {
            self.reject_http2(stream).await;
        } else if stream.write_all(http1().as_bytes()).await.is_ok() {
            linger::close(stream, self.linger).await;
        }
    }

    /// Responds to the first request, then shuts down.
    async fn reject_http2(&self, stream: TcpStream) {
        let answered = Notify::new();
        let service = service_fn(|_: Request<Incoming>| {
            answered.notify_one();
            async { Ok::<_, Infallible>(http2()) }
        });
        let serving = async {
            let mut connection = pin!(self.builder.serve_connection(TokioIo::new(stream), service));
            tokio::select! {
                _ = connection.as_mut() => return,
                () = answered.notified() => {}
            }
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        };
        let _ = timeout(self.linger.time, serving).await;
    }
}
