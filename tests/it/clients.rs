//! The clients that front ends use, each in a script of its own: urql, Apollo Client, and GraphiQL in
//! a browser; the documentation's own client, and the example; graphql-sse; Relay and graphql-codegen.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{TestApp, assert_browser, import, on_each_database, run_script, run_script_with};

on_each_database!(
    urql_works,
    apollo_client_works,
    apollo_clients_persisted_queries_work,
    the_client_of_the_documentation_resumes_without_loss,
    graphql_sse_resumes_without_loss,
    graphql_js_finds_the_same_documents_valid,
    introspection_prints_the_published_schema,
    relay_pages_and_updates_both_connections,
    graphql_codegens_types_compile,
    the_recipe_for_apollo_client_works,
    the_recipe_for_urql_works,
    the_recipe_for_relay_works,
    graphiql_works_in_a_browser,
    somebody_finds_what_they_mean_in_graphiql,
    two_tabs_show_the_same_answer,
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

async fn the_client_of_the_documentation_resumes_without_loss(app: TestApp) {
    // It gets SLOW_CONSUMER and is not disconnected, however long the test takes not to read.
    let app = TestApp::start_with(app.engine, &[("server.write_timeout", "1m")]).await;
    run_script(&app, "resume.mjs").await;
}

async fn graphql_sse_resumes_without_loss(app: TestApp) {
    run_script(&app, "sse.mjs").await;
}

async fn graphql_js_finds_the_same_documents_valid(app: TestApp) {
    // A document over a limit is refused before it is validated: few of the random ones should be.
    let settings = [("limits.cost", "1000000"), ("limits.aliases", "1000"), ("limits.depth", "50")];
    let app = TestApp::start_with(app.engine, &settings).await;
    run_script(&app, "validation.mjs").await;
}

async fn introspection_prints_the_published_schema(app: TestApp) {
    run_script(&app, "introspection.mjs").await;
}

async fn relay_pages_and_updates_both_connections(app: TestApp) {
    run_script(&app, "relay.mjs").await;
}

async fn graphql_codegens_types_compile(app: TestApp) {
    run_script(&app, "codegen.mjs").await;
}

async fn the_recipe_for_apollo_client_works(app: TestApp) {
    recipe(app, "apollo").await;
}

async fn the_recipe_for_urql_works(app: TestApp) {
    recipe(app, "urql").await;
}

async fn the_recipe_for_relay_works(app: TestApp) {
    recipe(app, "relay").await;
}

async fn recipe(app: TestApp, name: &str) {
    // It compiles the modules of the page, too.
    run_script_with(&app, "recipes.mjs", &[("RECIPE", name), ("TIMEOUT_MS", "85000")]).await;
}

#[test]
fn every_recipe_is_tested() {
    let names = |folder: &str| {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let names = entries.filter(|path| !path.ends_with("tsconfig.json"));
        let names = names.map(|path| path.file_stem().unwrap().to_owned());
        names.collect::<BTreeSet<_>>()
    };
    assert_eq!(names("docs/clients"), names("tests/clients/recipes"));
    assert_eq!(names("docs/clients").len(), 3);
}

#[test]
fn the_example_uses_the_tested_package_version() {
    let version = |path: &str| {
        let package: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let packages = ["dependencies", "devDependencies"].into_iter();
        packages.map(|kind| package[kind]["graphql-ws"].clone()).find(serde_json::Value::is_string)
    };
    let tested = version("tests/clients/package.json");
    assert!(tested.is_some());
    assert_eq!(version("examples/two-tabs/package.json"), tested);
}

#[test]
fn the_documentation_shows_the_tested_client() {
    let client = fs::read_to_string("tests/clients/resume.ts").unwrap();
    let page = fs::read_to_string("docs/subscriptions.md").unwrap();
    assert!(
        page.contains(&format!("```ts\n{client}```\n")),
        "copy tests/clients/resume.ts into docs/subscriptions.md"
    );
}

async fn graphiql_works_in_a_browser(app: TestApp) {
    assert_browser();
    let script = reqwest::get(format!("{}/graphiql/main.js", app.url)).await.unwrap();
    assert_eq!(script.status(), 200, "built without GraphiQL: see the build's warning, then touch build.rs");
    let licenses = reqwest::get(format!("{}/graphiql/licenses.txt", app.url)).await.unwrap();
    let licenses = licenses.text().await.unwrap();
    assert!(licenses.contains("\nreact-dom ") && licenses.contains("Permission is hereby granted"));
    run_script(&app, "graphiql.mjs").await;
}

/// Among what they imported, and what they wrote in other scripts.
async fn somebody_finds_what_they_mean_in_graphiql(app: TestApp) {
    assert_browser();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    for file in ["openassistant.jsonl", "sharegpt.json"] {
        assert_eq!(import(&app.store, "ada", &data.join(file)).await.rejected, 0);
    }
    // MT-bench has questions, not conversations.
    let questions = fs::read_to_string(data.join("mt-bench.jsonl")).unwrap();
    let questions =
        questions.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["turns"].take());
    let others = [
        "Где находится больница?",
        "Πού είναι το νοσοκομείο;",
        "病院はどこですか",
        "أين المُسْتَشْفَى؟",
        "โรงพยาบาลอยู่ที่ไหน",
    ];
    let create = "mutation($input: CreateConversationInput!) { createConversation(input: $input) { conversation { id } } }";
    for turns in questions.chain(others.map(|text| json!([text]))) {
        let messages =
            turns.as_array().unwrap().iter().map(|text| json!({ "role": "USER", "content": text }));
        let input = json!({ "messages": messages.collect::<Vec<_>>() });
        app.client("ada").data(create, json!({ "input": input })).await;
    }
    run_script(&app, "search.mjs").await;
}

async fn two_tabs_show_the_same_answer(app: TestApp) {
    assert_browser();
    // Nobody listens there: the browser is given the example's files by the script.
    let origin = "http://localhost:5173";
    let app = TestApp::start_with(app.engine, &[("server.cors_origins", origin)]).await;
    run_script_with(&app, "two-tabs.mjs", &[("ORIGIN", origin)]).await;
}
