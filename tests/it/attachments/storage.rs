//! Where files are: an object store; large files in little memory.

use futures_util::{StreamExt, stream};
use reqwest::{Method, StatusCode};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{CREATE, DELETE, NODE, append, attach, create, get, hash, put, text};
use crate::harness::{Engine, Program, S3, TIMEOUT};

async fn files_are_kept_in_an_object_store(engine: Engine) {
    let s3 = S3::start().await;
    let program = s3.for_files_of(Program::over(engine).await);
    let server = program.serve(&[]).await;
    let ada = server.client("ada");
    let file: Vec<u8> = (0..2_500_000_u32).flat_map(u32::to_le_bytes).collect();
    let id = attach(&ada, &file).await;
    let objects = s3.objects().await;
    assert_eq!(objects.len(), 3);
    assert!(objects.iter().all(|name| name.starts_with("of/scrollback/")), "{objects:?}");
    append(&ada, &ada.new_conversation().await, &id).await;
    let url = ada.data(NODE, json!({ "id": id })).await["node"]["downloadUrl"].clone();
    assert_eq!(get(&ada, text(&url)).await.bytes().await.unwrap(), file);
    let part =
        ada.request(Method::GET, text(&url)).header("range", "bytes=4194300-4194309").send().await.unwrap();
    assert_eq!(part.bytes().await.unwrap(), file[4_194_300..4_194_310]);
    // A wrong file leaves nothing.
    let input = json!({ "mediaType": "text/plain", "byteSize": 5, "sha256": hash(b"right") });
    let made = create(&ada, input).await;
    let wrong = put(&ada, text(&made["upload"]["url"]), b"wrong".to_vec(), None).await;
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let unused = attach(&ada, b"unused").await;
    ada.data(DELETE, json!({ "id": unused })).await;
    let waiting = async {
        while s3.objects().await.len() != 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(TIMEOUT, waiting).await.expect("what is deleted goes");
    // Without the store, files cannot be read, and nothing else suffers.
    drop(s3);
    let answer = tokio::time::timeout(4 * TIMEOUT, get(&ada, text(&url))).await.unwrap();
    let body = answer.bytes().await;
    assert!(body.is_err() || body.unwrap() != file);
    ada.new_conversation().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_kept_in_an_object_store_on_sqlite() {
    files_are_kept_in_an_object_store(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_kept_in_an_object_store_on_postgres() {
    files_are_kept_in_an_object_store(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_takes_little_memory() {
    const BLOCK: usize = 1024 * 1024;
    const BLOCKS: usize = 1024;
    let program = Program::over(Engine::Sqlite).await;
    let server = program.serve(&[]).await;
    let ada = server.client("ada");
    let block = |index: usize| {
        let mut block = vec![0_u8; BLOCK];
        block[..8].copy_from_slice(&index.to_le_bytes());
        block
    };
    let mut whole = Sha256::new();
    (0..BLOCKS).for_each(|index| whole.update(block(index)));
    let whole: String = whole.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let input = json!({ "mediaType": "video/mp4", "byteSize": BLOCK * BLOCKS, "sha256": whole });
    let made = ada.data(CREATE, json!({ "input": input })).await["createAttachment"].take();
    let blocks = stream::iter((0..BLOCKS).map(move |index| Ok::<_, std::io::Error>(block(index))));
    let sent =
        ada.request(Method::PUT, text(&made["upload"]["url"])).body(reqwest::Body::wrap_stream(blocks));
    assert_eq!(sent.send().await.unwrap().status(), StatusCode::OK);
    let url = ada.data(NODE, json!({ "id": made["attachment"]["id"] })).await["node"]["downloadUrl"].clone();
    let mut received = Sha256::new();
    let mut chunks = get(&ada, text(&url)).await.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        received.update(chunk.unwrap());
    }
    let received: String = received.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(received, whole);
    let peak = server.peak_memory();
    assert!(peak < 256 * 1024 * 1024, "{peak} bytes");
}
