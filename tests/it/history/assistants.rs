//! Assistants: they stream answers, and finish them, are stopped, or go away in the middle.

use std::time::{Duration, Instant};

use rand::RngExt;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::deployment::{Addresses, client};
use super::load::BACKOFF;
use super::log::Acknowledged;
use super::subscribers::{FinalState, follow_text};
use super::texts::{Answer, ReceivedText};
use crate::harness::{APPEND, APPEND_TEXT, Client, FINISH};

/// Of each assistant, one after the other.
pub(super) const ANSWERS: usize = 5;
const PIECES: usize = 16;

const STOP: &str = "mutation($id: ID!) { stopMessage(input: { messageId: $id }) { message { id } } }";

/// A streaming message and its subscribers.
pub(super) struct Streamed {
    pub(super) appended: Acknowledged,
    pub(super) answer: Answer,
    pub(super) followers: Vec<JoinHandle<ReceivedText>>,
}

/// How a streaming message ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plan {
    Finished,
    /// Another device asks for it in the middle.
    Stopped,
    /// Its writer goes away in the middle.
    Left,
}

const PLANS: [Plan; 4] = [Plan::Finished, Plan::Stopped, Plan::Finished, Plan::Left];

/// Streams all answers of one assistant, each followed over both transports.
pub(super) async fn assist(
    assistant: usize,
    front: Addresses,
    conversations: Vec<String>,
    ending: watch::Receiver<Option<FinalState>>,
) -> Vec<Streamed> {
    let mut all = Vec::new();
    let mut writer = Writer { client: client(&front), front: front.clone() };
    for number in 0..ANSWERS {
        let busy = rand::rng().random_bool(0.5);
        let at = if busy { 0 } else { rand::rng().random_range(1..conversations.len()) };
        let appended = writer.begin(&conversations[at]).await;
        let follow =
            |socket| tokio::spawn(follow_text(front.clone(), appended.id.clone(), socket, ending.clone()));
        let followers = [true, false].map(follow).into();
        let answer = writer.write(appended.id.clone(), PLANS[(assistant + number) % PLANS.len()]).await;
        all.push(Streamed { appended, answer, followers });
    }
    all
}

struct Writer {
    front: Addresses,
    client: Client,
}

impl Writer {
    /// Retries until the result is known.
    async fn settle(&mut self, query: &str, variables: Value) -> Result<Value, Value> {
        loop {
            if let Some(outcome) = self.client.outcome(query, variables.clone()).await {
                return outcome;
            }
            tokio::time::sleep(BACKOFF).await;
            self.client = client(&self.front);
        }
    }

    async fn begin(&mut self, conversation: &str) -> Acknowledged {
        let id = uuid::Uuid::new_v4().to_string();
        let input =
            json!({ "conversationId": conversation, "id": id, "role": "ASSISTANT", "status": "STREAMING" });
        let sent = Instant::now();
        let data = self.settle(APPEND, json!({ "input": input })).await.unwrap();
        let position = data["appendMessage"]["message"]["position"].as_i64().unwrap();
        let conversation = conversation.to_owned();
        Acknowledged { conversation, id, content: None, position, sent, acknowledged: Instant::now() }
    }

    async fn write(&mut self, id: String, plan: Plan) -> Answer {
        let (acknowledged, unsure) = (String::new(), String::new());
        let mut answer = Answer { id, acknowledged, lengths: Vec::new(), unsure, ended: None };
        let middle = rand::rng().random_range(1..PIECES);
        let mut stop = None;
        for number in 0..PIECES {
            let piece = format!("{number}: é👍 ");
            match plan {
                Plan::Left if number == middle => {
                    self.leave(&mut answer, piece).await;
                    return answer;
                }
                Plan::Stopped if number == middle => {
                    let (front, id) = (self.front.clone(), answer.id.clone());
                    stop = Some(tokio::spawn(async move {
                        let mut other = Self { client: client(&front), front };
                        other.settle(STOP, json!({ "id": id })).await.unwrap();
                    }));
                }
                _ => {}
            }
            let asked = stop.as_ref().is_some_and(JoinHandle::is_finished);
            let Some(stop_requested) = self.add(&mut answer, piece).await else { return answer };
            assert!(stop_requested || !asked, "it was asked to stop, and is not told");
            if stop_requested {
                break;
            }
        }
        let mut status = "COMPLETE";
        if let Some(stop) = stop {
            stop.await.unwrap();
            let Some(stop_requested) = self.add(&mut answer, String::new()).await else { return answer };
            assert!(stop_requested, "it was asked to stop, and is not told");
            status = "INTERRUPTED";
        }
        match self.settle(FINISH, json!({ "id": answer.id, "status": status })).await {
            Ok(data) => {
                let message = &data["finishMessage"]["message"];
                assert_eq!(*message, json!({ "status": status, "content": answer.acknowledged }));
                answer.ended = Some(status);
            }
            Err(error) => lease_expired(&error),
        }
        answer
    }

    /// Adds a piece, and tells whether to stop. `None`: the answer was given up, for its writer seemed
    /// to be gone.
    async fn add(&mut self, answer: &mut Answer, piece: String) -> Option<bool> {
        let offset = answer.acknowledged.chars().count();
        match self.settle(APPEND_TEXT, json!({ "id": answer.id, "offset": offset, "text": piece })).await {
            Ok(data) => {
                let told = &data["appendMessageText"];
                acknowledge(answer, &piece, told);
                Some(told["stopRequested"].as_bool().unwrap())
            }
            Err(error) => {
                lease_expired(&error);
                answer.unsure = piece;
                None
            }
        }
    }

    /// Sends a piece, and is gone before it is answered. Mostly.
    async fn leave(&mut self, answer: &mut Answer, piece: String) {
        let offset = answer.acknowledged.chars().count();
        let variables = json!({ "id": answer.id, "offset": offset, "text": piece });
        let patience = Duration::from_millis(rand::rng().random_range(0..8));
        match timeout(patience, self.client.outcome(APPEND_TEXT, variables)).await {
            Ok(Some(Ok(data))) => acknowledge(answer, &piece, &data["appendMessageText"]),
            _ => answer.unsure = piece,
        }
        self.client = client(&self.front);
    }
}

fn acknowledge(answer: &mut Answer, piece: &str, told: &Value) {
    answer.acknowledged.push_str(piece);
    let length = answer.acknowledged.chars().count();
    assert_eq!(told["length"], length, "every piece is there, and nothing else");
    answer.lengths.push((Instant::now(), length));
}

/// A fault that is none of the server's: its lease was over.
fn lease_expired(error: &Value) {
    assert_eq!(error["message"], "the message is not being written any more", "{error}");
}
