//! The index: it is made, made again, shared by replicas, and never says what is not so.

use scrollback::model::{OwnerId, Timestamp, Viewer};
use serde_json::{Value, json};

use super::{DELETE, DELETE_CONVERSATION, SEARCH, UPDATE, found, index, search};
use crate::harness::{Client, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    old_messages_are_indexed_when_the_feed_no_longer_has_them,
    an_index_is_made_again,
    replicas_index_at_the_same_time,
    servers_merge_at_the_same_time,
    any_sequence_of_writes_finds_what_reading_finds,
    segments_are_merged,
);

with_row_level_security!(
    old_messages_are_indexed_when_the_feed_no_longer_has_them,
    any_sequence_of_writes_finds_what_reading_finds,
);

fn owner() -> OwnerId {
    OwnerId::new("ada").unwrap()
}

/// A conversation with so many messages, each with the word and a number.
async fn write(client: &Client, word: &str, count: usize) -> String {
    let create = "mutation($messages: [NewMessageInput!]) { createConversation(input: { messages: $messages }) { conversation { id } } }";
    let message = |number| json!({ "role": "USER", "content": format!("{word} number{number}") });
    let messages: Vec<_> = (0..count).map(message).collect();
    let data = client.data(create, json!({ "messages": messages })).await;
    data["createConversation"]["conversation"]["id"].as_str().unwrap().to_owned()
}

/// How many messages a query finds, all pages together.
async fn count(client: &Client, query: &str) -> usize {
    let (mut count, mut after) = (0, Value::Null);
    loop {
        let page = search(client, json!({ "query": query, "first": 100, "after": after })).await;
        count += page["nodes"].as_array().unwrap().len();
        if page["pageInfo"]["hasNextPage"] == false {
            return count;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

async fn old_messages_are_indexed_when_the_feed_no_longer_has_them(app: TestApp) {
    let ada = app.client("ada");
    let conversation = write(&ada, "walnut", 30).await;
    write(&ada, "walnut", 30).await;
    app.store.trim_changes(Timestamp(i64::MAX)).await.unwrap();
    // A query that comes before the index says that it may miss something.
    let page = ada.data(SEARCH, json!({ "query": "walnut", "first": 100 })).await["searchMessages"].take();
    let is_complete = page["nodes"].as_array().unwrap().len() == 60;
    assert!(page["indexing"] == true || is_complete, "{page}");
    ada.append(&conversation, "walnut late").await;
    index(&app, &["ada"]).await;
    assert_eq!(count(&ada, "walnut").await, 61);
    assert_eq!(found(&ada, "number7").await.len(), 2);
    ada.append(&conversation, "walnut later").await;
    assert_eq!(count(&ada, "walnut").await, 62);
    // An index that is behind the feed begins again.
    app.store.trim_changes(Timestamp(i64::MAX)).await.unwrap();
    index(&app, &["ada"]).await;
    assert_eq!(count(&ada, "walnut").await, 62);
    assert_eq!(count(&ada, "number7").await, 2);
}

async fn an_index_is_made_again(app: TestApp) {
    let ada = app.client("ada");
    let conversation = write(&ada, "almond", 50).await;
    index(&app, &["ada"]).await;
    app.store.reset_index(&owner()).await.unwrap();
    ada.append(&conversation, "almond meanwhile").await;
    let page = app.store.viewed_by(&Viewer::new(owner()));
    assert!(page.revision().await.unwrap() > 0);
    index(&app, &["ada"]).await;
    assert_eq!(count(&ada, "almond").await, 51);
    index(&app, &["ada"]).await;
    assert_eq!(count(&ada, "almond").await, 51);
}

async fn replicas_index_at_the_same_time(app: TestApp) {
    if app.engine == crate::harness::Engine::Sqlite {
        return;
    }
    let replica = app.replica().await;
    let ada = app.client("ada");
    for _ in 0..5 {
        write(&ada, "hazel", 40).await;
        let (owner, other) = (owner(), replica.client("ada"));
        let (one, two, seen) = tokio::join!(
            app.store.index_owner(&owner),
            replica.store.index_owner(&owner),
            count(&other, "number7")
        );
        one.unwrap();
        two.unwrap();
        assert!(seen > 0);
    }
    assert_eq!(count(&ada, "hazel").await, 200);
    assert_eq!(count(&replica.client("ada"), "number7").await, 5);
}

/// So often that they choose the same segments to merge.
async fn servers_merge_at_the_same_time(app: TestApp) {
    let ada = app.client("ada");
    let settings = scrollback::app::database(&app.config, scrollback::store::Process::Command);
    let connect = || {
        let clock = scrollback::clock::Clock::system();
        scrollback::store::Store::connect(&settings, clock, scrollback::signals::Signals::default())
    };
    let (one, other) = (connect().await.unwrap(), connect().await.unwrap());
    let conversation = write(&ada, "pecan", 1).await;
    for _ in 0..80 {
        ada.append(&conversation, "pecan again").await;
        let owner = owner();
        let (first, second, third) =
            tokio::join!(one.index_owner(&owner), other.index_owner(&owner), app.store.index_owner(&owner));
        first.unwrap();
        second.unwrap();
        third.unwrap();
    }
    assert_eq!(count(&ada, "pecan").await, 81);
    one.close().await;
    other.close().await;
}

async fn segments_are_merged(app: TestApp) {
    let ada = app.client("ada");
    for round in 0..20 {
        write(&ada, &format!("cashew round{round}"), 60).await;
        index(&app, &["ada"]).await;
        if round == 10 {
            let deleted = found(&ada, "\"round3 number5\"").await;
            assert_eq!(deleted.len(), 1);
        }
    }
    assert_eq!(count(&ada, "cashew").await, 1200);
    assert_eq!(count(&ada, "\"cashew round7\"").await, 60);
    assert_eq!(count(&ada, "number5").await, 20);
    assert_eq!(count(&ada, "round1*").await, 11 * 60);
}

/// A small generator, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

const WORDS: [&str; 8] = ["red", "green", "blue", "snake_case", "病院は", "Café", "red red", "green-blue"];

const QUERIES: [&str; 10] = [
    "red",
    "green",
    "\"red green\"",
    "r*",
    "病院",
    "cafe",
    "snake",
    "red -blue",
    "\"green blue\"",
    "blue red",
];

fn text(random: &mut Random) -> String {
    (0..1 + random.below(4)).map(|_| WORDS[random.below(WORDS.len())]).collect::<Vec<_>>().join(" ")
}

async fn any_sequence_of_writes_finds_what_reading_finds(app: TestApp) {
    let ada = app.client("ada");
    for seed in 1..4 {
        let mut random = Random(0x9E37_79B9_7F4A_7C15 ^ (seed << 17));
        let mut conversations: Vec<String> = Vec::new();
        // Conversation, id, text.
        let mut messages: Vec<(String, Value, String)> = Vec::new();
        for step in 0..60 {
            match random.below(10) {
                0 => conversations.push(ada.new_conversation().await),
                1 if !messages.is_empty() => {
                    let index = random.below(messages.len());
                    let text = text(&mut random);
                    let input = json!({ "id": messages[index].1, "content": text });
                    ada.data(UPDATE, json!({ "input": input })).await;
                    messages[index].2 = text;
                }
                2 if !messages.is_empty() => {
                    let (_, id, _) = messages.swap_remove(random.below(messages.len()));
                    ada.data(DELETE, json!({ "id": id })).await;
                }
                3 if conversations.len() > 2 => {
                    let gone = conversations.swap_remove(random.below(conversations.len()));
                    ada.data(DELETE_CONVERSATION, json!({ "id": gone })).await;
                    messages.retain(|(conversation, ..)| *conversation != gone);
                }
                4 => index(&app, &["ada"]).await,
                5 if random.below(4) == 0 => {
                    app.store.trim_changes(Timestamp(i64::MAX)).await.unwrap();
                    index(&app, &["ada"]).await;
                }
                _ => {
                    if conversations.is_empty() {
                        conversations.push(ada.new_conversation().await);
                    }
                    let conversation = conversations[random.below(conversations.len())].clone();
                    let text = text(&mut random);
                    let message = ada.append(&conversation, &text).await;
                    messages.push((conversation, message["id"].clone(), text));
                }
            }
            if step % 5 == 4 {
                for query in QUERIES {
                    let parsed = ::search::query::parse(query).unwrap();
                    let mut expected: Vec<_> = messages.iter().map(|(.., text)| text.clone()).collect();
                    expected.retain(|text| parsed.matches(&[text.as_str()]));
                    expected.sort();
                    let mut found = found(&ada, query).await;
                    found.sort();
                    assert_eq!(found, expected, "seed {seed}, step {step}, query {query}");
                }
            }
        }
        for conversation in conversations {
            ada.data(DELETE_CONVERSATION, json!({ "id": conversation })).await;
        }
    }
}
