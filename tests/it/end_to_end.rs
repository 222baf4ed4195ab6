//! An assistant that uses only the API: messages are sent, edited, regenerated, switched, stopped and
//! resumed, over lost connections and a restart, while another device watches. No text is lost.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{
    APPEND, APPEND_TEXT, Client, Socket, TestApp, on_each_database, with_row_level_security,
};

on_each_database!(an_assistant_streams_without_loss);

with_row_level_security!(an_assistant_streams_without_loss);

const CHANGES: &str = "subscription($after: String) {
  changes(after: $after) {
    __typename cursor
    ... on MessageAdded { message { id content status } }
    ... on MessageUpdated { message { id content status } }
  }
}";

const FOLLOW: &str = "subscription($id: ID!, $offset: Int) {
  messageText(messageId: $id, offset: $offset) { offset text status }
}";

const FINISH: &str = "mutation($input: FinishMessageInput!) {
  finishMessage(input: $input) { message { status } }
}";

const STOP: &str = "mutation($id: ID!) { stopMessage(input: { messageId: $id }) { message { id } } }";

const SWITCH: &str = "mutation($input: SwitchBranchInput!) {
  switchBranch(input: $input) { conversation { head { id } } }
}";

const UPDATE: &str =
    "mutation($input: UpdateMessageInput!) { updateMessage(input: $input) { message { id } } }";

const PATH: &str = "query($id: ID!, $leafId: ID) {
  conversation(id: $id) { messages(leafId: $leafId) { nodes { id content status siblings { id } } } }
}";

/// A text and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct DisplayedMessage {
    text: String,
    status: String,
}

impl DisplayedMessage {
    fn new(text: &str, status: &str) -> Self {
        Self { text: text.to_owned(), status: status.to_owned() }
    }

    fn of(message: &Value) -> Self {
        Self::new(message["content"].as_str().unwrap(), message["status"].as_str().unwrap())
    }
}

/// Another device, which shows only what its subscriptions delivered.
struct Device {
    client: Client,
    cursor: Value,
    shown: BTreeMap<String, DisplayedMessage>,
}

impl Device {
    async fn open(client: Client) -> Self {
        let data = client.data("{ conversations { changeCursor } }", json!({})).await;
        Self { client, cursor: data["conversations"]["changeCursor"].clone(), shown: BTreeMap::new() }
    }

    /// Connects, and goes on where it was until it shows enough; then it loses its connection.
    async fn follow(&mut self, enough: impl Fn(&BTreeMap<String, DisplayedMessage>) -> bool) {
        let mut socket = Socket::open(self.client.url()).await;
        socket.introduce(self.client.token()).await;
        socket.subscribe("changes", CHANGES, json!({ "after": self.cursor })).await;
        for (id, shown) in self.shown.iter().filter(|(_, shown)| shown.status == "STREAMING") {
            let offset = shown.text.chars().count();
            socket.subscribe(id, FOLLOW, json!({ "id": id, "offset": offset })).await;
        }
        while !enough(&self.shown) {
            let event = socket.receive().await;
            let data = &event["payload"]["data"];
            match (event["type"].as_str(), event["id"].as_str()) {
                (Some("next"), Some("changes")) => {
                    self.cursor = data["changes"]["cursor"].clone();
                    let message = &data["changes"]["message"];
                    let Some(id) = message["id"].as_str() else { continue };
                    // What is being written comes from its own subscription.
                    let followed = self.shown.get(id).is_some_and(|shown| shown.status == "STREAMING");
                    if !followed {
                        let shown = DisplayedMessage::of(message);
                        if shown.status == "STREAMING" {
                            let offset = shown.text.chars().count();
                            socket.subscribe(id, FOLLOW, json!({ "id": id, "offset": offset })).await;
                        }
                        self.shown.insert(id.to_owned(), shown);
                    }
                }
                (Some("next"), Some(id)) => {
                    let (chunk, shown) = (&data["messageText"], self.shown.get_mut(id).unwrap());
                    assert_eq!(chunk["offset"], shown.text.chars().count(), "a hole or a repeat: {event}");
                    shown.text.push_str(chunk["text"].as_str().unwrap());
                    shown.status = chunk["status"].as_str().unwrap().to_owned();
                }
                (Some("ping" | "complete"), _) => {}
                _ => panic!("{event}"),
            }
        }
    }

    async fn see(&mut self, id: &str, length: usize) {
        let long = |shown: &DisplayedMessage| shown.text.chars().count() >= length;
        self.follow(|all| all.get(id).is_some_and(long)).await;
    }

    async fn see_the_end(&mut self, id: &str) {
        self.follow(|all| all.get(id).is_some_and(|shown| shown.status != "STREAMING")).await;
    }
}

/// Appends a message and gives its id.
async fn append(client: &Client, conversation: &str, role: &str, more: Value) -> String {
    let mut input = json!({ "conversationId": conversation, "role": role });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let data = client.data(APPEND, json!({ "input": input })).await;
    data["appendMessage"]["message"]["id"].as_str().unwrap().to_owned()
}

/// Writes words until it is to stop; gives all of the text that is acknowledged.
async fn write(client: &Client, id: &str, mut text: String, words: &[String]) -> (String, bool) {
    for word in words {
        let variables = json!({ "id": id, "offset": text.chars().count(), "text": word });
        let data = client.data(APPEND_TEXT, variables).await;
        text.push_str(word);
        assert_eq!(data["appendMessageText"]["length"], text.chars().count());
        if data["appendMessageText"]["stopRequested"] == true {
            return (text, true);
        }
    }
    (text, false)
}

async fn finish(client: &Client, id: &str, status: &str) {
    client.data(FINISH, json!({ "input": { "messageId": id, "status": status } })).await;
}

fn words(topic: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{topic} {number} ñ👩‍👩‍👧. ")).collect()
}

/// The messages of a branch: their ids, and what they show.
async fn path(client: &Client, id: &str, leaf: Option<&str>) -> Vec<(String, DisplayedMessage)> {
    let data = client.data(PATH, json!({ "id": id, "leafId": leaf })).await;
    let nodes = data["conversation"]["messages"]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| (node["id"].as_str().unwrap().to_owned(), DisplayedMessage::of(node))).collect()
}

async fn an_assistant_streams_without_loss(app: TestApp) {
    let ada = app.client("ada");
    let mut phone = Device::open(app.client("ada")).await;
    let conversation = ada.new_conversation().await;
    let id = &*conversation;
    let streaming = |parent: &str| json!({ "parentId": parent, "status": "STREAMING" });
    let mut said = BTreeMap::new();
    let mut say =
        |id: &str, text: &str, status: &str| said.insert(id.to_owned(), DisplayedMessage::new(text, status));

    // Asked and answered; the phone's connection breaks in the middle, twice.
    let question = append(&ada, id, "USER", json!({ "content": "A story?" })).await;
    say(&question, "A story?", "COMPLETE");
    let story = append(&ada, id, "ASSISTANT", streaming(&question)).await;
    let all = words("Once", 60);
    let writing = async {
        let (text, _) = write(&ada, &story, String::new(), &all).await;
        finish(&ada, &story, "COMPLETE").await;
        text
    };
    let looking = async {
        phone.see(&story, 100).await;
        phone.see(&story, 300).await;
        phone.see_the_end(&story).await;
    };
    let (text, ()) = tokio::join!(writing, looking);
    assert_eq!(text, all.concat());
    say(&story, &text, "COMPLETE");

    // The question is edited, by a tab that is up to date. The phone stops the answer.
    let edited =
        |head: &str| json!({ "content": "A short story?", "parentId": null, "expectedHeadId": head });
    let mut stale = edited(&question);
    stale["conversationId"] = json!(id);
    stale["role"] = json!("USER");
    assert_eq!(ada.fault(APPEND, json!({ "input": stale })).await.0, "CONFLICT");
    let shorter = append(&ada, id, "USER", edited(&story)).await;
    say(&shorter, "A short story?", "COMPLETE");
    let stopped = append(&ada, id, "ASSISTANT", streaming(&shorter)).await;
    let endless = words("Then", 5000);
    let writing = async {
        let (text, stop) = write(&ada, &stopped, String::new(), &endless).await;
        assert!(stop, "it was to stop before that");
        finish(&ada, &stopped, "INTERRUPTED").await;
        text
    };
    let looking = async {
        phone.see(&stopped, 50).await;
        phone.client.data(STOP, json!({ "id": stopped })).await;
        phone.see_the_end(&stopped).await;
    };
    let (text, ()) = tokio::join!(writing, looking);
    say(&stopped, &text, "INTERRUPTED");

    // It is regenerated. The server is restarted in the middle; the writer sends its last word again.
    let again = append(&ada, id, "ASSISTANT", streaming(&shorter)).await;
    let all = words("Anew", 40);
    let (text, _) = write(&ada, &again, String::new(), &all[..20]).await;
    phone.see(&again, 1).await;
    let app = app.restart().await;
    let ada = app.client("ada");
    phone.client = app.client("ada");
    let (before, last) = text.split_at(text.len() - all[19].len());
    assert_eq!(write(&ada, &again, before.to_owned(), &[last.to_owned()]).await, (text.clone(), false));
    let (text, _) = write(&ada, &again, text, &all[20..]).await;
    assert_eq!(text, all.concat());
    finish(&ada, &again, "COMPLETE").await;
    say(&again, &text, "COMPLETE");

    // Back to the first version, and on from there. The answer is more than its text.
    ada.data(SWITCH, json!({ "input": { "conversationId": id, "leafId": story } })).await;
    let thanks = append(&ada, id, "USER", json!({ "content": "Thnaks" })).await;
    let reply = append(&ada, id, "ASSISTANT", streaming(&thanks)).await;
    let (text, _) = write(&ada, &reply, String::new(), &words("Welcome", 3)).await;
    let parts = json!([{ "reasoning": { "text": "They are polite." } }, { "text": { "text": text } }]);
    ada.data(FINISH, json!({ "input": { "messageId": reply, "status": "COMPLETE", "parts": parts } })).await;
    say(&reply, &text, "COMPLETE");
    ada.data(UPDATE, json!({ "input": { "id": thanks, "content": "Thanks" } })).await;
    say(&thanks, "Thanks", "COMPLETE");

    // The phone, away since, shows all of it in the end; and so does every version that is read.
    phone.follow(|all| *all == said).await;
    let mut read = BTreeMap::new();
    for (leaf, expected) in [
        (None, vec![&question, &story, &thanks, &reply]),
        (Some(&story), vec![&question, &story]),
        (Some(&stopped), vec![&shorter, &stopped]),
        (Some(&again), vec![&shorter, &again]),
    ] {
        let messages = path(&ada, id, leaf.map(String::as_str)).await;
        assert_eq!(messages.iter().map(|(id, _)| id).collect::<Vec<_>>(), expected);
        read.extend(messages);
    }
    assert_eq!(read, said);
    let data = ada.data(PATH, json!({ "id": id, "leafId": again })).await;
    let siblings = |at: usize| data["conversation"]["messages"]["nodes"][at]["siblings"].clone();
    assert_eq!(siblings(0), json!([{ "id": question }, { "id": shorter }]));
    assert_eq!(siblings(1), json!([{ "id": stopped }, { "id": again }]));
}
