//! Feedback on messages.

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::harness::{
    APPEND, Client, Engine, FINISH, TestApp, on_each_database, shared_cluster, with_row_level_security,
};

on_each_database!(
    feedback_is_set_field_by_field,
    cleared_feedback_is_gone,
    a_change_is_in_the_feed_and_a_repeat_is_not,
    feedback_does_not_make_a_conversation_more_recent,
    values_are_checked,
    a_streaming_message_can_have_feedback_and_a_deleted_one_cannot,
    feedback_goes_with_its_message_and_its_conversation,
    a_page_reads_feedback_in_one_statement,
    comments_of_a_page_count_as_bytes_of_the_answer,
);

with_row_level_security!(
    feedback_is_set_field_by_field,
    cleared_feedback_is_gone,
    a_streaming_message_can_have_feedback_and_a_deleted_one_cannot,
    feedback_goes_with_its_message_and_its_conversation,
);

const SET: &str = "mutation($input: SetMessageFeedbackInput!) { setMessageFeedback(input: $input) {
  message { id editedAt feedback { rating tags comment updatedAt } } messageEdge { node { feedback { rating } } } } }";

const DELETE: &str =
    "mutation($id: ID!) { deleteMessage(input: { id: $id }) { message { feedback { rating } } } }";

async fn message(client: &Client) -> (String, String) {
    let conversation = client.new_conversation().await;
    let message = client.append(&conversation, "an answer").await["id"].as_str().unwrap().to_owned();
    (conversation, message)
}

/// Sets feedback, and gives what the message has afterwards, without the time.
async fn set(client: &Client, message: &str, mut input: Value) -> Value {
    input["messageId"] = json!(message);
    let data = client.data(SET, json!({ "input": input })).await["setMessageFeedback"].take();
    let mut feedback = data["message"]["feedback"].clone();
    assert_eq!(data["message"]["editedAt"], Value::Null, "feedback is no edit");
    assert_eq!(data["messageEdge"]["node"]["feedback"]["rating"], feedback["rating"]);
    if let Some(fields) = feedback.as_object_mut() {
        assert!(fields.remove("updatedAt").unwrap().is_string());
    }
    feedback
}

/// The feedback of a message as a query returns it.
async fn read(client: &Client, message: &str) -> Value {
    let query =
        "query($id: ID!) { node(id: $id) { ... on Message { feedback { rating tags comment updatedAt } } } }";
    client.data(query, json!({ "id": message })).await["node"]["feedback"].clone()
}

async fn feedback_is_set_field_by_field(app: TestApp) {
    let ada = app.client("ada");
    let (_, id) = message(&ada).await;
    assert_eq!(read(&ada, &id).await, Value::Null);
    let steps = [
        (json!({ "rating": "UP" }), json!({ "rating": "UP", "tags": [], "comment": null })),
        (
            json!({ "tags": ["Zu lang", "quoted"] }),
            json!({ "rating": "UP", "tags": ["Zu lang", "quoted"], "comment": null }),
        ),
        (
            json!({ "comment": "\u{1f642} \"quoted\"\n" }),
            json!({ "rating": "UP", "tags": ["Zu lang", "quoted"], "comment": "\u{1f642} \"quoted\"\n" }),
        ),
        (
            json!({ "rating": "DOWN", "tags": ["ZU LANG"], "comment": null }),
            json!({ "rating": "DOWN", "tags": ["ZU LANG"], "comment": null }),
        ),
        (json!({ "rating": null }), json!({ "rating": null, "tags": ["ZU LANG"], "comment": null })),
        (json!({}), json!({ "rating": null, "tags": ["ZU LANG"], "comment": null })),
    ];
    let mut last = String::new();
    for (input, expected) in steps {
        let changes = input != json!({});
        assert_eq!(set(&ada, &id, input).await, expected);
        let found = read(&ada, &id).await;
        assert_eq!((&found["rating"], &found["tags"], &found["comment"]), {
            (&expected["rating"], &expected["tags"], &expected["comment"])
        });
        let updated_at = found["updatedAt"].as_str().unwrap().to_owned();
        assert_eq!(updated_at > last, changes, "{last} {updated_at}");
        last = updated_at;
    }
    assert_eq!(read(&app.client("bob"), &id).await, Value::Null);
}

async fn cleared_feedback_is_gone(app: TestApp) {
    let ada = app.client("ada");
    let (_, id) = message(&ada).await;
    for clear in [
        json!({ "rating": null, "tags": null, "comment": null }),
        json!({ "rating": null, "tags": [], "comment": "" }),
    ] {
        set(&ada, &id, json!({ "rating": "DOWN", "tags": ["a"], "comment": "b" })).await;
        assert_eq!(set(&ada, &id, clear.clone()).await, Value::Null);
        assert_eq!(set(&ada, &id, clear).await, Value::Null, "a repeat");
        assert_eq!(read(&ada, &id).await, Value::Null);
    }
}

async fn a_change_is_in_the_feed_and_a_repeat_is_not(app: TestApp) {
    let ada = app.client("ada");
    let (_, id) = message(&ada).await;
    let changes = "{ changes(first: 100) { nodes { __typename ... on MessageUpdated { message { id feedback { comment } } } } } }";
    let updates = async || {
        let data = ada.data(changes, json!({})).await;
        let nodes = data["changes"]["nodes"].as_array().unwrap().clone();
        nodes.into_iter().filter(|node| node["__typename"] == "MessageUpdated").collect::<Vec<_>>()
    };
    set(&ada, &id, json!({})).await;
    assert_eq!(updates().await, Vec::<Value>::new(), "there was nothing to clear");
    for (count, input) in [
        (1, json!({ "rating": "UP", "comment": "c" })),
        (1, json!({ "rating": "UP", "comment": "c" })),
        (1, json!({ "comment": "c" })),
        (2, json!({ "rating": "DOWN" })),
        (3, json!({ "rating": null, "comment": "d" })),
        (3, json!({ "tags": [] })),
    ] {
        set(&ada, &id, input.clone()).await;
        assert_eq!(updates().await.len(), count, "{input}");
    }
    let expected =
        json!({ "__typename": "MessageUpdated", "message": { "id": id, "feedback": { "comment": "d" } } });
    assert_eq!(updates().await.pop(), Some(expected));
}

async fn feedback_does_not_make_a_conversation_more_recent(app: TestApp) {
    let ada = app.client("ada");
    let (older, id) = message(&ada).await;
    let (newer, _) = message(&ada).await;
    let list = "{ conversations { nodes { id updatedAt } } }";
    let before = ada.data(list, json!({})).await;
    assert_eq!(
        [&before["conversations"]["nodes"][0]["id"], &before["conversations"]["nodes"][1]["id"]],
        [&newer, &older]
    );
    set(&ada, &id, json!({ "rating": "UP" })).await;
    assert_eq!(ada.data(list, json!({})).await, before);
}

async fn values_are_checked(app: TestApp) {
    let ada = app.client("ada");
    let (_, id) = message(&ada).await;
    let many: Vec<String> = (0..33).map(|at| format!("tag {at}")).collect();
    let longest = "\u{1f642}".repeat(64);
    for (mut input, expected) in [
        (json!({ "tags": many }), "`input.tags` must have at most 32 tags, has 33"),
        (json!({ "tags": ["a", ""] }), "`input.tags[1]` must have 1 to 64 characters, has 0"),
        (json!({ "tags": [format!("{longest}x")] }), "`input.tags[0]` must have 1 to 64 characters, has 65"),
        (
            json!({ "tags": ["Straße", "STRASSE"] }),
            "`input.tags[1]` must differ in more than case from tag 0",
        ),
        (
            json!({ "comment": "x".repeat(4097) }),
            "`input.comment` must be at most 4096 bytes of UTF-8, has 4097",
        ),
        (json!({ "comment": "a\0b" }), "`input.comment` must not contain NUL (U+0000)"),
        (json!({ "messageId": "1" }), "`input.messageId` must be a UUID"),
    ] {
        input["rating"] = json!("UP");
        if input["messageId"].is_null() {
            input["messageId"] = json!(id);
        }
        let fault = ada.fault(SET, json!({ "input": input })).await;
        assert_eq!(fault, ("BAD_USER_INPUT".into(), expected.into()));
    }
    assert_eq!(read(&ada, &id).await, Value::Null, "nothing of it was stored");
    let largest = json!({ "tags": ([&many[..31], &[longest]].concat()), "comment": "é".repeat(2048) });
    let stored = set(&ada, &id, largest.clone()).await;
    assert_eq!((&stored["tags"], &stored["comment"]), (&largest["tags"], &largest["comment"]));
    // Accents and width are not case.
    let tags = json!({ "tags": ["cafe", "café", "ｃａｆｅ"] });
    assert_eq!(set(&ada, &id, tags.clone()).await["tags"], tags["tags"]);
}

async fn a_streaming_message_can_have_feedback_and_a_deleted_one_cannot(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let input = json!({ "conversationId": conversation, "role": "ASSISTANT", "status": "STREAMING" });
    let data = ada.data(APPEND, json!({ "input": input })).await;
    let id = data["appendMessage"]["message"]["id"].as_str().unwrap();
    let expected = json!({ "rating": "DOWN", "tags": [], "comment": null });
    assert_eq!(set(&ada, id, json!({ "rating": "DOWN" })).await, expected);
    ada.data(FINISH, json!({ "id": id, "status": "COMPLETE" })).await;
    assert_eq!(read(&ada, id).await["rating"], "DOWN");
    let deleted = ada.data(DELETE, json!({ "id": id })).await;
    assert_eq!(deleted["deleteMessage"]["message"]["feedback"], Value::Null);
    let late = ada.fault(SET, json!({ "input": { "messageId": id, "rating": "UP" } })).await;
    assert_eq!(late, ("CONFLICT".into(), "the message is deleted".into()));
}

async fn feedback_goes_with_its_message_and_its_conversation(app: TestApp) {
    let ada = app.client("ada");
    let (conversation, first) = message(&ada).await;
    let second = ada.append(&conversation, "another").await["id"].as_str().unwrap().to_owned();
    let (_, other) = message(&ada).await;
    for id in [&first, &second, &other] {
        set(&ada, id, json!({ "comment": "because" })).await;
    }
    assert_eq!(rows(&app).await, 3);
    ada.data(DELETE, json!({ "id": first })).await;
    assert_eq!(rows(&app).await, 2);
    let delete = "mutation($id: ID!) { deleteConversation(input: { id: $id }) { deletedConversationId } }";
    ada.data(delete, json!({ "id": conversation })).await;
    assert_eq!(rows(&app).await, 1);
    assert_eq!(read(&ada, &other).await["comment"], "because");
}

/// The rows of feedback in the database. Behind row-level security with the rights of an administrator.
async fn rows(app: &TestApp) -> i64 {
    const COUNT: &str = "SELECT count(*) FROM message_feedback";
    let url = app.config.database_url();
    if app.engine == Engine::Sqlite {
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        return sqlx::query_scalar(COUNT).fetch_one(&mut connection).await.unwrap();
    }
    let admin = shared_cluster().url(url.rsplit('/').next().unwrap());
    let mut connection = PgConnection::connect(&admin).await.unwrap();
    sqlx::query_scalar(COUNT).fetch_one(&mut connection).await.unwrap()
}

async fn a_page_reads_feedback_in_one_statement(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    for at in 0..30 {
        let id = ada.append(&conversation, "text").await["id"].as_str().unwrap().to_owned();
        if at % 3 > 0 {
            set(&ada, &id, json!({ "comment": at.to_string() })).await;
        }
    }
    let page =
        "query($id: ID!) { conversation(id: $id) { messages { nodes { position feedback { comment } } } } }";
    let before = app.store.statements();
    let data = ada.data(page, json!({ "id": conversation })).await;
    assert_eq!(app.store.statements() - before, 2, "the page, and its feedback");
    let nodes = data["conversation"]["messages"]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 30);
    for (at, node) in nodes.iter().enumerate() {
        let comment = (at % 3 > 0).then(|| json!({ "comment": at.to_string() }));
        assert_eq!(node["feedback"], comment.unwrap_or_default());
    }
}

async fn comments_of_a_page_count_as_bytes_of_the_answer(app: TestApp) {
    let app = TestApp::start_with(
        app.engine,
        &[("limits.message_bytes", "32768"), ("limits.answer_bytes", "65536")],
    )
    .await;
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    for _ in 0..20 {
        let id = ada.append(&conversation, "text").await["id"].as_str().unwrap().to_owned();
        set(&ada, &id, json!({ "comment": "x".repeat(4096) })).await;
    }
    let page = |size: usize| {
        format!(
            "query($id: ID!) {{ conversation(id: $id) {{ messages(last: {size}) {{ nodes {{ feedback {{ comment }} }} }} }} }}"
        )
    };
    let variables = json!({ "id": conversation });
    assert_eq!(ada.fault(&page(20), variables.clone()).await.0, "QUERY_TOO_COMPLEX");
    ada.data(&page(5), variables).await;
}
