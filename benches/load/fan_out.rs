//! Fan-out: one conversation with many subscribers.
//!
//! One client appends, each message as soon as the one before has its response, even if subscribers are
//! slower. They subscribe from a cursor before the first message. A subscriber that is dropped resumes, so no
//! message may be missing, duplicated or out of order in the end.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::deployment::Deployment;
use crate::http::Connection;
use crate::measurement::Measurement;
use crate::operation::Operation;
use crate::subscriber::{Subscriber, end};
use crate::test_data::{Conversation, create};

/// The longest wait for the next message.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The kinds of faults, in the order of [`Delivered::faults`].
pub(crate) const FAULTS: [&str; 4] = ["lost", "twice", "out of order", "resumed"];

/// The counts and times of deliveries.
pub(crate) struct Delivered {
    /// Latencies are counted from the time at which a message was sent.
    pub(crate) figures: Measurement,
    pub(crate) faults: [usize; 4],
}

/// The messages that a subscriber received, with their times, and its faults.
struct Received {
    times: Vec<(usize, Instant)>,
    twice: usize,
    disordered: usize,
    resumed: usize,
}

/// Creates a conversation with one message.
pub(crate) async fn conversation(deployment: &Deployment) -> Conversation {
    let address = deployment.address();
    let mut connection = Connection::open(address).await.expect("a connection");
    let token = deployment.tokens(1).remove(0);
    let id = create(&mut connection, address, &token, "Fan-out", 1).await;
    Conversation { id, token }
}

/// Appends messages to a conversation with one message and this number of subscribers, spread over the
/// servers.
pub(crate) async fn measure(
    deployment: &Deployment,
    conversation: &Conversation,
    subscribers: usize,
    appends: usize,
) -> Delivered {
    let address = deployment.address();
    let mut connection = Connection::open(address).await.expect("a connection");
    let cursor = end(&mut connection, address, conversation).await;
    let mut opened_subscribers = Vec::new();
    for at in deployment.addresses.iter().cycle().take(subscribers) {
        let opened = Subscriber::open(at, conversation.clone(), cursor.clone()).await;
        opened_subscribers.push(opened.expect("as many sockets as that (server.sockets_per_owner)"));
    }
    let before = deployment.cpu_usage();
    let mut running = JoinSet::new();
    for subscriber in opened_subscribers {
        running.spawn(receive(subscriber, appends));
    }
    let request = Operation::Append.request(address, conversation);
    let begun = Instant::now();
    let mut sent = Vec::with_capacity(appends);
    for _ in 0..appends {
        sent.push(Instant::now());
        let answer = connection.send(&request).await.expect("an answer");
        let text = || String::from_utf8_lossy(answer.body).into_owned();
        assert!(Operation::Append.succeeded(&answer), "{}: {}", answer.status, text());
    }
    let received = running.join_all().await;
    let after = deployment.cpu_usage();
    let all = received.iter().flat_map(|received| &received.times);
    let last = all.clone().map(|(_, at)| *at).max().unwrap_or(begun);
    let mut took: Vec<u32> =
        all.map(|(nth, at)| at.saturating_duration_since(sent[*nth]).as_micros() as u32).collect();
    let sum = |of: fn(&Received) -> usize| received.iter().map(of).sum();
    let faults = [
        subscribers * appends - took.len(),
        sum(|it| it.twice),
        sum(|it| it.disordered),
        sum(|it| it.resumed),
    ];
    let figures = Measurement::of(&mut took, (last - begun).as_secs_f64(), before, after);
    Delivered { figures, faults }
}

/// Receives until all messages arrived or none arrives any more.
async fn receive(mut subscriber: Subscriber, appends: usize) -> Received {
    let mut seen = vec![false; appends];
    let mut next = 0;
    let mut it = Received { times: Vec::with_capacity(appends), twice: 0, disordered: 0, resumed: 0 };
    while it.times.len() < appends {
        let Ok(position) = timeout(TIMEOUT, subscriber.next()).await else { break };
        let at = Instant::now();
        let Ok(position) = position else { break };
        // The conversation has one message at the start, at position 1.
        let nth = usize::try_from(position).unwrap() - 2;
        if std::mem::replace(&mut seen[nth], true) {
            it.twice += 1;
            continue;
        }
        it.disordered += usize::from(nth < next);
        next = next.max(nth + 1);
        it.times.push((nth, at));
    }
    it.resumed = subscriber.resumed;
    it
}
