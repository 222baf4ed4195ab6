//! A minimal HTTP/1.1 client: it shares the machine with the measured server.
//!
//! One request at a time on each connection, as prepared bytes. Responses need a Content-Length.

use std::io::{Error, ErrorKind, Result};
use std::ops::Range;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A keep-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A response.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Connection {
    /// To `host:port`.
    pub(crate) async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends a request and reads its response.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (status, body) = loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if let Some(head) = head(&self.buffer)? {
                break head;
            }
        };
        self.buffer.reserve(body.end.saturating_sub(self.buffer.len()));
        while self.buffer.len() < body.end {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(Answer { status, body: &self.buffer[body] })
    }

    /// The data of an operation that must succeed.
    pub(crate) async fn data(&mut self, request: &[u8]) -> Value {
        let answer = self.send(request).await.expect("an answer");
        let mut body: Value = serde_json::from_slice(answer.body).expect("an answer in JSON");
        assert!(answer.status == 200 && body.get("errors").is_none(), "{}: {body}", answer.status);
        body["data"].take()
    }
}

/// The status and the range of the body, once the head is complete.
fn head(answer: &[u8]) -> Result<Option<(u16, Range<usize>)>> {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(None) };
    let head = str::from_utf8(&answer[..end]).map_err(Error::other)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let whole = |status, length| (status, end + 4..end + 4 + length);
    let found = status.zip(length).map(|(status, length)| whole(status, length));
    found.map(Some).ok_or_else(|| Error::other(format!("neither a status nor a length: {head}")))
}

/// A GraphQL operation as an HTTP request.
pub(crate) fn post(address: &str, token: &str, query: &str, variables: &Value) -> Vec<u8> {
    let body = serde_json::json!({ "query": query, "variables": variables }).to_string();
    format!(
        "POST /graphql HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
