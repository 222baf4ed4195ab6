//! Who goes on while the server has too much to do: a few readers, and followers that may miss nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::fill::Conversation;
use crate::follower::{Follower, end};
use crate::http::Connection;
use crate::operation::Operation;
use crate::tally::Shared;

const READERS: usize = 4;
const FOLLOWERS: usize = 8;

/// A reader's time between two histories.
const PAUSE: Duration = Duration::from_millis(50);

/// How long followers may take in the end to receive what is left.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts readers of any conversation. They end when the set is dropped.
pub(crate) async fn read(address: &str, conversations: &[Conversation], tally: &Shared) -> JoinSet<()> {
    let requests = conversations.iter().map(|conversation| Operation::History.request(address, conversation));
    let requests: Arc<[Vec<u8>]> = requests.collect();
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        let mut connection = Connection::open(address).await.expect("a connection");
        let (address, requests, tally) = (address.to_owned(), requests.clone(), tally.clone());
        readers.spawn(async move {
            loop {
                let request = &requests[rand::rng().random_range(0..requests.len())];
                let sent = Instant::now();
                match connection.ask(request).await {
                    Ok(answer) => tally.lock().unwrap().read(sent, Operation::History.succeeded(&answer)),
                    Err(error) => {
                        tally.lock().unwrap().cut(&error);
                        connection = Connection::open(&address).await.expect("a connection");
                    }
                }
                sleep(PAUSE).await;
            }
        });
    }
    readers
}

/// How far a follower is, and what went wrong on the way.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Followed {
    /// The last position it received.
    last: u64,
    pub(crate) missed: u64,
    pub(crate) twice: u64,
    /// How often it was let go or cut, and resumed.
    pub(crate) resumed: usize,
}

/// Followers of some conversations, by their numbers.
pub(crate) struct Followers {
    all: Vec<(usize, watch::Receiver<Followed>, JoinHandle<()>)>,
}

impl Followers {
    /// Starts following, from the only message that there is.
    pub(crate) async fn start(address: &str, conversations: &[Conversation]) -> Self {
        let mut connection = Connection::open(address).await.expect("a connection");
        let mut all = Vec::new();
        let apart = conversations.len().div_ceil(FOLLOWERS);
        for (number, conversation) in conversations.iter().enumerate().step_by(apart) {
            let cursor = end(&mut connection, address, conversation).await;
            let opened = Follower::open(address, conversation.clone(), cursor).await;
            let follower = opened.expect("a subscription");
            let (sender, receiver) = watch::channel(Followed { last: 1, ..Followed::default() });
            let task = tokio::spawn(follow(address.to_owned(), conversation.clone(), follower, sender));
            all.push((number, receiver, task));
        }
        Self { all }
    }

    /// Waits until each has received what is there, by numbers of conversations, and gives all together.
    pub(crate) async fn finish(self, last: &[u64]) -> Followed {
        let mut sum = Followed::default();
        for (number, mut receiver, task) in self.all {
            let last = last[number];
            // Who does not come to the end has missed what is left.
            let _ = timeout(PATIENCE, receiver.wait_for(|followed| followed.last >= last)).await;
            let followed = *receiver.borrow();
            sum.missed += followed.missed + last.saturating_sub(followed.last);
            sum.twice += followed.twice;
            sum.resumed += followed.resumed;
            task.abort();
        }
        sum
    }
}

async fn follow(
    address: String,
    conversation: Conversation,
    mut follower: Follower,
    sender: watch::Sender<Followed>,
) {
    let mut before = 0;
    loop {
        if let Ok(position) = follower.next().await {
            sender.send_modify(|it| {
                it.missed += position.saturating_sub(it.last + 1);
                it.twice += u64::from(position <= it.last);
                it.last = it.last.max(position);
                it.resumed = before + follower.resumed;
            });
            continue;
        }
        before += follower.resumed + 1;
        let cursor = follower.cursor.clone();
        follower = loop {
            match Follower::open(&address, conversation.clone(), cursor.clone()).await {
                Ok(again) => break again,
                Err(_) => sleep(PAUSE).await,
            }
        };
    }
}
