//! Uploads that break off, go on, compete or are wrong.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{CREATE, NODE, attach, create, get, hash, input, put, text};
use crate::harness::{Client, Engine, TestApp, on_each_database};

on_each_database!(
    an_upload_goes_on_where_it_ended,
    what_is_not_the_file_is_refused,
    two_uploads_at_once_make_one_file,
    what_was_interrupted_is_kept,
);

/// A file of several objects.
fn file() -> Vec<u8> {
    (0..2_500_000_u32).flat_map(u32::to_le_bytes).collect()
}

/// How far an upload is.
async fn offset(client: &Client, url: &str) -> i64 {
    let head = client.request(Method::HEAD, url).send().await.unwrap();
    assert_eq!(head.status(), StatusCode::OK);
    head.headers()["upload-offset"].to_str().unwrap().parse().unwrap()
}

async fn an_upload_goes_on_where_it_ended(app: TestApp) {
    // SQLite has one server.
    let replica = if app.engine == Engine::Sqlite { None } else { Some(app.replica().await) };
    let ada = app.client("ada");
    let file = file();
    let made = create(&ada, input(&file)).await;
    let url = text(&made["upload"]["url"]);
    assert_eq!(offset(&ada, url).await, 0);
    let first = put(&ada, url, file[..5_000_000].to_vec(), Some("bytes 0-4999999/10000000")).await;
    assert_eq!(first.status(), StatusCode::ACCEPTED);
    assert_eq!(first.json::<Value>().await.unwrap()["uploadOffset"], 5_000_000);
    // Another server goes on with it.
    let there = replica.as_ref().unwrap_or(&app).client("ada");
    assert_eq!(offset(&there, url).await, 5_000_000);
    let hole = put(&there, url, file[6_000_000..].to_vec(), Some("bytes 6000000-9999999/10000000")).await;
    assert_eq!(hole.status(), StatusCode::CONFLICT);
    assert_eq!(hole.headers()["upload-offset"], "5000000");
    // Bytes that are there already are skipped.
    let rest = put(&there, url, file[4_000_000..].to_vec(), Some("bytes 4000000-9999999/10000000")).await;
    assert_eq!(rest.status(), StatusCode::OK, "{}", rest.text().await.unwrap());
    let url = ada.data(NODE, json!({ "id": made["attachment"]["id"] })).await["node"]["downloadUrl"].clone();
    assert_eq!(get(&ada, text(&url)).await.bytes().await.unwrap(), file);
}

async fn what_is_not_the_file_is_refused(app: TestApp) {
    let ada = app.client("ada");
    let file = file();
    let made = create(&ada, input(&file)).await;
    let url = text(&made["upload"]["url"]);
    let error = async |body: Vec<u8>, range: Option<&str>| {
        let answer = put(&ada, url, body, range).await;
        let status = answer.status();
        (status, answer.json::<Value>().await.unwrap()["error"].as_str().unwrap().to_owned())
    };
    let (status, rule) = error(file[1..].to_vec(), None).await;
    assert_eq!((status, &*rule), (StatusCode::BAD_REQUEST, "the body must have 10000000 bytes, has 9999999"));
    let (status, rule) = error([&file[..], b"x"].concat(), None).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(rule, "the file has more than the 10000000 bytes that it was said to have");
    for range in ["bytes 0-9/10", "bytes 5-1/10000000", "bytes 0-10000000/10000000", "0-1", "bytes 0-4/*"] {
        let (status, rule) = error(b"12345".to_vec(), Some(range)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{range}");
        assert!(rule.starts_with("`content-range` must be") && rule.contains(range), "{rule}");
    }
    let (status, _) = error(b"123456".to_vec(), Some("bytes 0-4/10000000")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(offset(&ada, url).await, 0);
    let mut wrong = file.clone();
    wrong[7] ^= 1;
    let (status, rule) = error(wrong, None).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(rule, "the file has another SHA-256 than it was said to have: it was removed");
    assert_eq!(offset(&ada, url).await, 0);
    app.files_become(0).await;
    assert_eq!(put(&ada, url, file, None).await.status(), StatusCode::OK);
    // What is complete is not changed any more.
    let again = put(&ada, url, b"x".to_vec(), None).await;
    assert_eq!((again.status(), app.files().len()), (StatusCode::OK, 3));
}

async fn two_uploads_at_once_make_one_file(app: TestApp) {
    let ada = app.client("ada");
    let file = file();
    let made = create(&ada, input(&file)).await;
    let url = text(&made["upload"]["url"]);
    for _ in 0..20 {
        let (one, other) =
            tokio::join!(put(&ada, url, file.clone(), None), put(&ada, url, file.clone(), None));
        for answer in [&one, &other] {
            assert!([StatusCode::OK, StatusCode::CONFLICT].contains(&answer.status()), "{}", answer.status());
        }
        if one.status().is_success() || other.status().is_success() {
            break;
        }
    }
    let url = ada.data(NODE, json!({ "id": made["attachment"]["id"] })).await["node"]["downloadUrl"].clone();
    assert_eq!(get(&ada, text(&url)).await.bytes().await.unwrap(), file);
    app.files_become(3).await;
}

async fn what_was_interrupted_is_kept(app: TestApp) {
    let ada = app.client("ada");
    let file = file();
    let made = create(&ada, input(&file)).await;
    let url = text(&made["upload"]["url"]);
    // The client goes away in the middle.
    let parts = vec![Ok(file[..6_000_000].to_vec()), Err(std::io::Error::other("gone"))];
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(parts));
    let length = file.len().to_string();
    let broken = ada.request(Method::PUT, url).header("content-length", length).body(body).send().await;
    assert!(broken.is_err());
    let arrived = async {
        while offset(&ada, url).await < 4_194_304 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::harness::TIMEOUT, arrived).await.unwrap();
    let sent = loop {
        let at = usize::try_from(offset(&ada, url).await).unwrap();
        let range = format!("bytes {at}-9999999/10000000");
        let sent = put(&ada, url, file[at..].to_vec(), Some(&range)).await;
        // The first upload may be writing its rest.
        if sent.status() != StatusCode::CONFLICT {
            break sent;
        }
    };
    assert_eq!(sent.status(), StatusCode::OK);
    let id = text(&made["attachment"]["id"]).to_owned();
    let url = ada.data(NODE, json!({ "id": id })).await["node"]["downloadUrl"].clone();
    assert_eq!(get(&ada, text(&url)).await.bytes().await.unwrap(), file);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quotas_hold() {
    let settings = [
        ("files.owner_files", "3"),
        ("files.owner_bytes", "1000"),
        ("files.file_bytes", "900"),
        ("files.media_types", "image/*, text/plain"),
        ("files.uploads_per_owner", "1"),
    ];
    let app = TestApp::start_with(Engine::Sqlite, &settings).await;
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let fault = async |input: Value| ada.fault(CREATE, json!({ "input": input })).await.1;
    let mut wrong = input(b"a");
    wrong["mediaType"] = json!("application/pdf");
    assert_eq!(
        fault(wrong).await,
        "`input.mediaType` must be one of image/*, text/plain, got `application/pdf`"
    );
    assert_eq!(fault(input(&[1; 901])).await, "`input.byteSize` must be 1 to 900, got 901");
    attach(&ada, &[1; 600]).await;
    let rule = "`input.byteSize` must be at most 400, what is left of the 1000 bytes for all files, got 500";
    assert_eq!(fault(input(&[2; 500])).await, rule);
    attach(&ada, &[1; 600]).await;
    attach(&ada, &[2; 400]).await;
    assert_eq!(fault(input(&[1; 600])).await, "`input` would be one of more than 3 attachments: delete some");
    attach(&bob, &[1; 600]).await;
    assert_eq!(hash(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_attachments_there_are_none() {
    let app = TestApp::start_with(Engine::Sqlite, &[("files.enabled", "false")]).await;
    let ada = app.client("ada");
    let (code, rule) = ada.fault(CREATE, json!({ "input": input(b"a") })).await;
    let told = "attachments are turned off on this server: see `files.enabled` and `files.storage`";
    assert_eq!((&*code, &*rule), ("FORBIDDEN", told));
    assert_eq!(
        get(&ada, "/files/0197a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b").await.status(),
        StatusCode::NOT_FOUND
    );
}
