//! Random data, exported from one database and imported into the other: every query has the same answer.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::{data, import, lines, records};
use crate::harness::{Client, Engine, TestApp};

const CREATE: &str = "mutation($input: CreateConversationInput!) { createConversation(input: $input) { conversation { id } } }";
const UPDATE: &str = "mutation($input: UpdateConversationInput!) { updateConversation(input: $input) { conversation { id } } }";
const APPEND: &str =
    "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }";

/// Everything that can be asked, page by page.
const EVERYTHING: &str = "query($after: String) {
  viewer { conversationCount unreadConversationCount
    usage(since: \"2000-01-01T00:00:00Z\", until: \"2100-01-01T00:00:00Z\", groupBy: [MODEL]) {
      model messageCount inputTokens outputTokens totalTokens } }
  labels { label conversationCount }
  searchMessages(query: \"alpha -beta\", orderBy: NEWEST, first: 100) { edges { cursor snippet node { id } } }
  conversations(first: 1, after: $after, filter: { archived: null, trashed: null }) {
    pageInfo { hasNextPage endCursor }
    nodes {
      id title metadata createdAt updatedAt messageCount pinnedAt archivedAt trashedAt expiresAt labels
      readPosition unreadCount unarchiveOnMessage shares { id title label createdAt expiresAt messageCount viewCount }
      messages(first: 100) { nodes {
        id position role status content metadata model createdAt editedAt deletedAt pinned tokenCount
        usage { inputTokens outputTokens totalTokens cachedInputTokens reasoningTokens }
        feedback { rating tags comment updatedAt }
        parent { id } siblings { id }
        parts { __typename
          ... on TextPart { text } ... on ReasoningPart { text } ... on FilePart { mediaType filename url attachment { id filename mediaType byteSize sha256 createdAt uploadedAt } }
          ... on ToolPart { toolCallId toolName state input output errorText }
          ... on SourceUrlPart { sourceId url title } ... on DataPart { name data } }
      } }
    }
  }
}";

struct Life {
    ada: Client,
    random: StdRng,
    /// With their messages.
    conversations: Vec<(String, Vec<String>)>,
}

impl Life {
    fn word(&mut self) -> &'static str {
        ["alpha", "beta", "γάμμα", "дельта 😀", "\"quoted\" \\ text", "line\nbreak"]
            [self.random.random_range(0..6)]
    }

    fn new_message(&mut self) -> Value {
        let role = ["USER", "ASSISTANT", "SYSTEM", "TOOL"][self.random.random_range(0..4)];
        let word = self.word();
        let mut message = json!({ "role": role, "metadata": { "n": [1, 2.5e10, null, word] } });
        if self.random.random_range(0..2) == 0 {
            message["content"] = json!(word);
        } else {
            // Attachments, some with the same content.
            let file = format!("data:,{}", self.random.random_range(0..9).to_string().repeat(9_000));
            message["parts"] = json!([
                { "reasoning": { "text": word } },
                { "text": { "text": word, "extra": { "state": "done", "z": { "b": [word], "a": 1.50 } } } },
                { "file": { "mediaType": "image/png", "url": "https://example.org/a.png" } },
                { "file": { "mediaType": "text/plain", "filename": word, "url": file } },
                { "tool": { "toolCallId": "1", "toolName": "look", "state": "OUTPUT_AVAILABLE", "input": { "q": word }, "output": null } },
                { "sourceUrl": { "sourceId": "s", "url": "https://example.org", "title": word } },
                { "data": { "name": "n", "data": [word] } },
                { "custom": { "kind": "step-start", "data": {} } },
            ]);
        }
        if self.random.random_range(0..2) == 0 {
            message["model"] = json!(word);
            message["usage"] = json!({ "inputTokens": self.random.random_range(0..9), "totalTokens": 7 });
        }
        message
    }

    async fn step(&mut self) {
        if self.conversations.is_empty() || self.random.random_range(0..12) == 0 {
            return self.create().await;
        }
        let index = self.random.random_range(0..self.conversations.len());
        let (id, messages) = self.conversations[index].clone();
        let message =
            (!messages.is_empty()).then(|| messages[self.random.random_range(0..messages.len())].clone());
        let change = |mutation: &str| format!("mutation($id: ID!) {{ {mutation} {{ __typename }} }}");
        match (self.random.random_range(0..15), message) {
            (0, _) => {
                let (word, pinned) = (self.word(), self.random.random_range(0..2) == 0);
                let input = json!({ "id": id, "title": word, "pinned": pinned, "addLabels": [word.lines().next()],
                    "unarchiveOnMessage": pinned, "metadata": { "word": word } });
                self.ada.data(UPDATE, json!({ "input": input })).await;
            }
            (1, _) => {
                let input = json!({ "id": id, "archived": true });
                self.ada.data(UPDATE, json!({ "input": input })).await;
            }
            (2, _) => {
                let way =
                    ["trashConversation(input: { id: $id })", "restoreConversation(input: { id: $id })"]
                        [self.random.random_range(0..2)];
                self.ada.data(&change(way), json!({ "id": id })).await;
            }
            (3, Some(message)) => {
                let edit = "updateMessage(input: { id: $id, content: \"alpha edited\" })";
                self.ada.attempt_any(&change(edit), json!({ "id": message })).await;
            }
            (4, Some(message)) => {
                self.ada.data(&change("deleteMessage(input: { id: $id })"), json!({ "id": message })).await;
            }
            (5, Some(message)) => {
                let pin = "updateMessage(input: { id: $id, pinned: true })";
                self.ada.attempt_any(&change(pin), json!({ "id": message })).await;
            }
            (6, Some(message)) => {
                let feedback = "setMessageFeedback(input: { messageId: $id, rating: UP, tags: [\"a\", \"b\"], comment: \"alpha\" })";
                self.ada.attempt_any(&change(feedback), json!({ "id": message })).await;
            }
            (7, Some(message)) => {
                let switch = "mutation($id: ID!, $leaf: ID!) { switchBranch(input: { conversationId: $id, leafId: $leaf }) { __typename } }";
                self.ada.data(switch, json!({ "id": id, "leaf": message })).await;
            }
            (8, _) => {
                let position = self.random.random_range(0..=messages.len());
                let mark = "mutation($id: ID!, $p: Int!) { markRead(input: { conversationId: $id, position: $p, backward: true }) { __typename } }";
                self.ada.data(mark, json!({ "id": id, "p": position })).await;
            }
            (9, _) => {
                let share = "mutation($id: ID!, $word: String) { shareConversation(input: { conversationId: $id, title: $word, label: $word, includeMetadata: true }) { secret } }";
                let word = self.word();
                self.ada.attempt_any(share, json!({ "id": id, "word": word })).await;
            }
            (choice, message) => {
                let mut input = self.new_message();
                input["conversationId"] = json!(id);
                if choice % 2 == 0 {
                    // After any message, or as another first one.
                    input["parentId"] = json!(message);
                }
                // In the trash it takes none.
                if let Some(data) = self.ada.attempt_any(APPEND, json!({ "input": input })).await {
                    let appended = data["appendMessage"]["message"]["id"].as_str().unwrap().to_owned();
                    self.conversations[index].1.push(appended);
                }
            }
        }
    }

    async fn create(&mut self) {
        let id = uuid::Uuid::new_v4().to_string();
        let input = json!({ "id": id, "title": self.word(), "expiresAt": "2099-01-01T00:00:00Z" });
        self.ada.data(CREATE, json!({ "input": input })).await;
        self.conversations.push((id, Vec::new()));
    }
}

/// The answers to everything.
async fn answers(client: &Client) -> Vec<Value> {
    let (mut answers, mut after) = (Vec::new(), Value::Null);
    loop {
        let data = client.data(EVERYTHING, json!({ "after": after })).await;
        let page = data["conversations"]["pageInfo"].clone();
        answers.push(data);
        if page["hasNextPage"] == false {
            return answers;
        }
        after = page["endCursor"].clone();
    }
}

async fn random_data_moves(from: Engine, to: Engine) {
    for seed in 0..3 {
        let (old, new) = (TestApp::start(from).await, TestApp::start(to).await);
        let random = StdRng::seed_from_u64(seed);
        let mut life = Life { ada: old.client("ada"), random, conversations: Vec::new() };
        for _ in 0..150 {
            life.step().await;
        }
        let exported = records(&old.store, "ada").await;
        super::schema::check(&lines(&exported));
        let report = import(&new.store, "ada", &lines(&exported)).await;
        assert_eq!((report.rejected, report.present), (0, 0), "{}", report.rejections());
        assert_eq!(report.conversations, life.conversations.len() as u64);
        assert_eq!(data(&new.store, "ada").await, data(&old.store, "ada").await, "seed {seed}");
        let (before, after) = (answers(&life.ada).await, answers(&new.client("ada")).await);
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(after, before, "seed {seed}");
        }
        assert_eq!(after.len(), before.len());
        // A repeat of a creation is recognised in the new place, and life goes on the same way.
        let (id, messages) = life.conversations.last().unwrap();
        let input =
            json!({ "conversationId": id, "parentId": messages.first(), "role": "USER", "content": "next" });
        for client in [&life.ada, &new.client("ada")] {
            client.attempt_any(APPEND, json!({ "input": input })).await;
        }
        let places = "query($id: ID!) { conversation(id: $id) { messages(first: 100) { nodes { position parent { position } } } } }";
        let ask = json!({ "id": id });
        assert_eq!(new.client("ada").data(places, ask.clone()).await, life.ada.data(places, ask).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_data_moves_from_sqlite_to_postgres() {
    random_data_moves(Engine::Sqlite, Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_data_moves_from_postgres_to_sqlite() {
    random_data_moves(Engine::Postgres, Engine::Sqlite).await;
}
