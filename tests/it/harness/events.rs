//! A client that reads server-sent events.

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Client, TIMEOUT};

/// One event.
#[derive(Debug)]
pub(crate) struct SentEvent {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
    /// The data as it was sent, letter for letter.
    pub(crate) text: String,
}

/// A response that goes on.
pub(crate) struct EventStream {
    bytes: futures_util::stream::BoxStream<'static, reqwest::Result<Vec<u8>>>,
    unread: Vec<u8>,
    /// How many of the unread bytes are known to contain no end of an event.
    searched: usize,
}

impl EventStream {
    /// Starts an operation with POST, as graphql-sse does.
    pub(crate) async fn open(client: &Client, query: &str, variables: Value, last: Option<&str>) -> Self {
        Self::try_open(client, query, variables, last).await.unwrap()
    }

    /// The same where the server may be away.
    pub(crate) async fn try_open(
        client: &Client,
        query: &str,
        variables: Value,
        last: Option<&str>,
    ) -> reqwest::Result<Self> {
        let body = json!({ "query": query, "variables": variables });
        let mut request =
            client.request(Method::POST, "/graphql").header("accept", "text/event-stream").json(&body);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await?.error_for_status()?;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let bytes = response.bytes_stream().map(|chunk| chunk.map(|bytes| bytes.to_vec())).boxed();
        Ok(Self { bytes, unread: Vec::new(), searched: 0 })
    }

    /// The next event; `None` when the stream has ended, however that was.
    pub(crate) async fn next(&mut self) -> Option<SentEvent> {
        loop {
            let rest = &self.unread[self.searched..];
            if let Some(end) = rest.windows(2).position(|two| two == b"\n\n") {
                let end = self.searched + end;
                self.searched = 0;
                let block: Vec<u8> = self.unread.drain(..end + 2).collect();
                match parse(str::from_utf8(&block[..end]).unwrap()) {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            self.searched = self.unread.len().saturating_sub(1);
            let chunk = timeout(TIMEOUT, self.bytes.next()).await.expect("an event in time")?.ok()?;
            self.unread.extend(chunk);
        }
    }
}

/// `None` for a comment.
fn parse(block: &str) -> Option<SentEvent> {
    let (mut name, mut id, mut data) = (None, None, None);
    for line in block.lines() {
        match line.split_once(':').map(|(field, value)| (field, value.trim_start())) {
            Some(("event", value)) => name = Some(value.to_owned()),
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("data", value)) => data = Some(value.to_owned()),
            _ => {}
        }
    }
    let text = data.unwrap_or_default();
    Some(SentEvent { name: name?, id, data: serde_json::from_str(&text).unwrap_or_default(), text })
}
