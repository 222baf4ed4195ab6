//! Pages of what is found: complete and in order, while messages arrive.

use serde_json::{Value, json};

use super::{SEARCH, contents, index, search};
use crate::harness::{Client, TestApp, on_each_database};

on_each_database!(
    pages_are_complete_and_stable_while_messages_arrive,
    the_best_match_comes_first,
    arguments_are_checked,
);

async fn all_pages(client: &Client, order: &str, mut between: impl AsyncFnMut()) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), Value::Null);
    loop {
        let variables = json!({ "query": "pear", "orderBy": order, "first": 7, "after": after });
        let page = search(client, variables).await;
        assert_eq!(page["pageInfo"]["hasPreviousPage"], json!(!after.is_null()));
        all.extend(contents(&page));
        if page["pageInfo"]["hasNextPage"] == false {
            return all;
        }
        after = page["pageInfo"]["endCursor"].clone();
        between().await;
    }
}

async fn pages_are_complete_and_stable_while_messages_arrive(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let mut expected = Vec::new();
    for number in 0..40 {
        let content =
            format!("{} number{number} {}", "pear ".repeat(1 + number % 3), "filler ".repeat(number % 5));
        ada.append(&conversation, &content).await;
        expected.push(content);
        if number == 20 {
            index(&app, &["ada"]).await;
        }
    }
    let newest: Vec<_> = expected.iter().rev().cloned().collect();
    assert_eq!(all_pages(&ada, "OLDEST", async || ()).await, expected);
    assert_eq!(all_pages(&ada, "NEWEST", async || ()).await, newest);
    let best = all_pages(&ada, "RELEVANCE", async || ()).await;
    index(&app, &["ada"]).await;
    assert_eq!(all_pages(&ada, "RELEVANCE", async || ()).await, best, "scores do not depend on the index");
    for order in ["RELEVANCE", "NEWEST"] {
        let mut number = 0;
        let arrive = async || {
            number += 1;
            ada.append(&conversation, &format!("pear pear pear late{number}")).await;
            if number % 2 == 0 {
                index(&app, &["ada"]).await;
            }
        };
        let mut seen = all_pages(&ada, order, arrive).await;
        seen.retain(|content| !content.contains("late"));
        assert_eq!(seen, if order == "NEWEST" { newest.clone() } else { best.clone() }, "{order}");
    }
}

async fn the_best_match_comes_first(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let long = format!("plum {}", "and much more about other things ".repeat(30));
    for content in
        [&long, "plum", "a plum and an apple", "plum jam of plum, with more plum", "an apple", "plum"]
    {
        ada.append(&conversation, content).await;
    }
    for _ in 0..2 {
        let page = search(&ada, json!({ "query": "plum" })).await;
        assert_eq!(
            contents(&page),
            ["plum jam of plum, with more plum", "plum", "plum", "a plum and an apple", &long],
            "often in a short text, then the newest"
        );
        index(&app, &["ada"]).await;
    }
}

async fn arguments_are_checked(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    for content in ["fig one", "fig two"] {
        ada.append(&conversation, content).await;
    }
    for (first, message) in [(0, "`first` must be"), (-1, "`first` must be"), (101, "`first` must be")] {
        let (code, text) = ada.fault(SEARCH, json!({ "query": "fig", "first": first })).await;
        assert_eq!(code, "BAD_USER_INPUT");
        assert!(text.starts_with(message), "{text}");
    }
    let page = search(&ada, json!({ "query": "fig", "first": 1 })).await;
    let cursor = &page["pageInfo"]["endCursor"];
    // A cursor belongs to a query and an order.
    for variables in [
        json!({ "query": "two", "after": cursor }),
        json!({ "query": "fig", "orderBy": "OLDEST", "after": cursor }),
        json!({ "query": "fig", "after": "nonsense" }),
        json!({ "query": "fig", "after": "" }),
    ] {
        let (code, message) = ada.fault(SEARCH, variables).await;
        assert_eq!(
            (code.as_str(), message.as_str()),
            ("BAD_USER_INPUT", "`after` must be a cursor of this list")
        );
    }
    let rest = search(&ada, json!({ "query": "fig", "first": 1, "after": cursor })).await;
    assert_eq!(rest["pageInfo"]["hasNextPage"], false);
    assert_ne!(contents(&rest), contents(&page));
}
