//! The files of an archive become attachments.

use reqwest::Method;
use serde_json::{Value, json};

use super::sources::archive;
use crate::harness::{Engine, Program};

const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n and more";

async fn files_of_an_archive_become_attachments(engine: Engine) {
    let program = Program::over(engine).await;
    let content = json!({ "content_type": "multimodal_text", "parts": [
        { "content_type": "image_asset_pointer", "asset_pointer": "sediment://file_1", "size_bytes": 17 },
        { "content_type": "image_asset_pointer", "asset_pointer": "sediment://file_absent" },
        { "content_type": "image_asset_pointer", "asset_pointer": "sediment://file_3" }, "What is this?"] });
    let metadata =
        json!({ "attachments": [{ "id": "file_1", "name": "cat.png", "mime_type": "image/png" }] });
    let message = json!({ "author": { "role": "user" }, "content": content, "metadata": metadata });
    let export = json!([{ "id": "c", "title": "cat", "mapping": { "q": { "parent": null, "children": [], "message": message } } }]);
    let ratings = br#"[{"id":"q","rating":"thumbs_up","content":"{\"text\":\"nice\"}"}]"#;
    let files: [(&str, &[u8]); 4] = [
        ("conversations.json", &export.to_string().into_bytes()),
        ("file_1-cat.png", PICTURE),
        ("file_3.dat", PICTURE),
        ("message_feedback.json", ratings),
    ];
    archive(&program.folder().join("export.zip"), &files);
    let printed = program.printed(&["import", "export.zip", "--user", "ada"]).await;
    assert!(printed.contains("\nfiles: 2\n"), "{printed}");
    let again = program.printed(&["import", "export.zip", "--user", "ada"]).await;
    assert!(again.contains("1 existed already") && !again.contains("files:"), "{again}");
    let server = program.serve(&[]).await;
    let ada = server.client("ada");
    let query = "{ conversations(first: 1) { nodes { messages(first: 1) { nodes { content feedback { rating comment } parts { __typename ... on FilePart {
        filename mediaType url attachment { byteSize downloadUrl } } } } } } } }";
    let found = ada.data(query, json!({})).await;
    let message = &found["conversations"]["nodes"][0]["messages"]["nodes"][0];
    assert_eq!(message["content"], "What is this?");
    let files: Vec<&Value> =
        message["parts"].as_array().unwrap().iter().filter(|part| part["__typename"] == "FilePart").collect();
    assert_eq!((&files[0]["filename"], &files[0]["mediaType"]), (&json!("cat.png"), &json!("image/png")));
    assert_eq!(files[1]["url"], "sediment://file_absent", "what the archive does not have stays a reference");
    assert_eq!((&files[2]["filename"], &files[2]["mediaType"]), (&json!("file_3.png"), &json!("image/png")));
    assert_eq!(message["feedback"], json!({ "rating": "UP", "comment": "nice" }));
    let url = files[0]["attachment"]["downloadUrl"].as_str().unwrap();
    let bytes = ada.request(Method::GET, url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(&bytes[..], PICTURE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_an_archive_become_attachments_on_sqlite() {
    files_of_an_archive_become_attachments(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_an_archive_become_attachments_on_postgres() {
    files_of_an_archive_become_attachments(Engine::Postgres).await;
}
