//! A receiver of webhooks that notes what it gets, and answers as the test wants.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use bytes::Bytes;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// The longest wait for deliveries: a lease that ran out, and the backoff after some failures.
const PATIENCE: Duration = Duration::from_secs(90);

/// The secret of webhooks in tests.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What the receiver does with a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Status(u16),
    Redirect,
    /// None at all.
    Never,
    Late(Duration),
}

/// A delivery that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
    pub(crate) answer: Answer,
}

impl Delivery {
    pub(crate) fn owner(&self) -> &str {
        self.body["data"]["owner"].as_str().unwrap()
    }

    pub(crate) fn revision(&self) -> i64 {
        self.body["data"]["revision"].as_i64().unwrap()
    }

    fn is_accepted(&self) -> bool {
        matches!(self.answer, Answer::Status(200..300) | Answer::Late(_))
    }
}

type Behaviour = Box<dyn FnMut(&Value) -> Answer + Send>;

struct Shared {
    deliveries: watch::Sender<Vec<Delivery>>,
    behaviour: Mutex<Behaviour>,
    /// How many deliveries run at once, now and at most.
    running: Mutex<(usize, usize)>,
}

/// It is gone when dropped.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl Receiver {
    /// Accepts everything.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            deliveries: watch::Sender::new(Vec::new()),
            behaviour: Mutex::new(Box::new(|_| Answer::Status(204))),
            running: Mutex::default(),
        });
        let router = axum::Router::new().route("/hook", post(receive)).with_state(shared.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { port, shared, task: serving.abort_handle() }
    }

    /// Answers like this from now on.
    pub(crate) fn answers(&self, behaviour: impl FnMut(&Value) -> Answer + Send + 'static) {
        *self.shared.behaviour.lock().unwrap() = Box::new(behaviour);
    }

    /// The configuration of a webhook for it, with more settings.
    pub(crate) fn config(&self, more: &str) -> String {
        format!(
            "[[webhooks]]\nname = \"hook\"\nurl = \"http://127.0.0.1:{}/hook\"\nsecret = \"{SECRET}\"\nallow_http = true\n\
             allow_private_addresses = true\n{more}\n",
            self.port
        )
    }

    /// What has arrived so far.
    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.shared.deliveries.borrow().clone()
    }

    /// The most deliveries that ran at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.shared.running.lock().unwrap().1
    }

    /// Waits until what has arrived is enough.
    pub(crate) async fn wait(&self, mut is_enough: impl FnMut(&[Delivery]) -> bool) -> Vec<Delivery> {
        let mut arrived = self.shared.deliveries.subscribe();
        let found = timeout(PATIENCE, arrived.wait_for(|deliveries| is_enough(deliveries))).await;
        let found = found.map(|found| found.unwrap().clone());
        found.unwrap_or_else(|_| panic!("not in time: {:?}", self.accepted()))
    }

    /// Waits until all changes of these owners up to a revision were accepted.
    pub(crate) async fn wait_for_revision(&self, owners: &[&str], revision: i64) -> Vec<Delivery> {
        self.wait(|deliveries| {
            let accepted = accepted(deliveries);
            owners.iter().all(|owner| accepted.get(*owner).is_some_and(|all| all.contains(&revision)))
        })
        .await
    }

    /// The revisions that were accepted, of each owner in the order of arrival.
    pub(crate) fn accepted(&self) -> BTreeMap<String, Vec<i64>> {
        accepted(&self.shared.deliveries.borrow())
    }
}

pub(crate) fn accepted(deliveries: &[Delivery]) -> BTreeMap<String, Vec<i64>> {
    let mut accepted: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for delivery in deliveries.iter().filter(|delivery| delivery.is_accepted()) {
        accepted.entry(delivery.owner().to_owned()).or_default().push(delivery.revision());
    }
    accepted
}

/// What is left when the receiver drops repeats: the changes of each owner, each once and in order.
pub(crate) fn without_repeats(revisions: &[i64]) -> Vec<i64> {
    let mut kept: Vec<i64> = Vec::new();
    for revision in revisions {
        if kept.last().is_none_or(|last| last < revision) {
            kept.push(*revision);
        }
    }
    kept
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, bytes: Bytes) -> Response {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let body: Value = serde_json::from_str(&text).unwrap();
    let answer = (shared.behaviour.lock().unwrap())(&body);
    let _running = Running::begin(shared.clone());
    shared.deliveries.send_modify(|all| all.push(Delivery { headers, text, body, answer }));
    match answer {
        Answer::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Answer::Redirect => Redirect::temporary("/hook").into_response(),
        Answer::Never => std::future::pending().await,
        Answer::Late(by) => {
            tokio::time::sleep(by).await;
            StatusCode::OK.into_response()
        }
    }
}

/// Counts a delivery until it is dropped.
struct Running(Arc<Shared>);

impl Running {
    fn begin(shared: Arc<Shared>) -> Self {
        let mut running = shared.running.lock().unwrap();
        running.0 += 1;
        running.1 = running.1.max(running.0);
        drop(running);
        Self(shared)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.lock().unwrap().0 -= 1;
    }
}
