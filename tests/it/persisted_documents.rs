//! Persisted documents, trusted and automatic, on every transport.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Client, Engine, Program, TestApp, on_each_database};

on_each_database!(automatic_persisted_queries_are_remembered, every_transport_accepts_document_ids,);

const WHO: &str = "{ viewer { id } }";
const CREATE: &str = "mutation Create { createConversation(input: {}) { conversation { id } } }";
const FOLLOW: &str = "subscription Follow { changes { __typename } }";

fn hash(document: &str) -> String {
    Sha256::digest(document).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn named(document: &str) -> Value {
    json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": hash(document) } } })
}

fn named_and_sent(document: &str) -> Value {
    let mut body = named(document);
    body["query"] = json!(document);
    body
}

async fn post(client: &Client, body: &Value) -> Value {
    client.request(Method::POST, "/graphql").json(body).send().await.unwrap().json().await.unwrap()
}

async fn get(client: &Client, parameters: &[(&str, String)]) -> (u16, Value) {
    let response = client.request(Method::GET, "/graphql").query(parameters).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

fn ada() -> Value {
    json!({ "data": { "viewer": { "id": "ada" } } })
}

fn code(body: &Value) -> &str {
    assert_eq!(body.get("data"), None, "{body}");
    body["errors"][0]["extensions"]["code"].as_str().unwrap()
}

/// A server with these files in its folder of manifests.
async fn trusting(files: &[(&str, Value)], settings: &[(&'static str, &str)]) -> TestApp {
    let folder = tempfile::tempdir().unwrap();
    for (name, manifest) in files {
        std::fs::write(folder.path().join(name), manifest.to_string()).unwrap();
    }
    let path = folder.path().display().to_string();
    let manifest = [("documents.manifest", path.as_str())];
    TestApp::start_with(Engine::Sqlite, &[&manifest, settings].concat()).await
}

fn apollo(documents: &[&str]) -> Value {
    let operation = |body: &&str| json!({ "id": hash(body), "name": "N", "type": "query", "body": body });
    let operations: Vec<_> = documents.iter().map(operation).collect();
    json!({ "format": "apollo-persisted-query-manifest", "version": 1, "operations": operations })
}

async fn automatic_persisted_queries_are_remembered(app: TestApp) {
    let (client, bob) = (app.client("ada"), app.client("bob"));
    let unknown = post(&client, &named(WHO)).await;
    assert_eq!(
        (code(&unknown), &unknown["errors"][0]["message"]),
        ("PERSISTED_QUERY_NOT_FOUND", &json!("PersistedQueryNotFound"))
    );
    assert_eq!(post(&client, &named_and_sent(WHO)).await, ada());
    assert_eq!(post(&client, &named(WHO)).await, ada());
    assert_eq!(post(&bob, &named(WHO)).await["data"]["viewer"]["id"], "bob", "it runs for who names it");
    // Nobody can put theirs in the place of another.
    let mut poisoned = named_and_sent("{ __typename }");
    poisoned["query"] = json!("{ conversations { nodes { id } } }");
    assert_eq!(code(&post(&client, &poisoned).await), "BAD_REQUEST");
    assert_eq!(code(&post(&client, &named("{ __typename }")).await), "PERSISTED_QUERY_NOT_FOUND");
    // What was refused is not kept, however often it is sent.
    let broken = "{ viewer { id }";
    let large = format!("{{ {} }}", "viewer { id } ".repeat(2000));
    for (refused, expected) in [(broken, "GRAPHQL_PARSE_FAILED"), (large.as_str(), "QUERY_TOO_COMPLEX")] {
        assert_eq!(code(&post(&client, &named_and_sent(refused)).await), expected);
        assert_eq!(code(&post(&client, &named(refused)).await), "PERSISTED_QUERY_NOT_FOUND");
    }
    // What is kept is looked at like what is sent: its cost goes by the variables.
    let pages =
        "query($n: Int) { conversations(first: $n) { nodes { messages(last: $n) { nodes { id } } } } }";
    let mut asked = named_and_sent(pages);
    asked["variables"] = json!({ "n": 10 });
    assert_eq!(post(&client, &asked).await["data"]["conversations"]["nodes"], json!([]));
    let mut asked = named(pages);
    asked["variables"] = json!({ "n": 100 });
    assert_eq!(code(&post(&client, &asked).await), "QUERY_TOO_COMPLEX");
    asked["variables"] = json!({ "n": "10" });
    assert_eq!(code(&post(&client, &asked).await), "BAD_USER_INPUT");
}

async fn every_transport_accepts_document_ids(app: TestApp) {
    let client = app.client("ada");
    for document in [WHO, CREATE] {
        post(&client, &named_and_sent(document)).await;
    }
    let extensions = |document| ("extensions", named(document)["extensions"].to_string());
    assert_eq!(get(&client, &[extensions(WHO)]).await, (200, ada()));
    assert_eq!(get(&client, &[("documentId", format!("sha256:{}", hash(WHO)))]).await, (200, ada()));
    let (status, _) = get(&client, &[extensions(CREATE)]).await;
    assert_eq!(status, 405, "a mutation is one whatever it is called");
    let streamed = client.request(Method::POST, "/graphql").header("accept", "text/event-stream");
    let streamed = streamed.json(&named(WHO)).send().await.unwrap().text().await.unwrap();
    assert!(streamed.contains(&format!("data: {}", ada())), "{streamed}");
    let mut socket = app.socket("ada").await;
    let subscribe = |id: &str, payload: Value| json!({ "type": "subscribe", "id": id, "payload": payload });
    socket.send(subscribe("1", named(WHO))).await;
    assert_eq!(socket.receive().await, json!({ "type": "next", "id": "1", "payload": ada() }));
    assert_eq!(socket.receive().await["type"], "complete");
    socket.send(subscribe("2", named(FOLLOW))).await;
    let refused = socket.receive().await;
    assert_eq!(refused["payload"][0]["extensions"]["code"], "PERSISTED_QUERY_NOT_FOUND");
    socket.send(subscribe("2", named_and_sent(FOLLOW))).await;
    socket.send(subscribe("3", named(FOLLOW))).await;
    // Both follow: until both have told something, things happen.
    let mut told = BTreeMap::new();
    let mut number = 0;
    while told.len() < 2 {
        number += 1;
        socket.send(subscribe(&format!("m{number}"), named(CREATE))).await;
        while let Ok(message) =
            tokio::time::timeout(std::time::Duration::from_millis(100), socket.receive()).await
        {
            let id = message["id"].as_str().unwrap().to_owned();
            assert_ne!(message["type"], "error", "{message}");
            if ["2", "3"].contains(&id.as_str()) {
                told.insert(id, message["payload"]["data"]["changes"]["__typename"].clone());
            }
        }
        assert!(number < 100);
    }
    assert!(told.values().all(|kind| *kind == "ConversationCreated"));
}

#[tokio::test]
async fn invalid_names_are_refused_with_the_rule() {
    let app = TestApp::start(Engine::Sqlite).await;
    let client = app.client("ada");
    let good = hash(WHO);
    let persisted = |asked: Value| json!({ "extensions": { "persistedQuery": asked } });
    for (body, expected) in [
        (persisted(json!({ "version": 2, "sha256Hash": good })), "version 1"),
        (persisted(json!({ "version": "1", "sha256Hash": good })), "version 1"),
        (persisted(json!({ "version": 1 })), "64 hexadecimal digits"),
        (persisted(json!({ "version": 1, "sha256Hash": "abc" })), "64 hexadecimal digits"),
        (persisted(json!({ "version": 1, "sha256Hash": good.to_uppercase() })), "in lower case"),
        (persisted(json!(7)), "must be an object"),
        (json!({ "documentId": 7 }), "`documentId` must be a string"),
        (json!({ "documentId": good, "query": WHO }), "either `query` or `documentId`"),
        (json!({ "documentId": good, "extensions": named(WHO)["extensions"] }), "either `documentId` or"),
        (persisted(json!(null)), "`query` must be given"),
        (json!({ "documentId": null }), "`query` must be given"),
        (json!({ "query": 7, "documentId": good }), "`query` must be given"),
    ] {
        let answer = post(&client, &body).await;
        assert_eq!(code(&answer), "BAD_REQUEST", "{body}");
        assert!(answer["errors"][0]["message"].as_str().unwrap().contains(expected), "{answer}");
    }
    assert_eq!(code(&post(&client, &json!({ "documentId": "nothing" })).await), "PERSISTED_QUERY_NOT_FOUND");
}

#[tokio::test]
async fn trusted_documents_may_be_the_only_ones() {
    let relay = json!({ "0cc175b9c0f1b6a831c399e269772661": CREATE });
    let files = [
        ("apollo.json", apollo(&[WHO, FOLLOW])),
        ("relay.json", relay),
        ("README.txt", json!("no manifest")),
    ];
    let app = trusting(&files, &[("documents.only", "true"), ("mode", "production")]).await;
    let client = app.client("ada");
    for trusted in
        [named(WHO), named_and_sent(WHO), json!({ "query": WHO }), json!({ "documentId": hash(WHO) })]
    {
        assert_eq!(post(&client, &trusted).await, ada(), "{trusted}");
    }
    let by_relays_id = json!({ "documentId": "0cc175b9c0f1b6a831c399e269772661" });
    assert!(post(&client, &by_relays_id).await["data"]["createConversation"].is_object());
    let other = "{ viewer { id actor } }";
    for refused in [json!({ "query": other }), named_and_sent(other), json!({ "query": format!("{WHO} ") })] {
        let answer = post(&client, &refused).await;
        assert_eq!(code(&answer), "QUERY_NOT_IN_SAFELIST", "{refused}");
        assert!(answer["errors"][0]["message"].as_str().unwrap().contains("`documents.only`"), "{answer}");
    }
    assert_eq!(code(&post(&client, &named(other)).await), "PERSISTED_QUERY_NOT_FOUND", "and it was not kept");
    let mut socket = app.socket("ada").await;
    socket.subscribe("1", other, json!({})).await;
    assert_eq!(socket.receive().await["payload"][0]["extensions"]["code"], "QUERY_NOT_IN_SAFELIST");
    let (_, answer) = get(&client, &[("query", other.to_owned())]).await;
    assert_eq!(code(&answer), "QUERY_NOT_IN_SAFELIST");
}

#[tokio::test]
async fn trusted_documents_do_not_exclude_others() {
    let app = trusting(&[("m.json", apollo(&[WHO]))], &[("documents.automatic", "false")]).await;
    let client = app.client("ada");
    assert_eq!(post(&client, &named(WHO)).await, ada());
    assert_eq!(post(&client, &json!({ "query": "{ viewer { id } } " })).await, ada());
    assert_eq!(
        post(&client, &named_and_sent("{viewer{id}}")).await,
        ada(),
        "its name is checked and forgotten"
    );
    assert_eq!(code(&post(&client, &named("{viewer{id}}")).await), "PERSISTED_QUERY_NOT_FOUND");
    // Without any there is nothing to name, and Apollo's clients stop trying.
    let none = TestApp::start_with(Engine::Sqlite, &[("documents.automatic", "false")]).await;
    assert_eq!(code(&post(&none.client("ada"), &named(WHO)).await), "PERSISTED_QUERY_NOT_SUPPORTED");
    assert_eq!(post(&none.client("ada"), &named_and_sent(WHO)).await, ada());
}

#[tokio::test]
async fn automatic_documents_are_evicted() {
    let app = TestApp::start_with(Engine::Sqlite, &[("documents.automatic_entries", "10")]).await;
    let client = app.client("ada");
    let document = |number| format!("query N{number} {{ viewer {{ id }} }}");
    for number in 0..100 {
        assert_eq!(post(&client, &named_and_sent(&document(number))).await, ada());
    }
    let mut kept = 0;
    for number in 0..100 {
        kept += u32::from(post(&client, &named(&document(number))).await == ada());
    }
    assert_eq!(kept, 10);
    assert_eq!(post(&client, &named(&document(99))).await, ada());
}

#[tokio::test]
async fn invalid_manifests_are_refused_at_start() {
    let program = Program::believing();
    std::fs::create_dir(program.folder().join("empty")).unwrap();
    std::fs::write(program.folder().join("broken.json"), json!({ "a": "{ viewer" }).to_string()).unwrap();
    for (settings, told) in [
        ("only = true", "`documents.only` requires `documents.manifest`"),
        ("manifest = \"nowhere.json\"", "cannot read `documents.manifest`, nowhere.json"),
        ("manifest = \"empty\"", "the folder has no *.json file"),
        ("manifest = \"broken.json\"", "broken.json: the document a: "),
        ("automatic_entries = 0", "`documents.automatic_entries`"),
    ] {
        std::fs::write(program.folder().join("scrollback.toml"), format!("[documents]\n{settings}\n"))
            .unwrap();
        let refusal = program.refused(&["--config", "scrollback.toml", "--listen", "127.0.0.1:0"]).await;
        assert!(refusal.contains(told), "{settings}: {refusal}");
    }
}
