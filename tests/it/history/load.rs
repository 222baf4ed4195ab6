//! Writers, assistants, subscribers and a reader, all concurrent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::RngExt;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::assistants::{ANSWERS, Streamed, assist};
use super::deployment::{Addresses, Deployment, client};
use super::log::{self, Acknowledged, Entry, Log, Reading};
use super::subscribers::{AccountFeed, FinalState, follow_account, follow_conversation};
use super::texts::{self, Answer, ReceivedText, TextRead};
use crate::harness::APPEND;

const WRITERS: usize = 8;
const ASSISTANTS: usize = 4;
const CONVERSATIONS: usize = 25;
const APPENDS_PER_WRITER: usize = 100;

/// Each step of a run may take no longer, on a machine that does something else meanwhile, too.
const LIMIT: Duration = Duration::from_secs(240);

/// How long a client waits before it tries again.
pub(super) const BACKOFF: Duration = Duration::from_millis(20);

type Acknowledgements = Arc<Mutex<Vec<Acknowledged>>>;

/// A load that runs.
pub(super) struct Load {
    conversations: Vec<String>,
    acknowledgements: Acknowledgements,
    progress: watch::Receiver<usize>,
    writers: Vec<JoinHandle<()>>,
    assistants: Vec<JoinHandle<Vec<Streamed>>>,
    reader: JoinHandle<Vec<Reading>>,
    /// What was read elsewhere.
    readings: Vec<Reading>,
    followers: Vec<(String, JoinHandle<Vec<Entry>>)>,
    account_followers: Vec<JoinHandle<AccountFeed>>,
    ended: watch::Sender<Option<FinalState>>,
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
        let assistants = (0..ASSISTANTS)
            .map(|number| tokio::spawn(assist(number, front.clone(), conversations.clone(), ending.clone())));
        let assistants = assistants.collect();
        let reader = tokio::spawn(read(front.clone(), conversations.clone(), progress.clone()));
        Self {
            conversations,
            acknowledgements,
            progress,
            writers,
            assistants,
            reader,
            readings: Vec::new(),
            followers,
            account_followers: account_followers.into(),
            ended,
        }
    }

    /// The conversations.
    pub(super) fn conversations(&self) -> &[String] {
        &self.conversations
    }

    /// Adds what was read elsewhere, to be checked like other reads.
    pub(super) fn add_readings(&mut self, readings: Vec<Reading>) {
        self.readings.extend(readings);
    }

    /// Waits until `part` of `whole` parts of all appends are acknowledged.
    pub(super) async fn progress(&self, part: usize, whole: usize) {
        let wanted = WRITERS * APPENDS_PER_WRITER * part / whole;
        let mut progress = self.progress.clone();
        timeout(LIMIT, progress.wait_for(|count| *count >= wanted)).await.expect("progress").unwrap();
    }

    /// Waits until everything is written and delivered, and checks it.
    pub(super) async fn finish(self, deployment: &Deployment) {
        for writer in self.writers {
            timeout(LIMIT, writer).await.expect("writers in time").unwrap();
        }
        let (answers, appended) = collect_texts(self.assistants).await;
        assert_eq!(answers.len(), ASSISTANTS * ANSWERS);
        let mut readings = timeout(LIMIT, self.reader).await.expect("the reader in time").unwrap();
        assert!(!readings.is_empty());
        readings.extend(self.readings);
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
        let acknowledged = [self.acknowledgements.lock().unwrap().clone(), appended].concat();
        log::check(&log, &acknowledged);
        for Reading { conversation, began, entries } in &readings {
            let known = acknowledged.iter().filter(|ack| ack.conversation == *conversation);
            let before = known.filter(|ack| ack.acknowledged < *began).map(|ack| ack.position).max();
            assert!(
                before <= i64::try_from(entries.len()).ok(),
                "a read lacks what was acknowledged before it began"
            );
            assert!(entries.iter().zip(&log[conversation]).all(|(reads, stored)| reads.can_become(stored)));
        }
        check_texts(&answers, &log, &readings);
        let lengths = log.iter().map(|(id, entries)| (id.clone(), entries.len())).collect();
        let added: usize = log.values().map(|entries| entries.len() - 1).sum();
        self.ended.send_replace(Some(FinalState { lengths, changes: added + answers.len() }));
        for (conversation, follower) in self.followers {
            let received = timeout(LIMIT, follower).await.expect("followers in time").unwrap();
            let stored = &log[&conversation][1..];
            assert_eq!(received.len(), stored.len());
            let same = |(reads, stored): (&Entry, &Entry)| reads.can_become(stored);
            assert!(received.iter().zip(stored).all(same), "a follower's list is the log after its cursor");
        }
        for follower in self.account_followers {
            let told = timeout(LIMIT, follower).await.expect("account followers in time").unwrap();
            assert_eq!(told.added.len(), added);
            assert!(told.updated.iter().eq(answers.keys()), "answers end, and nothing else does");
            for (conversation, entries) in &log {
                let told = told.added.iter().filter(|(of, _)| of == conversation).map(|(_, id)| id);
                let stored = entries[1..].iter().map(|entry| &entry.id);
                assert!(told.eq(stored), "the account's feed tells a conversation's messages in their order");
            }
        }
    }
}

/// The streamed and the received texts of each message once all have ended, and the conversations of the
/// messages.
async fn collect_texts(
    assistants: Vec<JoinHandle<Vec<Streamed>>>,
) -> (BTreeMap<String, (Answer, Vec<ReceivedText>)>, Vec<Acknowledged>) {
    let (mut answers, mut appended) = (BTreeMap::new(), Vec::new());
    for assistant in assistants {
        for streamed in timeout(LIMIT, assistant).await.expect("assistants in time").unwrap() {
            let mut received = Vec::new();
            for follower in streamed.followers {
                received.push(timeout(LIMIT, follower).await.expect("an end of every text in time").unwrap());
            }
            answers.insert(streamed.answer.id.clone(), (streamed.answer, received));
            appended.push(streamed.appended);
        }
    }
    (answers, appended)
}

fn check_texts(answers: &BTreeMap<String, (Answer, Vec<ReceivedText>)>, log: &Log, readings: &[Reading]) {
    for (id, (answer, received)) in answers {
        let read = readings.iter().flat_map(|reading| {
            let entries = reading.entries.iter().filter(|entry| entry.id == *id);
            entries.map(|entry| TextRead { began: reading.began, text: entry.content.clone() })
        });
        let stored = log.values().flatten().find(|entry| entry.id == *id).expect("an answer");
        texts::check(answer, stored, received, &read.collect::<Vec<_>>()).unwrap();
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
            content: Some(content),
            position,
            sent,
            acknowledged,
        });
        count.send_modify(|count| *count += 1);
    }
}

/// Reads whole conversations until everything is written. Gives what it read.
async fn read(
    front: Addresses,
    conversations: Vec<String>,
    progress: watch::Receiver<usize>,
) -> Vec<Reading> {
    let mut readings = Vec::new();
    loop {
        let over = *progress.borrow() == WRITERS * APPENDS_PER_WRITER;
        let conversation = conversations[rand::rng().random_range(0..conversations.len())].clone();
        let began = Instant::now();
        if let Some(entries) = log::read(&client(&front), &conversation).await {
            readings.push(Reading { conversation, began, entries });
        }
        if over {
            return readings;
        }
        tokio::time::sleep(BACKOFF * 5).await;
    }
}
