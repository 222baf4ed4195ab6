//! A subscriber of a conversation over a WebSocket, which resumes when it is dropped.

use std::collections::VecDeque;
use std::io::{Error, Result};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::http::{Connection, post};
use crate::test_data::Conversation;

const FOLLOW: &str = "subscription($id: ID!, $after: String) {
  messageAdded(conversationId: $id, after: $after) { cursor node { position id role content } }
}";

const END: &str =
    "query($id: ID!) { conversation(id: $id) { messages(last: 1) { pageInfo { endCursor } } } }";

/// A subscription with its own WebSocket.
pub(crate) struct Subscriber {
    stream: WebSocketStream<TcpStream>,
    conversation: Conversation,
    /// The cursor of the last received message.
    pub(crate) cursor: String,
    /// Messages that were received in advance.
    early: VecDeque<String>,
    /// How often it was dropped and resumed.
    pub(crate) resumed: usize,
}

/// The cursor of a conversation's last message.
pub(crate) async fn end(connection: &mut Connection, address: &str, conversation: &Conversation) -> String {
    let request = post(address, &conversation.token, END, &json!({ "id": conversation.id }));
    let data = connection.data(&request).await;
    data["conversation"]["messages"]["pageInfo"]["endCursor"].as_str().expect("a cursor").to_owned()
}

impl Subscriber {
    /// Subscribes from a cursor. The subscription has started when this returns.
    pub(crate) async fn open(address: &str, conversation: Conversation, cursor: String) -> Result<Self> {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let mut request = format!("ws://{address}/graphql").into_client_request().map_err(Error::other)?;
        let protocol = HeaderValue::from_static("graphql-transport-ws");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let config = WebSocketConfig::default().read_buffer_size(16 * 1024);
        let (stream, _) = client_async_with_config(request, tcp, Some(config)).await.map_err(Error::other)?;
        let mut it = Self { stream, conversation, cursor, early: VecDeque::new(), resumed: 0 };
        let payload = json!({ "Authorization": format!("Bearer {}", it.conversation.token) });
        it.send(&json!({ "type": "connection_init", "payload": payload })).await?;
        it.receive().await?;
        it.subscribe().await?;
        // The server handles messages in order.
        it.send(&json!({ "type": "ping" })).await?;
        let mut early = VecDeque::new();
        loop {
            let text = it.receive().await?;
            if text.contains(r#""type":"pong""#) {
                it.early = early;
                return Ok(it);
            }
            early.push_back(text);
        }
    }

    /// The position of the next message.
    pub(crate) async fn next(&mut self) -> Result<u64> {
        loop {
            let text = self.receive().await?;
            // Fields are in the requested order, and a cursor contains no quotation mark.
            let cursor = after(&text, "\"cursor\":\"").and_then(|rest| rest.split('"').next());
            let position = after(&text, "\"position\":").and_then(number);
            if let (Some(cursor), Some(position)) = (cursor, position) {
                cursor.clone_into(&mut self.cursor);
                return Ok(position);
            }
            self.resume(&text).await?;
        }
    }

    /// Resumes if the server requests it.
    async fn resume(&mut self, text: &str) -> Result<()> {
        let message: Value = serde_json::from_str(text)?;
        match message["type"].as_str() {
            Some("ping") => self.send(&json!({ "type": "pong" })).await,
            Some("error") if message["payload"][0]["extensions"]["retryable"] == true => {
                self.resumed += 1;
                self.subscribe().await
            }
            _ => Err(Error::other(format!("the subscription ended: {message}"))),
        }
    }

    async fn subscribe(&mut self) -> Result<()> {
        let variables = json!({ "id": self.conversation.id, "after": self.cursor });
        let payload = json!({ "query": FOLLOW, "variables": variables });
        self.send(&json!({ "type": "subscribe", "id": "s", "payload": payload })).await
    }

    async fn send(&mut self, message: &Value) -> Result<()> {
        self.stream.send(Message::Text(message.to_string().into())).await.map_err(Error::other)
    }

    async fn receive(&mut self) -> Result<String> {
        if let Some(text) = self.early.pop_front() {
            return Ok(text);
        }
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(Message::Close(frame))) => {
                    return Err(Error::other(format!("the socket was closed: {frame:?}")));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(Error::other(error)),
                None => return Err(Error::other("the socket was cut")),
            }
        }
    }
}

fn after<'a>(text: &'a str, what: &str) -> Option<&'a str> {
    text.find(what).map(|at| &text[at + what.len()..])
}

fn number(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}
