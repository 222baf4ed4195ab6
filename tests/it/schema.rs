//! The schema as it is published.

use scrollback::graphql::sdl;
use serde_json::json;

use crate::harness::{Engine, TestApp};

#[test]
fn the_committed_schema_is_the_codes() {
    let committed = std::fs::read_to_string("schema.graphql").unwrap_or_default();
    assert!(committed == sdl(), "renew it with: cargo run -- schema > schema.graphql");
}

/// Every type says what it is, in the words that GraphiQL and code generators show.
#[tokio::test]
async fn every_type_is_described() {
    let app = TestApp::start(Engine::Sqlite).await;
    let query = "{ __schema { types { name description } } }";
    let data = app.client("ada").data(query, json!({})).await;
    let types = data["__schema"]["types"].as_array().unwrap();
    let silent = types.iter().filter(|kind| kind["description"].as_str().is_none_or(str::is_empty));
    let silent: Vec<_> = silent.map(|kind| kind["name"].as_str().unwrap()).collect();
    assert!(silent.iter().all(|name| name.starts_with("__") || *name == "ID"), "{silent:?}");
    assert!(types.len() > 50);
}
