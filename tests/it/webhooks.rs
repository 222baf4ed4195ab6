//! Webhooks: every change of every user reaches the receiver, in order, whatever fails.

mod commands;
mod faults;
mod jetstream;
mod journey;
mod many_owners;
pub(crate) mod receiver;
mod security;
mod traces;

use std::collections::{BTreeMap, BTreeSet};

use scrollback::model::{OwnerId, OwnerPattern, WebhookSummary};
use serde_json::{Value, json};

use crate::harness::{Client, Engine, TIMEOUT, TestApp};
use receiver::{Answer, Delivery, Receiver, accepted};

/// Makes two tests of a function that starts its own server.
macro_rules! on_each_engine {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::harness::Engine;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(Engine::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(Engine::Postgres).await;
            }
        }
    )+};
}
use on_each_engine;

on_each_engine!(
    events_have_ids_and_kinds,
    events_have_content_if_wanted,
    only_wanted_events_of_wanted_owners_are_sent,
    a_new_webhook_begins_with_new_changes,
    an_erased_user_gets_no_more_deliveries,
);

/// The same behind row-level security of PostgreSQL.
mod with_row_level_security {
    use crate::harness::Engine;

    const ENGINE: Engine = Engine::PostgresWithRowLevelSecurity;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn events_have_content_if_wanted() {
        super::events_have_content_if_wanted(ENGINE).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_new_webhook_begins_with_new_changes() {
        super::a_new_webhook_begins_with_new_changes(ENGINE).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_erased_user_gets_no_more_deliveries() {
        super::an_erased_user_gets_no_more_deliveries(ENGINE).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn operators_list_resume_and_replay() {
        super::commands::operators_list_resume_and_replay(ENGINE).await;
    }
}

/// Waits until the server delivers for its webhook: then changes from now on reach the receiver.
async fn wait_until_registered(app: &TestApp) {
    let registered = async {
        while app.store.webhooks(&BTreeMap::new()).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(TIMEOUT, registered).await.unwrap();
}

/// What operators see of the webhook.
async fn summary(app: &TestApp) -> WebhookSummary {
    app.store.webhooks(&BTreeMap::new()).await.unwrap().remove(0)
}

/// A server with a webhook that is registered.
async fn start(engine: Engine, receiver: &Receiver, more: &str) -> TestApp {
    let app = TestApp::start_from(engine, &receiver.config(more), &[]).await;
    wait_until_registered(&app).await;
    app
}

async fn delete_message(client: &Client, id: &Value) {
    let delete = "mutation($id: ID!) { deleteMessage(input: { id: $id }) { message { id } } }";
    client.data(delete, json!({ "id": id })).await;
}

async fn delete_conversation(client: &Client, id: &str) {
    let delete = "mutation($id: ID!) { deleteConversation(input: { id: $id }) { deletedConversationId } }";
    client.data(delete, json!({ "id": id })).await;
}

fn types(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.body["type"].as_str().unwrap()).collect()
}

async fn events_have_ids_and_kinds(engine: Engine) {
    let receiver = Receiver::start().await;
    let app = start(engine, &receiver, "").await;
    let acting = app.back_end().acting_for("ada");
    let id = acting.new_conversation().await;
    let ada = app.client("ada");
    let message = ada.append(&id, "a secret text").await["id"].clone();
    delete_message(&ada, &message).await;
    delete_conversation(&ada, &id).await;
    let found = receiver.wait_for_revision(&["ada"], 4).await;
    let expected = ["conversation.created", "message.added", "message.deleted", "conversation.deleted"];
    assert_eq!(types(&found), expected);
    let query = "{ changes { nodes { __typename ... on MessageAdded { cursor changedAt } } } }";
    let nodes = ada.data(query, json!({})).await["changes"]["nodes"].clone();
    let added = &nodes[1];
    let data = json!({ "owner": "ada", "cursor": added["cursor"], "revision": 2, "conversationId": id, "messageId": message,
        "actor": null });
    assert_eq!(
        found[1].body,
        json!({ "type": "message.added", "timestamp": added["changedAt"], "data": data })
    );
    assert_eq!(found[0].body["data"]["actor"], "back end");
    assert_eq!(found[0].body["data"].get("messageId"), None);
    for delivery in &found {
        assert!(!delivery.text.contains("a secret text"));
        assert_eq!(delivery.headers["webhook-id"], delivery.body["data"]["cursor"].as_str().unwrap());
        assert_eq!(delivery.headers["content-type"], "application/json");
    }
    let ids: BTreeSet<_> = found
        .iter()
        .map(|delivery| delivery.headers["webhook-id"].clone().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), found.len());
}

async fn events_have_content_if_wanted(engine: Engine) {
    let receiver = Receiver::start().await;
    let app = start(engine, &receiver, "include_content = true").await;
    let ada = app.client("ada");
    // The first event waits until all is written, so that the others find what is there then.
    receiver.answers(|_| Answer::Status(503));
    let create = "mutation { createConversation(input: { title: \"Plans\" }) { conversation { id } } }";
    let id = ada.data(create, json!({})).await["createConversation"]["conversation"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    receiver.wait(|found| !found.is_empty()).await;
    let message = ada.append(&id, "hello").await;
    let deleted = ada.new_conversation().await;
    ada.append(&deleted, "gone").await;
    delete_conversation(&ada, &deleted).await;
    receiver.answers(|_| Answer::Status(200));
    let found = receiver.wait_for_revision(&["ada"], 5).await;
    let of = |revision: i64| {
        found.iter().rfind(|delivery| delivery.revision() == revision).unwrap().body["data"].clone()
    };
    assert_eq!(
        (&of(1)["conversation"]["id"], &of(1)["conversation"]["title"]),
        (&json!(id), &json!("Plans"))
    );
    let sent = &of(2)["message"];
    for name in ["id", "position", "role", "content", "metadata", "createdAt"] {
        assert_eq!(sent[name], message[name], "{name}");
    }
    assert_eq!(sent["status"], "COMPLETE");
    // What was deleted meanwhile is null.
    assert_eq!(of(3)["conversation"], Value::Null);
    assert!(of(3).as_object().unwrap().contains_key("conversation"));
    assert_eq!(of(4)["message"], Value::Null);
    assert!(!of(5).as_object().unwrap().contains_key("conversation"));
}

async fn only_wanted_events_of_wanted_owners_are_sent(engine: Engine) {
    let receiver = Receiver::start().await;
    let more = "events = [\"message.added\"]\nowners = [\"acme|*\", \"bob\"]";
    let app = start(engine, &receiver, more).await;
    for owner in ["acme|1", "ACME|1", "ada", "bob", "bobby"] {
        let client = app.client(owner);
        let id = client.new_conversation().await;
        client.append(&id, "hello").await;
        client.append(&id, "again").await;
    }
    let found = receiver.wait_for_revision(&["acme|1", "bob"], 3).await;
    let expected = [("acme|1", 2), ("acme|1", 3), ("bob", 2), ("bob", 3)];
    let mut sent: Vec<_> = found.iter().map(|delivery| (delivery.owner(), delivery.revision())).collect();
    sent.sort_unstable();
    assert_eq!(sent, expected);
    // Others do not count as behind.
    let owners = ["acme|*", "bob"].map(|pattern| OwnerPattern::parse(pattern).unwrap());
    let owners = BTreeMap::from([("hook".to_owned(), owners.to_vec())]);
    let stored = async {
        while app.store.webhooks(&owners).await.unwrap()[0].owners_behind > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(TIMEOUT, stored).await.unwrap();
}

/// There are more accounts than get their positions at once.
async fn a_new_webhook_begins_with_new_changes(engine: Engine) {
    const USERS: usize = 300;
    let mut before = TestApp::start(engine).await;
    many_owners::write(&before.back_end(), 0..USERS).await;
    before.stop().await;
    let receiver = Receiver::start().await;
    let url = before.config.database_url();
    let app = TestApp::start_from(engine, &receiver.config(""), &[("database.url", &url)]).await;
    wait_until_registered(&app).await;
    app.client("user 0").append(&many_owners::conversation(0), "new").await;
    app.client("eve").new_conversation().await;
    receiver.wait(|found| accepted(found).len() == 2).await;
    // Whether or not it has a position by now.
    app.client("user 299").append(&many_owners::conversation(299), "new").await;
    receiver.wait_for_revision(&["user 299"], 3).await;
    let expected = [("eve", vec![1]), ("user 0", vec![3]), ("user 299", vec![3])];
    assert_eq!(receiver.accepted(), expected.map(|(owner, all)| (owner.to_owned(), all)).into());
    // All others have positions at what is old for the webhook.
    let stored = async {
        while summary(&app).await.owners_behind > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(TIMEOUT, stored).await.expect("all accounts get positions");
    assert_eq!(receiver.accepted().len(), 3);
}

async fn an_erased_user_gets_no_more_deliveries(engine: Engine) {
    let receiver = Receiver::start().await;
    let app = start(engine, &receiver, "").await;
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    receiver.answers(|body| Answer::Status(if body["data"]["owner"] == "ada" { 500 } else { 200 }));
    let id = ada.new_conversation().await;
    receiver.wait(|found| !found.is_empty()).await;
    ada.append(&id, "never delivered").await;
    let owner = OwnerId::new("ada").unwrap();
    let receipt = app.store.erase(&owner).await.unwrap();
    assert_eq!(receipt.content.rows["webhook_position"], 1);
    assert_eq!(app.store.erasure_faults(&receipt, &owner).await.unwrap(), []);
    receiver.answers(|_| Answer::Status(200));
    let of_bob = bob.new_conversation().await;
    for _ in 0..20 {
        bob.append(&of_bob, "hello").await;
    }
    receiver.wait_for_revision(&["bob"], 21).await;
    assert_eq!(receiver.accepted().get("ada"), None, "nothing of ada was accepted before");
    assert_eq!(app.store.erasure_faults(&receipt, &owner).await.unwrap(), [], "nothing came back");
}
