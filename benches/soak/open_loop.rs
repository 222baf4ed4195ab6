//! Open-loop load: appends are due at even times, independent of responses.
//!
//! Request `n` is due at `n / rate`, uses connection `n mod connections` and conversation `n mod
//! conversations`, and its message id contains `n`. A connection sends one request at a time; later ones
//! wait, and their latency includes the wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};
use uuid::Uuid;

use crate::http::{Connection, post};
use crate::it::harness::APPEND;
use crate::operation::Operation;
use crate::statistics::SharedStatistics;
use crate::test_data::{Conversation, TEXT};

/// The longest wait of a request before it is dropped.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);

/// The first half of every message id, a UUID of version 8.
const RUN: u64 = 0x736f_616b_0000_8000;
/// The variant bits of the second half.
const VARIANT: u64 = 1 << 63;

/// The id of a message from its number.
pub(crate) fn id(number: usize) -> Uuid {
    Uuid::from_u64_pair(RUN, VARIANT | number as u64)
}

/// The number of a message from its id.
pub(crate) fn number(id: &Uuid) -> Option<usize> {
    let (run, number) = id.as_u64_pair();
    (run == RUN).then_some((number & !VARIANT) as usize)
}

/// The load: its rate, target and duration.
pub(crate) struct OpenLoop {
    pub(crate) address: String,
    /// Appends per second.
    pub(crate) rate: f64,
    pub(crate) duration: Duration,
    pub(crate) connections: usize,
}

/// A request, and the offset of the message id in it.
struct Template {
    request: Vec<u8>,
    id: usize,
}

impl Template {
    fn new(address: &str, conversation: &Conversation) -> Self {
        let blank = Uuid::max().to_string();
        let input = json!({
            "conversationId": conversation.id, "id": blank, "role": "USER", "content": TEXT.repeat(7),
        });
        let request = post(address, &conversation.token, APPEND, &json!({ "input": input }));
        let id = request.windows(blank.len()).position(|bytes| bytes == blank.as_bytes());
        Self { request, id: id.expect("the id") }
    }
}

impl OpenLoop {
    /// Sends all requests and waits for the last response.
    pub(crate) async fn make(self, conversations: &[Conversation], statistics: &SharedStatistics) {
        let templates: Arc<[Template]> =
            conversations.iter().map(|conversation| Template::new(&self.address, conversation)).collect();
        let this = Arc::new(self);
        let begin = Instant::now();
        let mut running = JoinSet::new();
        for first in 0..this.connections {
            let line = ConnectionWorker {
                offer: this.clone(),
                templates: templates.clone(),
                statistics: statistics.clone(),
                begin,
            };
            running.spawn(line.run(first));
        }
        running.join_all().await;
    }
}

/// Sends the requests of one connection.
struct ConnectionWorker {
    offer: Arc<OpenLoop>,
    templates: Arc<[Template]>,
    statistics: SharedStatistics,
    begin: Instant,
}

impl ConnectionWorker {
    async fn run(self, first: usize) {
        // Connected with the first request, because the server closes idle connections.
        let mut connection = None;
        let mut request = Vec::new();
        for number in (first..).step_by(self.offer.connections) {
            let after = Duration::from_secs_f64(number as f64 / self.offer.rate);
            if after >= self.offer.duration {
                return;
            }
            let due = self.begin + after;
            if due > Instant::now() {
                sleep_until(due.into()).await;
            } else if due.elapsed() > TIMEOUT {
                self.statistics.lock().unwrap().unsent += 1;
                continue;
            }
            let template = &self.templates[number % self.templates.len()];
            request.clone_from(&template.request);
            id(number).hyphenated().encode_lower(&mut request[template.id..]);
            let mut ready = match connection.take() {
                Some(ready) => ready,
                None => self.connect().await,
            };
            let sent = Instant::now();
            let outcome = ready.send(&request).await;
            let statistics = || self.statistics.lock().unwrap();
            match outcome {
                Ok(answer) if Operation::Append.succeeded(&answer) => {
                    statistics().answered(number, due, sent);
                }
                Ok(answer) => statistics().rejected(due, sent, answer.body),
                Err(error) => {
                    statistics().disconnected(&error);
                    continue;
                }
            }
            connection = Some(ready);
        }
    }

    async fn connect(&self) -> Connection {
        loop {
            match Connection::open(&self.offer.address).await {
                Ok(connection) => return connection,
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }
}
