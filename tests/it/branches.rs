//! Branches: forks, paths, siblings, switching; and edits, which fork nothing.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::harness::{APPEND, Client, Engine, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    a_message_after_an_older_one_starts_a_branch,
    an_append_with_a_stale_head_changes_nothing,
    a_batch_of_messages_is_appended_atomically_and_once,
    edits_and_deletions_are_changes_and_keep_the_position,
    paths_page_forwards_and_backwards,
);

with_row_level_security!(
    a_message_after_an_older_one_starts_a_branch,
    edits_and_deletions_are_changes_and_keep_the_position,
    paths_page_forwards_and_backwards,
);

pub(crate) const TREE: &str = "query Tree($id: ID!, $leafId: ID) {
  conversation(id: $id) {
    messageCount head { id }
    messages(first: 100, leafId: $leafId) { nodes { id content parent { id } siblings { id } } }
  }
}";

const SWITCH: &str = "mutation($input: SwitchBranchInput!) {
  switchBranch(input: $input) { conversation { head { id } messages(last: 100) { nodes { content } } } }
}";

async fn append_after(ada: &Client, id: &str, parent: Option<&Value>, content: &str) -> Value {
    let mut input = json!({ "conversationId": id, "role": "USER", "content": content });
    if let Some(parent) = parent {
        input["parentId"] = parent.clone();
    }
    ada.data(APPEND, json!({ "input": input })).await["appendMessage"]["message"]["id"].clone()
}

async fn contents(ada: &Client, id: &str, leaf: Option<&Value>) -> Vec<String> {
    let data = ada.data(TREE, json!({ "id": id, "leafId": leaf })).await;
    let nodes = data["conversation"]["messages"]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["content"].as_str().unwrap().to_owned()).collect()
}

async fn a_message_after_an_older_one_starts_a_branch(app: TestApp) {
    let ada = app.client("ada");
    let id = &ada.new_conversation().await;
    let question = append_after(&ada, id, None, "question").await;
    let answer = append_after(&ada, id, None, "answer").await;
    let thanks = append_after(&ada, id, Some(&answer), "thanks").await;
    assert_eq!(contents(&ada, id, None).await, ["question", "answer", "thanks"]);
    // Regenerated: another answer to the same question. It is the head now.
    let again = append_after(&ada, id, Some(&question), "another answer").await;
    assert_eq!(contents(&ada, id, None).await, ["question", "another answer"]);
    let more = append_after(&ada, id, None, "more").await;
    assert_eq!(contents(&ada, id, None).await, ["question", "another answer", "more"]);
    assert_eq!(contents(&ada, id, Some(&thanks)).await, ["question", "answer", "thanks"]);
    let data = ada.data(TREE, json!({ "id": id })).await;
    assert_eq!(
        (&data["conversation"]["messageCount"], &data["conversation"]["head"]["id"]),
        (&json!(5), &more)
    );
    let nodes = data["conversation"]["messages"]["nodes"].as_array().unwrap();
    assert_eq!(nodes[0]["parent"], Value::Null);
    assert_eq!(nodes[0]["siblings"], json!([{ "id": question }]));
    assert_eq!(nodes[1]["parent"], json!({ "id": question }));
    assert_eq!(nodes[1]["siblings"], json!([{ "id": answer }, { "id": again }]));
    // Back to the first answer, and on from there.
    let input = json!({ "conversationId": id, "leafId": thanks });
    let data = ada.data(SWITCH, json!({ "input": input })).await;
    assert_eq!(data["switchBranch"]["conversation"]["head"]["id"], thanks);
    append_after(&ada, id, None, "welcome").await;
    assert_eq!(contents(&ada, id, None).await, ["question", "answer", "thanks", "welcome"]);
    assert_eq!(contents(&ada, id, Some(&more)).await, ["question", "another answer", "more"]);
    // A message of another conversation is no parent and no leaf here.
    let other = ada.new_conversation().await;
    let foreign = append_after(&ada, &other, None, "elsewhere").await;
    let input = json!({ "conversationId": id, "role": "USER", "content": "x", "parentId": foreign });
    assert_eq!(
        ada.fault(APPEND, json!({ "input": input })).await,
        ("NOT_FOUND".into(), "no such message".into())
    );
    let input = json!({ "conversationId": id, "leafId": foreign });
    assert_eq!(ada.fault(SWITCH, json!({ "input": input })).await.0, "NOT_FOUND");
    assert_eq!(ada.fault(TREE, json!({ "id": id, "leafId": foreign })).await.0, "NOT_FOUND");
}

async fn an_append_with_a_stale_head_changes_nothing(app: TestApp) {
    let ada = app.client("ada");
    let id = &ada.new_conversation().await;
    let first = append_after(&ada, id, None, "first").await;
    let second = append_after(&ada, id, None, "second").await;
    let input = |expected: &Value| json!({ "input": { "conversationId": id, "role": "USER", "content": "x", "expectedHeadId": expected } });
    let refused = ada.run(APPEND, input(&first)).await.body["errors"][0].clone();
    assert_eq!(refused["extensions"], json!({ "code": "CONFLICT", "headId": second }));
    assert_eq!(contents(&ada, id, None).await, ["first", "second"], "nothing was written");
    ada.data(APPEND, input(&second)).await;
    // After a switch the head is another, and so is what is expected.
    ada.data(SWITCH, json!({ "input": { "conversationId": id, "leafId": first } })).await;
    let refused = ada.run(APPEND, input(&second)).await.body["errors"][0].clone();
    assert_eq!(refused["extensions"]["headId"], first);
    ada.data(APPEND, input(&first)).await;
    assert_eq!(contents(&ada, id, None).await, ["first", "x"]);
}

async fn a_batch_of_messages_is_appended_atomically_and_once(app: TestApp) {
    let ada = app.client("ada");
    let id = &ada.new_conversation().await;
    let turn = "mutation($input: AppendMessagesInput!) { appendMessages(input: $input) { messages { id position content } } }";
    let ids = ["0197a1b2-0000-7000-8000-00000000000a", "0197a1b2-0000-7000-8000-00000000000b"];
    let message = |id: &str, content: &str| json!({ "id": id, "role": "USER", "content": content });
    let input = json!({ "conversationId": id, "messages": [message(ids[0], "a"), message(ids[1], "b")] });
    let first = ada.data(turn, json!({ "input": input })).await;
    let positions: Vec<_> =
        first["appendMessages"]["messages"].as_array().unwrap().iter().map(|m| &m["position"]).collect();
    assert_eq!(positions, [1, 2]);
    assert_eq!(ada.data(turn, json!({ "input": input })).await, first);
    // One that is taken refuses all.
    let mixed = json!({ "conversationId": id, "messages": [{ "role": "USER", "content": "new" }, message(ids[1], "b")] });
    assert_eq!(ada.fault(turn, json!({ "input": mixed })).await.0, "CONFLICT");
    assert_eq!(contents(&ada, id, None).await, ["a", "b"]);
    let empty = json!({ "conversationId": id, "messages": [] });
    assert_eq!(ada.fault(turn, json!({ "input": empty })).await.1, "`input.messages` must not be empty");
}

async fn edits_and_deletions_are_changes_and_keep_the_position(app: TestApp) {
    let ada = app.client("ada");
    let id = &ada.new_conversation().await;
    let first = append_after(&ada, id, None, "secret one").await;
    let second = append_after(&ada, id, None, "two").await;
    let start =
        ada.data("{ conversations { changeCursor } }", json!({})).await["conversations"]["changeCursor"]
            .clone();
    let update = "mutation($input: UpdateMessageInput!) { updateMessage(input: $input) { message { content metadata editedAt } } }";
    let input = json!({ "id": second, "content": "two, edited", "metadata": { "a": 1 } });
    let data = ada.data(update, json!({ "input": input })).await;
    let message = &data["updateMessage"]["message"];
    assert_eq!((&message["content"], &message["metadata"]), (&json!("two, edited"), &json!({ "a": 1 })));
    assert!(message["editedAt"].is_string());
    let delete = "mutation($id: ID!) { deleteMessage(input: { id: $id }) { message { id position content metadata deletedAt } } }";
    let deleted = ada.data(delete, json!({ "id": first })).await;
    let message = &deleted["deleteMessage"]["message"];
    assert_eq!(
        (&message["content"], &message["position"], message["deletedAt"].is_string()),
        (&json!(""), &json!(1), true)
    );
    assert_eq!(ada.data(delete, json!({ "id": first })).await, deleted, "a repeat changes nothing");
    assert_eq!(
        ada.fault(update, json!({ "input": { "id": first, "content": "back" } })).await,
        ("CONFLICT".into(), "the message is deleted".into())
    );
    let data = ada.data(TREE, json!({ "id": id })).await;
    assert_eq!(data["conversation"]["messageCount"], 1);
    assert_eq!(data["conversation"]["messages"]["nodes"][1]["parent"]["id"], first);
    let feed = "query($after: String) { changes(after: $after) { nodes { __typename ... on MessageUpdated { messageId message { content } } ... on MessageDeleted { messageId } } } }";
    let data = ada.data(feed, json!({ "after": start })).await;
    assert_eq!(
        data["changes"]["nodes"],
        json!([
            { "__typename": "MessageUpdated", "messageId": second, "message": { "content": "two, edited" } },
            { "__typename": "MessageDeleted", "messageId": first },
        ])
    );
    // Not even the whole table holds the text any more.
    assert!(!everything(&app).await.contains("secret"));
}

/// Everything a user can read, as text.
async fn everything(app: &TestApp) -> String {
    let query = "{ conversations { nodes { title metadata messages { nodes { content metadata } } } } changes { nodes { __typename ... on MessageAdded { message { content } } } } }";
    app.client("ada").data(query, json!({})).await.to_string()
}

async fn paths_page_forwards_and_backwards(app: TestApp) {
    let ada = app.client("ada");
    let id = &ada.new_conversation().await;
    let mut ids = Vec::new();
    for number in 0..12 {
        ids.push(append_after(&ada, id, None, &number.to_string()).await);
    }
    // A fork at 7 and one at its second message, with other branches' messages in between.
    append_after(&ada, id, Some(&ids[7]), "a").await;
    let b = append_after(&ada, id, None, "b").await;
    append_after(&ada, id, None, "c").await;
    append_after(&ada, id, Some(&ids[11]), "12").await;
    append_after(&ada, id, Some(&b), "d").await;
    append_after(&ada, id, None, "e").await;
    let expected = ["0", "1", "2", "3", "4", "5", "6", "7", "a", "b", "d", "e"];
    let page = "query($id: ID!, $first: Int, $after: String, $last: Int, $before: String) { conversation(id: $id) {
      messages(first: $first, after: $after, last: $last, before: $before) { nodes { content } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }";
    for size in [1, 2, 3, 5, 12, 50] {
        let (mut forwards, mut after) = (Vec::new(), Value::Null);
        loop {
            let data = ada.data(page, json!({ "id": id, "first": size, "after": after })).await;
            let messages = &data["conversation"]["messages"];
            forwards.extend(
                messages["nodes"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|node| node["content"].as_str().unwrap().to_owned()),
            );
            after = messages["pageInfo"]["endCursor"].clone();
            if messages["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(forwards, expected, "{size}");
        let (mut backwards, mut before) = (Vec::new(), Value::Null);
        loop {
            let data = ada.data(page, json!({ "id": id, "last": size, "before": before })).await;
            let messages = &data["conversation"]["messages"];
            let contents = messages["nodes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|node| node["content"].as_str().unwrap().to_owned());
            backwards.splice(0..0, contents);
            before = messages["pageInfo"]["startCursor"].clone();
            if messages["pageInfo"]["hasPreviousPage"] == false {
                break;
            }
        }
        assert_eq!(backwards, expected, "{size}");
    }
}

/// A step of a test; numbers select among the existing messages.
#[derive(Debug, Clone)]
enum Step {
    Append(Option<usize>),
    Begin,
    Switch(usize),
    Edit(usize),
    Delete(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Append(None)),
        1 => Just(Step::Begin),
        4 => (0..1000usize).prop_map(|number| Step::Append(Some(number))),
        2 => (0..1000usize).prop_map(Step::Switch),
        1 => (0..1000usize).prop_map(Step::Edit),
        1 => (0..1000usize).prop_map(Step::Delete),
    ];
    prop::collection::vec(step, 1..30)
}

/// A tree in memory: each message's parent, content and whether it is deleted.
#[derive(Default)]
struct Model {
    ids: Vec<Value>,
    parents: Vec<Option<usize>>,
    contents: Vec<String>,
    head: Option<usize>,
}

impl Model {
    fn path(&self, leaf: Option<usize>) -> Vec<usize> {
        let mut path: Vec<usize> = std::iter::successors(leaf, |at| self.parents[*at]).collect();
        path.reverse();
        path
    }

    /// The expected path that ends in a message.
    fn nodes(&self, leaf: Option<usize>) -> Value {
        let node = |at: usize| {
            let siblings = (0..self.ids.len()).filter(|other| self.parents[*other] == self.parents[at]);
            json!({
                "id": self.ids[at],
                "content": self.contents[at],
                "parent": self.parents[at].map(|parent| json!({ "id": self.ids[parent] })),
                "siblings": siblings.map(|at| json!({ "id": self.ids[at] })).collect::<Vec<_>>(),
            })
        };
        self.path(leaf).into_iter().map(node).collect()
    }
}

async fn play(ada: &Client, steps: &[Step]) {
    let id = ada.new_conversation().await;
    let mut model = Model::default();
    for step in steps {
        let count = model.ids.len();
        match step {
            Step::Append(parent) => {
                let parent = parent.filter(|_| count > 0).map(|number| number % count);
                let content = format!("m{count}");
                let given = parent.map(|at| &model.ids[at]);
                model.ids.push(append_after(ada, &id, given, &content).await);
                model.contents.push(content);
                model.parents.push(parent.or(model.head));
                model.head = Some(count);
            }
            Step::Begin => {
                let content = format!("m{count}");
                model.ids.push(append_after(ada, &id, Some(&Value::Null), &content).await);
                model.contents.push(content);
                model.parents.push(None);
                model.head = Some(count);
            }
            Step::Switch(number) if count > 0 => {
                let leaf = number % count;
                ada.data(SWITCH, json!({ "input": { "conversationId": id, "leafId": model.ids[leaf] } }))
                    .await;
                model.head = Some(leaf);
            }
            Step::Edit(number) if count > 0 && !model.contents[number % count].is_empty() => {
                let at = number % count;
                let update = "mutation($input: UpdateMessageInput!) { updateMessage(input: $input) { message { id } } }";
                let content = format!("{} edited", model.contents[at]);
                ada.data(update, json!({ "input": { "id": model.ids[at], "content": content } })).await;
                model.contents[at] = content;
            }
            Step::Delete(number) if count > 0 => {
                let at = number % count;
                let delete = "mutation($id: ID!) { deleteMessage(input: { id: $id }) { message { id } } }";
                ada.data(delete, json!({ "id": model.ids[at] })).await;
                model.contents[at] = String::new();
            }
            Step::Switch(_) | Step::Edit(_) | Step::Delete(_) => {}
        }
    }
    let data = ada.data(TREE, json!({ "id": id })).await;
    let living = model.contents.iter().filter(|content| !content.is_empty()).count();
    assert_eq!(data["conversation"]["messageCount"], living);
    assert_eq!(
        data["conversation"]["head"]["id"],
        model.head.map_or(Value::Null, |at| model.ids[at].clone())
    );
    assert_eq!(data["conversation"]["messages"]["nodes"], model.nodes(model.head), "{steps:?}");
    for leaf in 0..model.ids.len() {
        let data = ada.data(TREE, json!({ "id": id, "leafId": model.ids[leaf] })).await;
        assert_eq!(data["conversation"]["messages"]["nodes"], model.nodes(Some(leaf)), "{leaf} {steps:?}");
    }
}

/// Random trees against the model.
fn trees_match_a_model(engine: Engine, cases: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let app = runtime.block_on(TestApp::start(engine));
    let ada = app.client("ada");
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&steps(), |steps| {
            runtime.block_on(play(&ada, &steps));
            Ok(())
        })
        .unwrap();
}

#[test]
fn trees_match_a_model_on_sqlite() {
    trees_match_a_model(Engine::Sqlite, 40);
}

#[test]
fn trees_match_a_model_on_postgres() {
    trees_match_a_model(Engine::Postgres, 40);
}
