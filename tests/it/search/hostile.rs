//! Queries that are meant to do harm cost little, and get an answer or a clear error.

use serde_json::json;

use super::{SEARCH, index};
use crate::harness::{TestApp, on_each_database};

on_each_database!(hostile_queries_are_bounded);

async fn hostile_queries_are_bounded(app: TestApp) {
    let ada = app.client("ada");
    let words: Vec<String> = (0..2000).map(|number| format!("a{number}")).collect();
    let create = "mutation($messages: [NewMessageInput!]) { createConversation(input: { messages: $messages }) { conversation { id } } }";
    let messages: Vec<_> = words
        .chunks(20)
        .map(|words| json!({ "role": "USER", "content": words.join(" ") }))
        .chain((0..1).map(|_| json!({ "role": "USER", "content": "a ".repeat(100_000) })))
        .take(100)
        .collect();
    ada.data(create, json!({ "messages": messages })).await;
    index(&app, &["ada"]).await;
    let long = "x".repeat(1024 * 1024 / 2);
    let many = words.join(" ");
    for query in [&long, &many, &words[..70].join(" ")] {
        let (code, message) = ada.fault(SEARCH, json!({ "query": query })).await;
        assert_eq!(code, "BAD_USER_INPUT");
        assert!(message.starts_with("`query` must "), "{message}");
    }
    let nested = format!("{}a{}", "(".repeat(500), ")".repeat(500));
    for query in [
        "a*",
        "a* a1* a2* a3* -b* \"a* a\"",
        "(a+)+$ .*.*.* [a-z]{1,1000}",
        "a\u{0}1",
        "\u{202E}a1\u{202C}",
        "\"\"\"\"a1\"\"\"\"",
        "' OR 1=1 --",
        "a1'); DROP TABLE message; --",
        "a1 OR NEAR(a2, 5) AND NOT {text}: ^a3",
        "a1 & !a2 | a3:*AB <-> a4",
        "%_\\",
        "\u{FEFF}a1\u{200D}\u{300}\u{300}\u{300}",
        &"a1 ".repeat(300),
        &nested,
    ] {
        let answer = ada.run(SEARCH, json!({ "query": query })).await;
        if let Some(errors) = answer.body.get("errors") {
            assert_eq!(errors[0]["extensions"]["code"], "BAD_USER_INPUT", "{query} {errors}");
        }
    }
    let all = ada.data(SEARCH, json!({ "query": "a*", "first": 100 })).await;
    assert_eq!(all["searchMessages"]["nodes"].as_array().unwrap().len(), 100);
}
