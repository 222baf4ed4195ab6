//! Sums of random histories, against a naive sum over all messages that ever were.

use std::collections::BTreeMap;
use std::fs;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use scrollback::clock::Clock;
use scrollback::model::Timestamp;
use serde_json::{Value, json};

use super::{ALWAYS, DELETE, DELETE_CONVERSATION, HOUR, MARCH, UPDATE, usage};
use crate::harness::{Client, Engine, TestApp, import};

const COUNTS: [&str; 5] =
    ["inputTokens", "outputTokens", "totalTokens", "cachedInputTokens", "reasoningTokens"];

/// A message that was written, whatever became of it.
struct Written {
    id: String,
    /// None once it or its conversation is deleted.
    conversation: Option<String>,
    time: i64,
    model: Option<String>,
    /// Null, or an object with some of the counts.
    usage: Value,
    is_streaming: bool,
}

/// The day since 1970, the model and the conversation of a sum, in the order of sums.
type Group<'a> = (Option<i64>, Option<&'a str>, Option<&'a str>);

/// A sum as the API returns it: the number of messages, and the counts.
fn object(((day, model, conversation), [messages, counts @ ..]): (Group<'_>, [i64; 6])) -> Value {
    let mut sum = super::sum(messages, counts);
    sum["day"] = json!(day.map(|day| Timestamp(day * 24 * HOUR).to_string()));
    sum["model"] = json!(model);
    sum["conversationId"] = json!(conversation);
    sum
}

struct History<'a> {
    app: &'a TestApp,
    clock: Clock,
    ada: Client,
    random: StdRng,
    conversations: Vec<String>,
    messages: Vec<Written>,
}

pub(super) async fn compare(engine: Engine) {
    for seed in 0..2 {
        let clock = Clock::manual(Timestamp(MARCH));
        let app = TestApp::start_with_clock(engine, clock.clone()).await;
        let mut history = History {
            app: &app,
            clock,
            ada: app.client("ada"),
            random: StdRng::seed_from_u64(seed),
            conversations: Vec::new(),
            messages: Vec::new(),
        };
        for step in 0..120 {
            history.step().await;
            if step % 6 == 0 {
                history.check(seed, step).await;
            }
        }
        history.check(seed, 120).await;
    }
}

impl History<'_> {
    async fn step(&mut self) {
        let now = self.clock.now().0 + self.random.random_range(0..8 * HOUR);
        self.clock.set(Timestamp(now));
        if self.conversations.is_empty() {
            return self.create().await;
        }
        match self.random.random_range(0..24) {
            0 | 1 => self.create().await,
            2 => self.import().await,
            3..=8 => self.append("COMPLETE").await,
            9..=11 => self.append("STREAMING").await,
            12..=14 => self.finish().await,
            15..=18 => self.edit().await,
            19..=22 => self.delete().await,
            _ => self.delete_conversation().await,
        }
    }

    fn new_usage(&mut self) -> Value {
        if self.random.random_range(0..3) == 0 {
            return Value::Null;
        }
        let mut usage = json!({});
        for count in COUNTS {
            if self.random.random_range(0..3) > 0 {
                let most = [10, 100_000, i32::MAX][self.random.random_range(0..3)];
                usage[count] = json!(self.random.random_range(0..most));
            }
        }
        usage
    }

    /// A new message as an input, and what it adds to the history.
    fn new_message(&mut self, status: &str) -> (Value, Option<String>, Value) {
        let model =
            ["m-1", "m-2", "modèle \"3\""].get(self.random.random_range(0..4)).map(|name| (*name).to_owned());
        let usage = self.new_usage();
        let input =
            json!({ "role": "ASSISTANT", "content": "a", "status": status, "model": model, "usage": usage });
        (input, model, usage)
    }

    /// Takes messages into the history, from the answer that has them.
    fn take(&mut self, conversation: &str, nodes: &Value, new: Vec<(Value, Option<String>, Value)>) {
        let nodes = nodes.as_array().unwrap();
        assert_eq!(nodes.len(), new.len());
        for (node, (input, model, usage)) in nodes.iter().zip(new) {
            let time = Timestamp::parse("createdAt", node["createdAt"].as_str().unwrap()).unwrap();
            self.messages.push(Written {
                id: node["id"].as_str().unwrap().to_owned(),
                conversation: Some(conversation.to_owned()),
                time: time.0,
                model,
                usage,
                is_streaming: input["status"] == "STREAMING",
            });
        }
    }

    async fn create(&mut self) {
        let count = self.random.random_range(0..4);
        let new: Vec<_> = (0..count).map(|_| self.new_message("COMPLETE")).collect();
        let create =
            "mutation($input: CreateConversationInput!) { createConversation(input: $input) { conversation {
            id messages { nodes { id createdAt } } } } }";
        let messages: Vec<&Value> = new.iter().map(|(input, ..)| input).collect();
        let data = self.ada.data(create, json!({ "input": { "messages": messages } })).await;
        let conversation = &data["createConversation"]["conversation"];
        let id = conversation["id"].as_str().unwrap().to_owned();
        self.take(&id, &conversation["messages"]["nodes"], new);
        self.conversations.push(id);
    }

    async fn append(&mut self, status: &str) {
        let at = self.random.random_range(0..self.conversations.len());
        let id = self.conversations[at].clone();
        let count = self.random.random_range(1..4);
        let new: Vec<_> = (0..count).map(|_| self.new_message(status)).collect();
        let messages: Vec<&Value> = new.iter().map(|(input, ..)| input).collect();
        let append = "mutation($input: AppendMessagesInput!) { appendMessages(input: $input) { messages { id createdAt } } }";
        let input = json!({ "conversationId": id, "messages": messages });
        let data = self.ada.data(append, json!({ "input": input })).await;
        self.take(&id, &data["appendMessages"]["messages"], new);
    }

    /// The index of a message that is not deleted, if there is one.
    fn choose(&mut self, is_chosen: impl Fn(&Written) -> bool) -> Option<usize> {
        let chosen: Vec<usize> = (0..self.messages.len())
            .filter(|at| self.messages[*at].conversation.is_some() && is_chosen(&self.messages[*at]))
            .collect();
        (!chosen.is_empty()).then(|| chosen[self.random.random_range(0..chosen.len())])
    }

    async fn finish(&mut self) {
        let Some(at) = self.choose(|message| message.is_streaming) else { return };
        let usage = self.new_usage();
        let status = ["COMPLETE", "FAILED", "INTERRUPTED"][self.random.random_range(0..3)];
        let finish =
            "mutation($input: FinishMessageInput!) { finishMessage(input: $input) { message { id } } }";
        let mut input = json!({ "messageId": self.messages[at].id, "status": status });
        if !usage.is_null() {
            input["usage"] = usage.clone();
            self.messages[at].usage = usage;
        }
        self.ada.data(finish, json!({ "input": input })).await;
        self.messages[at].is_streaming = false;
    }

    async fn edit(&mut self) {
        let Some(at) = self.choose(|message| !message.is_streaming) else { return };
        let usage = self.new_usage();
        let input = json!({ "id": self.messages[at].id, "usage": usage });
        self.ada.data(UPDATE, json!({ "input": input })).await;
        self.messages[at].usage = usage;
    }

    async fn delete(&mut self) {
        let Some(at) = self.choose(|_| true) else { return };
        self.ada.data(DELETE, json!({ "id": self.messages[at].id })).await;
        self.messages[at].conversation = None;
    }

    async fn delete_conversation(&mut self) {
        let at = self.random.random_range(0..self.conversations.len());
        let id = self.conversations.swap_remove(at);
        self.ada.data(DELETE_CONVERSATION, json!({ "id": id })).await;
        for message in self.messages.iter_mut().filter(|message| message.conversation.as_ref() == Some(&id)) {
            message.conversation = None;
        }
    }

    /// Imports a conversation. No format has usage, but its messages can be edited and deleted.
    async fn import(&mut self) {
        let folder = tempfile::tempdir().unwrap();
        let (file, number) = (folder.path().join("file"), self.random.random::<u64>());
        let turns = json!([{ "from": "human", "value": "a" }, { "from": "gpt", "value": "b" }]);
        let conversation = json!([{ "id": number.to_string(), "conversations": turns }]);
        fs::write(&file, conversation.to_string()).unwrap();
        assert_eq!(import(&self.app.store, "ada", &file).await.messages, 2);
        let newest = "{ conversations(first: 1, orderBy: { field: CREATED_AT, direction: DESC }) { nodes {
            id messages { nodes { id createdAt model } } } } }";
        let data = self.ada.data(newest, json!({})).await;
        let conversation = &data["conversations"]["nodes"][0];
        let id = conversation["id"].as_str().unwrap().to_owned();
        let nodes = &conversation["messages"]["nodes"];
        let new = nodes
            .as_array()
            .unwrap()
            .iter()
            .map(|node| (json!({}), node["model"].as_str().map(str::to_owned), Value::Null));
        self.take(&id, nodes, new.collect());
        self.conversations.push(id);
    }

    async fn check(&mut self, seed: u64, step: usize) {
        let some: Vec<&str> = ["MODEL", "DAY", "CONVERSATION"]
            .into_iter()
            .filter(|_| self.random.random_range(0..2) == 0)
            .collect();
        let mut period = (i64::MIN, i64::MAX);
        let mut named = (ALWAYS.0.to_owned(), ALWAYS.1.to_owned());
        if self.messages.len() > 1 && self.random.random_range(0..2) == 0 {
            let mut time = || self.messages[self.random.random_range(0..self.messages.len())].time;
            let (one, two) = (time(), time());
            let more = self.random.random_range(0..2);
            period = (one.min(two), one.max(two) + 1 - more);
            if period.0 == period.1 {
                period.1 += 1;
            }
            named = (Timestamp(period.0).to_string(), Timestamp(period.1).to_string());
        }
        for groups in [some, vec!["DAY", "MODEL", "CONVERSATION"]] {
            let found = usage(&self.ada, (&named.0, &named.1), &groups).await;
            let expected = self.naive_sums(period, &groups);
            assert_eq!(found, expected, "seed {seed}, step {step}, {groups:?}, {named:?}");
        }
    }

    fn naive_sums(&self, period: (i64, i64), groups: &[&str]) -> Vec<Value> {
        let mut sums: BTreeMap<Group<'_>, [i64; 6]> = BTreeMap::new();
        if groups.is_empty() {
            sums.insert((None, None, None), [0; 6]);
        }
        for message in self.messages.iter().filter(|message| message.usage.is_object()) {
            if message.time < period.0 || message.time >= period.1 {
                continue;
            }
            let key = (
                groups.contains(&"DAY").then(|| message.time.div_euclid(24 * HOUR)),
                message.model.as_deref().filter(|_| groups.contains(&"MODEL")),
                message.conversation.as_deref().filter(|_| groups.contains(&"CONVERSATION")),
            );
            let sum = sums.entry(key).or_insert([0; 6]);
            sum[0] += 1;
            for (sum, count) in sum[1..].iter_mut().zip(COUNTS) {
                *sum += message.usage[count].as_i64().unwrap_or(0);
            }
        }
        sums.into_iter().map(object).collect()
    }
}
