//! Sums of token usage, for users and for back ends that bill them.

mod naive;
mod report;

use scrollback::clock::Clock;
use scrollback::model::Timestamp;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::harness::{APPEND, Client, Engine, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    usage_is_summed_by_model_day_and_conversation,
    a_period_includes_its_beginning_and_excludes_its_end,
    usage_of_what_is_deleted_stays,
    sums_can_exceed_32_bits,
    periods_and_sizes_are_checked,
    sums_of_random_histories_are_naive_sums,
);

with_row_level_security!(
    usage_is_summed_by_model_day_and_conversation,
    usage_of_what_is_deleted_stays,
    sums_of_random_histories_are_naive_sums,
);

async fn sums_of_random_histories_are_naive_sums(app: TestApp) {
    naive::compare(app.engine).await;
}

const USAGE: &str = "query($since: DateTime!, $until: DateTime!, $groupBy: [UsageGroup!]) {
  viewer { usage(since: $since, until: $until, groupBy: $groupBy) {
    day model conversationId messageCount
    inputTokens outputTokens totalTokens cachedInputTokens reasoningTokens } } }";

const DELETE: &str =
    "mutation($id: ID!) { deleteMessage(input: { id: $id }) { message { usage { inputTokens } } } }";

const DELETE_CONVERSATION: &str =
    "mutation($id: ID!) { deleteConversation(input: { id: $id }) { deletedConversationId } }";

const UPDATE: &str =
    "mutation($input: UpdateMessageInput!) { updateMessage(input: $input) { message { id } } }";

/// 2026-03-01T00:00:00Z, in microseconds.
const MARCH: i64 = 1_772_323_200_000_000;

const HOUR: i64 = 3_600_000_000;

/// All times of these tests.
const ALWAYS: (&str, &str) = ("2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z");

async fn usage(client: &Client, (since, until): (&str, &str), groups: &[&str]) -> Vec<Value> {
    let variables = json!({ "since": since, "until": until, "groupBy": groups });
    client.data(USAGE, variables).await["viewer"]["usage"].as_array().unwrap().clone()
}

/// A sum without groups.
fn sum(messages: i64, counts: [i64; 5]) -> Value {
    let [input, output, total, cached, reasoning] = counts;
    json!({ "day": null, "model": null, "conversationId": null, "messageCount": messages, "inputTokens": input,
        "outputTokens": output, "totalTokens": total, "cachedInputTokens": cached, "reasoningTokens": reasoning })
}

/// The same of a group.
fn with(mut sum: Value, field: &str, value: &str) -> Value {
    sum[field] = json!(value);
    sum
}

/// Appends a message, and gives its id.
async fn append(client: &Client, conversation: &str, more: Value) -> String {
    let mut input = json!({ "conversationId": conversation, "role": "ASSISTANT", "content": "a" });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let data = client.data(APPEND, json!({ "input": input })).await;
    data["appendMessage"]["message"]["id"].as_str().unwrap().to_owned()
}

async fn usage_is_summed_by_model_day_and_conversation(app: TestApp) {
    let clock = Clock::manual(Timestamp(MARCH + 23 * HOUR));
    let app = TestApp::start_with_clock(app.engine, clock.clone()).await;
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let [first, second] = [ada.new_conversation().await, ada.new_conversation().await];
    assert_eq!(usage(&ada, ALWAYS, &[]).await, [sum(0, [0; 5])]);
    assert_eq!(usage(&ada, ALWAYS, &["MODEL"]).await, Vec::<Value>::new());
    let all = json!({ "inputTokens": 1, "outputTokens": 2, "totalTokens": 4, "cachedInputTokens": 8, "reasoningTokens": 16 });
    append(&ada, &first, json!({ "model": "m-1", "usage": all })).await;
    append(&ada, &first, json!({ "model": "m-2", "usage": { "inputTokens": 10 } })).await;
    append(&ada, &first, json!({ "model": "m-2" })).await;
    clock.set(Timestamp(MARCH + 24 * HOUR));
    append(&ada, &second, json!({ "usage": { "outputTokens": 100 } })).await;
    append(&ada, &second, json!({ "model": "m-1", "usage": {} })).await;
    let bobs = bob.new_conversation().await;
    append(&bob, &bobs, json!({ "model": "m-1", "usage": all })).await;

    assert_eq!(usage(&ada, ALWAYS, &[]).await, [sum(4, [11, 102, 4, 8, 16])]);
    let by_model = [
        sum(1, [0, 100, 0, 0, 0]),
        with(sum(2, [1, 2, 4, 8, 16]), "model", "m-1"),
        with(sum(1, [10, 0, 0, 0, 0]), "model", "m-2"),
    ];
    assert_eq!(usage(&ada, ALWAYS, &["MODEL"]).await, by_model);
    let (one, two) = ("2026-03-01T00:00:00.000000Z", "2026-03-02T00:00:00.000000Z");
    let by_day = [with(sum(2, [11, 2, 4, 8, 16]), "day", one), with(sum(2, [0, 100, 0, 0, 0]), "day", two)];
    assert_eq!(usage(&ada, ALWAYS, &["DAY"]).await, by_day);
    assert_eq!(usage(&ada, ALWAYS, &["DAY", "DAY"]).await, by_day);
    let mut by_conversation = [
        with(sum(2, [11, 2, 4, 8, 16]), "conversationId", &first),
        with(sum(2, [0, 100, 0, 0, 0]), "conversationId", &second),
    ];
    by_conversation.sort_by_key(|sum| sum["conversationId"].as_str().unwrap().to_owned());
    assert_eq!(usage(&ada, ALWAYS, &["CONVERSATION"]).await, by_conversation);
    let of = |sum, day, conversation| with(with(sum, "day", day), "conversationId", conversation);
    let by_all = [
        with(of(sum(1, [1, 2, 4, 8, 16]), one, &first), "model", "m-1"),
        with(of(sum(1, [10, 0, 0, 0, 0]), one, &first), "model", "m-2"),
        of(sum(1, [0, 100, 0, 0, 0]), two, &second),
        with(of(sum(1, [0; 5]), two, &second), "model", "m-1"),
    ];
    assert_eq!(usage(&ada, ALWAYS, &["MODEL", "CONVERSATION", "DAY"]).await, by_all);
    assert_eq!(usage(&bob, ALWAYS, &[]).await, [sum(1, [1, 2, 4, 8, 16])]);
}

async fn a_period_includes_its_beginning_and_excludes_its_end(app: TestApp) {
    const SECOND: i64 = 1_000_000;
    let clock = Clock::manual(Timestamp(MARCH - HOUR));
    let app = TestApp::start_with_clock(app.engine, clock.clone()).await;
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    for (second, tokens) in [(0, 1), (1, 2), (2, 4)] {
        clock.set(Timestamp(MARCH + second * SECOND));
        let message = append(&ada, &id, json!({ "usage": { "inputTokens": tokens } })).await;
        if tokens == 2 {
            // What is kept of it has the same time.
            ada.data(DELETE, json!({ "id": message })).await;
        }
    }
    let time = |micros: i64| Timestamp(MARCH + micros).to_string();
    for (since, until, expected) in [
        (0, 2 * SECOND + 1, 7),
        (0, 2 * SECOND, 3),
        (0, SECOND, 1),
        (1, SECOND + 1, 2),
        (SECOND, SECOND + 1, 2),
        (SECOND + 1, 2 * SECOND + 1, 4),
        (2 * SECOND + 1, HOUR, 0),
        (-HOUR, 0, 0),
    ] {
        let sums = usage(&ada, (&time(since), &time(until)), &[]).await;
        assert_eq!(sums[0]["inputTokens"], expected, "{since} {until}");
    }
    // Another time zone is the same time.
    let second = ("2026-03-01T01:00:01+01:00", "2026-03-01T01:00:01.000001+01:00");
    assert_eq!(usage(&ada, second, &[]).await[0]["inputTokens"], 2);
}

async fn usage_of_what_is_deleted_stays(app: TestApp) {
    let ada = app.client("ada");
    let [kept, deleted] = [ada.new_conversation().await, ada.new_conversation().await];
    let used = |tokens: i64| json!({ "model": "m", "usage": { "inputTokens": tokens, "outputTokens": 1 } });
    append(&ada, &kept, used(1)).await;
    let message = append(&ada, &kept, used(2)).await;
    // Messages of one append have the same time: they are kept as one row.
    let several =
        "mutation($input: AppendMessagesInput!) { appendMessages(input: $input) { messages { id } } }";
    let messages: Vec<Value> = [4, 8]
        .map(|tokens| {
            let mut message = used(tokens);
            message["role"] = json!("ASSISTANT");
            message["content"] = json!("a");
            message
        })
        .to_vec();
    ada.data(several, json!({ "input": { "conversationId": deleted, "messages": messages } })).await;
    append(&ada, &deleted, json!({ "usage": { "inputTokens": 16 } })).await;
    append(&ada, &deleted, json!({})).await;
    let in_deleted = append(&ada, &deleted, used(32)).await;
    let streaming = append(
        &ada,
        &deleted,
        json!({ "status": "STREAMING", "model": "m", "usage": { "inputTokens": 64 } }),
    )
    .await;
    let before = usage(&ada, ALWAYS, &["MODEL", "DAY"]).await;
    assert_eq!(usage(&ada, ALWAYS, &[]).await, [sum(7, [127, 5, 0, 0, 0])]);
    for _ in 0..2 {
        for id in [&message, &in_deleted, &streaming] {
            let data = ada.data(DELETE, json!({ "id": id })).await;
            assert_eq!(data["deleteMessage"]["message"]["usage"], Value::Null);
        }
    }
    assert_eq!(usage(&ada, ALWAYS, &["MODEL", "DAY"]).await, before);
    ada.data(DELETE_CONVERSATION, json!({ "id": deleted })).await;
    assert_eq!(usage(&ada, ALWAYS, &["MODEL", "DAY"]).await, before);
    let groups = usage(&ada, ALWAYS, &["CONVERSATION"]).await;
    assert_eq!(groups, [sum(6, [126, 4, 0, 0, 0]), with(sum(1, [1, 1, 0, 0, 0]), "conversationId", &kept)]);
    // An edit replaces, and what was replaced is gone.
    let left = append(&ada, &kept, used(128)).await;
    ada.data(UPDATE, json!({ "input": { "id": left, "usage": { "inputTokens": 256 } } })).await;
    assert_eq!(usage(&ada, ALWAYS, &[]).await, [sum(8, [383, 5, 0, 0, 0])]);
    ada.data(UPDATE, json!({ "input": { "id": left, "usage": null } })).await;
    ada.data(DELETE, json!({ "id": left })).await;
    assert_eq!(usage(&ada, ALWAYS, &["MODEL", "DAY"]).await, before);
}

async fn sums_can_exceed_32_bits(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let most = i64::from(i32::MAX);
    let input = json!({ "usage": { "inputTokens": most, "reasoningTokens": most } });
    let messages = [
        append(&ada, &id, input.clone()).await,
        append(&ada, &id, input.clone()).await,
        append(&ada, &id, input).await,
    ];
    for message in messages {
        assert_eq!(usage(&ada, ALWAYS, &[]).await, [sum(3, [3 * most, 0, 0, 0, 3 * most])]);
        ada.data(DELETE, json!({ "id": message })).await;
    }
    assert_eq!(usage(&ada, ALWAYS, &[]).await, [sum(3, [3 * most, 0, 0, 0, 3 * most])]);
    let query = "{ viewer { usage(since: \"2000-01-01T00:00:00Z\", until: \"2100-01-01T00:00:00Z\") { inputTokens } } }";
    let request = ada.request(reqwest::Method::POST, "/graphql").json(&json!({ "query": query }));
    let body = request.send().await.unwrap().text().await.unwrap();
    assert!(body.contains("\"inputTokens\":6442450941}"), "whole numbers have no fraction: {body}");
}

/// Usage of many models, which no message has any more.
const FILL: &str = "INSERT INTO deleted_usage (owner_id, created_at, model, message_count, input_tokens, output_tokens, \
     total_tokens, cached_input_tokens, reasoning_tokens) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
     WHERE i < 10001) SELECT 'ada', 1000000 * CAST(i AS bigint), 'model ' || i, 1, 1, 0, 0, 0, 0 FROM n";

async fn periods_and_sizes_are_checked(app: TestApp) {
    let ada = app.client("ada");
    let same = json!({ "since": ALWAYS.0, "until": ALWAYS.0 });
    let fault = ada.fault(USAGE, same).await;
    let rule = "`until` must be after `since` (2000-01-01T00:00:00.000000Z), got 2000-01-01T00:00:00.000000Z";
    assert_eq!(fault, ("BAD_USER_INPUT".into(), rule.into()));
    let backwards = json!({ "since": ALWAYS.1, "until": ALWAYS.0 });
    assert_eq!(ada.fault(USAGE, backwards).await.0, "BAD_USER_INPUT");
    let url = app.config.database_url();
    if app.engine == Engine::Sqlite {
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query(FILL).execute(&mut connection).await.unwrap();
    } else {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        sqlx::query(FILL).execute(&mut connection).await.unwrap();
    }
    let since = "1970-01-01T00:00:00Z";
    let variables = json!({ "since": since, "until": ALWAYS.1, "groupBy": ["MODEL"] });
    let rule = "`groupBy` must give at most 10000 sums, gives more: ask for fewer groups or a shorter period";
    assert_eq!(ada.fault(USAGE, variables).await, ("BAD_USER_INPUT".into(), rule.into()));
    assert_eq!(usage(&ada, (since, "1970-01-01T02:46:41Z"), &["MODEL"]).await.len(), 10_000);
    assert_eq!(usage(&ada, (since, ALWAYS.1), &[]).await[0]["inputTokens"], 10_001);
    // One request can have a few sums, not many.
    let aliases: String = (0..12)
        .map(|at| format!("a{at}: usage(since: \"{since}\", until: \"{}\") {{ messageCount }} ", ALWAYS.1))
        .collect();
    let fault = ada.fault(&format!("{{ viewer {{ {aliases} }} }}"), json!({})).await;
    assert_eq!(fault.0, "QUERY_TOO_COMPLEX");
}
