//! Files go when nothing refers to them any more, and not before.

use reqwest::StatusCode;
use scrollback::model::Timestamp;
use serde_json::{Value, json};

use super::{NODE, append, attach, get, text};
use crate::harness::{Client, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    a_file_goes_with_its_last_message,
    an_edit_changes_what_is_referred_to,
    a_share_keeps_its_files,
    unused_attachments_go_after_a_day,
    what_is_announced_again_stays,
    an_erased_user_leaves_no_files,
);

with_row_level_security!(
    a_file_goes_with_its_last_message,
    a_share_keeps_its_files,
    unused_attachments_go_after_a_day,
    an_erased_user_leaves_no_files
);

const DELETE_MESSAGE: &str = "mutation($id: ID!) { deleteMessage(input: { id: $id }) { message { id } } }";
const DELETE_CONVERSATION: &str =
    "mutation($id: ID!) { deleteConversation(input: { id: $id }) { deletedConversationId } }";
const UPDATE: &str =
    "mutation($input: UpdateMessageInput!) { updateMessage(input: $input) { message { id } } }";

async fn exists(client: &Client, id: &str) -> bool {
    client.data(NODE, json!({ "id": id })).await["node"] != Value::Null
}

async fn a_file_goes_with_its_last_message(app: TestApp) {
    let ada = app.client("ada");
    let (one, other) = (ada.new_conversation().await, ada.new_conversation().await);
    let id = attach(&ada, b"a picture").await;
    let first = append(&ada, &one, &id).await;
    append(&ada, &one, &id).await;
    append(&ada, &other, &id).await;
    ada.data(DELETE_MESSAGE, json!({ "id": first["id"] })).await;
    assert!(exists(&ada, &id).await);
    ada.data(DELETE_CONVERSATION, json!({ "id": one })).await;
    assert!(exists(&ada, &id).await);
    assert_eq!(app.files().len(), 1);
    ada.data(DELETE_CONVERSATION, json!({ "id": other })).await;
    assert!(!exists(&ada, &id).await);
    app.files_become(0).await;
}

async fn an_edit_changes_what_is_referred_to(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let (old, new) = (attach(&ada, b"old").await, attach(&ada, b"new").await);
    let message = append(&ada, &conversation, &old).await["id"].clone();
    let file = |id: &str| json!({ "file": { "mediaType": "image/png", "url": format!("attachment:{id}") } });
    ada.data(UPDATE, json!({ "input": { "id": message, "parts": [file(&old), file(&new), file(&new)] } }))
        .await;
    assert!(exists(&ada, &old).await && exists(&ada, &new).await);
    ada.data(UPDATE, json!({ "input": { "id": message, "pinned": true } })).await;
    assert!(exists(&ada, &old).await);
    ada.data(UPDATE, json!({ "input": { "id": message, "parts": [file(&new)] } })).await;
    assert!(!exists(&ada, &old).await && exists(&ada, &new).await);
    app.files_become(1).await;
    // What is gone cannot come back.
    let input = json!({ "id": message, "parts": [file(&old)] });
    assert_eq!(ada.fault(UPDATE, json!({ "input": input })).await.0, "BAD_USER_INPUT");
    ada.data(UPDATE, json!({ "input": { "id": message, "content": "only text" } })).await;
    app.files_become(0).await;
}

async fn a_share_keeps_its_files(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let (picture, unshared) = (attach(&ada, b"a picture").await, attach(&ada, b"another").await);
    let message = append(&ada, &conversation, &picture).await["id"].clone();
    let share =
        "mutation($id: ID!) { shareConversation(input: { conversationId: $id }) { secret share { id } } }";
    let shared = ada.data(share, json!({ "id": conversation })).await["shareConversation"].take();
    let secret = text(&shared["secret"]).to_owned();
    ada.data(DELETE_MESSAGE, json!({ "id": message })).await;
    let anybody = app.anonymous();
    let page = get(&anybody, &format!("/shared/{secret}")).await.text().await.unwrap();
    let path = format!("/shared/{secret}/files/{picture}");
    assert!(page.contains(&format!("<img src=\"{path}\"")), "{page}");
    let fetched = get(&anybody, &path).await;
    assert_eq!(fetched.headers()["content-type"], "image/png");
    assert_eq!(fetched.bytes().await.unwrap(), &b"a picture"[..]);
    // As JSON and in GraphQL.
    let json = anybody.request(reqwest::Method::GET, &format!("/shared/{secret}"));
    let json: Value = json.header("accept", "application/json").send().await.unwrap().json().await.unwrap();
    assert_eq!(json["messages"][0]["parts"][1]["file"]["url"], path);
    let query = "query($secret: String!) { sharedConversation(secret: $secret) { sharedMessages { parts { ... on FilePart { attachment { downloadUrl } } } } } }";
    let found = app.client("bob").data(query, json!({ "secret": secret })).await;
    let url = &found["sharedConversation"]["sharedMessages"][0]["parts"][1]["attachment"]["downloadUrl"];
    assert_eq!(get(&anybody, text(url)).await.status(), StatusCode::OK);
    for wrong in [
        format!("/shared/{secret}/files/{unshared}"),
        format!("/shared/{secret}x/files/{picture}"),
        format!("/shared/{secret}/files/x"),
    ] {
        assert_eq!(get(&anybody, &wrong).await.status(), StatusCode::NOT_FOUND, "{wrong}");
    }
    let revoke = "mutation($id: ID!) { revokeShare(input: { id: $id }) { revokedShareId } }";
    ada.data(revoke, json!({ "id": shared["share"]["id"] })).await;
    assert_eq!(get(&anybody, &path).await.status(), StatusCode::NOT_FOUND);
    assert!(!exists(&ada, &picture).await);
    app.files_become(1).await;
}

async fn unused_attachments_go_after_a_day(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let (unused, used) = (attach(&ada, b"unused").await, attach(&ada, b"used").await);
    append(&ada, &conversation, &used).await;
    let created = ada.data(
        "query($id: ID!) { node(id: $id) { ... on Attachment { createdAt } } }",
        json!({ "id": unused }),
    );
    let created = Timestamp::parse("createdAt", text(&created.await["node"]["createdAt"])).unwrap();
    assert_eq!(app.store.delete_unused_attachments(created).await.unwrap(), 0);
    assert!(exists(&ada, &unused).await);
    assert_eq!(app.store.delete_unused_attachments(Timestamp(created.0 + 1)).await.unwrap(), 1);
    assert!(!exists(&ada, &unused).await && exists(&ada, &used).await);
    app.files_become(1).await;
}

async fn what_is_announced_again_stays(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let mut input = super::input(b"again");
    input["id"] = json!("0197a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b");
    let made = super::create(&ada, input.clone()).await;
    super::put(&ada, text(&made["upload"]["url"]), b"again".to_vec(), None).await;
    let id = text(&made["attachment"]["id"]).to_owned();
    let first = append(&ada, &conversation, &id).await;
    // A retry of a client that is about to send another message, while the first one is deleted.
    super::create(&ada, input.clone()).await;
    ada.data(DELETE_MESSAGE, json!({ "id": first["id"] })).await;
    let second = append(&ada, &conversation, &id).await;
    assert!(exists(&ada, &id).await);
    // One that is used is not unused, however long ago it was announced.
    super::create(&ada, input).await;
    let later = Timestamp(i64::MAX);
    assert_eq!(app.store.delete_unused_attachments(later).await.unwrap(), 0);
    ada.data(DELETE_MESSAGE, json!({ "id": second["id"] })).await;
    assert!(!exists(&ada, &id).await);
    app.files_become(0).await;
}

async fn an_erased_user_leaves_no_files(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    for index in 0..5_u8 {
        let conversation = ada.new_conversation().await;
        let id = attach(&ada, &[index; 100]).await;
        append(&ada, &conversation, &id).await;
    }
    attach(&ada, b"unused").await;
    attach(&bob, b"of bob").await;
    assert_eq!(app.files().len(), 7);
    let receipt = app.store.erase(&scrollback::model::OwnerId::new("ada").unwrap()).await.unwrap();
    assert_eq!(app.files().len(), 1, "the receipt comes when the files are gone");
    assert!(
        app.store
            .erasure_faults(&receipt, &scrollback::model::OwnerId::new("ada").unwrap())
            .await
            .unwrap()
            .is_empty()
    );
}
