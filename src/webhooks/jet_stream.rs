//! Publishes events to NATS JetStream.
//!
//! A publication is a request to the subject: the stream that takes it answers. The id lets JetStream drop repeats within the
//! duplicate window of the stream. The feature `jetstream` of `async-nats` would add `time`, `tryhard` and `serde_nanos` for
//! this one request.
//!
//! <https://docs.nats.io/nats-concepts/jetstream/headers>

use std::time::Duration;

use async_nats::client::RequestErrorKind;
use async_nats::connection::State;
use async_nats::{Client, HeaderMap, Request};
use bytes::Bytes;
use serde::Deserialize;

use super::endpoint::JetStreamReceiver;
use crate::model::DeliveryFault;
use crate::signals::nats;

/// Publishes to the subjects of one stream.
pub(super) struct JetStream {
    client: Client,
    subject: String,
    timeout: Duration,
}

/// The answer of a stream.
#[derive(Deserialize)]
struct Acknowledgement {
    /// The stream that has the message.
    stream: Option<String>,
    error: Option<StreamError>,
}

#[derive(Deserialize)]
struct StreamError {
    code: u16,
}

impl JetStream {
    /// Connects in the background, and again when the connection is lost.
    ///
    /// # Errors
    /// The URL is not valid.
    pub(super) async fn new(receiver: JetStreamReceiver, timeout: Duration) -> anyhow::Result<Self> {
        let options = nats::connect_options(&receiver.url)?;
        let options = options.name("scrollback events").retry_on_initial_connect();
        let client = options.connect(receiver.url).await?;
        Ok(Self { client, subject: receiver.subject, timeout })
    }

    /// Publishes an event once.
    ///
    /// # Errors
    /// No stream acknowledged it in time.
    pub(super) async fn publish(&self, event: &str, id: &str, body: Bytes) -> Result<(), DeliveryFault> {
        // The client would keep it until it is connected again.
        if self.client.connection_state() != State::Connected {
            return Err(DeliveryFault::Connection);
        }
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", id);
        let request = Request::new().headers(headers).payload(body).timeout(Some(self.timeout));
        let answered = self.client.send_request(format!("{}.{event}", self.subject), request).await;
        let answer = answered.map_err(|error| match error.kind() {
            RequestErrorKind::TimedOut => DeliveryFault::Timeout,
            RequestErrorKind::NoResponders => DeliveryFault::NoStream,
            _ => DeliveryFault::Connection,
        })?;
        match serde_json::from_slice(&answer.payload) {
            Ok(Acknowledgement { error: Some(error), .. }) => Err(DeliveryFault::Status(error.code)),
            Ok(Acknowledgement { stream: Some(_), error: None }) => Ok(()),
            // Something else answers to the subject.
            _ => Err(DeliveryFault::NoStream),
        }
    }
}
