//! The URLs of files.

use reqwest::{Method, StatusCode, header};
use scrollback::clock::Clock;
use scrollback::model::Timestamp;
use serde_json::json;

use super::{NODE, attach, create, get, input, put, text};
use crate::harness::{Engine, TestApp, on_each_database};

on_each_database!(another_url_gives_nothing, paths_lead_nowhere);

async fn another_url_gives_nothing(app: TestApp) {
    let ada = app.client("ada");
    let (one, other) = (attach(&ada, b"one").await, attach(&ada, b"other").await);
    let url = ada.data(NODE, json!({ "id": one })).await["node"]["downloadUrl"].clone();
    let url = text(&url);
    let waiting = create(&ada, input(b"waiting")).await;
    let upload = text(&waiting["upload"]["url"]);
    let expires = url.split(['=', '&']).nth(1).unwrap();
    let later = url.replace(expires, &(expires.parse::<i64>().unwrap() + 1).to_string());
    for wrong in [
        url.replace(&one, &other),
        later,
        format!("{url}A"),
        url.split('&').next().unwrap().to_owned(),
        format!("/files/{one}"),
        format!("/files/{one}?expires={expires}&signature="),
        format!("/files/{one}?expires=x&signature=x"),
        upload.to_owned(),
    ] {
        let answer = get(&ada, &wrong).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{wrong}");
        assert!(answer.text().await.unwrap().contains("the URL is not valid"), "{wrong}");
    }
    assert_eq!(put(&ada, url, b"one".to_vec(), None).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(get(&ada, url).await.status(), StatusCode::OK);
    // A front end of another origin asks before it sends.
    let asked = ada.request(Method::OPTIONS, upload).header(header::ORIGIN, "https://evil.example");
    let asked = asked.header("access-control-request-method", "PUT").send().await.unwrap();
    assert_eq!(asked.headers().get("access-control-allow-origin"), None);
}

async fn paths_lead_nowhere(app: TestApp) {
    let ada = app.client("ada");
    std::fs::write(std::path::Path::new(&app.config.data_dir).join("secret"), "secret").unwrap();
    for path in
        ["/files/../secret", "/files/%2e%2e%2fsecret", "/files/..%2fsecret?expires=1&signature=AA", "/files/"]
    {
        let answer = get(&ada, path).await;
        assert!(answer.status().is_client_error(), "{path}: {}", answer.status());
        assert!(!answer.text().await.unwrap().contains("secret"), "{path}");
    }
    let mut odd = input(b"odd");
    odd["filename"] = json!("../../etc/\"passwd\"; x=\u{202e}é");
    let made = create(&ada, odd).await;
    put(&ada, text(&made["upload"]["url"]), b"odd".to_vec(), None).await;
    let url = ada.data(NODE, json!({ "id": made["attachment"]["id"] })).await["node"]["downloadUrl"].clone();
    let fetched = get(&ada, text(&url)).await;
    assert_eq!(
        fetched.headers()["content-disposition"],
        "attachment; filename=\".._.._etc__passwd__ x___\"; \
         filename*=UTF-8''..%2F..%2Fetc%2F%22passwd%22%3B%20x%3D%E2%80%AE%C3%A9"
    );
    for file in app.files() {
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn urls_end() {
    let start = Timestamp(1_800_000_000_000_000);
    let clock = Clock::manual(start);
    let app = TestApp::start_with_clock(Engine::Sqlite, clock.clone()).await;
    // Tokens end by the clock of the machine, which is before.
    let minutes = |minutes: i64| clock.set(Timestamp(start.0 + minutes * 60_000_000));
    let token = scrollback::auth::sign(
        crate::harness::SECRET.as_bytes(),
        &scrollback::model::OwnerId::new("ada").unwrap(),
        Timestamp(start.0 + 3_600_000_000_000),
        &scrollback::auth::TokenRequirements::default(),
    );
    let ada = app.anonymous().with_token(token.unwrap());
    let id = attach(&ada, b"a").await;
    let url = ada.data(NODE, json!({ "id": id })).await["node"]["downloadUrl"].clone();
    let made = create(&ada, input(b"b")).await;
    minutes(14);
    assert_eq!(get(&ada, text(&url)).await.status(), StatusCode::OK);
    minutes(21);
    assert_eq!(get(&ada, text(&url)).await.status(), StatusCode::FORBIDDEN);
    let sent = put(&ada, text(&made["upload"]["url"]), b"b".to_vec(), None).await;
    assert_eq!(sent.status(), StatusCode::FORBIDDEN);
    let new = ada.data(NODE, json!({ "id": id })).await["node"]["downloadUrl"].clone();
    assert_eq!(get(&ada, text(&new)).await.status(), StatusCode::OK);
}
