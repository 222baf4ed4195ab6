//! The progress of an import as server-sent events: `progress`, `rejected`, and at the end `report` or `error`.

use std::convert::Infallible;
use std::io;
use std::time::{Duration, Instant};

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::mpsc;

use super::body::{BodyFault, BodyReader};
use super::run::Run;
use crate::import::{ConversationReport, Observer, Outcome};

/// The least time between two events of progress.
const INTERVAL: Duration = Duration::from_millis(500);

/// Events that wait to be sent.
const WAITING: usize = 64;

/// How far the import is.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Progress {
    /// New and grown conversations.
    conversations: u64,
    /// New messages.
    messages: u64,
    /// Conversations that existed already.
    present: u64,
    /// Rejected conversations.
    rejected: u64,
}

/// Sends events while the import runs. It ends when the client has gone.
struct EventSender {
    events: mpsc::Sender<Event>,
    progress: Progress,
    last: Instant,
}

impl Observer for EventSender {
    fn conversation(&mut self, report: &ConversationReport) -> io::Result<()> {
        let Self { events, progress, last } = self;
        if events.is_closed() {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the client has gone"));
        }
        progress.messages += report.messages;
        match report.outcome {
            Outcome::Imported | Outcome::Grown => progress.conversations += 1,
            Outcome::Present => progress.present += 1,
            Outcome::Rejected => {
                progress.rejected += 1;
                // A client that reads slowly misses some. The report counts all.
                let _ = event("rejected", report).map(|event| events.try_send(event));
            }
        }
        if last.elapsed() >= INTERVAL {
            *last = Instant::now();
            let _ = event("progress", progress).map(|event| events.try_send(event));
        }
        Ok(())
    }
}

fn event(name: &str, data: &impl Serialize) -> Option<Event> {
    Event::default().event(name).json_data(data).ok()
}

/// Runs the import and sends its events. `permits` are kept until it ends.
pub(super) fn respond(
    run: Run,
    reader: BodyReader,
    fault: BodyFault,
    permits: impl Send + 'static,
) -> Response {
    let (events, receiver) = mpsc::channel(WAITING);
    let shared = run.shared.clone();
    let interval = shared.settings.ping_interval;
    shared.tasks.spawn(async move {
        let _permits = permits;
        let mut sender =
            EventSender { events: events.clone(), progress: Progress::default(), last: Instant::now() };
        let last = match run.to_end(reader, fault, &mut sender).await {
            Ok(report) => event("report", &report),
            Err(refusal) => Some(Event::default().event("error").data(refusal.into_json())),
        };
        if let Some(last) = last {
            // The send fails if the client has disconnected.
            let _ = events.send(last).await;
        }
    });
    let events = stream::unfold(receiver, async |mut receiver| {
        let event = receiver.recv().await?;
        Some((Ok::<_, Infallible>(event), receiver))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(interval)).into_response()
}
