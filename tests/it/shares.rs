//! Shares: copies of branches that anybody with the secret can read.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::harness::{Client, Engine, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    a_branch_is_shared_and_revoked,
    a_share_is_a_copy,
    wrong_ended_and_revoked_secrets_look_the_same,
    a_share_ends_with_its_conversation,
    what_cannot_be_shared_is_said,
    the_page_is_safe,
);

with_row_level_security!(a_branch_is_shared_and_revoked, a_share_ends_with_its_conversation);

const SHARE: &str = "mutation($input: ShareConversationInput!) { shareConversation(input: $input) {
  secret share { id title label expiresAt messageCount viewCount } conversation { id } } }";
const APPEND: &str =
    "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }";
const SHARES: &str =
    "query($id: ID!) { conversation(id: $id) { shares { id title label messageCount viewCount } } }";

async fn share(client: &Client, input: Value) -> Value {
    client.data(SHARE, json!({ "input": input })).await["shareConversation"].take()
}

async fn append(client: &Client, id: &str, more: Value) -> String {
    let mut input = json!({ "conversationId": id, "role": "USER" });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let data = client.data(APPEND, json!({ "input": input })).await;
    data["appendMessage"]["message"]["id"].as_str().unwrap().to_owned()
}

/// Reads a share without credentials.
async fn read(app: &TestApp, secret: &str, accept: &str) -> reqwest::Response {
    let request = app.anonymous().request(Method::GET, &format!("/shared/{secret}"));
    request.header(header::ACCEPT, accept).send().await.unwrap()
}

async fn json_of(app: &TestApp, secret: &str) -> Value {
    let response = read(app, secret, "application/json").await;
    assert_eq!(response.status(), StatusCode::OK);
    response.json().await.unwrap()
}

async fn a_branch_is_shared_and_revoked(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let id = ada.new_conversation().await;
    let first = append(&ada, &id, json!({ "content": "question" })).await;
    let old =
        append(&ada, &id, json!({ "role": "ASSISTANT", "content": "an old answer", "model": "m-1" })).await;
    append(&ada, &id, json!({ "role": "ASSISTANT", "content": "a new answer", "parentId": first })).await;
    let made =
        share(&ada, json!({ "conversationId": id, "leafId": old, "title": "For you", "label": "to bob" }))
            .await;
    let secret = made["secret"].as_str().unwrap();
    assert_eq!(secret.len(), 32);
    assert_eq!((&made["share"]["messageCount"], &made["conversation"]["id"]), (&json!(2), &json!(id)));
    let shared = json_of(&app, secret).await;
    let told: Vec<_> = shared["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (&it["role"], &it["content"], &it["model"]))
        .collect();
    let (user, assistant) = (json!("USER"), json!("ASSISTANT"));
    assert_eq!(
        told,
        [(&user, &json!("question"), &Value::Null), (&assistant, &json!("an old answer"), &json!("m-1"))]
    );
    assert_eq!(shared["title"], "For you");
    let text = shared.to_string();
    for hidden in ["ada", "to bob", &first, &old, &id, "metadata", "usage"] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
    // The same through GraphQL, for anybody with a token.
    let query = "query($secret: String!) { sharedConversation(secret: $secret) { title messageCount sharedMessages(first: 1, skip: 1) { role content metadata parts { ... on TextPart { text } } } } }";
    let data = bob.data(query, json!({ "secret": secret })).await;
    assert_eq!(
        data["sharedConversation"],
        json!({ "title": "For you", "messageCount": 2, "sharedMessages": [
            { "role": "ASSISTANT", "content": "an old answer", "metadata": null, "parts": [{ "text": "an old answer" }] }
        ] })
    );
    // The owner sees how often it was read, and no one else sees it.
    let listed = ada.data(SHARES, json!({ "id": id })).await["conversation"]["shares"].take();
    assert_eq!(
        listed,
        json!([{ "id": made["share"]["id"], "title": "For you", "label": "to bob", "messageCount": 2, "viewCount": 2 }])
    );
    let revoke = "mutation($id: ID!) { revokeShare(input: { id: $id }) { revokedShareId } }";
    bob.data(revoke, json!({ "id": made["share"]["id"] })).await;
    assert_eq!(json_of(&app, secret).await["title"], "For you", "another user cannot revoke it");
    for _ in 0..2 {
        ada.data(revoke, json!({ "id": made["share"]["id"] })).await;
    }
    assert_eq!(read(&app, secret, "application/json").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(bob.data(query, json!({ "secret": secret })).await["sharedConversation"], Value::Null);
    let kinds = ada.data("{ changes(first: 100) { nodes { __typename } } }", json!({})).await;
    let updates = kinds["changes"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["__typename"] == "ConversationUpdated");
    assert_eq!(updates.count(), 2, "shared once, revoked once");
}

async fn a_share_is_a_copy(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let edited = append(&ada, &id, json!({ "content": "before", "metadata": { "a": 1 } })).await;
    let deleted = append(&ada, &id, json!({ "content": "deleted later" })).await;
    let gone = append(&ada, &id, json!({ "content": "deleted before" })).await;
    let delete = "mutation($id: ID!) { deleteMessage(input: { id: $id }) { message { id } } }";
    ada.data(delete, json!({ "id": gone })).await;
    append(&ada, &id, json!({ "role": "ASSISTANT", "status": "STREAMING", "content": "being written" }))
        .await;
    let client_id = uuid::Uuid::new_v4().to_string();
    let made = share(&ada, json!({ "id": client_id, "conversationId": id, "includeMetadata": true })).await;
    let secret = made["secret"].as_str().unwrap().to_owned();
    let edit =
        "mutation($id: ID!) { updateMessage(input: { id: $id, content: \"after\" }) { message { id } } }";
    ada.data(edit, json!({ "id": edited })).await;
    ada.data(delete, json!({ "id": deleted })).await;
    append(&ada, &id, json!({ "content": "later" })).await;
    let shared = json_of(&app, &secret).await;
    let contents: Vec<_> =
        shared["messages"].as_array().unwrap().iter().map(|it| it["content"].as_str().unwrap()).collect();
    assert_eq!(contents, ["before", "deleted later"]);
    assert_eq!(shared["messages"][0]["metadata"], json!({ "a": 1 }));
    assert_eq!(shared["title"], Value::Null, "that of the conversation, which has none");
    // A repeat makes no second one, and does not show the secret again.
    let again = share(&ada, json!({ "id": client_id, "conversationId": id })).await;
    assert_eq!((&again["secret"], &again["share"]["id"]), (&Value::Null, &json!(client_id)));
    let other = ada.new_conversation().await;
    let told = ada.fault(SHARE, json!({ "input": { "id": client_id, "conversationId": other } })).await;
    assert_eq!(told.0, "CONFLICT");
    let bob = app.client("bob");
    let own = bob.new_conversation().await;
    assert_eq!(
        bob.fault(SHARE, json!({ "input": { "id": client_id, "conversationId": own } })).await.0,
        "CONFLICT"
    );
}

async fn wrong_ended_and_revoked_secrets_look_the_same(app: TestApp) {
    let mut before = app;
    before.stop().await;
    let database = before.config.database_url();
    let settings = [("database.url", &*database), ("shares.views_per_minute", "0")];
    let app = TestApp::start_with(before.engine, &settings).await;
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    append(&ada, &id, json!({ "content": "hello" })).await;
    let soon = scrollback::clock::Clock::system().now().0 + 1_500_000;
    let ends = scrollback::model::Timestamp(soon).to_string();
    let ended = share(&ada, json!({ "conversationId": id, "expiresAt": ends })).await["secret"].clone();
    let ended = ended.as_str().unwrap();
    assert_eq!(json_of(&app, ended).await["expiresAt"], ends);
    let revoked = share(&ada, json!({ "conversationId": id })).await;
    let revoke = "mutation($id: ID!) { revokeShare(input: { id: $id }) { revokedShareId } }";
    ada.data(revoke, json!({ "id": revoked["share"]["id"] })).await;
    let over = async { while read(&app, ended, "application/json").await.status() == StatusCode::OK {} };
    tokio::time::timeout(crate::harness::TIMEOUT, over).await.unwrap();
    let mut answers = Vec::new();
    for secret in [ended, revoked["secret"].as_str().unwrap(), "wrong", &"x".repeat(32), "%00", "..%2F"] {
        for accept in ["text/html", "application/json"] {
            let response = read(&app, secret, accept).await;
            let mut headers = response.headers().clone();
            headers.remove("date");
            answers.push((accept, response.status(), headers, response.text().await.unwrap()));
        }
    }
    for (accept, status, headers, text) in &answers {
        let first = answers.iter().find(|(other, ..)| other == accept).unwrap();
        assert_eq!((status, text), (&first.1, &first.3));
        assert_eq!(headers, &first.2);
        assert_eq!(*status, StatusCode::NOT_FOUND);
    }
    assert_eq!(
        ada.data(SHARES, json!({ "id": id })).await["conversation"]["shares"],
        json!([]),
        "ended ones are not listed"
    );
}

async fn a_share_ends_with_its_conversation(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    append(&ada, &id, json!({ "content": "hello" })).await;
    let made = share(&ada, json!({ "conversationId": id })).await;
    let secret = made["secret"].as_str().unwrap();
    let status = async || read(&app, secret, "text/html").await.status();
    let change = async |mutation: &str| {
        ada.data(
            &format!("mutation($id: ID!) {{ {mutation}(input: {{ id: $id }}) {{ __typename }} }}"),
            json!({ "id": id }),
        )
        .await;
    };
    change("trashConversation").await;
    assert_eq!(status().await, StatusCode::NOT_FOUND, "in the trash");
    assert_eq!(ada.fault(SHARE, json!({ "input": { "conversationId": id } })).await.0, "CONFLICT");
    change("restoreConversation").await;
    assert_eq!(status().await, StatusCode::OK);
    change("deleteConversation").await;
    assert_eq!(status().await, StatusCode::NOT_FOUND);
}

async fn what_cannot_be_shared_is_said(app: TestApp) {
    let mut before = app;
    before.stop().await;
    let database = before.config.database_url();
    let settings = [
        ("database.url", &*database),
        ("shares.messages", "3"),
        ("shares.bytes", "100"),
        ("shares.per_conversation", "2"),
    ];
    let app = TestApp::start_with(before.engine, &settings).await;
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let leaf = append(&ada, &id, json!({ "content": "a" })).await;
    for _ in 0..3 {
        append(&ada, &id, json!({ "content": "b" })).await;
    }
    let large = append(&ada, &id, json!({ "content": "x".repeat(101), "parentId": null })).await;
    let input = |more: Value| {
        let mut input = json!({ "conversationId": id });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "input": input })
    };
    let too_much = "`input.leafId` must end a branch of at most 3 messages and 100 bytes that can be shared";
    for (more, code, expected) in [
        (json!({ "leafId": large }), "BAD_USER_INPUT", too_much),
        (
            json!({ "leafId": leaf, "expiresAt": "2020-01-01T00:00:00Z" }),
            "BAD_USER_INPUT",
            "`input.expiresAt` must be in the future, got 2020-01-01T00:00:00.000000Z",
        ),
        (
            json!({ "title": "x".repeat(1025) }),
            "BAD_USER_INPUT",
            "`input.title` must be at most 1024 bytes of UTF-8, has 1025",
        ),
        (
            json!({ "label": "x".repeat(256) }),
            "BAD_USER_INPUT",
            "`input.label` must be at most 255 bytes of UTF-8, has 256",
        ),
        (json!({ "leafId": uuid::Uuid::new_v4().to_string() }), "NOT_FOUND", "no such message"),
        (json!({ "conversationId": uuid::Uuid::new_v4().to_string() }), "NOT_FOUND", "no such conversation"),
    ] {
        assert_eq!(ada.fault(SHARE, input(more)).await, (code.to_owned(), expected.to_owned()));
    }
    for _ in 0..2 {
        ada.data(SHARE, input(json!({ "leafId": leaf }))).await;
    }
    let told = ada.fault(SHARE, input(json!({ "leafId": leaf }))).await;
    assert_eq!(told.1, "`input.conversationId` must have at most 2 shares: revoke some");
}

async fn the_page_is_safe(app: TestApp) {
    let ada = app.client("ada");
    let create = "mutation($input: CreateConversationInput!) { createConversation(input: $input) { conversation { id } } }";
    let evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&";
    let data = ada.data(create, json!({ "input": { "title": evil } })).await;
    let id = data["createConversation"]["conversation"]["id"].as_str().unwrap().to_owned();
    append(&ada, &id, json!({ "content": evil })).await;
    let parts = json!([
        { "text": { "text": evil } },
        { "reasoning": { "text": evil } },
        { "file": { "mediaType": "image/png", "filename": evil, "url": "javascript:alert(1)" } },
        { "file": { "mediaType": "image/png", "url": "https://evil.example/pixel.png\" onload=\"alert(1)" } },
        { "tool": { "toolCallId": "1", "toolName": evil, "state": "OUTPUT_AVAILABLE", "output": { "html": evil } } },
        { "sourceUrl": { "sourceId": "1", "url": "https://example.org/?a=1&b=2", "title": evil } },
        { "data": { "name": evil, "data": evil } },
    ]);
    append(&ada, &id, json!({ "role": "ASSISTANT", "parts": parts })).await;
    let secret = share(&ada, json!({ "conversationId": id })).await["secret"].as_str().unwrap().to_owned();
    let response = read(&app, &secret, "text/html").await;
    assert_eq!(response.status(), StatusCode::OK);
    let headers = response.headers().clone();
    let of = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!(of("content-type"), "text/html; charset=utf-8");
    assert_eq!(of("x-robots-tag"), "noindex, nofollow, noarchive");
    assert_eq!(
        (of("x-content-type-options"), of("referrer-policy")),
        ("nosniff".into(), "no-referrer".into())
    );
    assert_eq!((of("cache-control"), of("vary").contains("accept")), ("public, max-age=60".into(), true));
    let policy = of("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; img-src 'self'; style-src 'sha256-"), "{policy}");
    let text = response.text().await.unwrap();
    for forbidden in ["<script", "<img", "onerror=alert(1)>", "javascript:"] {
        assert!(!text.contains(forbidden), "{forbidden}: {text}");
    }
    assert!(
        text.contains("&lt;script&gt;alert(1)&lt;/script&gt;")
            && text.contains("href=\"https://example.org/?a=1&amp;b=2\"")
    );
    // It is the same until it is revoked, so it need not be sent again.
    let tag = of("etag");
    let request = app.anonymous().request(Method::GET, &format!("/shared/{secret}"));
    let known =
        request.header(header::ACCEPT, "text/html").header(header::IF_NONE_MATCH, tag).send().await.unwrap();
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(read(&app, &secret, "*/*").await.headers()["content-type"], "text/html; charset=utf-8");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_may_read_only_so_often() {
    let app = TestApp::start_with(Engine::Sqlite, &[("shares.views_per_minute", "5")]).await;
    for _ in 0..5 {
        assert_eq!(read(&app, "wrong", "text/html").await.status(), StatusCode::NOT_FOUND);
    }
    let response = read(&app, "wrong", "application/json").await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = response.headers()[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    // Other things are not limited by it.
    app.client("ada").new_conversation().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_allow_images_and_the_trash_and_turn_all_of_it_off() {
    let app =
        TestApp::start_with(Engine::Sqlite, &[("shares.images", "true"), ("shares.while_trashed", "true")])
            .await;
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let parts = json!([{ "file": { "mediaType": "image/png", "url": "https://example.org/a.png", "filename": "a \"picture\"" } }]);
    append(&ada, &id, json!({ "parts": parts })).await;
    let secret = share(&ada, json!({ "conversationId": id })).await["secret"].as_str().unwrap().to_owned();
    let trash = "mutation($id: ID!) { trashConversation(input: { id: $id }) { __typename } }";
    ada.data(trash, json!({ "id": id })).await;
    let response = read(&app, &secret, "text/html").await;
    assert!(
        response.headers()["content-security-policy"].to_str().unwrap().contains("img-src 'self' https:;")
    );
    let text = response.text().await.unwrap();
    assert!(
        text.contains(
            "<img src=\"https://example.org/a.png\" alt=\"a &quot;picture&quot;\" loading=\"lazy\">"
        ),
        "{text}"
    );
    let off = TestApp::start_with(Engine::Sqlite, &[("shares.enabled", "false")]).await;
    let ada = off.client("ada");
    let id = ada.new_conversation().await;
    let told = ada.fault(SHARE, json!({ "input": { "conversationId": id } })).await;
    assert_eq!(told, ("FORBIDDEN".into(), "sharing is turned off on this server".into()));
    assert_eq!(read(&off, &secret, "text/html").await.status(), StatusCode::NOT_FOUND);
}
