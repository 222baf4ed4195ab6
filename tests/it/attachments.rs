//! Attachments: files that messages refer to.

mod crashes;
mod data_urls;
mod journey;
mod links;
mod removal;
mod storage;
mod uploads;

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Client, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    a_file_is_sent_and_fetched,
    the_same_file_is_stored_once,
    ranges_are_served,
    what_is_not_allowed_is_said,
    creating_can_be_repeated,
    strangers_see_and_change_nothing,
);

with_row_level_security!(a_file_is_sent_and_fetched, strangers_see_and_change_nothing);

pub(crate) const CREATE: &str = "mutation($input: CreateAttachmentInput!) { createAttachment(input: $input) {
  attachment { id filename mediaType byteSize sha256 createdAt uploadedAt downloadUrl }
  upload { url method headers { name value } expiresAt } } }";
pub(crate) const APPEND: &str = "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { message {
  id content parts { __typename ... on FilePart { url mediaType filename attachment { id byteSize downloadUrl } } } } } }";
const NODE: &str = "query($id: ID!) { node(id: $id) { __typename id ... on Attachment { byteSize uploadedAt downloadUrl } } }";
const DELETE: &str = "mutation($id: ID!) { deleteAttachment(input: { id: $id }) { deletedAttachmentId } }";

pub(crate) fn hash(file: &[u8]) -> String {
    Sha256::digest(file).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn input(file: &[u8]) -> Value {
    json!({ "filename": "a file.png", "mediaType": "image/png", "byteSize": file.len(), "sha256": hash(file) })
}

pub(crate) async fn create(client: &Client, input: Value) -> Value {
    client.data(CREATE, json!({ "input": input })).await["createAttachment"].take()
}

/// Sends a body to a signed URL, without credentials.
pub(crate) async fn put(client: &Client, url: &str, body: Vec<u8>, range: Option<&str>) -> reqwest::Response {
    let mut request = client.with_token("").request(Method::PUT, url).body(body);
    if let Some(range) = range {
        request = request.header(header::CONTENT_RANGE, range);
    }
    request.send().await.unwrap()
}

pub(crate) async fn get(client: &Client, url: &str) -> reqwest::Response {
    client.request(Method::GET, url).send().await.unwrap()
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// An attachment whose file was sent.
pub(crate) async fn attach(client: &Client, file: &[u8]) -> String {
    let made = create(client, input(file)).await;
    if let Some(url) = made["upload"]["url"].as_str() {
        let response = put(client, url, file.to_vec(), None).await;
        assert_eq!(response.status(), StatusCode::OK, "{}", response.text().await.unwrap());
    }
    text(&made["attachment"]["id"]).to_owned()
}

/// A message with a file.
pub(crate) fn message(conversation: &str, attachment: &str) -> Value {
    let file = json!({ "mediaType": "image/png", "filename": "a file.png", "url": format!("attachment:{attachment}") });
    json!({ "conversationId": conversation, "role": "USER", "parts": [{ "text": { "text": "look" } }, { "file": file }] })
}

pub(crate) async fn append(client: &Client, conversation: &str, attachment: &str) -> Value {
    let data = client.data(APPEND, json!({ "input": message(conversation, attachment) })).await;
    data["appendMessage"]["message"].clone()
}

async fn a_file_is_sent_and_fetched(app: TestApp) {
    let ada = app.client("ada");
    let file: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let made = create(&ada, input(&file)).await;
    let attachment = &made["attachment"];
    assert_eq!(attachment["sha256"], hash(&file));
    assert_eq!((&attachment["byteSize"], &attachment["uploadedAt"]), (&json!(400_000), &Value::Null));
    assert_eq!((&made["upload"]["method"], &attachment["downloadUrl"]), (&json!("PUT"), &Value::Null));
    let sent = put(&ada, text(&made["upload"]["url"]), file.clone(), None).await;
    assert_eq!(sent.status(), StatusCode::OK);
    assert_eq!(
        sent.json::<Value>().await.unwrap(),
        json!({ "uploadOffset": 400_000, "uploadLength": 400_000, "complete": true })
    );
    let conversation = ada.new_conversation().await;
    let appended = append(&ada, &conversation, text(&attachment["id"])).await;
    let part = &appended["parts"][1];
    assert_eq!(
        (&part["attachment"]["id"], &part["attachment"]["byteSize"]),
        (&attachment["id"], &json!(400_000))
    );
    let fetched = get(&app.anonymous(), text(&part["attachment"]["downloadUrl"])).await;
    assert_eq!(fetched.status(), StatusCode::OK);
    for (name, value) in [
        ("content-type", "image/png"),
        ("content-disposition", "attachment; filename=\"a file.png\""),
        ("x-content-type-options", "nosniff"),
        ("content-length", "400000"),
        ("accept-ranges", "bytes"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(fetched.headers()[name], value, "{name}");
    }
    assert!(fetched.headers()["content-security-policy"].to_str().unwrap().starts_with("sandbox;"));
    let tag = fetched.headers()["etag"].clone();
    assert_eq!(fetched.bytes().await.unwrap(), file);
    let url = text(&part["attachment"]["downloadUrl"]);
    let known = ada.request(Method::GET, url).header(header::IF_NONE_MATCH, tag).send().await.unwrap();
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    let head = ada.request(Method::HEAD, url).send().await.unwrap();
    assert_eq!(
        (head.status(), head.headers()["content-length"].as_bytes()),
        (StatusCode::OK, &b"400000"[..])
    );
    let node = ada.data(NODE, json!({ "id": attachment["id"] })).await["node"].take();
    assert_eq!((&node["__typename"], &node["byteSize"]), (&json!("Attachment"), &json!(400_000)));
    // A page of history has it, too.
    let query = "query($id: ID!) { conversation(id: $id) { messages { nodes { parts { ... on FilePart { attachment { id } } } } } } }";
    let page = ada.data(query, json!({ "id": conversation })).await;
    assert_eq!(
        page["conversation"]["messages"]["nodes"][0]["parts"][1]["attachment"]["id"],
        attachment["id"]
    );
}

async fn the_same_file_is_stored_once(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let first = attach(&ada, b"the same").await;
    let second = create(&ada, input(b"the same")).await;
    assert_eq!(second["upload"], Value::Null, "there is nothing to send");
    assert_ne!(second["attachment"]["id"], json!(first));
    let fetched = get(&ada, text(&second["attachment"]["downloadUrl"])).await;
    assert_eq!(fetched.bytes().await.unwrap(), &b"the same"[..]);
    assert_eq!(app.files().len(), 1);
    // That somebody else has it is no reason to give it away.
    let other = create(&bob, input(b"the same")).await;
    assert!(other["upload"].is_object());
    attach(&bob, b"the same").await;
    assert_eq!(app.files().len(), 2);
    ada.data(DELETE, json!({ "id": first })).await;
    let fetched = get(&ada, text(&second["attachment"]["downloadUrl"])).await;
    assert_eq!(fetched.status(), StatusCode::OK, "the other attachment has it still");
    ada.data(DELETE, json!({ "id": second["attachment"]["id"] })).await;
    app.files_become(1).await;
}

async fn ranges_are_served(app: TestApp) {
    let ada = app.client("ada");
    // Several objects.
    let file: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let id = attach(&ada, &file).await;
    assert!(app.files().len() > 2);
    let node = ada.data(NODE, json!({ "id": id })).await["node"].take();
    let url = text(&node["downloadUrl"]).to_owned();
    let fetch =
        async |range: &str| ada.request(Method::GET, &url).header(header::RANGE, range).send().await.unwrap();
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=4194300-4194310", 4_194_300, 4_194_311),
        ("bytes=11999990-", 11_999_990, 12_000_000),
        ("bytes=-5", 11_999_995, 12_000_000),
        ("bytes=100-9000000", 100, 9_000_001),
    ] {
        let part = fetch(range).await;
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(part.headers()["content-range"], format!("bytes {from}-{}/12000000", to - 1));
        assert_eq!(part.bytes().await.unwrap(), file[from..to], "{range}");
    }
    let beyond = fetch("bytes=12000000-").await;
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.headers()["content-range"], "bytes */12000000");
    assert_eq!(fetch("bytes=0-1,5-6").await.status(), StatusCode::OK);
    let other = ada.request(Method::GET, &url).header(header::RANGE, "bytes=0-0");
    let other = other.header(header::IF_RANGE, "\"another version\"").send().await.unwrap();
    assert_eq!((other.status(), other.bytes().await.unwrap().len()), (StatusCode::OK, file.len()));
}

async fn what_is_not_allowed_is_said(app: TestApp) {
    let ada = app.client("ada");
    for (field, value, rule) in [
        ("filename", json!(""), "`input.filename` must not be empty"),
        ("filename", json!("a\nb"), "`input.filename` must not contain control characters"),
        ("mediaType", json!("png"), "`input.mediaType` must be a media type such as `image/png`"),
        ("byteSize", json!(0), "`input.byteSize` must be 1 to 1073741824, got 0"),
        ("byteSize", json!(-1), "`input.byteSize` must be 1 to 1073741824, got -1"),
        ("byteSize", json!(2_000_000_000), "`input.byteSize` must be 1 to 1073741824, got 2000000000"),
        ("sha256", json!("abc"), "`input.sha256` must be 64 hexadecimal digits"),
        ("id", json!("abc"), "`input.id` must be a UUID"),
    ] {
        let mut wrong = input(b"a");
        wrong[field] = value;
        let fault = ada.fault(CREATE, json!({ "input": wrong })).await;
        assert_eq!(fault, ("BAD_USER_INPUT".into(), rule.into()));
    }
    let conversation = ada.new_conversation().await;
    let waiting = create(&ada, input(b"not sent")).await;
    let waiting = text(&waiting["attachment"]["id"]);
    for id in [waiting, "00000000-0000-4000-8000-000000000000"] {
        let (code, rule) = ada.fault(APPEND, json!({ "input": message(&conversation, id) })).await;
        assert_eq!(code, "BAD_USER_INPUT");
        assert_eq!(
            rule,
            format!("`input.parts` must refer to attachments that were uploaded, `attachment:{id}` was not")
        );
    }
    let (_, rule) = ada.fault(APPEND, json!({ "input": message(&conversation, "x") })).await;
    assert_eq!(rule, "`input.parts[1].file.url` must be `attachment:` and the id of an attachment");
    let id = attach(&ada, b"used").await;
    append(&ada, &conversation, &id).await;
    let (code, _) = ada.fault(DELETE, json!({ "id": id })).await;
    assert_eq!(code, "CONFLICT");
    let history =
        ada.data("query($id: ID!) { conversation(id: $id) { messageCount } }", json!({ "id": conversation }));
    assert_eq!(history.await["conversation"]["messageCount"], 1, "nothing else was appended");
}

async fn creating_can_be_repeated(app: TestApp) {
    let ada = app.client("ada");
    let mut with_id = input(b"a file");
    with_id["id"] = json!("0197a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b");
    let first = create(&ada, with_id.clone()).await;
    let again = create(&ada, with_id.clone()).await;
    assert_eq!(first["attachment"], again["attachment"]);
    let sent = put(&ada, text(&again["upload"]["url"]), b"a file".to_vec(), None).await;
    assert_eq!(sent.status(), StatusCode::OK);
    assert_eq!(create(&ada, with_id.clone()).await["upload"], Value::Null);
    with_id["filename"] = json!("another name");
    assert_eq!(ada.fault(CREATE, json!({ "input": with_id })).await.0, "CONFLICT");
    let (ada, id) = (app.client("ada"), first["attachment"]["id"].clone());
    for _ in 0..2 {
        let deleted = ada.data(DELETE, json!({ "id": id })).await;
        assert_eq!(deleted["deleteAttachment"]["deletedAttachmentId"], id);
    }
}

async fn strangers_see_and_change_nothing(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let id = attach(&ada, b"mine").await;
    assert_eq!(bob.data(NODE, json!({ "id": id })).await["node"], Value::Null);
    bob.data(DELETE, json!({ "id": id })).await;
    let conversation = bob.new_conversation().await;
    let (code, _) = bob.fault(APPEND, json!({ "input": message(&conversation, &id) })).await;
    assert_eq!(code, "BAD_USER_INPUT");
    let mut taken = input(b"mine");
    taken["id"] = json!(id);
    assert_eq!(bob.fault(CREATE, json!({ "input": taken })).await.0, "CONFLICT");
    let node = ada.data(NODE, json!({ "id": id })).await["node"].take();
    assert_eq!(get(&ada, text(&node["downloadUrl"])).await.bytes().await.unwrap(), &b"mine"[..]);
}
