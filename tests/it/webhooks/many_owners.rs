//! Many users, and two replicas of which one dies.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::json;

use super::receiver::{Answer, Receiver, without_repeats};
use crate::harness::{Client, Engine, Program, Running, TIMEOUT, TestApp, back_end_token};

const AT_ONCE: usize = 16;

fn back_end(server: &Running) -> Client {
    Client::new(&server.url, Some(back_end_token(Duration::from_secs(600))))
}

/// The conversation of a user.
pub(super) fn conversation(user: usize) -> String {
    uuid::Uuid::from_u128((0x0197_a1b2_c3d4_7e5f_8a6b << 48) + user as u128).to_string()
}

/// Writes two changes of each user. The id makes repeats harmless.
pub(super) async fn write(client: &Client, users: impl Iterator<Item = usize>) {
    let create = "mutation($input: CreateConversationInput!) { createConversation(input: $input) { conversation { id } } }";
    let written = stream::iter(users).map(|user| async move {
        let input = json!({ "id": conversation(user), "messages": [{ "role": "USER", "content": "hello" }] });
        let acting = client.acting_for(&format!("user {user}"));
        acting.retry(create, json!({ "input": input })).await;
    });
    written.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

/// Every user has all changes, each once and in order.
fn check(receiver: &Receiver, users: usize) {
    let accepted = receiver.accepted();
    assert_eq!(accepted.len(), users);
    for (owner, revisions) in accepted {
        assert_eq!(without_repeats(&revisions), [1, 2], "{owner}: {revisions:?}");
    }
}

async fn wait_for_all(receiver: &Receiver, users: usize) {
    // The deliveries are counted only when there are enough: 10,000 are looked at for each that arrives.
    receiver
        .wait(|found| {
            found.len() >= 2 * users && {
                let accepted = super::accepted(found);
                accepted.len() == users && accepted.values().all(|revisions| revisions.contains(&2))
            }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_10_000_users_is_lost_when_one_of_two_replicas_dies() {
    const USERS: usize = 10_000;
    let receiver = Receiver::start().await;
    let program = Program::over(Engine::Postgres).await;
    std::fs::write(program.folder().join("scrollback.toml"), receiver.config("")).unwrap();
    let one = program.serve(&["--config", "scrollback.toml"]).await;
    // The first server has the lease: it has delivered.
    write(&back_end(&one), 0..1).await;
    receiver.wait_for_revision(&["user 0"], 2).await;
    let two = program.serve(&["--config", "scrollback.toml"]).await;
    let [first, second] = [&one, &two].map(back_end);
    tokio::join!(write(&first, 0..USERS / 4), write(&second, USERS / 4..USERS / 2));
    receiver.wait(|found| found.len() > 500).await;
    one.kill().await;
    write(&second, USERS / 2..USERS).await;
    wait_for_all(&receiver, USERS).await;
    check(&receiver, USERS);
    let attempts = receiver.deliveries().len();
    assert!(attempts < 2 * USERS + 2000, "few are repeated: {attempts}");
}

/// The other replica goes on at once when the first one stops in order, and repeats nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_stops_hands_over() {
    let receiver = Receiver::start().await;
    let mut one = super::start(Engine::Postgres, &receiver, "").await;
    let ada = one.client("ada");
    let id = ada.new_conversation().await;
    receiver.wait_for_revision(&["ada"], 1).await;
    let two = one.replica().await;
    one.stop().await;
    let ada = two.client("ada");
    for _ in 0..5 {
        ada.append(&id, "hello").await;
    }
    receiver.wait_for_revision(&["ada"], 6).await;
    assert_eq!(receiver.accepted()["ada"], [1, 2, 3, 4, 5, 6]);
}

/// Changes that another replica commits are delivered by the one that has the lease, without waiting for a sweep.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_other_replicas_are_delivered() {
    let receiver = Receiver::start().await;
    let one = super::start(Engine::Postgres, &receiver, "").await;
    let two = one.replica().await;
    let (here, there) = (one.client("ada"), two.client("bob"));
    let ids = (here.new_conversation().await, there.new_conversation().await);
    for _ in 0..10 {
        here.append(&ids.0, "hello").await;
        there.append(&ids.1, "hello").await;
    }
    receiver.wait_for_revision(&["ada", "bob"], 11).await;
    for (owner, revisions) in receiver.accepted() {
        assert_eq!(revisions, Vec::from_iter(1..=11), "{owner}");
    }
}

/// While a receiver is down, one delivery at a time tries it. When it is back, everything is delivered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_down_is_tried_by_one_at_a_time() {
    const USERS: usize = 200;
    let receiver = Receiver::start().await;
    receiver.answers(|_| Answer::Status(503));
    let app: TestApp = super::start(Engine::Sqlite, &receiver, "concurrency = 8").await;
    write(&app.back_end(), 0..USERS).await;
    let tried = receiver.wait(|found| found.len() >= 9).await.len();
    assert!(tried < USERS, "not every user tries it: {tried}");
    receiver.answers(|_| Answer::Status(200));
    wait_for_all(&receiver, USERS).await;
    check(&receiver, USERS);
    assert!(receiver.most_at_once() <= 8, "{}", receiver.most_at_once());
}

/// A server that stands still and goes on later does not disturb the one that took over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_comes_back_after_another_took_over_writes_nothing() {
    let receiver = Receiver::start().await;
    let program = Program::over(Engine::Postgres).await;
    std::fs::write(program.folder().join("scrollback.toml"), receiver.config("")).unwrap();
    let one = program.serve(&["--config", "scrollback.toml"]).await;
    let id = one.client("ada").new_conversation().await;
    receiver.wait_for_revision(&["ada"], 1).await;
    let two = program.serve(&["--config", "scrollback.toml"]).await;
    // Not in the middle of a transaction, whose locks it would keep.
    let list = ["webhooks", "list", "--config", "scrollback.toml"];
    let stored = async { while !program.printed(&list).await.contains("users_behind=0") {} };
    tokio::time::timeout(TIMEOUT, stored).await.unwrap();
    one.signal("STOP").await;
    let ada = two.client("ada");
    for _ in 0..5 {
        ada.append(&id, "hello").await;
    }
    receiver.wait_for_revision(&["ada"], 6).await;
    one.signal("CONT").await;
    for client in [&one.client("ada"), &ada] {
        for _ in 0..5 {
            client.append(&id, "hello").await;
        }
    }
    receiver.wait_for_revision(&["ada"], 16).await;
    assert_eq!(receiver.accepted()["ada"], Vec::from_iter(1..=16));
}
