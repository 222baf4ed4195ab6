//! Reading positions.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::{counts, create, read, titles};
use crate::harness::{Client, TestApp, import, on_each_database, with_row_level_security};

on_each_database!(
    messages_of_others_are_unread_until_they_are_read,
    positions_only_move_backward_if_asked,
    messages_of_every_branch_count,
    unread_counts_equal_a_naive_count,
    imported_messages_are_read,
);

with_row_level_security!(messages_of_others_are_unread_until_they_are_read);

pub(super) async fn mark_read(client: &Client, id: &str, position: i64, backward: bool) -> Value {
    let query = "mutation($input: MarkReadInput!) { markRead(input: $input) { conversation { readPosition unreadCount } } }";
    let input = json!({ "conversationId": id, "position": position, "backward": backward });
    client.data(query, json!({ "input": input })).await["markRead"]["conversation"].clone()
}

/// Appends a message of a role after the head, and gives its id.
async fn append(client: &Client, id: &str, role: &str) -> String {
    let query = "mutation($id: ID!, $role: Role!) { appendMessage(input: { conversationId: $id, role: $role, content: \"text\" }) { message { id } } }";
    let data = client.data(query, json!({ "id": id, "role": role })).await;
    data["appendMessage"]["message"]["id"].as_str().unwrap().to_owned()
}

async fn unread(client: &Client, id: &str) -> (i64, i64) {
    let found = read(client, id).await;
    (found["readPosition"].as_i64().unwrap(), found["unreadCount"].as_i64().unwrap())
}

async fn delete(client: &Client, message: &str) {
    let query = "mutation($id: ID!) { deleteMessage(input: { id: $id }) { message { id } } }";
    client.data(query, json!({ "id": message })).await;
}

async fn messages_of_others_are_unread_until_they_are_read(app: TestApp) {
    let (ada, phone) = (app.client("ada"), app.client("ada"));
    let id = create(&ada, "plans").await;
    assert_eq!(unread(&ada, &id).await, (0, 0));
    append(&ada, &id, "USER").await;
    assert_eq!(unread(&ada, &id).await, (1, 0), "the user's own message is not unread");
    append(&ada, &id, "ASSISTANT").await;
    append(&ada, &id, "TOOL").await;
    assert_eq!(unread(&ada, &id).await, (1, 2));
    assert_eq!(counts(&ada).await, (1, 1));
    assert_eq!(titles(&ada, json!({ "unread": true })).await, ["plans"]);
    assert_eq!(mark_read(&ada, &id, 2, false).await, json!({ "readPosition": 2, "unreadCount": 1 }));
    assert_eq!(unread(&phone, &id).await, (2, 1), "other devices see it");
    mark_read(&phone, &id, 3, false).await;
    assert_eq!(unread(&ada, &id).await, (3, 0));
    assert_eq!(counts(&ada).await, (1, 0));
    assert_eq!(titles(&ada, json!({ "unread": true })).await, Vec::<String>::new());
    let deleted = append(&ada, &id, "ASSISTANT").await;
    append(&ada, &id, "ASSISTANT").await;
    delete(&ada, &deleted).await;
    assert_eq!(unread(&ada, &id).await, (3, 1), "a deleted message is not unread");
    append(&ada, &id, "USER").await;
    assert_eq!(unread(&ada, &id).await, (6, 0), "who writes has read");
    // Several at once, and in a new conversation.
    let many = "mutation($id: ID!) { appendMessages(input: { conversationId: $id, messages: [
        { role: ASSISTANT, content: \"a\" }, { role: USER, content: \"b\" }, { role: ASSISTANT, content: \"c\" }] }) { messages { id } } }";
    ada.data(many, json!({ "id": id })).await;
    assert_eq!(unread(&ada, &id).await, (8, 1));
    let new = "mutation { createConversation(input: { messages: [{ role: SYSTEM, content: \"a\" }, { role: USER, content: \"b\" },
        { role: ASSISTANT, content: \"c\" }] }) { conversation { readPosition unreadCount } } }";
    let data = ada.data(new, json!({})).await;
    assert_eq!(data["createConversation"]["conversation"], json!({ "readPosition": 2, "unreadCount": 1 }));
}

async fn positions_only_move_backward_if_asked(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let id = create(&ada, "plans").await;
    for role in ["ASSISTANT", "USER", "ASSISTANT", "ASSISTANT"] {
        append(&ada, &id, role).await;
    }
    mark_read(&ada, &id, 4, false).await;
    assert_eq!(mark_read(&ada, &id, 1, false).await, json!({ "readPosition": 4, "unreadCount": 0 }));
    let back = json!({ "readPosition": 1, "unreadCount": 2 });
    assert_eq!(mark_read(&ada, &id, 1, true).await, back, "the user's own message does not become unread");
    assert_eq!(mark_read(&ada, &id, 0, true).await, json!({ "readPosition": 0, "unreadCount": 3 }));
    let query = "mutation($input: MarkReadInput!) { markRead(input: $input) { conversation { id } } }";
    for (position, got) in [(-1, "-1"), (5, "5")] {
        let input = json!({ "conversationId": id, "position": position });
        let (code, message) = ada.fault(query, json!({ "input": input })).await;
        assert_eq!(code, "BAD_USER_INPUT");
        let expected =
            format!("`input.position` must be 0 to 4, the position of the newest message, got {got}");
        assert_eq!(message, expected);
    }
    let input = json!({ "conversationId": id, "position": 4 });
    assert_eq!(bob.fault(query, json!({ "input": input })).await.0, "NOT_FOUND");
    assert_eq!(unread(&ada, &id).await, (0, 3));
}

async fn messages_of_every_branch_count(app: TestApp) {
    let ada = app.client("ada");
    let id = create(&ada, "plans").await;
    let question = append(&ada, &id, "USER").await;
    append(&ada, &id, "ASSISTANT").await;
    mark_read(&ada, &id, 2, false).await;
    // Two more answers to the question, on branches of their own.
    let query = "mutation($id: ID!, $parent: ID!) { appendMessage(input: { conversationId: $id, parentId: $parent, role: ASSISTANT, content: \"other\" }) { message { position } } }";
    for _ in 0..2 {
        ada.data(query, json!({ "id": id, "parent": question })).await;
    }
    assert_eq!(unread(&ada, &id).await, (2, 2), "both, although one branch is active");
    mark_read(&ada, &id, 3, false).await;
    assert_eq!(unread(&ada, &id).await, (3, 1));
    append(&ada, &id, "USER").await;
    assert_eq!(unread(&ada, &id).await, (5, 0), "who writes on one branch has read all of them");
}

#[derive(Debug, Clone)]
enum Step {
    Append(&'static str),
    Several(Vec<&'static str>),
    Branch(usize, &'static str),
    Delete(usize),
    MarkRead(usize, bool),
}

fn role() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("USER"), Just("ASSISTANT"), Just("ASSISTANT"), Just("TOOL"), Just("SYSTEM")]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => role().prop_map(Step::Append),
        1 => prop::collection::vec(role(), 1..4).prop_map(Step::Several),
        1 => (0..100_usize, role()).prop_map(|(parent, role)| Step::Branch(parent, role)),
        2 => (0..100_usize).prop_map(Step::Delete),
        2 => (0..100_usize, any::<bool>()).prop_map(|(position, backward)| Step::MarkRead(position, backward)),
    ]
}

/// What a reader would count.
#[derive(Default)]
struct Naive {
    /// The ids and roles, and whether they are deleted.
    messages: Vec<(String, &'static str, bool)>,
    read: usize,
}

impl Naive {
    fn add(&mut self, ids: &[Value], roles: &[&'static str]) {
        for (id, role) in ids.iter().zip(roles) {
            self.messages.push((id["id"].as_str().unwrap().to_owned(), role, false));
            if *role == "USER" {
                self.read = self.messages.len();
            }
        }
    }

    fn unread(&self) -> (i64, i64) {
        let after = &self.messages[self.read..];
        let unread = after.iter().filter(|(_, role, deleted)| *role != "USER" && !deleted).count();
        (self.read as i64, unread as i64)
    }
}

async fn unread_counts_equal_a_naive_count(app: TestApp) {
    let ada = app.client("ada");
    let mut runner = TestRunner::new(Config::default());
    for _ in 0..12 {
        let steps = prop::collection::vec(step(), 1..30).new_tree(&mut runner).unwrap().current();
        let id = create(&ada, "random").await;
        let mut naive = Naive::default();
        for step in &steps {
            take(&ada, &id, step, &mut naive).await;
            assert_eq!(unread(&ada, &id).await, naive.unread(), "{step:?} of {steps:?}");
        }
    }
}

async fn take(ada: &Client, id: &str, step: &Step, naive: &mut Naive) {
    let messages = |roles: &[&str]| -> Value {
        roles.iter().map(|role| json!({ "role": role, "content": "text" })).collect()
    };
    let many = "mutation($input: AppendMessagesInput!) { appendMessages(input: $input) { messages { id } } }";
    let length = naive.messages.len();
    match step {
        Step::Append(role) => {
            let message = append(ada, id, role).await;
            naive.add(&[json!({ "id": message })], &[role]);
        }
        Step::Several(roles) => {
            let input = json!({ "conversationId": id, "messages": messages(roles) });
            let data = ada.data(many, json!({ "input": input })).await;
            naive.add(data["appendMessages"]["messages"].as_array().unwrap(), roles);
        }
        Step::Branch(parent, role) if length > 0 => {
            let parent = &naive.messages[parent % length].0;
            let input = json!({ "conversationId": id, "parentId": parent, "messages": messages(&[role]) });
            let data = ada.data(many, json!({ "input": input })).await;
            naive.add(data["appendMessages"]["messages"].as_array().unwrap(), &[role]);
        }
        Step::Delete(message) if length > 0 => {
            let message = &mut naive.messages[message % length];
            delete(ada, &message.0).await;
            message.2 = true;
        }
        Step::MarkRead(position, backward) => {
            let position = position % (length + 1);
            mark_read(ada, id, position as i64, *backward).await;
            if *backward || position > naive.read {
                naive.read = position;
            }
        }
        Step::Branch(..) | Step::Delete(_) => {}
    }
}

async fn imported_messages_are_read(app: TestApp) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/openassistant.jsonl");
    let report = import(&app.store, "ada", &file).await;
    assert!(report.conversations > 0);
    let ada = app.client("ada");
    assert_eq!(counts(&ada).await, (report.conversations as i64, 0));
    assert_eq!(titles(&ada, json!({ "unread": true })).await, Vec::<String>::new());
}
