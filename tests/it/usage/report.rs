//! The report of all users.

use serde_json::{Value, json};

use super::{ALWAYS, DELETE_CONVERSATION, append, sum, with};
use crate::harness::{Client, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    a_report_has_every_user_page_by_page,
    only_the_scope_allows_a_report,
    arguments_of_a_report_are_checked,
);

with_row_level_security!(a_report_has_every_user_page_by_page, only_the_scope_allows_a_report);

const REPORT: &str =
    "query($since: DateTime!, $until: DateTime!, $groupBy: [UsageGroup!], $first: Int, $after: String) {
  usageReport(since: $since, until: $until, groupBy: $groupBy, first: $first, after: $after) {
    edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    nodes { subject sums { day model conversationId messageCount
      inputTokens outputTokens totalTokens cachedInputTokens reasoningTokens } } } }";

fn always(more: &Value) -> Value {
    let mut variables = json!({ "since": ALWAYS.0, "until": ALWAYS.1 });
    variables.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    variables
}

async fn report(client: &Client, more: Value) -> Value {
    client.data(REPORT, always(&more)).await["usageReport"].take()
}

async fn a_report_has_every_user_page_by_page(app: TestApp) {
    let billing = app.client_with("billing", "scrollback:usage");
    assert_eq!(report(&billing, json!({})).await["nodes"], json!([]));
    // Subjects are in the order of their bytes, whatever the database's locale.
    let users = ["Zoë", "ada", "bob", "eve", "{\"x\"}", "ä\u{202e}"];
    for (at, user) in (1..).zip(users) {
        let own = app.client(user);
        let id = own.new_conversation().await;
        if user == "eve" {
            continue;
        }
        append(&own, &id, json!({ "model": "m", "usage": { "inputTokens": at, "outputTokens": 7 } })).await;
        append(&own, &id, json!({ "usage": { "inputTokens": 100 * at } })).await;
        if user == "bob" {
            own.data(DELETE_CONVERSATION, json!({ "id": id })).await;
        }
    }
    let node = |at: i64, user: &str| {
        let total = if user == "eve" { sum(0, [0; 5]) } else { sum(2, [101 * at, 7, 0, 0, 0]) };
        json!({ "subject": user, "sums": [total] })
    };
    let expected: Vec<Value> = (1..).zip(users).map(|(at, user)| node(at, user)).collect();
    let whole = report(&billing, json!({})).await;
    assert_eq!(whole["nodes"], json!(expected));
    assert_eq!(whole["pageInfo"]["hasNextPage"], false);
    let (mut nodes, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = report(&billing, json!({ "first": 2, "after": after })).await;
        assert_eq!(page["pageInfo"]["hasPreviousPage"], !after.is_null());
        nodes.extend(page["nodes"].as_array().unwrap().clone());
        after = page["pageInfo"]["endCursor"].clone();
        assert_eq!(page["edges"][1]["cursor"], after);
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(nodes, expected);
    let by_model = report(&billing, json!({ "groupBy": ["MODEL"] })).await;
    let sums = [sum(1, [200, 0, 0, 0, 0]), with(sum(1, [2, 7, 0, 0, 0]), "model", "m")];
    assert_eq!(by_model["nodes"][1], json!({ "subject": "ada", "sums": sums }));
    assert_eq!(by_model["nodes"][3], json!({ "subject": "eve", "sums": [] }));
}

async fn only_the_scope_allows_a_report(app: TestApp) {
    let ada = app.client("ada");
    ada.new_conversation().await;
    let told = ("FORBIDDEN".to_owned(), "this requires a token with the scope `scrollback:usage`".to_owned());
    for refused in [
        ada.clone(),
        app.back_end(),
        app.back_end().acting_for("ada"),
        app.client_with("ada", "scrollback:usage-not"),
        app.client_with("ada", "SCROLLBACK:USAGE"),
    ] {
        assert_eq!(refused.fault(REPORT, always(&json!({}))).await, told);
    }
    for allowed in [
        app.client_with("billing", "scrollback:usage"),
        app.client_with("billing", "openid scrollback:usage scrollback:act-as"),
        app.client_with("billing", "scrollback:usage scrollback:act-as").acting_for("ada"),
    ] {
        assert_eq!(report(&allowed, json!({})).await["nodes"][0]["subject"], "ada");
    }
    // The scope gives sums and nothing else.
    let billing = app.client_with("billing", "scrollback:usage");
    assert_eq!(billing.acting_for("ada").fault("{ viewer { id } }", json!({})).await.0, "FORBIDDEN");
    let own = "{ viewer { id } conversations { nodes { id } } }";
    let expected = json!({ "viewer": { "id": "billing" }, "conversations": { "nodes": [] } });
    assert_eq!(billing.data(own, json!({})).await, expected);
}

async fn arguments_of_a_report_are_checked(app: TestApp) {
    let billing = app.client_with("billing", "scrollback:usage");
    let conversation = billing.new_conversation().await;
    append(&billing, &conversation, json!({})).await;
    let list = "{ conversations { edges { cursor } } }";
    let foreign = billing.data(list, json!({})).await["conversations"]["edges"][0]["cursor"].clone();
    for (more, expected) in [
        (json!({ "first": 0 }), "`first` must be between 1 and 100, got 0"),
        (json!({ "first": 101 }), "`first` must be between 1 and 100, got 101"),
        (json!({ "after": "x" }), "`after` must be a cursor of this list"),
        (json!({ "after": foreign }), "`after` must be a cursor of this list"),
        (
            json!({ "until": ALWAYS.0 }),
            "`until` must be after `since` (2000-01-01T00:00:00.000000Z), got 2000-01-01T00:00:00.000000Z",
        ),
    ] {
        let fault = billing.fault(REPORT, always(&more)).await;
        assert_eq!(fault, ("BAD_USER_INPUT".into(), expected.into()));
    }
}
