//! The schema as it is published.

use scrollback::graphql::sdl;

#[test]
fn the_committed_schema_is_the_codes() {
    let committed = std::fs::read_to_string("schema.graphql").unwrap_or_default();
    assert!(committed == sdl(), "renew it with: cargo run -- schema > schema.graphql");
}
