//! `searchMessages` and `filter.query`: what is found, on both databases alike, before and after it is indexed.

mod hostile;
mod index;
mod languages;
mod pages;

use scrollback::model::OwnerId;
use serde_json::{Value, json};

use crate::harness::{Client, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    words_phrases_prefixes_and_exclusions_are_understood,
    filters_combine,
    deleted_and_edited_messages_are_not_found_by_what_they_said,
    reasoning_and_tools_are_found_when_included,
    streamed_messages_are_found_when_they_have_ended,
    branches_can_be_limited_to_the_active_one,
    conversations_are_found_by_title_or_message,
    foreign_messages_are_never_found,
    snippets_show_the_match,
);

with_row_level_security!(
    words_phrases_prefixes_and_exclusions_are_understood,
    deleted_and_edited_messages_are_not_found_by_what_they_said,
    conversations_are_found_by_title_or_message,
    foreign_messages_are_never_found,
);

const SEARCH: &str = "query($query: String!, $filter: MessageSearchFilter, $orderBy: SearchOrder, $first: Int, $after: String) {
  searchMessages(query: $query, filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
    edges { cursor snippet highlights { offset length } node { id content conversation { id } } }
    nodes { content }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    indexing
  }
}";

/// Indexes everything that these users have, as the background does.
async fn index(app: &TestApp, users: &[&str]) {
    for user in users {
        app.store.index_owner(&OwnerId::new(*user).unwrap()).await.unwrap();
    }
}

async fn search(client: &Client, variables: Value) -> Value {
    let mut data = client.data(SEARCH, variables).await;
    assert_eq!(data["searchMessages"]["indexing"], false);
    data["searchMessages"].take()
}

/// The contents of what a query finds, the newest first.
async fn found_with(client: &Client, query: &str, filter: Value) -> Vec<String> {
    let page =
        search(client, json!({ "query": query, "filter": filter, "orderBy": "NEWEST", "first": 100 })).await;
    contents(&page)
}

async fn found(client: &Client, query: &str) -> Vec<String> {
    found_with(client, query, Value::Null).await
}

fn contents(page: &Value) -> Vec<String> {
    let nodes = page["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["content"].as_str().unwrap().to_owned()).collect()
}

async fn words_phrases_prefixes_and_exclusions_are_understood(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    for content in ["the quick brown fox", "the brown quick fox", "a quick answer", "foxes are quick"] {
        ada.append(&conversation, content).await;
    }
    for _ in 0..2 {
        for (query, expected) in [
            (
                "quick",
                &["foxes are quick", "a quick answer", "the brown quick fox", "the quick brown fox"][..],
            ),
            ("quick fox", &["the brown quick fox", "the quick brown fox"]),
            ("FOX  QUICK", &["the brown quick fox", "the quick brown fox"]),
            ("\"quick fox\"", &["the brown quick fox"]),
            ("\"quick brown", &["the quick brown fox"]),
            ("quick -fox", &["foxes are quick", "a quick answer"]),
            ("quick -\"brown fox\"", &["foxes are quick", "a quick answer", "the brown quick fox"]),
            ("quick -fox*", &["a quick answer"]),
            ("fox*", &["foxes are quick", "the brown quick fox", "the quick brown fox"]),
            ("qui* ans*", &["a quick answer"]),
            ("qui", &[]),
            ("quick AND fox", &[]),
            ("quick OR fox", &[]),
            ("content:quick", &[]),
            ("quick NEAR fox", &[]),
            ("(quick) ^fox !", &["the brown quick fox", "the quick brown fox"]),
            ("quick & fox | !", &["the brown quick fox", "the quick brown fox"]),
        ] {
            assert_eq!(found(&ada, query).await, expected, "{query}");
        }
        index(&app, &["ada"]).await;
    }
    for query in ["", "   ", "!?", "\"\"", "*", "-", "\u{0}", "\u{202E}"] {
        let (code, message) = ada.fault(SEARCH, json!({ "query": query })).await;
        assert_eq!(
            (code.as_str(), message.as_str()),
            ("BAD_USER_INPUT", "`query` must have a word to look for"),
            "{query}"
        );
    }
    let (code, _) = ada.fault(SEARCH, json!({ "query": "-quick" })).await;
    assert_eq!(code, "BAD_USER_INPUT");
}

async fn filters_combine(app: TestApp) {
    let ada = app.client("ada");
    let (one, other) = (ada.new_conversation().await, ada.new_conversation().await);
    let append =
        "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { message { createdAt } } }";
    let mut times = Vec::new();
    for (conversation, role, model, content) in [
        (&one, "USER", None, "word one"),
        (&one, "ASSISTANT", Some("gpt-5"), "word two"),
        (&other, "USER", None, "word three"),
        (&other, "ASSISTANT", Some("claude"), "word four"),
    ] {
        let input =
            json!({ "conversationId": conversation, "role": role, "model": model, "content": content });
        let data = ada.data(append, json!({ "input": input })).await;
        times.push(data["appendMessage"]["message"]["createdAt"].as_str().unwrap().to_owned());
    }
    for _ in 0..2 {
        for (filter, expected) in [
            (json!({}), &["word four", "word three", "word two", "word one"][..]),
            (json!({ "conversationIds": [one] }), &["word two", "word one"]),
            (
                json!({ "conversationIds": [one, other] }),
                &["word four", "word three", "word two", "word one"],
            ),
            (json!({ "conversationIds": [] }), &[]),
            (json!({ "roles": ["USER"] }), &["word three", "word one"]),
            (json!({ "roles": [] }), &[]),
            (json!({ "models": ["gpt-5", "none"] }), &["word two"]),
            (json!({ "models": ["GPT-5"] }), &[]),
            (json!({ "since": times[1] }), &["word four", "word three", "word two"]),
            (json!({ "until": times[1] }), &["word one"]),
            (json!({ "since": times[1], "until": times[3] }), &["word three", "word two"]),
            (
                json!({ "since": times[1], "roles": ["ASSISTANT"], "conversationIds": [other] }),
                &["word four"],
            ),
            (json!({ "conversationIds": ["00000000-0000-7000-8000-000000000000"] }), &[]),
        ] {
            assert_eq!(found_with(&ada, "word", filter.clone()).await, expected, "{filter}");
        }
        index(&app, &["ada"]).await;
    }
    let ids: Vec<_> = (0..101).map(|_| one.clone()).collect();
    let many = json!({ "query": "word", "filter": { "conversationIds": ids } });
    let (code, message) = ada.fault(SEARCH, many).await;
    assert_eq!(code, "BAD_USER_INPUT");
    assert_eq!(message, "`filter.conversationIds` must have at most 100 items, has 101");
}

const UPDATE: &str =
    "mutation($input: UpdateMessageInput!) { updateMessage(input: $input) { message { id } } }";
const DELETE: &str = "mutation($id: ID!) { deleteMessage(input: { id: $id }) { message { id } } }";
const DELETE_CONVERSATION: &str =
    "mutation($id: ID!) { deleteConversation(input: { id: $id }) { deletedConversationId } }";

async fn deleted_and_edited_messages_are_not_found_by_what_they_said(app: TestApp) {
    let ada = app.client("ada");
    // Changed before they are indexed, between, and after.
    for indexed_before in [false, true] {
        for indexed_after in [false, true] {
            let (kept, gone) = (ada.new_conversation().await, ada.new_conversation().await);
            let edited = ada.append(&kept, "walrus before").await;
            let deleted = ada.append(&kept, "walrus deleted").await;
            ada.append(&kept, "walrus stays").await;
            ada.append(&gone, "walrus elsewhere").await;
            if indexed_before {
                index(&app, &["ada"]).await;
            }
            assert_eq!(found(&ada, "walrus").await.len(), 4);
            ada.data(UPDATE, json!({ "input": { "id": edited["id"], "content": "narwhal after" } })).await;
            ada.data(DELETE, json!({ "id": deleted["id"] })).await;
            ada.data(DELETE_CONVERSATION, json!({ "id": gone })).await;
            if indexed_after {
                index(&app, &["ada"]).await;
            }
            assert_eq!(found(&ada, "walrus").await, ["walrus stays"]);
            assert_eq!(found(&ada, "narwhal").await, ["narwhal after"]);
            assert_eq!(found(&ada, "before").await, [""; 0]);
            ada.data(DELETE_CONVERSATION, json!({ "id": kept })).await;
            assert_eq!(found(&ada, "walrus").await, [""; 0]);
        }
    }
}

async fn reasoning_and_tools_are_found_when_included(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let parts = json!([
        { "text": { "text": "visible otter" } },
        { "reasoning": { "text": "hidden badger" } },
        { "tool": { "toolCallId": "1", "toolName": "get_weather", "state": "OUTPUT_AVAILABLE",
            "input": { "city": "Zürich" }, "output": { "temperature": 21.5, "sky": ["cloudy"] } } },
    ]);
    let input = json!({ "conversationId": conversation, "role": "ASSISTANT", "parts": parts });
    ada.data(
        "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }",
        json!({ "input": input }),
    )
    .await;
    for _ in 0..2 {
        for (query, filter, count) in [
            ("otter", json!({}), 1),
            ("badger", json!({}), 0),
            ("badger", json!({ "includeReasoning": true }), 1),
            ("badger", json!({ "includeTools": true }), 0),
            ("zurich", json!({}), 0),
            ("zurich", json!({ "includeTools": true }), 1),
            ("temperature 21.5 cloudy weather", json!({ "includeTools": true }), 1),
            ("otter badger zurich", json!({ "includeReasoning": true, "includeTools": true }), 1),
            ("\"otter hidden\"", json!({ "includeReasoning": true }), 0),
            ("otter -badger", json!({}), 1),
            ("otter -badger", json!({ "includeReasoning": true }), 0),
        ] {
            assert_eq!(found_with(&ada, query, filter.clone()).await.len(), count, "{query} {filter}");
        }
        index(&app, &["ada"]).await;
    }
}

async fn streamed_messages_are_found_when_they_have_ended(app: TestApp) {
    use crate::harness::{APPEND_TEXT, FINISH};
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let input = json!({ "conversationId": conversation, "role": "ASSISTANT", "status": "STREAMING" });
    let append = "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }";
    for indexed in [false, true] {
        let message =
            ada.data(append, json!({ "input": input })).await["appendMessage"]["message"]["id"].clone();
        ada.data(APPEND_TEXT, json!({ "id": message, "offset": 0, "text": "a streamed heron" })).await;
        if indexed {
            index(&app, &["ada"]).await;
        }
        assert_eq!(found(&ada, "heron").await.len(), usize::from(indexed));
        ada.data(FINISH, json!({ "id": message, "status": "COMPLETE" })).await;
        assert_eq!(found(&ada, "heron").await.len(), 1 + usize::from(indexed));
    }
    index(&app, &["ada"]).await;
    assert_eq!(found(&ada, "heron").await.len(), 2);
}

async fn branches_can_be_limited_to_the_active_one(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let append = "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }";
    let first = ada.append(&conversation, "plum question").await;
    let mut answers = Vec::new();
    for number in 1..=50 {
        let content = format!("plum answer {number}");
        let input = json!({ "conversationId": conversation, "role": "ASSISTANT", "content": content, "parentId": first["id"] });
        let data = ada.data(append, json!({ "input": input })).await;
        answers.push(data["appendMessage"]["message"]["id"].clone());
    }
    let switch =
        "mutation($input: SwitchBranchInput!) { switchBranch(input: $input) { conversation { id } } }";
    for (answer, number) in [(&answers[49], 50), (&answers[0], 1)] {
        let input = json!({ "conversationId": conversation, "leafId": answer });
        ada.data(switch, json!({ "input": input })).await;
        assert_eq!(found(&ada, "plum").await.len(), 51);
        // The matches before are all on other branches, many more than a page has.
        let filter = json!({ "activeBranchOnly": true });
        let variables = json!({ "query": "plum", "filter": filter, "orderBy": "NEWEST", "first": 1 });
        let page = search(&ada, variables.clone()).await;
        assert_eq!(contents(&page), [format!("plum answer {number}")]);
        let mut variables = variables;
        variables["after"] = page["pageInfo"]["endCursor"].clone();
        let page = search(&ada, variables).await;
        assert_eq!(contents(&page), ["plum question"]);
        assert_eq!(page["pageInfo"]["hasNextPage"], false);
        index(&app, &["ada"]).await;
    }
}

const CONVERSATIONS: &str = "query($query: String!) {
  conversations(filter: { query: $query }, orderBy: { field: CREATED_AT, direction: ASC }) { nodes { title } indexing }
}";

async fn conversations_are_found_by_title_or_message(app: TestApp) {
    let ada = app.client("ada");
    let create =
        "mutation($title: String) { createConversation(input: { title: $title }) { conversation { id } } }";
    let mut ids = Vec::new();
    for title in ["Trip to Oslo", "Recipes", "Café in Paris"] {
        let data = ada.data(create, json!({ "title": title })).await;
        ids.push(data["createConversation"]["conversation"]["id"].as_str().unwrap().to_owned());
    }
    ada.append(&ids[1], "an omelette from Oslo").await;
    let titles = async |query: &str| {
        let data = ada.data(CONVERSATIONS, json!({ "query": query })).await;
        assert_eq!(data["conversations"]["indexing"], false);
        let nodes = data["conversations"]["nodes"].as_array().unwrap().clone();
        nodes.iter().map(|node| node["title"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for _ in 0..2 {
        assert_eq!(titles("oslo").await, ["Trip to Oslo", "Recipes"]);
        assert_eq!(titles("cafe").await, ["Café in Paris"]);
        assert_eq!(titles("oslo -trip").await, ["Recipes"]);
        assert_eq!(titles("omelette").await, ["Recipes"]);
        assert_eq!(titles("nothing").await, [""; 0]);
        assert_eq!(found(&ada, "trip").await, [""; 0], "titles are not messages");
        index(&app, &["ada"]).await;
    }
    let rename = "mutation($id: ID!, $title: String) { updateConversation(input: { id: $id, title: $title }) { conversation { id } } }";
    ada.data(rename, json!({ "id": ids[0], "title": "Trip to Bergen" })).await;
    for _ in 0..2 {
        assert_eq!(titles("oslo").await, ["Recipes"]);
        assert_eq!(titles("bergen").await, ["Trip to Bergen"]);
        index(&app, &["ada"]).await;
    }
    let (code, message) = ada.fault(CONVERSATIONS, json!({ "query": "?" })).await;
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("BAD_USER_INPUT", "`filter.query` must have a word to look for")
    );
}

async fn foreign_messages_are_never_found(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let own = ada.new_conversation().await;
    let foreign = bob.new_conversation().await;
    ada.append(&own, "a shared word").await;
    bob.append(&foreign, "a shared word and a secret").await;
    for _ in 0..2 {
        assert_eq!(found(&ada, "shared").await, ["a shared word"]);
        assert_eq!(found(&bob, "shared").await, ["a shared word and a secret"]);
        for query in ["secret", "sec*", "\"a secret\"", "shared secret"] {
            assert_eq!(found(&ada, query).await, [""; 0]);
            assert_eq!(found_with(&ada, query, json!({ "conversationIds": [foreign] })).await, [""; 0]);
        }
        assert_eq!(found(&app.back_end().acting_for("ada"), "shared").await, ["a shared word"]);
        index(&app, &["ada", "bob"]).await;
    }
    // A cursor of somebody else's list is none of this list.
    let page = search(&bob, json!({ "query": "shared" })).await;
    let (code, _) =
        ada.fault(SEARCH, json!({ "query": "shared", "after": page["pageInfo"]["endCursor"] })).await;
    assert_eq!(code, "BAD_USER_INPUT");
}

async fn snippets_show_the_match(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let text = format!("{} The <b>café</b>\n\tis 🎉 open. {}", "before ".repeat(200), "after ".repeat(200));
    ada.append(&conversation, &text).await;
    for _ in 0..2 {
        let page = search(&ada, json!({ "query": "CAFE open" })).await;
        let edge = &page["edges"][0];
        let snippet: Vec<char> = edge["snippet"].as_str().unwrap().chars().collect();
        assert!(snippet.len() <= 202, "{}", snippet.len());
        let highlighted: Vec<String> = edge["highlights"]
            .as_array()
            .unwrap()
            .iter()
            .map(|range| {
                let number = |name: &str| usize::try_from(range[name].as_u64().unwrap()).unwrap();
                snippet[number("offset")..number("offset") + number("length")].iter().collect()
            })
            .collect();
        assert_eq!(highlighted, ["café", "open"]);
        assert!(snippet.iter().collect::<String>().contains("The <b>café</b> is 🎉 open."));
        index(&app, &["ada"]).await;
    }
}
