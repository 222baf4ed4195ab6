//! Exports over HTTP: who may have them, what is refused, and how transfers end.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode, header};
use scrollback::model::{AuditAction, AuditActor, AuditFilter, OwnerId};
use serde_json::{Value, json};

use crate::harness::{Client, Engine, TIMEOUT, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    an_export_is_its_owners_only,
    back_ends_export_for_users_and_are_audited,
    what_is_refused_has_a_reason,
    exports_at_once_are_limited,
    a_transfer_that_is_broken_off_is_noticed,
    an_export_may_take_longer_than_a_statement,
);

with_row_level_security!(an_export_is_its_owners_only, back_ends_export_for_users_and_are_audited);

pub(super) async fn get(client: &Client, query: &str) -> Response {
    client.request(Method::GET, &format!("/v1/export{query}")).send().await.unwrap()
}

pub(super) async fn text(client: &Client, query: &str) -> String {
    let response = get(client, query).await;
    assert_eq!(response.status(), StatusCode::OK, "{query}");
    response.text().await.unwrap()
}

/// The status, the code and the message of a refusal.
async fn refusal(response: Response) -> (u16, String, String) {
    let status = response.status().as_u16();
    let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
    assert_eq!(kind, "application/json; charset=utf-8");
    let body: Value = response.json().await.unwrap();
    let error = &body["errors"][0];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (status, text(&error["extensions"]["code"]), text(&error["message"]))
}

async fn an_export_is_its_owners_only(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let (own, other) =
        (crate::user_erasure::fill(&ada, "adas").await, crate::user_erasure::fill(&bob, "bobs").await);
    let missing = uuid::Uuid::new_v4().to_string();
    for format in ["scrollback", "uimessage", "openai-jsonl"] {
        let exported = text(&ada, &format!("?format={format}")).await;
        assert!(exported.contains("adas") && !exported.contains("bobs"), "{format}");
        let exported = text(&ada, &format!("?format={format}&conversation={own}")).await;
        assert!(exported.contains("adas") && !exported.contains("bobs"), "{format}");
    }
    for format in ["scrollback", "uimessage", "openai-jsonl", "markdown", "html"] {
        let of = |ids: &[&str]| {
            let ids: String = ids.iter().map(|id| format!("&conversation={id}")).collect();
            format!("?format={format}{ids}")
        };
        let absent = refusal(get(&ada, &of(&[&missing])).await).await;
        assert_eq!(
            absent,
            (404, "NOT_FOUND".to_owned(), format!("there is no conversation {missing}")),
            "{format}"
        );
        let foreign = refusal(get(&ada, &of(&[&other])).await).await;
        assert_eq!((foreign.0, foreign.1), (404, "NOT_FOUND".to_owned()));
        assert_eq!(foreign.2.replace(&other, &missing), absent.2);
        assert_eq!(get(&ada, &of(&[&own, &other])).await.status(), StatusCode::NOT_FOUND);
        assert_eq!(get(&app.client("eve"), &of(&[&own])).await.status(), StatusCode::NOT_FOUND);
    }
    // Nobody's data is an export, too.
    let nothing = text(&app.client("eve"), "").await;
    assert_eq!(nothing.lines().count(), 2, "{nothing}");
    assert_eq!(text(&app.client("eve"), "?format=uimessage").await, "");
}

async fn back_ends_export_for_users_and_are_audited(app: TestApp) {
    let ada = app.client("ada");
    let id = crate::user_erasure::fill(&ada, "adas").await;
    crate::user_erasure::fill(&ada, "more").await;
    let entries = async || {
        let filter = AuditFilter { action: Some(AuditAction::Export), ..AuditFilter::default() };
        let entries = app.store.audit_entries(&filter, 0, 100).await.unwrap();
        entries.into_iter().map(|(_, entry)| entry).collect::<Vec<_>>()
    };
    text(&ada, "").await;
    assert_eq!(entries().await, [], "users are not in the log");
    let acting = app.back_end().acting_for("ada");
    assert!(text(&acting, "?format=uimessage").await.contains("adas"));
    text(&acting, &format!("?conversation={id}")).await;
    let entries = entries().await;
    let actor = AuditActor::BackEnd(OwnerId::new("back end").unwrap());
    assert!(entries.iter().all(|entry| entry.actor == actor), "{entries:?}");
    assert_eq!(entries.iter().map(|entry| entry.count).collect::<Vec<_>>(), [Some(2), Some(1)]);
    assert_eq!(entries[1].conversation.map(|id| id.to_string()), Some(id));
    // The user sees it in the next export.
    let (exported, entry) = (text(&ada, "").await, "\"actor\":\"back end\",\"action\":\"export\"");
    assert_eq!(exported.matches(entry).count(), 2);
    // A user without data is not named.
    text(&app.back_end().acting_for("nobody"), "").await;
    let filter = AuditFilter { owner: Some(OwnerId::new("nobody").unwrap()), ..AuditFilter::default() };
    assert!(app.store.audit_entries(&filter, 0, 100).await.unwrap().is_empty());
    // Without the scope nobody acts for others.
    let refused = refusal(get(&app.client("bob").acting_for("ada"), "").await).await;
    assert_eq!((refused.0, &*refused.1), (403, "FORBIDDEN"));
}

async fn what_is_refused_has_a_reason(app: TestApp) {
    let app =
        TestApp::start_with(app.engine, &[("rate.operations_per_minute", "1"), ("rate.burst", "8")]).await;
    let ada = app.client("ada");
    for (query, expected) in [
        (
            "?format=pdf",
            "`format` must be one of scrollback, uimessage, openai-jsonl, markdown, html, got \"pdf\"",
        ),
        ("?conversation=1", "`conversation` must be a UUID, got \"1\""),
        ("?format=html&branches=some", "`branches` must be one of active, all, got \"some\""),
        (
            "?format=uimessage&branches=all",
            "`branches` must be active with the format uimessage, got all: use the format markdown, html or scrollback",
        ),
        (
            "?branches=all",
            "`branches` cannot be used with the format scrollback, which always has all branches, got all",
        ),
        ("?users=bob", "`users` is unknown: there are format, conversation and branches"),
    ] {
        let refused = refusal(get(&ada, query).await).await;
        assert_eq!(refused, (400, "BAD_USER_INPUT".to_owned(), expected.to_owned()));
    }
    let response = get(&app.anonymous(), "").await;
    assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
    assert_eq!(refusal(response).await.0, 401);
    assert_eq!(refusal(get(&app.anonymous().with_token("x"), "").await).await.0, 401);
    for method in [Method::POST, Method::DELETE] {
        let response = ada.request(method, "/v1/export").send().await.unwrap();
        assert_eq!(response.headers()[header::ALLOW], "GET");
        assert_eq!(refusal(response).await.0, 405);
    }
    let head = ada.request(Method::HEAD, "/v1/export").send().await.unwrap();
    assert_eq!(head.status(), StatusCode::METHOD_NOT_ALLOWED);
    // It counts as an operation.
    while get(&ada, "").await.status() == StatusCode::OK {}
    let limited = get(&ada, "").await;
    assert!(limited.headers().contains_key(header::RETRY_AFTER));
    let refused = refusal(limited).await;
    assert_eq!((refused.0, &*refused.1), (429, "RATE_LIMITED"));
    let off = TestApp::start_with(app.engine, &[("exports.enabled", "false")]).await;
    assert_eq!(get(&off.client("ada"), "").await.status(), StatusCode::NOT_FOUND);
}

/// A conversation that is larger than what the system and the server buffer for a client that does not read.
async fn large_conversation(client: &Client) -> String {
    let id = client.new_conversation().await;
    let content: String =
        (0..1_000_000_u32).map(|n| char::from(b'A' + (n.wrapping_mul(2_654_435_761) >> 27) as u8)).collect();
    for _ in 0..44 {
        client.append(&id, &content).await;
    }
    id
}

async fn exports_at_once_are_limited(app: TestApp) {
    let settings = [("exports.per_owner", "1"), ("exports.at_once", "2"), ("server.write_timeout", "2s")];
    let app = TestApp::start_with(app.engine, &settings).await;
    let (ada, bob, eve) = (app.client("ada"), app.client("bob"), app.client("eve"));
    large_conversation(&ada).await;
    large_conversation(&bob).await;
    // They do not read.
    let unread = get(&ada, "").await;
    let refused = refusal(get(&ada, "").await).await;
    let expected = "an owner may have at most 1 exports running: retry later";
    assert_eq!(refused, (429, "RATE_LIMITED".to_owned(), expected.to_owned()));
    let other = get(&bob, "").await;
    let refused = refusal(get(&eve, "").await).await;
    assert_eq!((refused.0, &*refused.1), (503, "UNAVAILABLE"));
    // One leaves, the other is disconnected because it does not read.
    drop(other);
    let again = async |client: &Client| {
        let retrying = async {
            loop {
                let response = get(client, "?format=openai-jsonl").await;
                if response.status() == StatusCode::OK {
                    return response;
                }
                assert!([429, 503].contains(&response.status().as_u16()));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(TIMEOUT, retrying).await.unwrap()
    };
    assert_eq!(again(&eve).await.text().await.unwrap(), "");
    assert!(again(&ada).await.text().await.unwrap().len() > 44_000_000);
    let rest = unread.bytes().await;
    assert!(rest.is_err(), "it was broken off: {}", rest.unwrap().len());
}

async fn a_transfer_that_is_broken_off_is_noticed(app: TestApp) {
    let settings = [("server.drain", "100ms"), ("server.shutdown_timeout", "500ms")];
    let mut app = TestApp::start_with(app.engine, &settings).await;
    let ada = app.client("ada");
    large_conversation(&ada).await;
    let mut responses = Vec::new();
    for format in ["scrollback", "html"] {
        let response = get(&ada, &format!("?format={format}")).await;
        assert_eq!(response.status(), StatusCode::OK);
        responses.push(response);
    }
    app.stop().await;
    for response in responses {
        assert!(response.bytes().await.is_err());
    }
}

/// A reader may be slow: the database ends neither the transaction nor its statements.
async fn an_export_may_take_longer_than_a_statement(app: TestApp) {
    let settings = [("database.statement_timeout", "2s"), ("server.write_timeout", "1m")];
    let app = TestApp::start_with(app.engine, &settings).await;
    let ada = app.client("ada");
    large_conversation(&ada).await;
    let response = get(&ada, "").await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(response.bytes().await.unwrap().len() > 44_000_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_takes_too_long_is_broken_off() {
    let settings = [("exports.timeout", "1s"), ("server.write_timeout", "1m")];
    let app = TestApp::start_with(Engine::Sqlite, &settings).await;
    let ada = app.client("ada");
    large_conversation(&ada).await;
    let response = get(&ada, "").await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(response.bytes().await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_headers_name_the_file() {
    let app = TestApp::start(Engine::Sqlite).await;
    let ada = app.client("ada");
    let create = "mutation($input: CreateConversationInput!) { createConversation(input: $input) { conversation { id createdAt } } }";
    let data = ada.data(create, json!({ "input": { "title": "Über \"Züge\" / 2" } })).await;
    let conversation = &data["createConversation"]["conversation"];
    let (id, day) =
        (conversation["id"].as_str().unwrap(), &conversation["createdAt"].as_str().unwrap()[..10]);
    for (query, kind, name) in [
        (String::new(), "application/jsonl", format!("\"scrollback-export-{day}.jsonl\"")),
        ("?format=html".to_owned(), "application/zip", format!("\"scrollback-html-{day}.zip\"")),
        (
            format!("?format=markdown&conversation={id}"),
            "text/markdown; charset=utf-8",
            format!("UTF-8''{day}%20%C3%9Cber%20_Z%C3%BCge_%20_%202.md"),
        ),
        (
            format!("?format=html&conversation={id}"),
            "text/html; charset=utf-8",
            format!("UTF-8''{day}%20%C3%9Cber%20_Z%C3%BCge_%20_%202.html"),
        ),
    ] {
        let response = get(&ada, &query).await;
        let value = |name| response.headers()[&name].to_str().unwrap();
        assert_eq!(value(header::CONTENT_TYPE), kind);
        assert_eq!(value(header::CACHE_CONTROL), "private, no-store");
        let disposition = value(header::CONTENT_DISPOSITION);
        assert!(disposition.starts_with("attachment; ") && disposition.ends_with(&name), "{disposition}");
        assert!(response.headers().contains_key("x-request-id"));
    }
}
