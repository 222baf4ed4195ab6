//! A user sends a picture and a large file, and takes them along to another server.

use futures_util::{StreamExt, stream};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{APPEND, CREATE, create, get, put, text};
use crate::harness::{Client, Engine, Program};

const BLOCK: usize = 1024 * 1024;
const BLOCKS: usize = 200;

/// A PNG of one red pixel.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\0\0\0\x0cIDATx\x9cc\xf8\xcf\xc0\0\0\x03\x01\x01\0\xc9\xfe\x92\xef\0\0\0\0IEND\xaeB`\x82";

fn block(index: usize) -> Vec<u8> {
    let mut block = vec![7_u8; BLOCK];
    block[..8].copy_from_slice(&index.to_le_bytes());
    block
}

fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hash of what a URL gives.
async fn downloaded(client: &Client, url: &Value) -> String {
    let mut hash = Sha256::new();
    let mut chunks = get(client, text(url)).await.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        hash.update(chunk.unwrap());
    }
    hex(&hash.finalize())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_and_a_large_file_move_to_another_server() {
    let (old, new) = (Program::over(Engine::Sqlite).await, Program::over(Engine::Postgres).await);
    let server = old.serve(&[]).await;
    let ada = server.client("ada");
    let conversation = ada.new_conversation().await;
    let picture = json!({ "filename": "red.png", "mediaType": "image/png", "byteSize": PICTURE.len(), "sha256": super::hash(PICTURE) });
    let picture = create(&ada, picture).await;
    put(&ada, text(&picture["upload"]["url"]), PICTURE.to_vec(), None).await;
    let mut whole = Sha256::new();
    (0..BLOCKS).for_each(|index| whole.update(block(index)));
    let whole = hex(&whole.finalize());
    let video = json!({ "filename": "film.mp4", "mediaType": "video/mp4", "byteSize": BLOCK * BLOCKS, "sha256": whole });
    let video = ada.data(CREATE, json!({ "input": video })).await["createAttachment"].take();
    let blocks = stream::iter((0..BLOCKS).map(|index| Ok::<_, std::io::Error>(block(index))));
    let sent =
        ada.request(Method::PUT, text(&video["upload"]["url"])).body(reqwest::Body::wrap_stream(blocks));
    assert_eq!(sent.send().await.unwrap().status(), StatusCode::OK);
    let part = |made: &Value| {
        let attachment = &made["attachment"];
        let url = format!("attachment:{}", text(&attachment["id"]));
        json!({ "file": { "mediaType": attachment["mediaType"], "filename": attachment["filename"], "url": url } })
    };
    let input =
        json!({ "conversationId": conversation, "role": "USER", "parts": [part(&picture), part(&video)] });
    ada.data(APPEND, json!({ "input": input })).await;
    // The file of the export has both, and the other server has them from it.
    let file = old.folder().join("ada.jsonl");
    old.printed(&["export", "--user", "ada", "--output", file.to_str().unwrap()]).await;
    server.terminate().await;
    new.printed(&["import", file.to_str().unwrap(), "--user", "ada"]).await;
    let server = new.serve(&[]).await;
    let ada = server.client("ada");
    let query = "query($id: ID!) { conversation(id: $id) { messages { nodes { parts { ... on FilePart {
        filename attachment { sha256 byteSize downloadUrl } } } } } } }";
    let found = ada.data(query, json!({ "id": conversation })).await;
    let parts = &found["conversation"]["messages"]["nodes"][0]["parts"];
    for (index, name, hash) in [(0, "red.png", super::hash(PICTURE)), (1, "film.mp4", whole)] {
        assert_eq!(
            (&parts[index]["filename"], &parts[index]["attachment"]["sha256"]),
            (&json!(name), &json!(hash))
        );
        assert_eq!(downloaded(&ada, &parts[index]["attachment"]["downloadUrl"]).await, hash);
    }
}
