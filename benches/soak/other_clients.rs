//! Readers and subscribers that run during the overload. Subscribers must not miss anything.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::http::Connection;
use crate::operation::Operation;
use crate::statistics::SharedStatistics;
use crate::subscriber::{Subscriber, end};
use crate::test_data::Conversation;

const READERS: usize = 4;
const FOLLOWERS: usize = 8;

/// The pause of a reader between two histories.
const PAUSE: Duration = Duration::from_millis(50);

/// The time for subscribers to receive the rest in the end.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Starts readers of random conversations. They stop when the set is dropped.
pub(crate) async fn read(
    address: &str,
    conversations: &[Conversation],
    statistics: &SharedStatistics,
) -> JoinSet<()> {
    let requests = conversations.iter().map(|conversation| Operation::History.request(address, conversation));
    let requests: Arc<[Vec<u8>]> = requests.collect();
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        let mut connection = Connection::open(address).await.expect("a connection");
        let (address, requests, statistics) = (address.to_owned(), requests.clone(), statistics.clone());
        readers.spawn(async move {
            loop {
                let request = &requests[rand::rng().random_range(0..requests.len())];
                let sent = Instant::now();
                match connection.send(request).await {
                    Ok(answer) => {
                        statistics.lock().unwrap().read(sent, Operation::History.succeeded(&answer));
                    }
                    Err(error) => {
                        statistics.lock().unwrap().disconnected(&error);
                        connection = Connection::open(&address).await.expect("a connection");
                    }
                }
                sleep(PAUSE).await;
            }
        });
    }
    readers
}

/// The progress of a subscriber, and its faults.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SubscriberReport {
    /// The last received position.
    last: u64,
    pub(crate) missed: u64,
    pub(crate) twice: u64,
    /// How often it was dropped or disconnected, and resumed.
    pub(crate) resumed: usize,
}

/// Subscribers of some conversations, by their numbers.
pub(crate) struct Subscribers {
    all: Vec<(usize, watch::Receiver<SubscriberReport>, JoinHandle<()>)>,
}

impl Subscribers {
    /// Subscribes from the first message.
    pub(crate) async fn start(address: &str, conversations: &[Conversation]) -> Self {
        let mut connection = Connection::open(address).await.expect("a connection");
        let mut all = Vec::new();
        let apart = conversations.len().div_ceil(FOLLOWERS);
        for (number, conversation) in conversations.iter().enumerate().step_by(apart) {
            let cursor = end(&mut connection, address, conversation).await;
            let opened = Subscriber::open(address, conversation.clone(), cursor).await;
            let subscriber = opened.expect("a subscription");
            let (sender, receiver) =
                watch::channel(SubscriberReport { last: 1, ..SubscriberReport::default() });
            let task =
                tokio::spawn(run_subscriber(address.to_owned(), conversation.clone(), subscriber, sender));
            all.push((number, receiver, task));
        }
        Self { all }
    }

    /// Waits until each subscriber has received everything, and adds up the reports.
    pub(crate) async fn finish(self, last: &[u64]) -> SubscriberReport {
        let mut sum = SubscriberReport::default();
        for (number, mut receiver, task) in self.all {
            let last = last[number];
            // A subscriber that does not finish has missed the rest.
            let _ = timeout(TIMEOUT, receiver.wait_for(|followed| followed.last >= last)).await;
            let followed = *receiver.borrow();
            sum.missed += followed.missed + last.saturating_sub(followed.last);
            sum.twice += followed.twice;
            sum.resumed += followed.resumed;
            task.abort();
        }
        sum
    }
}

async fn run_subscriber(
    address: String,
    conversation: Conversation,
    mut subscriber: Subscriber,
    sender: watch::Sender<SubscriberReport>,
) {
    let mut before = 0;
    loop {
        if let Ok(position) = subscriber.next().await {
            sender.send_modify(|it| {
                it.missed += position.saturating_sub(it.last + 1);
                it.twice += u64::from(position <= it.last);
                it.last = it.last.max(position);
                it.resumed = before + subscriber.resumed;
            });
            continue;
        }
        before += subscriber.resumed + 1;
        let cursor = subscriber.cursor.clone();
        subscriber = loop {
            match Subscriber::open(&address, conversation.clone(), cursor.clone()).await {
                Ok(again) => break again,
                Err(_) => sleep(PAUSE).await,
            }
        };
    }
}
