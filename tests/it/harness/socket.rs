//! A client that speaks graphql-transport-ws, one message at a time.

use axum::body::Body;
use axum::http::{Method, Request};
use futures_util::{SinkExt, StreamExt};
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::TIMEOUT;

/// A socket to `/graphql`.
pub(crate) struct Socket<S = MaybeTlsStream<TcpStream>> {
    pub(crate) stream: WebSocketStream<S>,
}

/// How a socket was closed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) code: u16,
    pub(crate) reason: String,
}

impl Socket {
    pub(crate) async fn open(url: &str) -> Self {
        Self::open_with(url, &[("sec-websocket-protocol", "graphql-transport-ws")]).await
    }

    /// Opens a socket and introduces itself, where the server may be away.
    pub(crate) async fn try_open(url: &str, token: &str) -> Option<Self> {
        let mut request = format!("{}/graphql", url.replacen("http", "ws", 1)).into_client_request().ok()?;
        let protocol = HeaderValue::from_static("graphql-transport-ws");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let (stream, _) = connect_async(request).await.ok()?;
        let mut socket = Self { stream };
        let init =
            json!({ "type": "connection_init", "payload": { "Authorization": format!("Bearer {token}") } });
        socket.stream.send(Message::Text(init.to_string().into())).await.ok()?;
        socket.next().await.ok().filter(|message| message["type"] == "connection_ack")?;
        Some(socket)
    }

    /// Opens a socket with these headers.
    pub(crate) async fn open_with(url: &str, headers: &[(&'static str, &str)]) -> Self {
        let mut request = format!("{}/graphql", url.replacen("http", "ws", 1)).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let (stream, _) = connect_async(request).await.unwrap();
        Self { stream }
    }
}

impl Socket<TokioIo<Upgraded>> {
    /// Opens a socket over HTTP/2 (RFC 8441).
    pub(crate) async fn open_over_http2(url: &str) -> Self {
        let connection = TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap();
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(connection));
        let (mut sender, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        let request = Request::builder()
            .method(Method::CONNECT)
            .uri(format!("{url}/graphql"))
            .extension(Protocol::from_static("websocket"))
            .header("sec-websocket-version", "13")
            .header("sec-websocket-protocol", "graphql-transport-ws");
        let response = sender.send_request(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        let upgraded = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
        Self { stream: WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Sends `connection_init` with a token and waits for the acknowledgement.
    pub(crate) async fn introduce(&mut self, token: &str) {
        let payload = json!({ "Authorization": format!("Bearer {token}") });
        self.send(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(self.receive().await, json!({ "type": "connection_ack" }));
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.send_raw(Message::Text(message.to_string().into())).await;
    }

    pub(crate) async fn send_raw(&mut self, message: Message) {
        self.stream.send(message).await.unwrap();
    }

    /// Sends a message, where the server may have closed the socket.
    pub(crate) async fn try_send(&mut self, message: Value) -> Option<()> {
        self.stream.send(Message::Text(message.to_string().into())).await.ok()
    }

    /// Starts an operation.
    pub(crate) async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        self.try_subscribe(id, query, variables).await.unwrap();
    }

    /// Starts an operation, where the server may be away.
    pub(crate) async fn try_subscribe(&mut self, id: &str, query: &str, variables: Value) -> Option<()> {
        let payload = json!({ "query": query, "variables": variables });
        self.try_send(json!({ "type": "subscribe", "id": id, "payload": payload })).await
    }

    /// Waits until everything sent before has been taken: messages are taken in order.
    pub(crate) async fn settle(&mut self) {
        self.send(json!({ "type": "ping" })).await;
        assert_eq!(self.receive().await, json!({ "type": "pong" }));
    }

    /// The next message.
    pub(crate) async fn receive(&mut self) -> Value {
        match self.next().await {
            Ok(message) => message,
            Err(closed) => panic!("{closed:?}"),
        }
    }

    /// Waits for the close.
    pub(crate) async fn closed(&mut self) -> Closed {
        loop {
            if let Err(closed) = self.next().await {
                return closed;
            }
        }
    }

    /// The next message, or how the socket was closed.
    pub(crate) async fn next(&mut self) -> Result<Value, Closed> {
        Ok(serde_json::from_str(&self.next_text().await?).unwrap())
    }

    /// The same as it was sent, letter for letter.
    pub(crate) async fn next_text(&mut self) -> Result<String, Closed> {
        let abnormal = || Closed { code: 1006, reason: String::new() };
        loop {
            match timeout(TIMEOUT, self.stream.next()).await.expect("a message in time") {
                Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Err(Closed { code: frame.code.into(), reason: frame.reason.to_string() });
                }
                Some(Ok(Message::Close(None)) | Err(_)) | None => return Err(abnormal()),
                Some(Ok(_)) => {}
            }
        }
    }
}
