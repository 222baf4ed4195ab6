//! Writers, followers and a reader, all at once.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::RngExt;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::deployment::{Addresses, Deployment, client};
use super::followers::{Ended, follow_account, follow_conversation};
use super::log::{self, Acknowledged, Entry, Log};
use crate::harness::APPEND;

const WRITERS: usize = 8;
const CONVERSATIONS: usize = 25;
const APPENDS_PER_WRITER: usize = 100;

/// A run may take no longer.
const LIMIT: Duration = Duration::from_secs(120);

/// How long a client waits before it tries again.
const BACKOFF: Duration = Duration::from_millis(20);

type Acknowledgements = Arc<Mutex<Vec<Acknowledged>>>;

/// A load that runs.
pub(super) struct Load {
    conversations: Vec<String>,
    acknowledgements: Acknowledgements,
    progress: watch::Receiver<usize>,
    writers: Vec<JoinHandle<()>>,
    reader: JoinHandle<usize>,
    followers: Vec<(String, JoinHandle<Vec<Entry>>)>,
    account_followers: Vec<JoinHandle<Vec<(String, String)>>>,
    ended: watch::Sender<Option<Ended>>,
}

impl Load {
    pub(super) async fn start(deployment: &Deployment) -> Self {
        let ada = deployment.client();
        let mut conversations = Vec::new();
        for _ in 0..CONVERSATIONS {
            let id = ada.retry(CREATE, json!({})).await;
            conversations.push(id["createConversation"]["conversation"]["id"].as_str().unwrap().to_owned());
        }
        let start = ada.retry("{ conversations { changeCursor } }", json!({})).await;
        let start = start["conversations"]["changeCursor"].clone();
        let (ended, ending) = watch::channel(None);
        let front = &deployment.front;
        let mut followers = Vec::new();
        // Most follow the busy conversation, half of them over each transport.
        for (number, at) in [0, 0, 0, 0, 1, 2, 3, 4].into_iter().enumerate() {
            let id = conversations[at].clone();
            let following = follow_conversation(front.clone(), id.clone(), number % 2 == 0, ending.clone());
            followers.push((id, tokio::spawn(following)));
        }
        let account_followers = [true, false]
            .map(|socket| tokio::spawn(follow_account(front.clone(), start.clone(), socket, ending.clone())));
        let acknowledgements = Acknowledgements::default();
        let (count, progress) = watch::channel(0);
        let writers = (0..WRITERS).map(|writer| {
            let writing =
                write(writer, front.clone(), conversations.clone(), acknowledgements.clone(), count.clone());
            tokio::spawn(writing)
        });
        let writers = writers.collect();
        let reader = tokio::spawn(read(front.clone(), conversations.clone(), progress.clone()));
        Self {
            conversations,
            acknowledgements,
            progress,
            writers,
            reader,
            followers,
            account_followers: account_followers.into(),
            ended,
        }
    }

    /// Waits until `part` of `whole` parts of all appends are acknowledged.
    pub(super) async fn progress(&self, part: usize, whole: usize) {
        let wanted = WRITERS * APPENDS_PER_WRITER * part / whole;
        let mut progress = self.progress.clone();
        timeout(LIMIT, progress.wait_for(|count| *count >= wanted)).await.expect("progress").unwrap();
    }

    /// Waits until everything is written and told, and checks it.
    pub(super) async fn finish(self, deployment: &Deployment) {
        for writer in self.writers {
            timeout(LIMIT, writer).await.expect("writers in time").unwrap();
        }
        let reads = timeout(LIMIT, self.reader).await.expect("the reader in time").unwrap();
        assert!(reads > 0);
        let mut log = Log::new();
        for conversation in &self.conversations {
            let entries = loop {
                if let Some(entries) = log::read(&deployment.client(), conversation).await {
                    break entries;
                }
                tokio::time::sleep(BACKOFF).await;
            };
            log.insert(conversation.clone(), entries);
        }
        log::check(&log, &self.acknowledgements.lock().unwrap());
        let lengths = log.iter().map(|(id, entries)| (id.clone(), entries.len())).collect();
        let total = log.values().map(|entries| entries.len() - 1).sum();
        self.ended.send_replace(Some(Ended { lengths, total }));
        for (conversation, follower) in self.followers {
            let received = timeout(LIMIT, follower).await.expect("followers in time").unwrap();
            assert_eq!(received, log[&conversation][1..], "a follower's list is the log after its cursor");
        }
        for follower in self.account_followers {
            let received = timeout(LIMIT, follower).await.expect("account followers in time").unwrap();
            assert_eq!(received.len(), total);
            for (conversation, entries) in &log {
                let told = received.iter().filter(|(of, _)| of == conversation).map(|(_, id)| id);
                let stored = entries[1..].iter().map(|entry| &entry.id);
                assert!(told.eq(stored), "the account's feed tells a conversation's messages in their order");
            }
        }
    }
}

const CREATE: &str = "mutation {
  createConversation(input: { messages: [{ role: SYSTEM, content: \"start\" }] }) { conversation { id } }
}";

async fn write(
    writer: usize,
    front: Addresses,
    conversations: Vec<String>,
    acknowledgements: Acknowledgements,
    count: watch::Sender<usize>,
) {
    let mut ada = client(&front);
    for number in 0..APPENDS_PER_WRITER {
        let busy = rand::rng().random_bool(0.5);
        let at = if busy { 0 } else { rand::rng().random_range(1..conversations.len()) };
        let conversation = conversations[at].clone();
        let (id, content) = (uuid::Uuid::new_v4().to_string(), format!("{writer} {number}"));
        let input = json!({ "conversationId": conversation, "id": id, "role": "USER", "content": content });
        let sent = Instant::now();
        let data: Value = loop {
            match ada.attempt(APPEND, json!({ "input": input })).await {
                Some(data) => break data,
                None => {
                    tokio::time::sleep(BACKOFF).await;
                    ada = client(&front);
                }
            }
        };
        let position = data["appendMessage"]["message"]["position"].as_i64().unwrap();
        let acknowledged = Instant::now();
        acknowledgements.lock().unwrap().push(Acknowledged {
            conversation,
            id,
            content,
            position,
            sent,
            acknowledged,
        });
        count.send_modify(|count| *count += 1);
    }
}

/// Reads whole conversations until everything is written. Gives how many it read.
async fn read(front: Addresses, conversations: Vec<String>, progress: watch::Receiver<usize>) -> usize {
    let mut reads = 0;
    loop {
        let over = *progress.borrow() == WRITERS * APPENDS_PER_WRITER;
        let at = rand::rng().random_range(0..conversations.len());
        if log::read(&client(&front), &conversations[at]).await.is_some() {
            reads += 1;
        }
        if over {
            return reads;
        }
        tokio::time::sleep(BACKOFF * 5).await;
    }
}
