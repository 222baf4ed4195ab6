//! Windows of conversations for models, pins, and token counts.

mod counts;
mod naive;

use serde_json::{Value, json};

use crate::harness::{APPEND, Client, FINISH, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    a_window_has_the_newest_messages_that_fit,
    a_window_begins_with_a_user_message_where_one_fits,
    system_and_pinned_messages_are_in_every_window,
    messages_that_are_always_there_must_fit,
    a_tool_call_and_its_result_stay_together,
    a_pinned_result_brings_its_call,
    deleted_and_streaming_messages_are_in_no_window,
    a_window_of_another_branch,
    a_pin_is_an_ordinary_change_and_no_edit,
    windows_of_random_conversations_are_those_of_the_naive_model,
    a_long_conversation_is_read_as_far_as_its_window_reaches,
);

with_row_level_security!(
    a_window_has_the_newest_messages_that_fit,
    system_and_pinned_messages_are_in_every_window,
    windows_of_random_conversations_are_those_of_the_naive_model,
);

async fn windows_of_random_conversations_are_those_of_the_naive_model(app: TestApp) {
    naive::compare(&app).await;
}

const CONTEXT: &str = "query($id: ID!, $max: Int!, $leaf: ID) { conversation(id: $id) {
  context(maxTokens: $max, leafId: $leaf, tokenizer: ESTIMATE) {
    messages { position } tokenCount omitted { messageCount tokenCount ranges { first last } }
  } } }";

const UPDATE: &str = "mutation($input: UpdateMessageInput!) { updateMessage(input: $input) { message {
  id pinned editedAt tokenCount(tokenizer: ESTIMATE) } } }";

const DELETE: &str =
    "mutation($id: ID!) { deleteMessage(input: { id: $id }) { message { id pinned tokenCount } } }";

/// Appends a message of so many tokens of the estimate; gives its id.
async fn append(client: &Client, conversation: &str, role: &str, tokens: usize) -> String {
    append_input(
        client,
        json!({ "conversationId": conversation, "role": role, "content": "abcd".repeat(tokens) }),
    )
    .await
}

async fn append_input(client: &Client, input: Value) -> String {
    let data = client.data(APPEND, json!({ "input": input })).await;
    data["appendMessage"]["message"]["id"].as_str().unwrap().to_owned()
}

/// A message with one tool part. What it says has 1 token, and the name of the tool 1.
async fn append_tool(client: &Client, conversation: &str, role: &str, id: &str, state: &str) -> String {
    let tool = json!({ "toolCallId": id, "toolName": "look", "state": state });
    let parts = json!([{ "text": { "text": "abcd" } }, { "tool": tool }]);
    append_input(client, json!({ "conversationId": conversation, "role": role, "parts": parts })).await
}

async fn pin(client: &Client, id: &str) {
    let data = client.data(UPDATE, json!({ "input": { "id": id, "pinned": true } })).await;
    assert_eq!(data["updateMessage"]["message"]["pinned"], true);
}

async fn context(client: &Client, id: &str, max: i64) -> Value {
    let data = client.data(CONTEXT, json!({ "id": id, "max": max })).await;
    data["conversation"]["context"].clone()
}

fn positions(context: &Value) -> Vec<i64> {
    context["messages"].as_array().unwrap().iter().map(|m| m["position"].as_i64().unwrap()).collect()
}

fn omitted(messages: i64, tokens: i64, ranges: &[(i64, i64)]) -> Value {
    let ranges: Vec<Value> =
        ranges.iter().map(|(first, last)| json!({ "first": first, "last": last })).collect();
    json!({ "messageCount": messages, "tokenCount": tokens, "ranges": ranges })
}

async fn a_window_has_the_newest_messages_that_fit(app: TestApp) {
    let ada = app.client("ada");
    let id = &ada.new_conversation().await;
    let nothing = json!({ "messages": [], "tokenCount": 0, "omitted": omitted(0, 0, &[]) });
    assert_eq!(context(&ada, id, 10).await, nothing);
    for _ in 0..3 {
        append(&ada, id, "USER", 2).await;
        append(&ada, id, "ASSISTANT", 3).await;
    }
    // The second time from what was kept.
    for _ in 0..2 {
        let all = context(&ada, id, 15).await;
        assert_eq!((positions(&all), &all["tokenCount"]), (vec![1, 2, 3, 4, 5, 6], &json!(15)));
        assert_eq!(all["omitted"], omitted(0, 0, &[]));
        let two = context(&ada, id, 14).await;
        assert_eq!((positions(&two), &two["tokenCount"]), (vec![3, 4, 5, 6], &json!(10)));
        assert_eq!(two["omitted"], omitted(2, 5, &[(1, 2)]));
        let none = context(&ada, id, 2).await;
        assert_eq!((positions(&none), &none["tokenCount"]), (vec![], &json!(0)));
        assert_eq!(none["omitted"], omitted(6, 15, &[(1, 6)]));
    }
    for max in [0, -1, 10_000_001] {
        let (code, message) = ada.fault(CONTEXT, json!({ "id": id, "max": max })).await;
        let expected = format!("`maxTokens` must be between 1 and 10000000, got {max}");
        assert_eq!((code.as_str(), message), ("BAD_USER_INPUT", expected));
    }
    // The tokenizer has a default, which null stands for too.
    let query = "query($id: ID!, $t: Tokenizer) { conversation(id: $id) { a: context(maxTokens: 100) { tokenCount }
        b: context(maxTokens: 100, tokenizer: $t) { tokenCount } c: context(maxTokens: 100, tokenizer: CL100K_BASE) { tokenCount } } }";
    let data = ada.data(query, json!({ "id": id, "t": null })).await;
    let counts = &data["conversation"];
    assert!(
        counts["a"]["tokenCount"].as_i64().unwrap() > 0 && counts["c"]["tokenCount"].as_i64().unwrap() > 0
    );
    assert_eq!(counts["a"], counts["b"]);
}

async fn a_window_begins_with_a_user_message_where_one_fits(app: TestApp) {
    let ada = app.client("ada");
    let id = &ada.new_conversation().await;
    for (role, tokens) in [("USER", 9), ("ASSISTANT", 2), ("USER", 2), ("ASSISTANT", 2), ("ASSISTANT", 2)] {
        append(&ada, id, role, tokens).await;
    }
    assert_eq!(positions(&context(&ada, id, 16).await), [3, 4, 5], "the answer before is left out");
    assert_eq!(positions(&context(&ada, id, 5).await), [4, 5], "no user message fits");
    assert_eq!(positions(&context(&ada, id, 17).await), [1, 2, 3, 4, 5]);
}

async fn system_and_pinned_messages_are_in_every_window(app: TestApp) {
    let ada = app.client("ada");
    let id = &ada.new_conversation().await;
    append(&ada, id, "SYSTEM", 1).await;
    append(&ada, id, "USER", 5).await;
    let pinned = append(&ada, id, "ASSISTANT", 2).await;
    for _ in 0..5 {
        append(&ada, id, "USER", 3).await;
        append(&ada, id, "ASSISTANT", 3).await;
    }
    assert_eq!(positions(&context(&ada, id, 8).await), [1, 12, 13]);
    pin(&ada, &pinned).await;
    let window = context(&ada, id, 9).await;
    assert_eq!(positions(&window), [1, 3, 12, 13]);
    assert_eq!(window["tokenCount"], 9);
    assert_eq!(window["omitted"], omitted(9, 29, &[(2, 2), (4, 11)]));
    assert_eq!(positions(&context(&ada, id, 3).await), [1, 3], "nothing else fits");
    ada.data(UPDATE, json!({ "input": { "id": pinned, "pinned": false } })).await;
    assert_eq!(positions(&context(&ada, id, 9).await), [1, 12, 13]);
}

async fn messages_that_are_always_there_must_fit(app: TestApp) {
    let ada = app.client("ada");
    let id = &ada.new_conversation().await;
    append(&ada, id, "SYSTEM", 5).await;
    let pinned = append(&ada, id, "USER", 4).await;
    pin(&ada, &pinned).await;
    let answer = ada.run(CONTEXT, json!({ "id": id, "max": 8 })).await.body;
    let error = &answer["errors"][0];
    let extensions = json!({ "code": "BAD_USER_INPUT", "argument": "maxTokens", "requiredTokens": 9 });
    assert_eq!(error["extensions"], extensions);
    let expected = "`maxTokens` must be at least 9 for the SYSTEM and pinned messages of this branch and the tool calls \
                    that belong to them, got 8";
    assert_eq!(error["message"], expected);
    assert_eq!(positions(&context(&ada, id, 9).await), [1, 2]);
}

async fn a_tool_call_and_its_result_stay_together(app: TestApp) {
    let ada = app.client("ada");
    let id = &ada.new_conversation().await;
    append(&ada, id, "USER", 1).await;
    append_tool(&ada, id, "ASSISTANT", "a", "INPUT_AVAILABLE").await;
    append_tool(&ada, id, "TOOL", "a", "OUTPUT_AVAILABLE").await;
    append(&ada, id, "ASSISTANT", 1).await;
    // The result alone would fit.
    for _ in 0..2 {
        assert_eq!(positions(&context(&ada, id, 4).await), [4]);
        assert_eq!(positions(&context(&ada, id, 5).await), [2, 3, 4]);
        assert_eq!(positions(&context(&ada, id, 6).await), [1, 2, 3, 4]);
    }
    // A call without a result, and a result without a call, are left out.
    append_tool(&ada, id, "ASSISTANT", "b", "INPUT_AVAILABLE").await;
    append_tool(&ada, id, "TOOL", "c", "OUTPUT_AVAILABLE").await;
    let window = context(&ada, id, 100).await;
    assert_eq!(positions(&window), [1, 2, 3, 4]);
    assert_eq!(window["omitted"], omitted(2, 4, &[(5, 6)]));
    // Once there is a result, the call is there. A call that has its own is there too.
    append_tool(&ada, id, "TOOL", "b", "OUTPUT_ERROR").await;
    append_tool(&ada, id, "ASSISTANT", "d", "OUTPUT_AVAILABLE").await;
    let window = context(&ada, id, 100).await;
    assert_eq!(positions(&window), [1, 2, 3, 4, 5, 7, 8]);
    // An id that is used again is another call.
    append_tool(&ada, id, "ASSISTANT", "a", "INPUT_AVAILABLE").await;
    assert_eq!(positions(&context(&ada, id, 100).await), [1, 2, 3, 4, 5, 7, 8]);
}

async fn a_pinned_result_brings_its_call(app: TestApp) {
    let ada = app.client("ada");
    let id = &ada.new_conversation().await;
    append(&ada, id, "USER", 1).await;
    let call = append_tool(&ada, id, "ASSISTANT", "a", "INPUT_AVAILABLE").await;
    append(&ada, id, "USER", 5).await;
    let result = append_tool(&ada, id, "TOOL", "a", "OUTPUT_AVAILABLE").await;
    append(&ada, id, "USER", 5).await;
    append(&ada, id, "ASSISTANT", 1).await;
    for pinned in [&result, &call] {
        pin(&ada, pinned).await;
        assert_eq!(positions(&context(&ada, id, 5).await), [2, 4, 6]);
        assert_eq!(positions(&context(&ada, id, 4).await), [2, 4]);
        let (code, message) = ada.fault(CONTEXT, json!({ "id": id, "max": 3 })).await;
        assert_eq!(code, "BAD_USER_INPUT");
        assert!(message.contains("at least 4"), "{message}");
        ada.data(UPDATE, json!({ "input": { "id": pinned, "pinned": false } })).await;
    }
}

async fn deleted_and_streaming_messages_are_in_no_window(app: TestApp) {
    let ada = app.client("ada");
    let id = &ada.new_conversation().await;
    let first = append(&ada, id, "USER", 2).await;
    let pinned = append(&ada, id, "USER", 2).await;
    append(&ada, id, "ASSISTANT", 2).await;
    pin(&ada, &pinned).await;
    assert_eq!(positions(&context(&ada, id, 100).await), [1, 2, 3]);
    let input =
        json!({ "conversationId": id, "role": "ASSISTANT", "status": "STREAMING", "content": "abcdefgh" });
    let streaming = append_input(&ada, input).await;
    assert_eq!(positions(&context(&ada, id, 100).await), [1, 2, 3]);
    for deleted in [&first, &pinned] {
        let data = ada.data(DELETE, json!({ "id": deleted })).await;
        let expected = json!({ "id": deleted, "pinned": false, "tokenCount": 0 });
        assert_eq!(data["deleteMessage"]["message"], expected);
    }
    for _ in 0..2 {
        let window = context(&ada, id, 1).await;
        assert_eq!(positions(&window), Vec::<i64>::new());
        assert_eq!(window["omitted"], omitted(1, 2, &[(3, 3)]));
    }
    let tokens = "query($id: ID!) { node(id: $id) { ... on Message { tokenCount(tokenizer: ESTIMATE) } } }";
    assert_eq!(ada.data(tokens, json!({ "id": streaming })).await["node"]["tokenCount"], 2);
    ada.data(FINISH, json!({ "id": streaming, "status": "COMPLETE" })).await;
    assert_eq!(positions(&context(&ada, id, 100).await), [3, 4]);
    assert_eq!(ada.data(tokens, json!({ "id": streaming })).await["node"]["tokenCount"], 2);
}

async fn a_window_of_another_branch(app: TestApp) {
    let ada = app.client("ada");
    let id = &ada.new_conversation().await;
    append(&ada, id, "USER", 2).await;
    let question = append(&ada, id, "USER", 3).await;
    let answer = append(&ada, id, "ASSISTANT", 4).await;
    let content = "abcd".repeat(5);
    let again =
        json!({ "conversationId": id, "role": "ASSISTANT", "content": content, "parentId": question });
    let again = append_input(&ada, again).await;
    pin(&ada, &answer).await;
    append(&ada, id, "USER", 6).await;
    for _ in 0..2 {
        assert_eq!(
            positions(&context(&ada, id, 100).await),
            [1, 2, 4, 5],
            "what is pinned elsewhere is not here"
        );
        let window = context(&ada, id, 6).await;
        assert_eq!((positions(&window), &window["omitted"]), (vec![5], &omitted(3, 10, &[(1, 4)])));
        for (leaf, expected) in [(&answer, [1, 2, 3]), (&again, [1, 2, 4])] {
            let data = ada.data(CONTEXT, json!({ "id": id, "max": 100, "leaf": leaf })).await;
            assert_eq!(positions(&data["conversation"]["context"]), expected);
        }
    }
    let other = ada.new_conversation().await;
    let foreign = append(&ada, &other, "USER", 1).await;
    let missing = ada.fault(CONTEXT, json!({ "id": id, "max": 100, "leaf": foreign })).await;
    assert_eq!(missing, ("NOT_FOUND".into(), "no such message".into()));
}

async fn a_pin_is_an_ordinary_change_and_no_edit(app: TestApp) {
    let ada = app.client("ada");
    let id = &ada.new_conversation().await;
    let first = append(&ada, id, "USER", 1).await;
    let start =
        ada.data("{ conversations { changeCursor } }", json!({})).await["conversations"]["changeCursor"]
            .clone();
    let changes = "query($after: String) { changes(after: $after) { nodes { __typename ... on MessageUpdated { message { pinned editedAt } } } } }";
    for _ in 0..2 {
        let data = ada.data(UPDATE, json!({ "input": { "id": first, "pinned": true } })).await;
        let expected = json!({ "id": first, "pinned": true, "editedAt": null, "tokenCount": 1 });
        assert_eq!(data["updateMessage"]["message"], expected);
    }
    let data = ada.data(changes, json!({ "after": start })).await;
    let expected =
        json!([{ "__typename": "MessageUpdated", "message": { "pinned": true, "editedAt": null } }]);
    assert_eq!(data["changes"]["nodes"], expected, "the repeat changed nothing");
    let input = json!({ "id": first, "pinned": false, "content": "abcdefgh" });
    let edited = ada.data(UPDATE, json!({ "input": input })).await["updateMessage"]["message"].clone();
    assert!(edited["editedAt"].is_string());
    assert_eq!((&edited["pinned"], &edited["tokenCount"]), (&json!(false), &json!(2)));
    // While it is being written it can be pinned, but not edited; once it is deleted, neither.
    let input = json!({ "conversationId": id, "role": "ASSISTANT", "status": "STREAMING" });
    let streaming = append_input(&ada, input).await;
    pin(&ada, &streaming).await;
    let both = json!({ "input": { "id": streaming, "pinned": true, "metadata": {} } });
    assert_eq!(ada.fault(UPDATE, both).await, ("CONFLICT".into(), "the message is being written".into()));
    ada.data(FINISH, json!({ "id": streaming, "status": "COMPLETE" })).await;
    let list = "query($id: ID!) { conversation(id: $id) { messages { nodes { pinned } } } }";
    let nodes = ada.data(list, json!({ "id": id })).await["conversation"]["messages"]["nodes"].clone();
    assert_eq!(nodes, json!([{ "pinned": false }, { "pinned": true }]));
    ada.data(DELETE, json!({ "id": streaming })).await;
    let again = json!({ "input": { "id": streaming, "pinned": true } });
    assert_eq!(ada.fault(UPDATE, again).await, ("CONFLICT".into(), "the message is deleted".into()));
}

async fn a_long_conversation_is_read_as_far_as_its_window_reaches(app: TestApp) {
    let ada = app.client("ada");
    let id = &ada.new_conversation().await;
    let turn = "mutation($input: AppendMessagesInput!) { appendMessages(input: $input) { messages { id } } }";
    append(&ada, id, "SYSTEM", 1).await;
    for _ in 0..20 {
        let message = |role: &str| json!({ "role": role, "content": "abcd".repeat(10) });
        let messages: Vec<Value> = (0..50).flat_map(|_| [message("USER"), message("ASSISTANT")]).collect();
        ada.data(turn, json!({ "input": { "conversationId": id, "messages": messages } })).await;
    }
    let expected = omitted(1990, 19_900, &[(2, 1991)]);
    let first = context(&ada, id, 101).await;
    assert_eq!(positions(&first), [&[1][..], &(1992..=2001).collect::<Vec<_>>()].concat());
    assert_eq!(first["omitted"], expected);
    // From now on one statement each for the conversation, what is always there, the end of the branch, what is left out,
    // and the messages of the window.
    let before = app.store.statements();
    assert_eq!(context(&ada, id, 101).await["omitted"], expected);
    assert_eq!(app.store.statements() - before, 5);
    let list = "query($id: ID!) { conversation(id: $id) { messages(last: 100) { nodes { tokenCount(tokenizer: ESTIMATE) } } } }";
    let before = app.store.statements();
    let data = ada.data(list, json!({ "id": id })).await;
    assert_eq!(data["conversation"]["messages"]["nodes"].as_array().unwrap().len(), 100);
    assert_eq!(app.store.statements() - before, 2, "the page, and its counts");
}
