//! The clients that front ends use, each in a script of its own: urql, Apollo Client, and GraphiQL in
//! a browser; the README's own client; and the messages of Vercel's AI SDK.

use std::fs;
use std::path::Path;

use crate::harness::{TestApp, on_each_database, run_script};

on_each_database!(
    urql_works,
    apollo_client_works,
    apollo_clients_persisted_queries_work,
    the_client_of_the_readme_misses_nothing,
    the_ai_sdks_messages_lose_nothing,
    graphiql_works_in_a_browser,
);

async fn urql_works(app: TestApp) {
    run_script(&app, "urql.mjs").await;
}

async fn apollo_client_works(app: TestApp) {
    run_script(&app, "apollo.mjs").await;
}

async fn apollo_clients_persisted_queries_work(app: TestApp) {
    run_script(&app, "persisted.mjs").await;
}

async fn the_client_of_the_readme_misses_nothing(app: TestApp) {
    // It is told SLOW_CONSUMER, and not cut off, however long the test takes not to read.
    let app = TestApp::start_with(app.engine, &[("server.write_timeout", "1m")]).await;
    run_script(&app, "resume.mjs").await;
}

async fn the_ai_sdks_messages_lose_nothing(app: TestApp) {
    run_script(&app, "uimessage.mjs").await;
}

#[test]
fn the_readme_shows_the_client_that_is_tested() {
    let client = fs::read_to_string("tests/clients/resume.ts").unwrap();
    let readme = fs::read_to_string("README.md").unwrap();
    assert!(readme.contains(&format!("```ts\n{client}```\n")), "copy tests/clients/resume.ts into README.md");
}

async fn graphiql_works_in_a_browser(app: TestApp) {
    let chromium = std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".into());
    assert!(Path::new(&chromium).exists(), "{chromium} is missing: `tests/run` installs it");
    let script = reqwest::get(format!("{}/graphiql/main.js", app.url)).await.unwrap();
    assert_eq!(script.status(), 200, "built without GraphiQL: see the build's warning, then touch build.rs");
    run_script(&app, "graphiql.mjs").await;
}
