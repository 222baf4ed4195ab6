//! `POST /v1/import`.

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use reqwest::{Body, Method, Response, StatusCode, header};
use scrollback::model::{AuditAction, AuditFilter};
use serde_json::{Value, json};

use super::sources::{archive, export};
use crate::harness::{Client, TIMEOUT, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    users_bring_their_history,
    back_ends_import_for_users_and_are_audited,
    progress_is_sent_as_events,
    archives_and_compressed_files_are_read,
    what_is_refused_has_a_reason,
    imports_at_once_are_limited,
    a_client_that_sends_slowly_holds_nobody_up,
    an_import_that_is_broken_off_can_be_repeated,
);

with_row_level_security!(users_bring_their_history, back_ends_import_for_users_and_are_audited);

async fn post(client: &Client, query: &str, body: impl Into<Body>) -> Response {
    client.request(Method::POST, &format!("/v1/import{query}")).body(body).send().await.unwrap()
}

/// The report of an import that succeeds.
async fn report(client: &Client, query: &str, body: impl Into<Body>) -> Value {
    let response = post(client, query, body).await;
    let status = response.status();
    let report: Value = response.json().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{report}");
    report
}

/// The status, the code and the message of a refusal.
async fn refusal(response: Response) -> (u16, String, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    let error = &body["errors"][0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (status, text(&error["extensions"]["code"]), text(&error["message"]))
}

async fn count(client: &Client) -> u64 {
    let data = client.data("{ viewer { conversationCount } }", json!({})).await;
    data["viewer"]["conversationCount"].as_u64().unwrap()
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("c-{number}")).collect()
}

fn numbered(count: usize) -> String {
    export(&ids(count).iter().map(String::as_str).collect::<Vec<_>>())
}

async fn users_bring_their_history(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let checked = report(&ada, "?dryRun=true", numbered(3)).await;
    assert_eq!((&checked["dryRun"], &checked["conversations"]), (&json!(true), &json!(3)));
    assert_eq!(count(&ada).await, 0);
    let response = post(&ada, "", numbered(3)).await;
    assert_eq!(response.headers()[header::CACHE_CONTROL], "private, no-store");
    let new: Value = response.json().await.unwrap();
    assert_eq!(
        (&new["conversations"], &new["messages"], &new["rejected"]),
        (&json!(3), &json!(6), &json!(0))
    );
    assert_eq!(new["mapped"], json!({ "message": 6, "text": 6 }));
    let again = report(&ada, "?format=sharegpt", numbered(4)).await;
    assert_eq!((&again["conversations"], &again["present"]), (&json!(1), &json!(3)));
    assert_eq!((count(&ada).await, count(&bob).await), (4, 0));
    // The same export of another user is theirs.
    assert_eq!(report(&bob, "", numbered(2)).await["conversations"], 2);
    assert_eq!((count(&ada).await, count(&bob).await), (4, 2));
    // One that cannot be imported does not stop the others.
    let mut mixed: Value = serde_json::from_str(&numbered(5)).unwrap();
    mixed.as_array_mut().unwrap().push(json!({ "id": "bad", "conversations": 7 }));
    let mixed = report(&ada, "", mixed.to_string()).await;
    assert_eq!((&mixed["conversations"], &mixed["rejected"]), (&json!(1), &json!(1)));
    assert_eq!(mixed["rejections"][0]["sourceId"], "bad");
    // What Scrollback exports, it imports.
    let exported = bob.request(Method::GET, "/v1/export").send().await.unwrap().bytes().await.unwrap();
    let restored = report(&bob, "", exported).await;
    assert_eq!((&restored["conversations"], &restored["present"]), (&json!(0), &json!(2)));
}

async fn back_ends_import_for_users_and_are_audited(app: TestApp) {
    let acting = app.back_end().acting_for("ada");
    assert_eq!(report(&acting, "", numbered(2)).await["conversations"], 2);
    assert_eq!((count(&app.client("ada")).await, count(&app.client("bob")).await), (2, 0));
    let filter = AuditFilter { action: Some(AuditAction::CreateConversation), ..AuditFilter::default() };
    let entries = app.store.audit_entries(&filter, 0, 100).await.unwrap();
    assert_eq!(entries.len(), 2, "one for each conversation: {entries:?}");
    let refused = refusal(post(&app.client("bob").acting_for("ada"), "", numbered(3)).await).await;
    assert_eq!((refused.0, &*refused.1), (403, "FORBIDDEN"));
    assert_eq!(count(&app.client("ada")).await, 2);
}

/// The events of a response: their names and data.
async fn events(response: Response) -> Vec<(String, Value)> {
    let text = response.text().await.unwrap();
    let event = |block: &str| {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        Some((field("event:")?.to_owned(), serde_json::from_str(field("data:")?).unwrap()))
    };
    text.split("\n\n").filter_map(event).collect()
}

async fn progress_is_sent_as_events(app: TestApp) {
    let ada = app.client("ada");
    let stream = async |body: String| {
        let request = ada.request(Method::POST, "/v1/import").header(header::ACCEPT, "text/event-stream");
        let response = request.body(body).send().await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        events(response).await
    };
    let mut export: Value = serde_json::from_str(&numbered(200)).unwrap();
    export.as_array_mut().unwrap().insert(1, json!({ "id": "bad", "conversations": 7 }));
    let found = stream(export.to_string()).await;
    let (name, last) = found.last().unwrap();
    assert_eq!(
        (name.as_str(), &last["conversations"], &last["rejected"]),
        ("report", &json!(200), &json!(1))
    );
    let rejected: Vec<_> = found.iter().filter(|(name, _)| name == "rejected").collect();
    assert_eq!((rejected.len(), &rejected[0].1["sourceId"]), (1, &json!("bad")));
    let progress =
        found.iter().filter(|(name, _)| name == "progress").map(|(_, data)| &data["conversations"]);
    let progress: Vec<_> = progress.map(|count| count.as_u64().unwrap()).collect();
    assert!(progress.is_sorted() && progress.iter().all(|count| *count <= 200), "{progress:?}");
    let found = stream("no export".into()).await;
    assert_eq!(
        (found[0].0.as_str(), &found[0].1["reason"]),
        ("rejected", &json!("is plain text, which Scrollback cannot import"))
    );
    assert_eq!(found.last().unwrap().1["rejected"], 1);
}

async fn archives_and_compressed_files_are_read(app: TestApp) {
    let ada = app.client("ada");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.zip");
    archive(&path, &[("conversations.json", numbered(2).as_bytes()), ("file-1-a.txt", b"text")]);
    assert_eq!(report(&ada, "", fs::read(&path).unwrap()).await["conversations"], 2);
    let utf_16: Vec<u8> = numbered(3).encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(report(&ada, "", utf_16).await["conversations"], 1);
    archive(&path, &[("readme.txt", b"text")]);
    let refused = refusal(post(&ada, "", fs::read(&path).unwrap()).await).await;
    let expected = "the body has no file that ends with .json, .jsonl or .ndjson";
    assert_eq!(refused, (422, "BAD_USER_INPUT".to_owned(), expected.to_owned()));
}

async fn what_is_refused_has_a_reason(app: TestApp) {
    let app = TestApp::start_with(app.engine, &[("imports.bytes", "1000")]).await;
    let ada = app.client("ada");
    let query = refusal(post(&ada, "?format=pdf", "[]").await).await;
    assert_eq!((query.0, &*query.1), (400, "BAD_USER_INPUT"));
    assert!(query.2.starts_with("`format` must be one of auto, chatgpt, claude, "), "{}", query.2);
    let method = ada.request(Method::PUT, "/v1/import").send().await.unwrap();
    assert_eq!(method.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(method.headers()[header::ALLOW], "POST");
    let unknown = ada.with_token("nonsense");
    assert_eq!(post(&unknown, "", "[]").await.status(), StatusCode::UNAUTHORIZED);
    let expected = (
        413,
        "PAYLOAD_TOO_LARGE".to_owned(),
        "the body has more than 1000 bytes (`imports.bytes`)".to_owned(),
    );
    assert_eq!(refusal(post(&ada, "", numbered(50)).await).await, expected);
    // The same without a length.
    let chunks = stream::iter([numbered(50)]).map(Ok::<_, std::io::Error>);
    assert_eq!(refusal(post(&ada, "", Body::wrap_stream(chunks)).await).await, expected);
    let response = post(&ada, "", "no export").await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let report: Value = response.json().await.unwrap();
    assert_eq!(report["rejections"][0]["reason"], "is plain text, which Scrollback cannot import");
    let app = TestApp::start_with(app.engine, &[("imports.enabled", "false")]).await;
    assert_eq!(post(&app.client("ada"), "", "[]").await.status(), StatusCode::NOT_FOUND);
}

/// A body of which the test sends the rest later, or never.
fn unfinished(start: String) -> (tokio::sync::mpsc::Sender<Bytes>, Body) {
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let rest = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    let chunks = stream::once(async { Bytes::from(start) }).chain(rest).map(Ok::<_, std::io::Error>);
    (sender, Body::wrap_stream(chunks))
}

async fn imports_at_once_are_limited(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let (sender, body) = unfinished("[".to_owned());
    // Events begin as soon as the import has.
    let request = ada.request(Method::POST, "/v1/import").header(header::ACCEPT, "text/event-stream");
    let first = request.body(body).send().await.unwrap();
    assert_eq!(first.status(), StatusCode::OK);
    let refused = post(&ada, "", "[]").await;
    assert_eq!(refused.headers()[header::RETRY_AFTER], "5");
    let expected = "an owner may have at most 1 imports running: retry later";
    assert_eq!(refusal(refused).await, (429, "RATE_LIMITED".to_owned(), expected.to_owned()));
    assert_eq!(report(&bob, "", numbered(1)).await["conversations"], 1);
    sender.send(Bytes::from(numbered(2).trim_start_matches('[').to_owned())).await.unwrap();
    drop(sender);
    assert_eq!(events(first).await.last().unwrap().1["conversations"], 2);
}

async fn an_import_that_is_broken_off_can_be_repeated(app: TestApp) {
    let ada = app.client("ada");
    let whole = numbered(300);
    let (sender, body) = unfinished(whole[..whole.len() * 2 / 3].to_owned());
    let request = ada.request(Method::POST, "/v1/import").body(body);
    let running = tokio::spawn(request.send());
    let some = async { while count(&ada).await < 64 {} };
    tokio::time::timeout(TIMEOUT, some).await.unwrap();
    running.abort();
    drop(sender);
    // Its place is free again when the server has noticed.
    let again = async {
        loop {
            let response = post(&ada, "", whole.clone()).await;
            if response.status() == StatusCode::OK {
                return response.json::<Value>().await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let report = tokio::time::timeout(TIMEOUT, again).await.unwrap();
    assert_eq!(report["conversations"].as_u64().unwrap() + report["present"].as_u64().unwrap(), 300);
    assert!(report["present"].as_u64().unwrap() >= 64, "{report}");
    assert_eq!(count(&ada).await, 300);
}

async fn a_client_that_sends_slowly_holds_nobody_up(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let id = crate::user_erasure::fill(&ada, "moved").await;
    let exported = ada.request(Method::GET, "/v1/export").send().await.unwrap().text().await.unwrap();
    let delete = "mutation($id: ID!) { deleteConversation(input: { id: $id }) { deletedConversationId } }";
    ada.data(delete, json!({ "id": id })).await;
    // The conversation and some of its messages, and then nothing for a while.
    let cut = exported.match_indices("\n{\"message\":").nth(5).unwrap().0 + 1;
    let (sender, body) = unfinished(exported[..cut].to_owned());
    let request = ada.request(Method::POST, "/v1/import").header(header::ACCEPT, "text/event-stream");
    let response = request.body(body).send().await.unwrap();
    for _ in 0..50 {
        let written = tokio::time::timeout(TIMEOUT, bob.new_conversation()).await;
        assert!(written.is_ok(), "nobody waits for locks of an import that waits for its client");
    }
    sender.send(Bytes::from(exported[cut..].to_owned())).await.unwrap();
    drop(sender);
    let events = events(response).await;
    let (name, report) = events.last().unwrap();
    assert_eq!(
        (name.as_str(), &report["conversations"], &report["messages"]),
        ("report", &json!(1), &json!(10))
    );
}
